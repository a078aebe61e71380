//! What a rule says where it does not know everything: nothing, if another rule refuses already
//! because of that, and otherwise that it does not know. It never guesses.

use crate::applications::{
    commit, commits, configure, deploy, refused, remove_object, short, try_deploy,
    try_deploy_saying, world,
};
use crate::run::run;
use crate::world::{World, rev};

const A: &str = "production/a";

/// Asserts that there is one refusal with this text, and that it recommends no trailer.
#[track_caller]
fn assert_one_refusal(said: &str, expected: &str) {
    assert_eq!(said.matches(" refused ").count(), 1, "{said}");
    assert!(said.contains(expected), "{expected:?}: {said}");
    assert!(!said.contains("Deploy-"), "{said}");
}

const PROMOTED: &str = "[environments.production]\npromotes_from = \"staging\"\n\
                        [environments.staging]\n";

/// A world in which one commit is deployed, and one was rolled back and is held.
fn world_with_a_hold(config: &str) -> (World, Vec<String>) {
    let world = world(&["a"], config);
    let main = commits(&world, "a", 4);
    for target in ["staging/a", A] {
        deploy(&world, target, &main[1]);
        try_deploy_saying(&world, target, &main[0], "Deploy-Rollback: alarms").ok();
        world.settled();
    }
    (world, main)
}

#[test]
fn slip_in_a_hash_gives_one_refusal_and_no_advice_for_a_trailer() {
    let (world, main) = world_with_a_hold(PROMOTED);
    let wrong_digit = format!(
        "{}{}",
        &main[3][..39],
        if main[3].ends_with('0') { 1 } else { 0 }
    );
    let tree = world.git_in(
        "apps/a.git",
        &["rev-parse", &format!("{}^{{tree}}", main[3])],
    );

    for (word, expected) in [
        (&wrong_digit, "is not in the repository of a"),
        (&rev(9), "is not in the repository of a"),
        (&tree, "is a tree of a, not a commit"),
        (&"ab".repeat(32), "is not in the repository of a"),
    ] {
        for target in [A, "staging/a"] {
            assert_one_refusal(&refused(try_deploy(&world, target, word)), expected);
        }
        // A reason does not help.
        let reasons = "Deploy-Rollback: x\nDeploy-Release: x\nDeploy-Alone: x";
        let said = refused(try_deploy_saying(&world, A, word, reasons));
        assert_one_refusal(&said, expected);
    }
}

#[test]
fn unreadable_application_gives_one_refusal() {
    let (world, main) = world_with_a_hold(PROMOTED);
    crate::applications::take_away(&world, "a");
    let said = refused(try_deploy(&world, A, &main[3]));
    assert_one_refusal(&said, "the repository of a can't be read");

    std::fs::create_dir(world.path("apps/a.git")).unwrap();
    let said = refused(try_deploy(&world, A, &main[3]));
    assert_one_refusal(&said, "the repository of a can't be read");
}

/// A force-push removes what is deployed, and `git gc` its commits.
fn remove_from_history(world: &World, keep: &str) {
    let git = |arguments: &[&str]| world.git_in("apps/a.git", arguments);
    git(&["update-ref", "refs/heads/main", keep]);
    git(&["-c", "gc.reflogExpire=now", "gc", "-q", "--prune=now"]);
}

#[test]
fn commit_that_was_removed_from_the_application_is_in_no_later_deployment() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 3);
    deploy(&world, A, &main[2]);
    remove_from_history(&world, &main[1]);

    let said = refused(try_deploy(&world, A, &main[1]));
    let gone = format!("{} is not in the repository any more", short(&main[2]));
    assert!(said.contains(&gone), "{said}");

    try_deploy_saying(&world, A, &main[1], "Deploy-Rollback: it was removed").ok();
    assert_eq!(world.settled().last().unwrap(), "#2 production/a succeeded");
    assert_eq!(world.show(2)["rolled_back"], main[2].as_str());

    // Nothing that comes later contains it.
    for n in 3..=4 {
        let next = commit(&world, "a", "main", &format!("later {n}"));
        assert_eq!(
            deploy(&world, A, &next),
            format!("#{n} production/a succeeded")
        );
    }
}

