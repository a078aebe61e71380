//! What a deploy file has to look like. pre-receive refuses everything else; post-receive reports
//! it and deploys the rest.

use std::fs;

use crate::tree::{EXECUTABLE, FILE, FOLDER, SUBMODULE, SYMLINK, Trees};
use crate::world::{NULL, World, rev};

/// Pushes a commit, which must be refused without any change, and returns what the hooks printed.
#[track_caller]
fn refused(world: &World, commit: &str) -> String {
    let push = world
        .push_with(&["origin", &format!("{commit}:refs/heads/main")])
        .exits(1);
    assert_eq!(world.tip(), NULL, "the branch was created: {push:#?}");
    assert_eq!(world.history(), [""; 0]);
    push.remote().join("\n")
}

/// Trees with a deploy file of a wrong form, each with a text that the refusal has to contain.
fn wrong_forms(trees: &Trees<'_>) -> Vec<(String, String)> {
    const A: &str = "production/a.deploy";
    let good = trees.blob(rev(1));
    let at = |path: &str| (trees.path(FILE, path.as_bytes(), &good), path.to_owned());
    let entry = |mode, object: &str| (trees.path(mode, A.as_bytes(), object), A.to_owned());
    let content = |content: &str, expected: &str| {
        let tree = trees.path(FILE, A.as_bytes(), &trees.blob(content));
        (tree, expected.to_owned())
    };
    let files = [
        (FILE, &b"A.deploy"[..], good.as_str()),
        (FILE, b"a.deploy", &good),
    ];
    let folder = trees.tree(&files[1..]);
    let folders = [
        (FOLDER, &b"Production"[..], folder.as_str()),
        (FOLDER, b"production", &folder),
    ];
    let of_two_files = trees.path(FOLDER, b"production", &trees.tree(&files));

    vec![
        // It is not a file.
        entry(SYMLINK, &trees.blob("b.deploy")),
        entry(SUBMODULE, &rev(7)),
        (
            trees.path(FILE, b"production/a.deploy/x", &good),
            A.to_owned(),
        ),
        // It is at the wrong depth.
        at("a.deploy"),
        at("production/b/a.deploy"),
        at("production/b/c/d/a.deploy"),
        // Its name or its folder's name is not allowed.
        at("production/a b.deploy"),
        at("production/-h.deploy"),
        at("production/.deploy"),
        at(".production/a.deploy"),
        at("production/é.deploy"),
        at(&format!("production/{}.deploy", "x".repeat(65))),
        // Another name differs in case only.
        (of_two_files, A.to_owned()),
        (trees.tree(&folders), "production".to_owned()),
        // Its first word is not a revision.
        content("", A),
        content(" \n\t\n", A),
        content("\n\n6037512\n", "line 3"),
        content("* Deploy\n", "line 1"),
        content("main\n", "\"main\""),
        content(NULL, "null"),
        content(&format!("{}a\n", rev(1)), "line 1"),
        // It is too large.
        content(&format!("{}\n{}", rev(1), "x".repeat(1 << 20)), "1 MiB"),
    ]
}

#[test]
fn deploy_file_of_a_wrong_form_is_refused_with_a_hint() {
    let world = World::installed();
    let trees = Trees::new(&world, "work");

    for (tree, expected) in wrong_forms(&trees) {
        let said = refused(&world, &trees.commit(&tree, None));
        for part in ["deploy-by-code: refused ", &expected, "\n  hint: "] {
            assert!(said.contains(part), "{part:?} for {expected}: {said}");
        }
    }
}

#[test]
fn deploy_files_at_the_limits_are_accepted() {
    let world = World::installed();
    let trees = Trees::new(&world, "work");
    let good = trees.blob(rev(1));
    let full = trees.blob(format!("{}{}", rev(1), "\n".repeat((1 << 20) - 40)));
    let long = format!("{}.deploy", "x".repeat(64));
    let environment = trees.tree(&[
        (EXECUTABLE, b"0.deploy", &good),
        (FILE, b"a.deploy", &full),
        (FILE, long.as_bytes(), &good),
    ]);
    let commit = trees.commit(&trees.tree(&[(FOLDER, b"9-a._B", &environment)]), None);
    world
        .push_with(&["origin", &format!("{commit}:refs/heads/main")])
        .ok();

    assert_eq!(world.settled().len(), 3);
}

