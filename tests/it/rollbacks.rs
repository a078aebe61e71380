//! Going back: refused without a reason, recorded with it, and held afterwards until somebody
//! releases what was taken away.

use crate::applications::{
    commit, commit_on, commits, configure, deploy, forget_if_refused, refused, short, try_deploy,
    try_deploy_saying, world,
};
use crate::world::World;

const A: &str = "production/a";
const B: &str = "production/b";

/// A world with some commits of `a`, whose job fails while the file `fail` exists.
pub fn with_commits(count: usize) -> (World, Vec<String>) {
    let world = world(&["a"], "");
    world.job("note start; test ! -e \"$W/fail\"");
    let main = commits(&world, "a", count);
    (world, main)
}

/// Deploys while the job fails.
#[track_caller]
pub fn deploy_and_fail(world: &World, target: &str, revision: &str) {
    fail_while(world, || deploy(world, target, revision));
}

#[track_caller]
fn fail_while(world: &World, deploy: impl FnOnce() -> String) {
    std::fs::write(world.path("fail"), "").unwrap();
    let last = deploy();
    assert!(last.ends_with(" failed: exit status 1"), "{last}");
    std::fs::remove_file(world.path("fail")).unwrap();
}

/// Pushes a rollback of `production/a`, and returns the last line of the history.
#[track_caller]
pub fn roll_back(world: &World, revision: &str, reason: &str) -> String {
    try_deploy_saying(world, A, revision, &format!("Deploy-Rollback: {reason}")).ok();
    world.settled().pop().unwrap()
}

/// A rollback whose deployment fails.
#[track_caller]
pub fn roll_back_and_fail(world: &World, revision: &str, reason: &str) {
    fail_while(world, || roll_back(world, revision, reason));
}

#[track_caller]
fn assert_refused(push: crate::run::Run, expected: &str) {
    let said = refused(push);
    assert!(said.contains(expected), "{expected:?} is missing: {said}");
}

