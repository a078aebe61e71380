//! The safeguards, by real pushes: where a revision comes from, which way it goes, and what came
//! before it.

use std::fs;

use crate::applications::{
    commit, commit_upon, commits, configure, deploy, forget_if_refused, refused, try_deploy,
    try_deploy_saying, world,
};
use crate::run::run;
use crate::world::rev;

const A: &str = "production/a";

// Exists and reachable.

#[test]
fn a_revision_on_another_branch_is_refused_and_the_branch_named() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 2);
    let old = commit_upon(&world, "a", "old-fixes", "an old fix", &[&main[0]]);
    let said = refused(try_deploy(&world, A, &old));
    assert_eq!(
        said,
        format!(
            "deploy-by-code: refused production/a.deploy: {} is not on refs/heads/main of a\n  \
             hint: merge it there first; it is only on refs/heads/old-fixes",
            &old[..7]
        )
    );
    assert_eq!(world.history(), [""; 0]);
    assert_eq!(deploy(&world, A, &main[0]), "#1 production/a succeeded");
}

#[test]
fn tags_and_patterns_can_be_allowed() {
    let world = world(
        &["a"],
        "allowed_refs = [\"refs/heads/release/*\", \"refs/tags/v*\"]",
    );
    let main = commits(&world, "a", 4);
    let git = |arguments: &[&str]| world.git_in("apps/a.git", arguments);
    git(&["tag", "v1", &main[0]]);
    git(&["tag", "-a", "-m", "two", "v2", &main[1]]);
    git(&["tag", "w3", &main[2]]);
    git(&["branch", "release/1", &main[3]]);
    git(&["branch", "release-1", &main[3]]);
    assert_eq!(deploy(&world, A, &main[0]), "#1 production/a succeeded");
    assert_eq!(deploy(&world, A, &main[1]), "#2 production/a succeeded");
    git(&["pack-refs", "--all"]);
    assert_eq!(
        deploy(&world, A, &main[2]),
        "#3 production/a succeeded",
        "below refs/heads/release/1"
    );
    git(&["update-ref", "-d", "refs/heads/release/1"]);
    let said = refused(try_deploy(&world, A, &main[3]));
    assert!(
        said.contains("is on none of refs/heads/release/*, refs/tags/v* of a"),
        "{said}"
    );
    assert!(
        said.contains("it is only on refs/heads/main, refs/heads/release-1"),
        "{said}"
    );
    git(&["tag", "-a", "-m", "of a tag", "v4", "v2"]);
    refused(try_deploy(&world, A, &main[3]));
}

#[test]
fn what_is_no_commit_or_abbreviated_or_missing_is_refused() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 1);
    let git = |arguments: &[&str]| world.git_in("apps/a.git", arguments);
    let tree = git(&["rev-parse", "main^{tree}"]);
    git(&["tag", "-a", "-m", "one", "v1", "main"]);
    let tag = git(&["rev-parse", "v1"]);
    assert!(refused(try_deploy(&world, A, &tree)).contains("is a tree of a, not a commit"));
    assert!(refused(try_deploy(&world, A, &tag)).contains("is a tag of a, not a commit"));
    assert!(
        refused(try_deploy(&world, A, &rev(9))).contains("0000009 is not in the repository of a")
    );
    let said = refused(try_deploy(&world, A, &main[0][..9]));
    assert!(said.contains("is an abbreviated commit hash"), "{said}");
    assert!(
        said.contains(&format!("hint: write the whole hash: {}", main[0])),
        "{said}"
    );
    fs::rename(world.path("apps/a.git"), world.path("apps/away.git")).unwrap();
    let said = refused(try_deploy(&world, A, &main[0]));
    assert!(
        said.contains("the repository of a can't be read: ") && said.contains("apps/a.git"),
        "{said}"
    );
}