/// Turns the pack of the application into loose objects.
fn unpack(world: &World) {
    let objects = world.path("apps/a.git/objects");
    let away = world.path("away");
    std::fs::rename(objects.join("pack"), &away).unwrap();
    std::fs::create_dir(objects.join("pack")).unwrap();
    std::fs::remove_file(objects.join("info/commit-graph")).unwrap();

    let is_pack = |path: &std::path::PathBuf| path.extension().is_some_and(|end| end == "pack");
    let files = std::fs::read_dir(&away).unwrap();
    let pack = files
        .map(|file| file.unwrap().path())
        .find(is_pack)
        .unwrap();
    let mut command = world.command("git", "apps/a.git");
    command.args(["unpack-objects", "-q"]);
    run(&mut command, &std::fs::read(&pack).unwrap()).ok();
}

#[test]
fn hold_that_cannot_be_compared_is_a_fault_and_not_a_match() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 6);
    deploy(&world, A, &main[3]);
    try_deploy_saying(&world, A, &main[2], "Deploy-Rollback: alarms").ok();
    world.settled();
    remove_from_history(&world, &main[2]);
    let next = commit(&world, "a", "main", "next");

    // The history below is not complete, so the removed commit may be there.
    unpack(&world);
    remove_object(&world, "a", &main[0]);

    let said = refused(try_deploy(&world, A, &next));
    assert!(!said.contains("took away: alarms"), "{said}");
    assert!(said.contains("the history is broken"), "{said}");
}

/// A commit of the deploy repository that gix can't read, because it has no valid committer.
fn commit_without_a_committer(world: &World, parent: &str) -> String {
    let tree = world.git(&["rev-parse", &format!("{parent}^{{tree}}")]);
    let content = format!("tree {tree}\nparent {parent}\nauthor x\ncommitter x\n\nmessage\n");
    let mut command = world.command("git", "work");
    command.args([
        "hash-object",
        "-w",
        "--literally",
        "--stdin",
        "-t",
        "commit",
    ]);
    run(&mut command, content.as_bytes()).ok().line().to_owned()
}

#[test]
fn rewind_across_a_commit_without_a_committer_is_refused() {
    let world = World::new();
    world.deploy(A, 1);
    let first = world.commit();
    let strange = commit_without_a_committer(&world, &first);
    world.git(&["reset", "-q", "--hard", &strange]);
    world.deploy(A, 2);
    world.push();
    world.install();

    world.git(&["reset", "-q", "--hard", &first]);
    for change in [true, false] {
        if change {
            world.write("README", "x");
        } else {
            world.git(&["reset", "-q", "--hard", &first]);
        }
        world.commit();
        world
            .push_with(&["-f", "origin", "HEAD:refs/heads/main"])
            .exits(1)
            .says("may not be rewound");
    }
}

/// What pre-receive accepts where nothing was installed yet, planning does not refuse.
#[test]
fn push_before_there_is_a_state_is_judged_by_an_empty_record() {
    let world = world(&["a"], PROMOTED);
    let main = commits(&world, "a", 1);
    std::fs::remove_dir_all(world.state()).unwrap();
    std::fs::remove_file(world.path("deploy.git/deploy-by-code.installed")).unwrap();

    let said = refused(try_deploy(&world, A, &main[0]));
    assert!(said.contains("was never deployed to staging"), "{said}");
    assert!(!world.state().exists());

    configure(&world, "");
    try_deploy(&world, A, &main[0]).ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

/// A push is compared with what the deploy file asked for before, and so is `check`, also while
/// nothing of it is deployed yet.
#[test]
fn check_of_a_commit_refuses_what_a_push_of_it_refuses() {
    let world = world(&["a"], "");
    world.job("note start; exit 1");
    let main = commits(&world, "a", 3);
    deploy(&world, A, &main[2]);

    world.deploy_rev(A, &main[1]);
    world.push_with(&["origin", "HEAD:refs/heads/side"]).ok();
    let back = format!("{} would go back 1 commit from", short(&main[1]));
    world.try_push().exits(1).says(&back);
    world.cmd(&["check", "side"]).exits(1).says(&back);

    // What is on the branch is accepted, and so is a commit that asks for the same.
    world.cmd(&["check"]).ok();
    world.cmd(&["check", "main"]).ok();
    world.cmd(&["check", "side~1"]).ok();
}
