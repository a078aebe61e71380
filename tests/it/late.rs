//! Changes that another planner recorded first, and changes that could not be judged when they were
//! pushed: they are reported to the pusher, attributed, and judged again.

use std::fs;

use crate::applications::{self, bring_back, commits, take_away};
use crate::checkout::{one_file, world as with_application};
use crate::nobody::user;
use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::world::{NULL, World, rev};

const A: &str = "production/a";

#[test]
fn post_receive_reports_what_another_planner_recorded() {
    let world = World::installed();
    world.deploy(A, 1);
    world.deploy("production/b", 1);
    let created = world.push_unseen();
    world.cmd(&["reconcile"]).ok();
    world.settled();
    assert!(world.show(1)["pusher"].is_null());

    world
        .hook("post-receive", &created)
        .ok()
        .says("#1 production/a new -> 0000001 queued")
        .says("#2 production/b new -> 0000001 queued");
    assert_eq!(world.show(1)["pusher"], user());

    world.retire("production/b");
    world.deploy_file("production/c", "nonsense\n");
    let line = world.push_unseen();
    world.cmd(&["reconcile"]).ok();
    world
        .hook("post-receive", &line)
        .ok()
        .says("retired production/b")
        .says("problem production/c.deploy")
        .says_nothing_of("queued");
    assert_eq!(world.status("production/b")["pusher"], user());
}

#[test]
fn recreated_branch_announces_only_what_it_deploys() {
    let world = World::installed();
    for n in 1..=3 {
        world.deploy(A, n);
        world.push();
        world.settled();
    }
    let tip = world.tip();
    for update in [
        &["update-ref", "-d", "refs/heads/main"][..],
        &["update-ref", "refs/heads/main", &tip],
    ] {
        world.without_hooks(|| world.server_git(update));
        world.cmd(&["reconcile"]).ok();
    }
    world.settled();

    // Its range is the whole history of the branch.
    world
        .hook("post-receive", &format!("{NULL} {tip} refs/heads/main\n"))
        .ok()
        .says("#4 production/a")
        .says_nothing_of("#1 ")
        .says_nothing_of("#2 ")
        .says_nothing_of("#3 ");

    assert_eq!(world.show(4)["pusher"], user());
}

#[test]
fn unreadable_application_repository_delays_a_deployment_only() {
    let world = with_application("");
    let (one, two) = (one_file(&world, "one"), one_file(&world, "two"));
    world.deploy_rev(A, &one);
    world.push();
    world.settled();

    // pre-receive has accepted it. When it is planned, the repository cannot be read.
    world.deploy_rev(A, &two);
    let line = world.push_unseen();
    take_away(&world, "a");
    world
        .hook("post-receive", &line)
        .ok()
        .says("problem production/a.deploy: the repository of a can't be read");
    assert_eq!(world.status(A)["status"], "problem");
    world.cmd(&["reconcile"]).ok().says_nothing_of("problem");
    assert_eq!(world.settled().len(), 1);

    bring_back(&world, "a");
    world.cmd(&["reconcile"]).ok().says("#2 production/a");
    assert_eq!(world.settled().last().unwrap(), "#2 production/a succeeded");
    let shown = world.show(2);
    assert_eq!(shown["pusher"], user());
    assert_eq!(shown["deploy_commit"], world.tip());
    assert_eq!(world.status(A)["status"], "succeeded");
    world.cmd(&["reconcile"]).ok().says("nothing to do");
}

/// Pushes a change as a person whom the git host authenticates.
pub fn push_as(world: &World, person: &str) -> Run {
    world.commit();
    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    run(push.env("GL_USER", person), b"")
}

/// Pushes a deployment, and takes the repository of the application away before it is planned.
fn push_as_while_unreadable(world: &World, person: &str, message: &str) {
    world.commit_saying(message);
    let line = world.push_unseen();
    take_away(world, "a");
    let mut hook = world.command(BINARY, "deploy.git");
    hook.arg("post-receive")
        .envs([("GIT_DIR", "."), ("GL_USER", person)]);
    run(&mut hook, line.as_bytes())
        .ok()
        .says("problem production/a.deploy: the repository of a can't be read");
}

#[test]
fn pusher_of_what_is_judged_again_stays_the_same() {
    let world = with_application("");
    let (one, two) = (one_file(&world, "one"), one_file(&world, "two"));

    // The repository is there again when bob pushes.
    world.deploy_rev(A, &one);
    push_as_while_unreadable(&world, "alice", "one");
    bring_back(&world, "a");
    world.write("README", "x");
    push_as(&world, "bob").ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(world.show(1)["pusher"], "alice");

    // It is still away when bob pushes.
    world.deploy_rev(A, &two);
    push_as_while_unreadable(&world, "alice", "two");
    world.write("README", "y");
    push_as(&world, "bob").ok();
    bring_back(&world, "a");
    world.cmd(&["reconcile"]).ok();
    assert_eq!(world.settled()[1], "#2 production/a succeeded");
    assert_eq!(world.show(2)["pusher"], "alice");
}