/// The incident that the program exists for.
#[test]
fn old_branch_is_refused_in_production_with_the_lost_commits() {
    let world = world(&["a"], "allowed_refs = [\"refs/heads/*\"]");
    let main: Vec<String> = (1..=7)
        .map(|n| commit(&world, "a", "main", &format!("Fix bug {n}")))
        .collect();
    let old = commit_on(&world, "a", "old", "An old branch", &[&main[0]]);
    deploy(&world, A, &main[6]);

    let said = refused(try_deploy(&world, A, &old));
    let (new, old) = (short(&main[6]), short(&old));
    let lost: String = (3..=7)
        .rev()
        .map(|n| format!("    {} Fix bug {n}\n", short(&main[n - 1])))
        .collect();
    let expected = format!(
        "deploy-by-code: refused production/a.deploy: {old} has diverged from {new}, \
         which is deployed: it would gain 1 commit and lose 6 commits:\n\
         {lost}    … and 1 more\n  \
         hint: merge {new} into the new revision first; if this is intended, give the reason \
         in the deploy commit, with the trailer Deploy-Rollback: <reason>"
    );
    assert_eq!(said, expected);

    let lost = format!(
        "go back 1 commit from {new}, which is deployed, and would lose:\n    {new} Fix bug 7\n"
    );
    assert_refused(try_deploy(&world, A, &main[5]), &lost);
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn rollback_without_a_reason_is_refused() {
    let (world, main) = with_commits(2);
    deploy(&world, A, &main[1]);

    for message in [
        "no trailer",
        "Deploy-Rollback:",
        // The paragraph does not consist of trailers.
        "Deploy-Rollback: at the beginning\nof a paragraph.",
        // These reasons have no letter.
        "Deploy-Rollback: \u{200b}",
        "Deploy-Rollback: ...",
        "Deploy-Rollback: \u{a0}",
    ] {
        let push = try_deploy_saying(&world, A, &main[0], message);
        assert_refused(push, "would go back 1 commit");
    }
    assert_eq!(world.settled().len(), 1);
}

#[test]
fn rollback_is_recorded_with_its_reason() {
    let (world, main) = with_commits(2);
    deploy(&world, A, &main[1]);

    let trailers = "Deploy-Rollback: alarms\x1b[31m\nReviewed-by: Bob";
    try_deploy_saying(&world, A, &main[0], trailers).ok();
    assert_eq!(world.settled().pop().unwrap(), "#2 production/a succeeded");

    let shown = world.show(2);
    assert_eq!(shown["rolled_back"], main[1].as_str());
    assert_eq!(shown["exceptions"][0]["kind"], "rollback");
    assert_eq!(shown["exceptions"][0]["reason"], "alarms\x1b[31m");
    world
        .cmd(&["show", "2"])
        .ok()
        .says("rollback       alarms\\u{1b}[31m");
}

#[test]
fn rollback_holds_back_what_it_took_away_until_a_release() {
    let (world, main) = with_commits(3);
    deploy(&world, A, &main[1]);
    roll_back(&world, &main[0], "alarms");

    let hold = format!(
        "held back: {} was rolled back by #2: alarms",
        short(&main[1])
    );
    world.cmd(&["status"]).ok().says(&hold);
    assert_eq!(world.status(A)["rolled_back"], main[1].as_str());
    for revision in &main[1..] {
        let said = refused(try_deploy(&world, A, revision));
        let contains = format!(
            "contains {}, which the rollback #2 took away: alarms",
            short(&main[1])
        );
        assert!(said.contains(&contains), "{said}");
        assert!(said.contains("Deploy-Release: <reason>"), "{said}");
    }

    // Deploying the older revision once more does not end the hold.
    assert_eq!(deploy(&world, A, &main[0]), "#3 production/a succeeded");
    refused(try_deploy(&world, A, &main[2]));

    try_deploy_saying(&world, A, &main[2], "Deploy-Release: fixed by c3").ok();
    assert_eq!(world.settled().pop().unwrap(), "#4 production/a succeeded");
    assert_eq!(world.show(4)["exceptions"][0]["kind"], "release");
    world.cmd(&["status"]).ok().says_nothing_of("held back");
}

#[test]
fn hold_ends_by_deploy_release_alone() {
    let (world, main) = with_commits(7);
    let side = commit_on(&world, "a", "side", "side", &[&main[1]]);
    configure(&world, "allowed_refs = [\"refs/heads/*\"]");
    deploy(&world, A, &main[6]);
    roll_back(&world, &main[2], "c7 burns");

    // It does not end by a deployment of a part of what was taken away, ...
    deploy(&world, A, &main[3]);
    refused(try_deploy(&world, A, &main[6]));

    // ... nor by one that fails, ...
    deploy_and_fail(&world, A, &main[4]);
    refused(try_deploy(&world, A, &main[6]));

    // ... nor by a rollback to another branch.
    roll_back(&world, &side, "c5 burns too");
    let aside = "Deploy-Rollback: aside";
    refused(try_deploy_saying(&world, A, &main[6], aside));

    let both = format!("{aside}\nDeploy-Release: all is fixed");
    try_deploy_saying(&world, A, &main[6], &both).ok();
    world.settled();
    let hold = format!("{} was rolled back", short(&main[6]));
    world.cmd(&["status"]).ok().says_nothing_of(&hold);
}

#[test]
fn rollback_reason_counts_in_any_pushed_commit_of_the_file() {
    let world = world(&["a", "b"], "");
    let (a, b) = (commits(&world, "a", 2), commits(&world, "b", 2));
    deploy(&world, A, &a[1]);
    deploy(&world, B, &b[1]);

    // A commit that changes only another file gives no reason for this one.
    world.deploy_rev(A, &a[0]);
    world.commit();
    world.deploy_rev(B, &b[1]);
    let push = world.try_push_saying("Deploy-Rollback: for b alone");
    forget_if_refused(&world, &push);
    assert_refused(push, "would go back 1 commit");

    // An earlier commit of the same push that changes the file does.
    world.deploy_rev(A, &a[0]);
    world.commit_saying("Deploy-Rollback: earlier");
    world.write("notes", "x");
    world.push();
    assert_eq!(world.settled().pop().unwrap(), "#3 production/a succeeded");
    assert_eq!(world.show(3)["exceptions"][0]["reason"], "earlier");

    // So does the merge commit.
    world.git(&["checkout", "-q", "-b", "topic"]);
    world.deploy_rev(B, &b[0]);
    world.commit();
    world.git(&["checkout", "-q", "main"]);
    let message = "Merge\n\nDeploy-Rollback: by the merge";
    world.git(&["merge", "-q", "--no-ff", "-m", message, "topic"]);
    world.push();
    assert_eq!(world.settled().pop().unwrap(), "#4 production/b succeeded");
    assert_eq!(world.show(4)["exceptions"][0]["reason"], "by the merge");
}

/// Such a merge commit differs from its first parent in the other side's file alone.
#[test]
fn rollback_reason_of_a_merge_is_not_for_the_dropped_side() {
    let world = world(&["a", "b"], "");
    let (a, b) = (commits(&world, "a", 3), commits(&world, "b", 3));
    world.deploy_rev(A, &a[0]);
    world.deploy_rev(B, &b[2]);
    world.push();
    world.git(&["checkout", "-q", "-b", "topic"]);
    world.deploy_rev(B, &b[1]);
    world.commit_saying("Deploy-Rollback: b is broken");
    world.git(&["checkout", "-q", "-"]);
    deploy(&world, A, &a[2]);

    world.git(&["checkout", "-q", "topic"]);
    let message = "Merge\n\nDeploy-Rollback: b is broken";
    world.git(&["merge", "-q", "-s", "ours", "-m", message, "origin/main"]);
    let said = refused(world.push_with(&["origin", "HEAD:refs/heads/main"]));

    assert!(said.contains(" would go back 2 commits"), "{said}");
    assert!(!said.contains("production/b"), "{said}");
}

#[test]
fn rollback_goes_before_everything_that_waits() {
    let world = world(&["a", "b", "c"], "queue = \"all\"");
    let [a, b, c] = ["a", "b", "c"].map(|name| commits(&world, name, 3));
    deploy(&world, A, &a[0]);
    deploy(&world, A, &a[1]);
    world.job("note start; test $DEPLOY_ID != 3 || hold end");
    try_deploy(&world, B, &b[0]).ok();
    world.wait_for("production/b #3 start");

    try_deploy(&world, "production/c", &c[0]).ok();
    try_deploy(&world, A, &a[2]).ok();
    try_deploy_saying(&world, A, &a[0], "Deploy-Rollback: alarms").ok();
    world.open("end");

    assert_eq!(
        world.settled()[2..],
        [
            "#3 production/b succeeded",
            "#4 production/c succeeded",
            "#5 production/a superseded: by #6",
            "#6 production/a succeeded"
        ]
    );
    let ran = world.ran();
    assert_eq!(
        ran[ran.len() - 3..],
        [
            "production/b #3 start",
            "production/a #6 start",
            "production/c #4 start"
        ]
    );
}

#[test]
fn rollback_that_failed_can_be_deployed_again_without_promotion() {
    let (world, main) = with_commits(5);
    deploy(&world, A, &main[2]);
    deploy(&world, A, &main[4]);
    configure(
        &world,
        "[environments.production]\npromotes_from = \"staging\"\n[environments.staging]\n",
    );
    roll_back_and_fail(&world, &main[2], "bad");

    assert_eq!(deploy(&world, A, &main[2]), "#4 production/a succeeded");
    assert_eq!(world.show(4)["exceptions"][0]["reason"], "bad");
}

#[test]
fn rollback_that_was_cancelled_holds_and_excuses_nothing() {
    let (world, main) = with_commits(5);
    deploy(&world, A, &main[4]);
    configure(&world, "[environments.production]\non_freeze = \"hold\"\n");
    world.cmd(&["freeze", "production", "--reason", "x"]).ok();
    try_deploy_saying(&world, A, &main[2], "Deploy-Rollback: r").ok();
    world.cmd(&["cancel", "2"]).ok();
    world.cmd(&["thaw", "production"]).ok();
    world.retire(A);
    world.push();

    let push = try_deploy(&world, A, &main[2]);
    assert_refused(push, "would go back 2 commits");

    world.cmd(&["status"]).ok().says_nothing_of("held back");
    assert_eq!(deploy(&world, A, &main[4]), "#3 production/a succeeded");
}

/// pre-receive plans what was left first. Otherwise the two pushes would be planned as one change
/// forward, and the rollback in between would be lost.
#[test]
fn rollback_whose_hooks_never_ran_is_recorded_first() {
    let (world, main) = with_commits(6);
    deploy(&world, A, &main[4]);
    world.deploy_rev(A, &main[2]);
    world.commit_saying("Deploy-Rollback: c5 burns");
    world.push_unseen();

    let push = try_deploy(&world, A, &main[5]);

    assert_refused(push, "which the rollback #2 took away: c5 burns");
    assert_eq!(world.settled().pop().unwrap(), "#2 production/a succeeded");
}

#[test]
fn returning_application_may_not_go_behind_what_is_under_way() {
    let (world, main) = with_commits(6);
    deploy(&world, A, &main[2]);
    world.job("note start; hold end");
    try_deploy(&world, A, &main[4]).ok();
    world.wait_for("production/a #2 start");
    world.retire(A);
    world.push();

    let said = refused(try_deploy(&world, A, &main[3]));
    assert!(said.contains("would go back 1 commit"), "{said}");
    assert!(said.contains("which is under way"), "{said}");

    world.open("end");
    world.settled();
    assert_refused(try_deploy(&world, A, &main[3]), "which is deployed");

    // The pusher sees from which revision it goes.
    let expected = format!(
        "#3 production/a {} -> {} queued",
        short(&main[4]),
        short(&main[5])
    );
    try_deploy(&world, A, &main[5]).ok().says(&expected);
}
