//! `together`, and what commits declare to need with `Deploy-After`.

use crate::applications::{
    commit, commits, configure, deploy, forget_if_refused, refused, short, try_deploy,
    try_deploy_saying, world,
};
use crate::run::run;
use crate::world::{NULL, World};

const A: &str = "production/a";
const B: &str = "production/b";
const TOGETHER: &str = "[environments.staging]\n\
                        [environments.production]\ntogether = [\"a\", \"b\"]\n";

/// A commit of an application that needs a commit of another one.
fn commit_that_needs(world: &World, application: &str, other: &str, revision: &str) -> String {
    let message = format!("Use {other}\n\nDeploy-After: {other} {revision}");
    commit(world, application, "main", &message)
}

#[track_caller]
fn assert_refused(push: crate::run::Run, expected: &str) {
    let said = refused(push);
    assert!(said.contains(expected), "{expected:?} is missing: {said}");
}

#[test]
fn together_refuses_one_application_without_the_other() {
    let world = world(&["a", "b"], TOGETHER);
    let (a, b) = (commits(&world, "a", 2), commits(&world, "b", 1));
    assert_refused(
        try_deploy(&world, A, &a[0]),
        "refused production/a.deploy: a must change together with b, \
         but this push does not change b",
    );

    world.deploy_rev(A, &a[0]);
    world.deploy_rev(B, &b[0]);
    world.push();
    world.settled();

    try_deploy_saying(&world, A, &a[1], "Deploy-Alone: b is as it was").ok();
    assert_eq!(world.settled().pop().unwrap(), "#3 production/a succeeded");
    assert_eq!(world.show(3)["exceptions"][0]["kind"], "alone");
    // It holds in one environment only.
    assert_eq!(deploy(&world, "staging/a", &a[0]), "#4 staging/a succeeded");
    world.cmd(&["check"]).ok();
}

#[test]
fn together_deploys_none_after_pre_receive_when_one_is_bad() {
    let world = world(&["a", "b"], TOGETHER);
    let a = commits(&world, "a", 1);
    world.deploy_rev(A, &a[0]);
    world.deploy_file(B, "nonsense\n");
    let line = world.push_unseen();

    world
        .hook("post-receive", &line)
        .ok()
        .says("problem production/a.deploy: a must not be deployed without b, which is refused")
        .says_nothing_of("queued");

    assert_eq!(world.settled().len(), 0);
}

#[test]
fn together_is_judged_again_when_the_same_revision_is_repeated() {
    let world = world(&["a", "b"], TOGETHER);
    let (a, b) = (commits(&world, "a", 2), commits(&world, "b", 1));
    world.deploy_rev(A, &a[0]);
    world.deploy_rev(B, &b[0]);
    world.push();
    world.settled();

    // post-receive refuses the revision, which the deploy file names from now on.
    world.deploy_rev(A, &a[1]);
    let line = world.push_unseen();
    world
        .hook("post-receive", &line)
        .ok()
        .says("problem production/a.deploy: a must change together with b");

    assert_refused(
        try_deploy(&world, A, &a[1]),
        "a must change together with b",
    );
}

#[test]
fn need_must_be_deployed_in_the_same_environment() {
    let world = world(&["a", "b"], "");
    let b = commits(&world, "b", 3);
    let first = commit(&world, "a", "main", "first");
    let needs = commit_that_needs(&world, "a", "b", &b[1]);
    let last = commit(&world, "a", "main", "last");
    deploy(&world, A, &first);

    let said = refused(try_deploy(&world, A, &last));
    let line = format!(
        "{} needs commit {} of b, but b is not deployed there",
        short(&needs),
        short(&b[1])
    );
    assert!(
        said.contains("needs commits that are not deployed in production:"),
        "{said}"
    );
    assert!(said.contains(&line), "{said}");

    deploy(&world, B, &b[0]);
    let older = format!("{} is deployed, which does not contain it", short(&b[0]));
    assert_refused(try_deploy(&world, A, &last), &older);

    deploy(&world, "staging/b", &b[2]);
    assert_refused(try_deploy(&world, A, &last), &older);

    deploy(&world, B, &b[2]);
    assert_eq!(deploy(&world, A, &last), "#5 production/a succeeded");
    // The need was met when its commit was deployed, and is not checked for later commits.
    let later = commit(&world, "a", "main", "later");
    assert_eq!(deploy(&world, A, &later), "#6 production/a succeeded");
}

#[test]
fn need_in_the_same_push_goes_first() {
    let world = world(&["a", "b"], "[environments.production]\nparallel = 4\n");
    let b = commits(&world, "b", 1);
    let a = commit_that_needs(&world, "a", "b", &b[0]);
    world.job("note start; sleep 0.2; note end");

    // By their names, and with `parallel`, both would begin at once.
    world.deploy_rev(A, &a);
    world.deploy_rev(B, &b[0]);
    world.push();

    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded", "#2 production/b succeeded"]
    );
    assert_eq!(
        world.ran(),
        [
            "production/b #2 start",
            "production/b #2 end",
            "production/a #1 start",
            "production/a #1 end"
        ]
    );
}

#[test]
fn need_that_would_be_lost_by_a_rollback_is_a_warning() {
    let world = world(&["a", "b"], "");
    let b = commits(&world, "b", 2);
    let a = commit_that_needs(&world, "a", "b", &b[1]);
    deploy(&world, B, &b[1]);
    deploy(&world, A, &a);

    let push = try_deploy_saying(&world, B, &b[0], "Deploy-Rollback: alarms").ok();

    let warning = format!(
        "deploy-by-code: warning production/b.deploy: this would remove commit {1} of b, \
         which a (deployed at {0}) needs",
        short(&a),
        short(&b[1])
    );
    assert!(push.remote().contains(&warning), "{push:#?}");
    assert_eq!(world.settled().pop().unwrap(), "#3 production/b succeeded");
}