#[test]
fn refusal_lists_all_problems_and_changes_nothing() {
    let world = World::installed();
    world.deploy("production/good", 1);
    world.deploy_file("production/a", "6037512\n");
    world.deploy_file("production/b", "");
    world.write("shallow.deploy", rev(1));

    let push = world.try_push().exits(1);

    let said = push.remote();
    let starts = |start: &str| said.iter().any(|line| line.starts_with(start));

    for expected in [
        "deploy-by-code: refused production/a.deploy: line 1: \"6037512\" \
         is an abbreviated commit hash",
        "  hint: write the whole hash, 40 or 64 hexadecimal digits, as git rev-parse prints it",
        "deploy-by-code: refused production/b.deploy: the file names no revision",
        "deploy-by-code: refused shallow.deploy",
    ] {
        assert!(starts(expected), "{expected:?} is missing: {said:#?}");
    }

    push.says_nothing_of("production/good");
    assert_eq!(world.tip(), NULL);
    assert_eq!(world.history(), [""; 0]);
}

#[test]
fn refusal_covers_the_other_branches_of_the_push() {
    let world = World::installed();
    world.deploy_file("production/a", "nonsense\n");
    world
        .push_with(&["origin", "HEAD:refs/heads/main", "HEAD:refs/heads/topic"])
        .exits(1);
    assert_eq!(world.server_git(&["for-each-ref"]), "");
}

#[test]
fn post_receive_reports_wrong_files_and_deploys_the_rest() {
    let world = World::installed();
    fs::remove_file(world.path("deploy.git/hooks/pre-receive")).unwrap();
    world.deploy("production/good", 1);
    world.deploy_file("production/bad", "6037512\n");
    world.write("shallow.deploy", rev(1));

    world
        .push()
        .says(
            "remote: deploy-by-code: problem production/bad.deploy: line 1: \"6037512\" \
             is an abbreviated commit hash",
        )
        .says("remote: deploy-by-code: problem shallow.deploy");
    assert_eq!(world.settled(), ["#1 production/good succeeded"]);

    // The problem is recorded until it is fixed.
    world.cmd(&["check"]).exits(1).says("production/bad.deploy");

    world.git(&["rm", "-q", "shallow.deploy"]);
    world.deploy_file("production/bad", rev(2));
    world.push();

    assert_eq!(
        world.settled(),
        [
            "#1 production/good succeeded",
            "#2 production/bad succeeded"
        ]
    );

    world.cmd(&["check"]).ok();
}

#[test]
fn old_problem_in_another_file_refuses_nothing() {
    let world = World::new();
    world.deploy_file("production/bad", "nonsense\n");
    world.push();
    world.install();
    world.deploy("production/good", 1);
    world.push();
    assert_eq!(world.settled(), ["#1 production/good succeeded"]);
}

#[test]
fn check_and_plan_show_refusals_before_the_push() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();

    world.deploy("production/a", 2);
    world.deploy_file("production/b", "6037512\n");
    let commit = world.commit();
    world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
    let problem = "line 1: \"6037512\" is an abbreviated commit hash";
    world
        .cmd(&["check", "refs/heads/topic"])
        .exits(1)
        .says("production/b.deploy")
        .says(problem);

    world.cmd(&["check"]).ok();
    let plan = world
        .cmd(&["plan", "main", &commit])
        .exits(1)
        .says("production/b.deploy")
        .says(problem);
    plan.says("production/a").says("0000001").says("0000002");

    world.cmd(&["plan", "main", "main"]).ok();
    world
        .cmd(&["plan", "--markdown", "main", &commit])
        .exits(1)
        .says("production/a");
    assert_eq!(world.settled().len(), 1, "check and plan deploy nothing");
}