#[test]
fn shallow_and_broken_history_is_refused() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 4);
    deploy(&world, A, &main[0]);
    let url = format!("file://{}", world.path("apps/a.git").display());
    world.git_in(
        "apps",
        &["clone", "-q", "--bare", "--depth", "1", &url, "shallow.git"],
    );
    fs::rename(world.path("apps/a.git"), world.path("apps/whole.git")).unwrap();
    fs::rename(world.path("apps/shallow.git"), world.path("apps/a.git")).unwrap();
    let said = refused(try_deploy(&world, A, &main[3]));
    assert!(
        said.contains("the repository of a is shallow: its history is cut off"),
        "{said}"
    );
    fs::rename(world.path("apps/a.git"), world.path("apps/shallow.git")).unwrap();
    fs::rename(world.path("apps/whole.git"), world.path("apps/a.git")).unwrap();
    let object = format!("apps/a.git/objects/{}/{}", &main[2][..2], &main[2][2..]);
    fs::remove_file(world.path(&object)).unwrap();
    // What is missing can't be lost without a word: it is no way forward.
    refused(try_deploy(&world, A, &main[3]));
    assert_eq!(world.settled().len(), 1);
}

#[test]
fn sha256_and_reftable_applications() {
    let world = world(&[], "allowed_refs = [\"refs/heads/main\", \"refs/tags/*\"]");
    let init = [
        "init",
        "-q",
        "--bare",
        "-b",
        "main",
        "--object-format=sha256",
        "--ref-format=reftable",
        "a.git",
    ];
    if run(world.command("git", "apps").args(init), b"").code != Some(0) {
        println!("skipped: this git has no reftable");
        return;
    }
    let main = commits(&world, "a", 3);
    let side = commit_upon(&world, "a", "side", "side", &[&main[0]]);
    assert_eq!(deploy(&world, A, &main[1]), "#1 production/a succeeded");
    assert!(refused(try_deploy(&world, A, &main[0])).contains("would go back 1 commit"));
    assert!(refused(try_deploy(&world, A, &side)).contains("is on none of"));
    world.git_in("apps/a.git", &["tag", "-a", "-m", "x", "v1", &side]);
    assert!(refused(try_deploy(&world, A, &side)).contains("has diverged from"));
    assert_eq!(deploy(&world, A, &main[2]), "#2 production/a succeeded");
}

// Backwards.

#[test]
fn the_incident_an_old_branch_does_not_get_to_production() {
    let world = world(&["a"], "allowed_refs = [\"refs/heads/*\"]");
    let main: Vec<String> = (1..=7)
        .map(|n| commit(&world, "a", "main", &format!("Fix bug {n}")))
        .collect();
    let old = commit_upon(&world, "a", "old", "An old branch", &[&main[0]]);
    deploy(&world, A, &main[6]);
    let said = refused(try_deploy(&world, A, &old));
    let (old, new) = (&old[..7], &main[6][..7]);
    let lost: String = main[2..]
        .iter()
        .rev()
        .zip((3..=7).rev())
        .map(|(id, n)| format!("    {} Fix bug {n}\n", &id[..7]))
        .collect();
    assert_eq!(
        said,
        format!(
            "deploy-by-code: refused production/a.deploy: has diverged from {new}, which is deployed: it would gain 1 commit and lose 6 commits:\n\
             {lost}    … and 1 more\n  hint: merge {new} into it first; if that is meant, say why in the deploy commit, with a trailer: Deploy-Rollback: <reason>"
        ),
        "{old}"
    );
    let said = refused(try_deploy(&world, A, &main[5]));
    assert!(
        said.contains(&format!(
            "would go back 1 commit from {new}, which is deployed, and lose:\n    {new} Fix bug 7\n"
        )),
        "{said}"
    );
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn a_rollback_says_why_and_is_recorded_and_holds() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 3);
    deploy(&world, A, &main[0]);
    deploy(&world, A, &main[1]);
    // An empty reason is none, and a word in the middle of the message is no trailer.
    refused(try_deploy_saying(&world, A, &main[0], "Deploy-Rollback:"));
    refused(try_deploy_saying(
        &world,
        A,
        &main[0],
        "Deploy-Rollback: in the middle\n\nThe end.",
    ));
    try_deploy_saying(
        &world,
        A,
        &main[0],
        "Deploy-Rollback: alarms\x1b[31m\nReviewed-by: Bob",
    )
    .ok();
    assert_eq!(world.settled().pop().unwrap(), "#3 production/a succeeded");
    let shown = world.show(3);
    assert_eq!(shown["rolled_back"], main[1].as_str());
    assert_eq!(shown["exceptions"][0]["kind"], "rollback");
    assert_eq!(shown["exceptions"][0]["reason"], "alarms\x1b[31m");
    world
        .cmd(&["show", "3"])
        .ok()
        .says("rollback       alarms\\u{1b}[31m");
    // It holds: what contains it does not come back unnoticed.
    let hold = format!("held back: {} was rolled back by #3: alarms", &main[1][..7]);
    world.cmd(&["status"]).ok().says(&hold);
    assert_eq!(world.status(A)["rolled_back"], main[1].as_str());
    for revision in &main[1..] {
        let said = refused(try_deploy(&world, A, revision));
        assert!(
            said.contains(&format!(
                "contains {}, which #3 rolled back: alarms\\u{{1b}}[31m",
                &main[1][..7]
            )),
            "{said}"
        );
        assert!(said.contains("Deploy-Release: <reason>"), "{said}");
    }
    // The same again lifts nothing.
    assert_eq!(deploy(&world, A, &main[0]), "#4 production/a succeeded");
    refused(try_deploy(&world, A, &main[2]));
    try_deploy_saying(&world, A, &main[2], "Deploy-Release: mended by c3").ok();
    assert_eq!(world.settled().pop().unwrap(), "#5 production/a succeeded");
    assert_eq!(world.show(5)["exceptions"][0]["kind"], "release");
    world.cmd(&["status"]).ok().says_nothing_of("held back");
}

