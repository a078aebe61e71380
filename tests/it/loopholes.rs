//! Ways by which a revision once got past the safeguards, or a reason or a hold got lost.

use std::fs;

use crate::applications::{
    commit, commit_upon, commits, configure, deploy, forget_if_refused, refused, try_deploy,
    try_deploy_saying, world,
};
use crate::world::World;

const A: &str = "production/a";
const B: &str = "production/b";

/// A world with seven commits of `a`, whose job fails while the file `fail` exists.
fn seven() -> (World, Vec<String>) {
    let world = world(&["a"], "");
    world.job("note start; test ! -e \"$W/fail\"");
    let main = commits(&world, "a", 7);
    (world, main)
}

fn fails(world: &World, yes: bool) {
    let file = world.path("fail");
    if yes {
        fs::write(file, "").unwrap()
    } else {
        fs::remove_file(file).unwrap()
    }
}

#[track_caller]
fn roll_back(world: &World, revision: &str, reason: &str) -> String {
    try_deploy_saying(world, A, revision, &format!("Deploy-Rollback: {reason}")).ok();
    world.settled().pop().unwrap()
}

#[test]
fn only_the_newest_is_tried_again_and_only_what_was_accepted() {
    let (world, main) = seven();
    fails(&world, true);
    deploy(&world, A, &main[2]);
    fails(&world, false);
    deploy(&world, A, &main[4]);
    fails(&world, true);
    assert!(roll_back(&world, &main[2], "A5 is bad").ends_with("failed: exit status 1"));
    fails(&world, false);
    world
        .cmd(&["retry", "1"])
        .exits(1)
        .says("#3 is failed")
        .says("deploy-by-code retry 3");
    world.cmd(&["retry", "3"]).ok();
    assert_eq!(world.settled().pop().unwrap(), "#4 production/a succeeded");
    assert_eq!(world.show(4)["exceptions"][0]["reason"], "A5 is bad");
    assert!(refused(try_deploy(&world, A, &main[5])).contains("which #4 rolled back: A5 is bad"));
    // What post-receive refused is not deployed by a retry of an older try.
    world.deploy_rev(A, &main[0]);
    let line = world.push_unseen();
    world
        .hook("post-receive", &line)
        .ok()
        .says("problem production/a.deploy: would go back 2 commits");
    for id in ["1", "3"] {
        world.cmd(&["retry", id]).exits(1);
    }
    assert_eq!(world.settled().len(), 4);
}

#[test]
fn what_comes_back_after_a_retirement_is_compared_with_what_is_under_way() {
    let (world, main) = seven();
    deploy(&world, A, &main[2]);
    world.job("note start; hold end");
    try_deploy(&world, A, &main[4]).ok();
    world.wait_for("production/a #2 start");
    world.retire(A);
    world.push();
    let said = refused(try_deploy(&world, A, &main[3]));
    assert!(
        said.contains("would go back 1 commit") && said.contains("which is under way"),
        "{said}"
    );
    world.open("end");
    world.settled();
    let said = refused(try_deploy(&world, A, &main[3]));
    assert!(said.contains("which is deployed"), "{said}");
    // What is told is where it goes from.
    let push = try_deploy(&world, A, &main[5]).ok();
    push.says(&format!(
        "#3 production/a {} -> {} queued",
        &main[4][..7],
        &main[5][..7]
    ));
}

#[test]
fn a_reason_of_a_cancelled_rollback_excuses_nothing_new() {
    let (world, main) = seven();
    deploy(&world, A, &main[4]);
    configure(&world, "[environments.production]\non_freeze = \"hold\"\n");
    world.cmd(&["freeze", "production", "--reason", "x"]).ok();
    try_deploy_saying(&world, A, &main[2], "Deploy-Rollback: r").ok();
    world.cmd(&["cancel", "2"]).ok();
    world.cmd(&["thaw", "production"]).ok();
    world.retire(A);
    world.push();
    assert!(refused(try_deploy(&world, A, &main[2])).contains("would go back 2 commits"));
    // Nothing was taken away, so nothing is held back.
    world.cmd(&["status"]).ok().says_nothing_of("held back");
    assert_eq!(deploy(&world, A, &main[4]), "#3 production/a succeeded");
}

#[test]
fn a_comment_mends_no_problem() {
    let (world, main) = seven();
    deploy(&world, A, &main[0]);
    fails(&world, true);
    deploy(&world, A, &main[4]);
    fails(&world, false);
    world.deploy_rev(A, &main[2]);
    let line = world.push_unseen();
    world
        .hook("post-receive", &line)
        .ok()
        .says("problem production/a.deploy");
    let old = fs::read_to_string(world.path("work/production/a.deploy")).unwrap();
    world.deploy_file(A, format!("{old}# a comment\n"));
    world.push();
    assert_eq!(world.status(A)["status"], "problem");
    assert!(refused(try_deploy(&world, A, &main[3])).contains("would go back 1 commit"));
}