#[test]
fn need_that_fails_skips_the_deployment_that_needs_it() {
    let world = world(&["a", "b"], "");
    let b = commits(&world, "b", 1);
    let a = commit_that_needs(&world, "a", "b", &b[0][..10]);
    world.job("test $DEPLOY_APPLICATION = a");

    world.deploy_rev(A, &a);
    world.deploy_rev(B, &b[0]);
    world.push();

    assert_eq!(
        world.settled(),
        [
            "#1 production/a skipped: #2 b failed",
            "#2 production/b failed: exit status 1"
        ]
    );
}

#[test]
fn need_is_judged_again_when_the_same_revision_is_tried_again() {
    let world = world(&["a", "b"], "");
    let b = commits(&world, "b", 3);
    let first = commit(&world, "a", "main", "first");
    let needs = commit_that_needs(&world, "a", "b", &b[1]);
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

    assert_refused(
        try_deploy(&world, A, &needs),
        "needs commits that are not deployed",
    );
    world
        .cmd(&["retry", "3"])
        .exits(1)
        .says("needs commits that are not deployed");

    world.cmd(&["retry", "4"]).ok();
    world.settled();
    world.cmd(&["retry", "3"]).ok();
    assert_eq!(world.settled().pop().unwrap(), "#6 production/a succeeded");
}

#[test]
fn need_that_cannot_be_found_is_refused_unless_deploy_alone() {
    let world = world(&["a", "b"], "");
    commits(&world, "b", 1);
    let first = commit(&world, "a", "main", "first");
    deploy(&world, A, &first);

    let gone = commit_that_needs(&world, "a", "b", "1234567");
    let expected = format!(
        "{} needs commit 1234567 of b, but this can't be checked: the commit is not in",
        short(&gone)
    );
    assert_refused(try_deploy(&world, A, &gone), &expected);

    try_deploy_saying(&world, A, &gone, "Deploy-Alone: it was never merged").ok();
    assert_eq!(world.settled().pop().unwrap(), "#2 production/a succeeded");

    let other = commit_that_needs(&world, "a", "c", "1234567");
    assert_refused(try_deploy(&world, A, &other), "apps/c.git: ");
}

#[test]
fn need_line_that_says_nothing_is_ignored() {
    let world = world(&["a"], "");
    let odd = commit(&world, "a", "main", "Odd\n\nDeploy-After: nonsense");

    assert_eq!(deploy(&world, A, &odd), "#1 production/a succeeded");
}

#[test]
fn need_of_a_commit_of_the_same_application_is_met() {
    let world = world(&["a"], "");
    let first = commit(&world, "a", "main", "first");
    deploy(&world, A, &first);
    let middle = commit(&world, "a", "main", "middle");
    let own = commit_that_needs(&world, "a", "a", &middle);

    assert_eq!(deploy(&world, A, &own), "#2 production/a succeeded");
}

#[test]
fn need_cycle_is_refused_unless_deploy_alone() {
    let world = world(&["a", "b"], "");
    let first = commit(&world, "a", "main", "first");
    deploy(&world, A, &first);
    let b1 = commit(&world, "b", "main", "b1");
    let a2 = commit_that_needs(&world, "a", "b", &b1);
    let b2 = commit_that_needs(&world, "b", "a", &a2);
    let prepend_both = || {
        world.deploy_rev(A, &a2);
        world.deploy_rev(B, &b2);
    };

    prepend_both();
    let push = world.try_push();
    forget_if_refused(&world, &push);
    assert_refused(push, "ask for an impossible order");

    prepend_both();
    world
        .try_push_saying("Deploy-Alone: both are off until the end")
        .ok();
    assert_eq!(
        world.settled()[1..],
        ["#2 production/a succeeded", "#3 production/b succeeded"]
    );
}

#[test]
fn need_cycle_with_after_in_the_configuration_is_refused() {
    let world = world(&["a", "b"], "");
    let b = commits(&world, "b", 1);
    let a = commit_that_needs(&world, "a", "b", &b[0]);
    configure(&world, "[applications.b]\nafter = [\"a\"]\n");
    world.deploy_rev(A, &a);
    world.deploy_rev(B, &b[0]);

    assert_refused(
        world.try_push(),
        "ask for an impossible order: a waits for b, which waits for a",
    );
}

#[test]
fn need_is_looked_for_in_the_newest_thousand_commits() {
    let world = world(&["a", "b"], "");
    let b = commits(&world, "b", 1);
    // 1,100 commits on top of one that needs what is not deployed. In the format of
    // git-fast-import(1) each commit follows on the one before.
    let first = (0, format!("first\n\nDeploy-After: b {}\n", b[0]));
    let all = std::iter::once(first).chain((1..=1100).map(|n| (n, format!("c{n}\n"))));
    let commit = |(n, message): (u32, String)| {
        format!(
            "commit refs/heads/main\n\
             committer A <a@example.org> {} +0000\n\
             data {}\n\
             {message}\n",
            1_700_000_000 + n,
            message.len()
        )
    };
    let stream: String = all.map(commit).collect();
    let mut import = world.command("git", "apps/a.git");
    import.args(["fast-import", "--quiet"]);
    run(&mut import, stream.as_bytes()).ok();

    let tip = world.git_in("apps/a.git", &["rev-parse", "main"]);
    world.deploy_rev(A, &tip);
    world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
    world
        .cmd(&["plan", NULL, "topic"])
        .ok()
        .says("needs: only the newest 1000 of the gained commits were read");

    world.push();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}