#[test]
fn the_reason_can_stand_in_any_commit_of_the_push_that_touches_the_file() {
    let world = world(&["a", "b"], "");
    let (a, b) = (commits(&world, "a", 2), commits(&world, "b", 2));
    deploy(&world, A, &a[1]);
    deploy(&world, "production/b", &b[1]);
    // A commit that touches another file gives no reason for this one.
    world.deploy_rev(A, &a[0]);
    world.commit();
    world.deploy_rev("production/b", &b[1]);
    let push = world.try_push_saying("Deploy-Rollback: for b alone");
    forget_if_refused(&world, &push);
    assert!(refused(push).contains("would go back 1 commit"));
    // An earlier one of the same push does, and so does the merge commit.
    world.deploy_rev(A, &a[0]);
    world.git(&[
        "commit",
        "-q",
        "-a",
        "-m",
        "Back",
        "-m",
        "Deploy-Rollback: earlier",
    ]);
    world.write("notes", "x");
    world.push();
    assert_eq!(world.settled().pop().unwrap(), "#3 production/a succeeded");
    assert_eq!(world.show(3)["exceptions"][0]["reason"], "earlier");
    world.git(&["checkout", "-q", "-b", "topic"]);
    world.deploy_rev("production/b", &b[0]);
    world.commit();
    world.git(&["checkout", "-q", "main"]);
    world.git(&[
        "merge",
        "-q",
        "--no-ff",
        "-m",
        "Merge",
        "-m",
        "Deploy-Rollback: by the merge",
        "topic",
    ]);
    world.push();
    assert_eq!(world.settled().pop().unwrap(), "#4 production/b succeeded");
    assert_eq!(world.show(4)["exceptions"][0]["reason"], "by the merge");
}

#[test]
fn a_rollback_goes_before_what_waits() {
    let world = world(&["a", "b", "c"], "queue = \"all\"");
    let (a, b, c) = (
        commits(&world, "a", 3),
        commits(&world, "b", 2),
        commits(&world, "c", 1),
    );
    deploy(&world, A, &a[0]);
    deploy(&world, A, &a[1]);
    world.job("note start; test $DEPLOY_ID != 3 || hold end");
    try_deploy(&world, "production/b", &b[0]).ok();
    world.wait_for("production/b #3 start");
    try_deploy(&world, "production/c", &c[0]).ok();
    try_deploy(&world, A, &a[2]).ok();
    try_deploy_saying(&world, A, &a[0], "Deploy-Rollback: alarms").ok();
    world.open("end");
    let history = world.settled();
    assert_eq!(
        history[2..],
        [
            "#3 production/b succeeded",
            "#4 production/c succeeded",
            "#5 production/a superseded: by #6",
            "#6 production/a succeeded"
        ]
    );
    let ran = world.ran();
    let at = |line: &str| ran.iter().position(|ran| ran == line).unwrap();
    assert!(
        at("production/a #6 start") < at("production/c #4 start"),
        "{ran:#?}"
    );
    assert!(!ran.contains(&"production/a #5 start".to_owned()));
}