#[test]
fn the_urgent_way_back_is_open_a_second_time() {
    let (world, main) = seven();
    deploy(&world, A, &main[2]);
    deploy(&world, A, &main[4]);
    configure(
        &world,
        "[environments.production]\npromotes_from = \"staging\"\n[environments.staging]\n",
    );
    fails(&world, true);
    assert!(roll_back(&world, &main[2], "bad").ends_with("failed: exit status 1"));
    fails(&world, false);
    assert_eq!(deploy(&world, A, &main[2]), "#4 production/a succeeded");
    assert_eq!(world.show(4)["exceptions"][0]["reason"], "bad");
}

#[test]
fn a_push_is_judged_after_what_came_before_it_also_where_that_was_not_planned() {
    let (world, main) = seven();
    deploy(&world, A, &main[4]);
    world.deploy_rev(A, &main[2]);
    world.git(&[
        "commit",
        "-q",
        "-a",
        "-m",
        "Back",
        "-m",
        "Deploy-Rollback: A5 burns",
    ]);
    world.push_unseen();
    let said = refused(try_deploy(&world, A, &main[5]));
    assert!(said.contains("which #2 rolled back: A5 burns"), "{said}");
    assert_eq!(world.settled().pop().unwrap(), "#2 production/a succeeded");
}

#[test]
fn a_hold_ends_by_release_alone() {
    let (world, main) = seven();
    let side = commit_upon(&world, "a", "side", "side", &[&main[1]]);
    configure(&world, "allowed_refs = [\"refs/heads/*\"]");
    deploy(&world, A, &main[6]);
    roll_back(&world, &main[2], "A7 burns");
    // Neither part of what was taken away lifts it, nor one that fails, nor a rollback aside.
    deploy(&world, A, &main[3]);
    refused(try_deploy(&world, A, &main[6]));
    fails(&world, true);
    deploy(&world, A, &main[4]);
    fails(&world, false);
    refused(try_deploy(&world, A, &main[6]));
    roll_back(&world, &side, "A5 burns too");
    refused(try_deploy_saying(
        &world,
        A,
        &main[6],
        "Deploy-Rollback: aside",
    ));
    let both = "Deploy-Rollback: aside\nDeploy-Release: all is mended";
    try_deploy_saying(&world, A, &main[6], both).ok();
    world.settled();
    world
        .cmd(&["status"])
        .ok()
        .says_nothing_of(&format!("{} was rolled back", &main[6][..7]));
}

#[test]
fn the_same_again_still_needs_what_it_needs() {
    let world = world(&["a", "b"], "");
    let b = commits(&world, "b", 3);
    let first = commit(&world, "a", "main", "first");
    let needs = commit(
        &world,
        "a",
        "main",
        &format!("Use it\n\nDeploy-After: b {}", b[1]),
    );
    deploy(&world, A, &first);
    deploy(&world, B, &b[0]);
    world.job("test $DEPLOY_ID != 4");
    world.deploy_rev(A, &needs);
    world.deploy_rev(B, &b[2]);
    world.push();
    assert_eq!(
        world.settled()[2..],
        [
            "#3 production/a skipped: #4 b failed",
            "#4 production/b failed: exit status 1"
        ]
    );
    assert!(refused(try_deploy(&world, A, &needs)).contains("needs what is not there"));
    world
        .cmd(&["retry", "3"])
        .exits(1)
        .says("needs what is not there");
    world.cmd(&["retry", "4"]).ok();
    world.settled();
    world.cmd(&["retry", "3"]).ok();
    assert_eq!(world.settled().pop().unwrap(), "#6 production/a succeeded");
}

#[test]
fn the_same_again_of_what_was_refused_alone_is_no_way_past_together() {
    let world = world(
        &["a", "b"],
        "[environments.production]\ntogether = [\"a\", \"b\"]\n",
    );
    let (a, b) = (commits(&world, "a", 2), commits(&world, "b", 1));
    world.deploy_rev(A, &a[0]);
    world.deploy_rev(B, &b[0]);
    world.push();
    world.settled();
    world.deploy_rev(A, &a[1]);
    let line = world.push_unseen();
    world
        .hook("post-receive", &line)
        .ok()
        .says("problem production/a.deploy: belongs together with b");
    assert!(refused(try_deploy(&world, A, &a[1])).contains("belongs together with b"));
}

#[test]
fn a_commit_may_name_its_own_application_and_a_cycle_has_a_way_out() {
    let world = world(&["a", "b"], "");
    let first = commit(&world, "a", "main", "first");
    deploy(&world, A, &first);
    let middle = commit(&world, "a", "main", "middle");
    let own = commit(
        &world,
        "a",
        "main",
        &format!("Use it\n\nDeploy-After: a {middle}"),
    );
    assert_eq!(deploy(&world, A, &own), "#2 production/a succeeded");
    let b1 = commit(&world, "b", "main", "b1");
    let a2 = commit(
        &world,
        "a",
        "main",
        &format!("Use b\n\nDeploy-After: b {b1}"),
    );
    let b2 = commit(
        &world,
        "b",
        "main",
        &format!("Use a\n\nDeploy-After: a {a2}"),
    );
    world.deploy_rev(A, &a2);
    world.deploy_rev(B, &b2);
    let push = world.try_push();
    forget_if_refused(&world, &push);
    assert!(refused(push).contains("make a cycle"));
    world.deploy_rev(A, &a2);
    world.deploy_rev(B, &b2);
    world
        .try_push_saying("Deploy-Alone: both are off until the end")
        .ok();
    assert!(
        world.settled()[2..]
            .iter()
            .all(|line| line.ends_with(" succeeded")),
        "{:#?}",
        world.history()
    );
}