#[test]
fn override_of_what_is_judged_again_needs_its_own_pusher() {
    let world = with_application("[environments.production]\noverride_by = [\"alice\"]\n");
    let one = one_file(&world, "one");
    world.deploy_rev(A, &one);
    push_as_while_unreadable(&world, "mallory", "Deploy-Override: because I can");
    bring_back(&world, "a");
    world
        .cmd(&["freeze", "production", "--reason", "incident 7"])
        .ok();

    world.write("README", "x");
    push_as(&world, "alice").ok();

    world.wait_until("the deployment waits for the thaw", || {
        world.history()[0].contains("queued: frozen by ")
    });
    world.cmd(&["cancel", "1"]).ok();
    world.settled();
}

#[test]
fn group_is_deployed_once_the_repository_of_each_member_is_back() {
    let group = "[environments.production]\ntogether = [[\"a\", \"b\"]]\n";
    let world = applications::world(&["a", "b"], group);
    for name in ["a", "b"] {
        let commits = commits(&world, name, 1);
        world.deploy_rev(&format!("production/{name}"), &commits[0]);
    }
    let line = world.push_unseen();
    take_away(&world, "b");
    world
        .hook("post-receive", &line)
        .ok()
        .says("a must not be deployed without b, which is refused");

    bring_back(&world, "b");
    world.cmd(&["reconcile"]).ok();

    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded", "#2 production/b succeeded"]
    );
}

#[test]
fn rollback_that_is_judged_later_keeps_its_reason() {
    let world = with_application("");
    let (one, two) = (one_file(&world, "one"), one_file(&world, "two"));
    world.deploy_rev(A, &two);
    world.push();
    world.settled();
    world.deploy_rev(A, &one);
    world.commit_saying("Deploy-Rollback: alarms");
    let line = world.push_unseen();
    take_away(&world, "a");
    world
        .hook("post-receive", &line)
        .ok()
        .says("problem production/a.deploy");

    // Another push moves the cursor beyond the rollback's commit.
    world.write("README", "x");
    world.push();
    bring_back(&world, "a");
    world.cmd(&["reconcile"]).ok();

    assert_eq!(world.settled().last().unwrap(), "#2 production/a succeeded");
    let shown = world.show(2);
    assert_eq!(shown["exceptions"][0]["reason"], "alarms");
    assert_eq!(shown["deploy_commit"], world.git(&["rev-parse", "HEAD~1"]));
}

#[test]
fn state_that_is_not_mounted_is_not_created_anew() {
    let world = World::new();
    let state = world.path("state");
    world.config_top(&format!("state_dir = \"{}\"", state.display()));
    world.install();
    world.deploy(A, 1);
    world.push();
    world.settled();
    fs::rename(&state, world.path("away")).unwrap();
    fs::create_dir(&state).unwrap();

    // The record could refuse the push, so without it nothing is accepted.
    world.deploy(A, 2);
    world
        .try_push()
        .exits(1)
        .says("there is no state here")
        .says("check that its file system is mounted");
    world.push_unseen();
    let line = format!("{NULL} {} refs/heads/main\n", world.tip());
    world
        .hook("post-receive", &line)
        .exits(1)
        .says("there is no state here");
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0);

    fs::remove_dir(&state).unwrap();
    fs::rename(world.path("away"), &state).unwrap();
    world.cmd(&["reconcile"]).ok();
    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded", "#2 production/a succeeded"]
    );
    assert_eq!(world.show(2)["revision"], rev(2));
}

#[test]
fn problem_is_reported_only_to_pushes_that_touch_it() {
    let world = World::new();
    for name in ["a", "b"] {
        world.deploy(&format!("production/{name}"), 1);
    }
    world.push_unseen();
    // Without a command nothing can be deployed.
    world.config_file("");
    world
        .cmd(&["install", "--deploy-existing"])
        .ok()
        .says("production/a.deploy")
        .says("production/b.deploy");

    world.write("README", "x");
    world.push().says_nothing_of("problem");
    world.deploy(A, 2);
    world.push_unseen();
    world
        .cmd(&["reconcile"])
        .ok()
        .says("production/a.deploy")
        .says_nothing_of("production/b.deploy");

    // Once it is fixed, both are deployed, each by the commit that asked for it.
    world.config_file("[defaults]\ncommand = [\"true\"]\n");
    world.cmd(&["reconcile"]).ok();
    assert_eq!(world.settled().len(), 2);
    for (id, commit) in [(1, "HEAD"), (2, "HEAD~2")] {
        let commit = world.git(&["rev-parse", commit]);
        assert_eq!(world.show(id)["deploy_commit"], commit, "#{id}");
    }
}

#[test]
fn problem_is_deployed_once_fixed_also_where_history_ends() {
    let world = World::new();
    world.deploy(A, 1);
    world.commit();
    world.write("README", "x");
    world.push_unseen();
    let tip = world.tip();
    world.server_git(&["config", "receive.shallowUpdate", "true"]);
    fs::write(world.path("deploy.git/shallow"), format!("{tip}\n")).unwrap();
    world.server_git(&["-c", "gc.reflogExpire=now", "gc", "-q", "--prune=now"]);
    world.config_file("");
    world
        .cmd(&["install", "--deploy-existing"])
        .ok()
        .says("production/a.deploy");

    world.config_file("[defaults]\ncommand = [\"true\"]\n");
    world.cmd(&["reconcile"]).ok().says("#1 production/a");

    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(world.show(1)["deploy_commit"], tip);
}