#[test]
fn a_retry_of_something_stale_goes_on_record() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 2);
    world.job("test $DEPLOY_ID != 1");
    assert_eq!(
        deploy(&world, A, &main[0]),
        "#1 production/a failed: exit status 1"
    );
    deploy(&world, A, &main[1]);
    world
        .cmd(&["retry", "1"])
        .exits(1)
        .says("is wanted for production/a now");
    world.cmd(&["retry", "--stale", "1"]).ok();
    assert_eq!(world.settled().pop().unwrap(), "#3 production/a succeeded");
    assert_eq!(
        world.show(3)["exceptions"][0]["reason"],
        "retry --stale of #1 by root"
    );
}

// Promotion.

#[test]
fn a_revision_must_have_succeeded_where_it_comes_from() {
    let config = "[environments.production]\npromotes_from = \"staging\"\n[environments.staging]\n";
    let world = world(&["a"], config);
    let main = commits(&world, "a", 4);
    let short = |n: usize| main[n][..7].to_owned();
    let said = refused(try_deploy(&world, A, &main[0]));
    assert!(
        said.contains(&format!("{} was never deployed to staging", short(0))),
        "{said}"
    );
    world.job("note start; test $DEPLOY_ENVIRONMENT = production || hold $DEPLOY_ID; test ! -e \"$W/fail\"");
    try_deploy(&world, "staging/a", &main[0]).ok();
    world.wait_for("staging/a #1 start");
    let said = refused(try_deploy(&world, A, &main[0]));
    assert!(
        said.contains(&format!("{} is running in staging (#1)", short(0))),
        "{said}"
    );
    fs::write(world.path("fail"), "").unwrap();
    world.open("1");
    world.settled();
    let said = refused(try_deploy(&world, A, &main[0]));
    assert!(
        said.contains(&format!(
            "{} did not succeed in staging: failed (#1)",
            short(0)
        )),
        "{said}"
    );
    fs::remove_file(world.path("fail")).unwrap();
    world.open("2");
    assert_eq!(
        deploy(&world, "staging/a", &main[0]),
        "#2 staging/a succeeded"
    );
    assert_eq!(deploy(&world, A, &main[0]), "#3 production/a succeeded");

    configure(
        &world,
        &config.replace("\"staging\"\n", "\"staging\"\nsoak = \"1h\"\n"),
    );
    world.open("4");
    deploy(&world, "staging/a", &main[1]);
    let said = refused(try_deploy(&world, A, &main[1]));
    assert!(
        said.contains("succeeded in staging ")
            && said.contains(" (#4): ")
            && said.contains(" to go"),
        "{said}"
    );
    assert!(said.contains("it has to soak there for 1 h"), "{said}");
    // What is there already may be deployed again.
    assert_eq!(deploy(&world, A, &main[0]), "#5 production/a succeeded");
}

#[test]
fn the_urgent_way_back_needs_no_promotion() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 3);
    deploy(&world, A, &main[1]);
    deploy(&world, A, &main[2]);
    configure(
        &world,
        "[environments.production]\npromotes_from = \"staging\"\nsoak = \"1h\"\n[environments.staging]\n",
    );
    let never = try_deploy_saying(&world, A, &main[0], "Deploy-Rollback: alarms");
    assert!(refused(never).contains("was never deployed to staging"));
    try_deploy_saying(&world, A, &main[1], "Deploy-Rollback: alarms").ok();
    assert_eq!(world.settled().pop().unwrap(), "#3 production/a succeeded");
}

// prepend_only, and the deploy branch itself.

#[test]
fn history_cannot_be_rewritten() {
    let world = world(&["a"], "[environments.production]\nprepend_only = true\n");
    let main = commits(&world, "a", 3);
    let entry = |n: usize| format!("{}\n* c{}\n", main[n], n + 1);
    let push = |content: String| {
        world.deploy_file(A, content);
        let push = world.try_push();
        forget_if_refused(&world, &push);
        push
    };
    push(entry(0).trim_end().to_owned()).ok();
    push(format!("{}{}", entry(1), entry(0))).ok();
    assert!(
        refused(push(entry(2)))
            .contains("the old content is not kept as it was below the new entry: line 4")
    );
    assert!(refused(push(format!("{}{}edited\n", entry(2), entry(1)))).contains("line 4"));
    // Also where nothing would be deployed.
    let said = refused(push(format!("{}\n* rewritten\n{}", main[1], entry(0))));
    assert!(said.contains("line 2"), "{said}");
    push(format!("{}{}{}", entry(2), entry(1), entry(0))).ok();
    assert_eq!(world.settled().len(), 3);
}