#[test]
fn a_merge_that_takes_one_side_gives_no_reason_for_the_other() {
    let world = world(&["a", "b"], "");
    let (a, b) = (commits(&world, "a", 3), commits(&world, "b", 3));
    world.deploy_rev(A, &a[0]);
    world.deploy_rev(B, &b[2]);
    world.push();
    world.git(&["checkout", "-q", "-b", "topic"]);
    world.deploy_rev(B, &b[1]);
    world.git(&[
        "commit",
        "-q",
        "-a",
        "-m",
        "Back",
        "-m",
        "Deploy-Rollback: b is broken",
    ]);
    world.git(&["checkout", "-q", "-"]);
    deploy(&world, A, &a[2]);
    world.git(&["checkout", "-q", "topic"]);
    world.git(&[
        "merge",
        "-q",
        "-s",
        "ours",
        "-m",
        "Merge",
        "-m",
        "Deploy-Rollback: b is broken",
        "origin/main",
    ]);
    let said = refused(world.push_with(&["origin", "HEAD:refs/heads/main"]));
    assert!(
        said.contains("refused production/a.deploy: would go back 2 commits"),
        "{said}"
    );
    assert!(!said.contains("production/b"), "{said}");
}

#[test]
fn a_retry_after_an_interruption_is_of_what_is_still_wanted() {
    let (world, main) = seven();
    configure(&world, "on_interrupt = \"retry\"");
    deploy(&world, A, &main[2]);
    world.job("note start; test $DEPLOY_ID != 2 || hold end");
    try_deploy(&world, A, &main[4]).ok();
    world.wait_for("production/a #2 start");
    world.kill_runner();
    world.open("end");
    world.retire(A);
    world.push();
    world.cmd(&["reconcile"]).ok();
    assert_eq!(
        world.settled()[1],
        "#2 production/a interrupted: the runner died"
    );
    world.wait_until("the runner left", || world.ours().is_empty());
    assert_eq!(world.settled().len(), 2);
}

#[test]
fn a_configuration_that_breaks_while_something_waits_strands_nothing() {
    let (world, main) = seven();
    configure(&world, "[environments.production]\non_freeze = \"hold\"\n");
    deploy(&world, A, &main[0]);
    world
        .cmd(&["freeze", "production", "--reason", "x", "--until", "3s"])
        .ok();
    try_deploy(&world, A, &main[1]).ok();
    let good = fs::read_to_string(world.path("deploy.git/deploy-by-code.toml")).unwrap();
    world.config_file(&format!("{good}\nnonsense = 1\n"));
    world.wait_until("the freeze is over", || {
        world.cmd(&["freeze", "--help"]).code == Some(0) && {
            let status = world.cmd(&["status"]).stdout;
            !status.contains("production: frozen by")
        }
    });
    assert_eq!(world.history().len(), 2);
    world.config_file(&good);
    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded", "#2 production/a succeeded"]
    );
}

#[test]
fn a_merge_request_that_is_behind_is_looked_at_as_merged() {
    let world = world(&["a", "b"], "");
    let (a, b) = (commits(&world, "a", 2), commits(&world, "b", 2));
    world.deploy_rev(A, &a[0]);
    world.deploy_rev(B, &b[0]);
    world.push();
    world.git(&["checkout", "-q", "-b", "topic"]);
    world.deploy_rev(A, &a[1]);
    world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
    world.git(&["checkout", "-q", "-"]);
    deploy(&world, B, &b[1]);
    let plan = world.cmd(&["plan", "main", "topic"]).ok();
    plan.says("this is what merging it would do")
        .says("deploy production/a")
        .says_nothing_of("production/b");
}

#[test]
fn broken_history_is_called_so() {
    let (world, main) = seven();
    deploy(&world, A, &main[0]);
    let object = format!("apps/a.git/objects/{}/{}", &main[4][..2], &main[4][2..]);
    fs::remove_file(world.path(&object)).unwrap();
    let said = refused(try_deploy(&world, A, &main[2]));
    assert!(
        said.contains("the history is broken") && !said.contains("merge it there first"),
        "{said}"
    );
}

#[test]
fn a_reason_without_a_letter_is_none() {
    let (world, main) = seven();
    deploy(&world, A, &main[1]);
    for reason in ["\u{200b}", "...", "\u{a0}"] {
        refused(try_deploy_saying(
            &world,
            A,
            &main[0],
            &format!("Deploy-Rollback: {reason}"),
        ));
    }
}
