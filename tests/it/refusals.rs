//! What a deploy file must be: pre-receive refuses everything else, post-receive reports it and
//! deploys the rest.

use std::fs;

use crate::tree::{EXECUTABLE, FILE, FOLDER, SUBMODULE, SYMLINK, Trees};
use crate::world::{NULL, World, rev};

/// Pushes one commit whose tree is `tree`, and says what the pusher sees; nothing may have changed.
#[track_caller]
fn refused(world: &World, commit: &str) -> String {
    let push = world
        .push_with(&["origin", &format!("{commit}:refs/heads/main")])
        .exits(1);
    assert_eq!(world.tip(), NULL, "the branch was created: {push:#?}");
    assert_eq!(world.history(), [""; 0]);
    push.remote().join("\n")
}

#[test]
fn each_wrong_form_is_refused_with_file_and_hint() {
    let world = World::installed();
    let trees = Trees::new(&world, "work");
    let good = trees.blob(rev(1));
    let submodule = rev(7);
    let long = format!("production/{}.deploy", "x".repeat(65));
    let case = [
        (FILE, &b"A.deploy"[..], good.as_str()),
        (FILE, b"a.deploy", &good),
    ];
    let environment = trees.tree(&[(FILE, b"a.deploy", &good)]);
    let target = trees.blob("b.deploy");
    let table: Vec<(String, &str)> = vec![
        (
            trees.path(SYMLINK, b"production/a.deploy", &target),
            "production/a.deploy",
        ),
        (
            trees.path(SUBMODULE, b"production/a.deploy", &submodule),
            "production/a.deploy",
        ),
        (
            trees.path(FILE, b"production/a.deploy/x", &good),
            "production/a.deploy",
        ),
        (
            trees.path(FILE, b"production/b/a.deploy", &good),
            "production/b/a.deploy",
        ),
        (
            trees.path(FILE, b"production/b/c/d/a.deploy", &good),
            "production/b/c/d/a.deploy",
        ),
        (trees.path(FILE, b"a.deploy", &good), "a.deploy"),
        (
            trees.path(FILE, b"production/a b.deploy", &good),
            "production/a b.deploy",
        ),
        (
            trees.path(FILE, b"production/-h.deploy", &good),
            "production/-h.deploy",
        ),
        (
            trees.path(FILE, b"production/.deploy", &good),
            "production/.deploy",
        ),
        (
            trees.path(FILE, b".production/a.deploy", &good),
            ".production/a.deploy",
        ),
        (trees.path(FILE, long.as_bytes(), &good), &long),
        (
            trees.path(FILE, "production/é.deploy".as_bytes(), &good),
            "production/é.deploy",
        ),
        (
            trees.path(FOLDER, b"production", &trees.tree(&case)),
            "production/a.deploy",
        ),
        (
            trees.tree(&[
                (FOLDER, b"Production", &environment),
                (FOLDER, b"production", &environment),
            ]),
            "production",
        ),
        (
            trees.path(FILE, b"production/a.deploy", &trees.blob("")),
            "production/a.deploy",
        ),
        (
            trees.path(FILE, b"production/a.deploy", &trees.blob(" \n\t\n")),
            "production/a.deploy",
        ),
        (
            trees.path(FILE, b"production/a.deploy", &trees.blob("\n\n6037512\n")),
            "line 3",
        ),
        (
            trees.path(FILE, b"production/a.deploy", &trees.blob("* Deploy\n")),
            "line 1",
        ),
        (
            trees.path(FILE, b"production/a.deploy", &trees.blob("main\n")),
            "\"main\"",
        ),
        (
            trees.path(FILE, b"production/a.deploy", &trees.blob(NULL)),
            "null",
        ),
        (
            trees.path(
                FILE,
                b"production/a.deploy",
                &trees.blob(format!("{}a\n", rev(1))),
            ),
            "line 1",
        ),
        (
            trees.path(
                FILE,
                b"production/a.deploy",
                &trees.blob(format!("{}\n{}", rev(1), "x".repeat(1 << 20))),
            ),
            "1 MiB",
        ),
    ];
    for (tree, expect) in table {
        let said = refused(&world, &trees.commit(&tree, None));
        assert!(
            said.contains("deploy-by-code: refused "),
            "{expect}: {said}"
        );
        assert!(said.contains(expect), "{expect:?} is missing: {said}");
        assert!(said.contains("\n  hint: "), "no hint for {expect}: {said}");
    }
}

#[test]
fn what_stands_at_the_limits_is_taken() {
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
fn all_problems_come_at_once_and_nothing_has_changed() {
    let world = World::installed();
    world.deploy("production/good", 1);
    world.deploy_file("production/a", "6037512\n");
    world.deploy_file("production/b", "");
    world.write("shallow.deploy", rev(1));
    let push = world.try_push().exits(1);
    let said = push.remote();
    for expect in [
        "deploy-by-code: refused production/a.deploy: line 1: \"6037512\" is an abbreviated commit hash",
        "  hint: write the whole hash, 40 or 64 hexadecimal digits, as git rev-parse prints it",
        "deploy-by-code: refused production/b.deploy: the file names no revision",
    ] {
        assert!(
            said.contains(&expect.to_owned()),
            "{expect:?} is missing: {said:#?}"
        );
    }
    assert!(
        said.iter()
            .any(|line| line.starts_with("deploy-by-code: refused shallow.deploy")),
        "{said:#?}"
    );
    assert!(
        !said.iter().any(|line| line.contains("production/good")),
        "{said:#?}"
    );
    assert_eq!(world.tip(), NULL);
    assert_eq!(world.history(), [""; 0]);
}

#[test]
fn a_refused_push_takes_its_other_branches_along() {
    let world = World::installed();
    world.deploy_file("production/a", "nonsense\n");
    world
        .push_with(&["origin", "HEAD:refs/heads/main", "HEAD:refs/heads/topic"])
        .exits(1);
    assert_eq!(world.server_git(&["for-each-ref"]), "");
}

#[test]
fn post_receive_reports_the_same_and_deploys_the_rest() {
    let world = World::installed();
    fs::remove_file(world.path("deploy.git/hooks/pre-receive")).unwrap();
    world.deploy("production/good", 1);
    world.deploy_file("production/bad", "6037512\n");
    world.write("shallow.deploy", rev(1));
    let said = world.push().remote();
    let problem = "deploy-by-code: problem production/bad.deploy: line 1: \"6037512\" is an abbreviated commit hash";
    assert!(said.contains(&problem.to_owned()), "{said:#?}");
    assert!(
        said.iter()
            .any(|line| line.starts_with("deploy-by-code: problem shallow.deploy")),
        "{said:#?}"
    );
    assert_eq!(world.settled(), ["#1 production/good succeeded"]);
    // The problem is on record, and goes away once it is mended.
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
fn an_old_problem_elsewhere_is_no_reason_to_refuse() {
    let world = World::new();
    world.deploy_file("production/bad", "nonsense\n");
    world.push();
    world.install();
    world.deploy("production/good", 1);
    world.push();
    assert_eq!(world.settled(), ["#1 production/good succeeded"]);
}

#[test]
fn check_and_plan_say_the_same_before_anyone_pushes() {
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
    assert_eq!(world.settled().len(), 1, "asking deploys nothing");
}