#[test]
fn the_deploy_branch_is_neither_deleted_nor_rewound() {
    let world = world(&["a"], "");
    world.server_git(&["config", "receive.denyDeleteCurrent", "ignore"]);
    let main = commits(&world, "a", 2);
    deploy(&world, A, &main[0]);
    let first = world.tip();
    deploy(&world, A, &main[1]);
    let second = world.tip();
    let deleted = world.push_with(&["origin", ":refs/heads/main"]).exits(1);
    assert!(
        deleted
            .remote()
            .join("\n")
            .contains("refused refs/heads/main: the deploy branch may not be deleted")
    );
    let rewound = world
        .push_with(&["-f", "origin", &format!("{first}:refs/heads/main")])
        .exits(1)
        .remote()
        .join("\n");
    assert!(
        rewound.contains("the deploy branch may not be rewound: 1 commit would no longer be on it"),
        "{rewound}"
    );
    assert_eq!(world.tip(), second);
    let apps = world.path("apps");
    let config = fs::read_to_string(world.path("deploy.git/deploy-by-code.toml")).unwrap();
    world.config_file(&format!("allow_rewind = true\n{config}"));
    // The branch may go back then, what is deployed still may not.
    let rewound = world
        .push_with(&["-f", "origin", &format!("{first}:refs/heads/main")])
        .exits(1)
        .remote()
        .join("\n");
    assert!(
        rewound.contains("would go back 1 commit") && !rewound.contains("rewound"),
        "{rewound}"
    );
    world.push_with(&["origin", ":refs/heads/main"]).ok();
    assert!(apps.exists());
    assert_eq!(world.settled().len(), 2);
}

// post-receive judges again.

#[test]
fn what_got_past_pre_receive_is_a_problem_on_record() {
    let world = world(&["a", "b"], "");
    let (a, b) = (commits(&world, "a", 2), commits(&world, "b", 1));
    deploy(&world, A, &a[1]);
    world.deploy_rev(A, &a[0]);
    world.deploy_rev("production/b", &b[0]);
    let line = world.push_unseen();
    let told = world.hook("post-receive", &line).ok();
    told.says("problem production/a.deploy: would go back 1 commit")
        .says("#2 production/b new");
    assert_eq!(world.settled().len(), 2);
    world
        .cmd(&["status"])
        .ok()
        .says("problem production/a.deploy: would go back 1 commit")
        .says(&a[1][..7]);
    assert_eq!(world.status(A)["status"], "problem");
    // A way forward, and one back with a reason, end it.
    try_deploy(&world, A, &a[1]).ok();
    assert_eq!(world.settled().pop().unwrap(), "#3 production/a succeeded");
    world.cmd(&["status"]).ok().says_nothing_of("problem");
}

#[test]
fn all_refusals_of_all_files_come_at_once() {
    let world = world(
        &["a", "b"],
        "[environments.production]\npromotes_from = \"staging\"\n[environments.staging]\n",
    );
    let (a, b) = (commits(&world, "a", 1), commits(&world, "b", 1));
    let side = commit_upon(&world, "a", "side", "side", &[&a[0]]);
    world.deploy_rev(A, &side);
    world.deploy_rev("production/b", &b[0]);
    world.deploy_rev("staging/a", &rev(1));
    let said = refused(world.try_push());
    for expect in [
        "refused production/a.deploy: ".to_owned() + &side[..7] + " is not on refs/heads/main of a",
        format!(
            "refused production/a.deploy: {} was never deployed to staging",
            &side[..7]
        ),
        format!(
            "refused production/b.deploy: {} was never deployed to staging",
            &b[0][..7]
        ),
        "refused staging/a.deploy: 0000001 is not in the repository of a".to_owned(),
    ] {
        assert!(said.contains(&expect), "{expect:?} is missing: {said}");
    }
    assert_eq!(world.tip(), crate::world::NULL);
}
