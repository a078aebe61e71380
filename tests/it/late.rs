//! What another planner recorded first, and what the server stood in the way of: told, attributed
//! and judged again.

use std::fs;

use crate::checkout::{one_file, world as with_application};
use crate::world::{NULL, World, rev};

#[test]
fn what_another_planner_recorded_is_told_and_attributed() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    let created = world.push_unseen();
    world.cmd(&["reconcile"]).ok();
    world.settled();
    assert!(world.show(1)["pusher"].is_null());
    let told = world.hook("post-receive", &created).ok();
    told.says("#1 production/a new -> 0000001 queued")
        .says("#2 production/b new -> 0000001 queued");
    assert_eq!(world.show(1)["pusher"], "root");

    world.retire("production/b");
    world.deploy_file("production/c", "nonsense\n");
    let line = world.push_unseen();
    world.cmd(&["reconcile"]).ok();
    let told = world.hook("post-receive", &line).ok();
    told.says("retired production/b")
        .says("problem production/c.deploy")
        .says_nothing_of("queued");
}

#[test]
fn a_branch_that_is_made_anew_announces_only_what_it_deploys() {
    let world = World::installed();
    for n in 1..=3 {
        world.deploy("production/a", n);
        world.push();
        world.settled();
    }
    let tip = world.tip();
    world.without_hooks(|| world.server_git(&["update-ref", "-d", "refs/heads/main"]));
    world.cmd(&["reconcile"]).ok();
    world.without_hooks(|| world.server_git(&["update-ref", "refs/heads/main", &tip]));
    world.cmd(&["reconcile"]).ok();
    world.settled();
    let told = world
        .hook("post-receive", &format!("{NULL} {tip} refs/heads/main\n"))
        .ok();
    told.says("#4 production/a")
        .says_nothing_of("#1")
        .says_nothing_of("#2 ")
        .says_nothing_of("#3");
    assert_eq!(world.show(4)["pusher"], "root");
}

#[test]
fn a_repository_that_could_not_be_read_for_a_moment_loses_no_deployment() {
    let world = with_application("");
    let (one, two) = (one_file(&world, "one"), one_file(&world, "two"));
    world.deploy_rev("production/a", &one);
    world.push();
    world.settled();
    // pre-receive accepted it; when it is planned, the application's repository is away.
    world.deploy_rev("production/a", &two);
    let line = world.push_unseen();
    fs::rename(world.path("apps/a.git"), world.path("apps/away.git")).unwrap();
    world
        .hook("post-receive", &line)
        .ok()
        .says("problem production/a.deploy: the repository of a can't be read");
    assert_eq!(world.status("production/a")["status"], "problem");
    world.cmd(&["reconcile"]).ok().says_nothing_of("problem");
    assert_eq!(world.settled().len(), 1);
    fs::rename(world.path("apps/away.git"), world.path("apps/a.git")).unwrap();
    world.cmd(&["reconcile"]).ok().says("#2 production/a");
    assert_eq!(world.settled().last().unwrap(), "#2 production/a succeeded");
    let shown = world.show(2);
    assert_eq!(
        (&shown["pusher"], &shown["deploy_commit"]),
        (&"root".into(), &world.tip().into())
    );
    assert_eq!(world.status("production/a")["status"], "succeeded");
    world.cmd(&["reconcile"]).ok().says("nothing to do");
}

#[test]
fn a_rollback_that_could_not_be_judged_keeps_its_reason() {
    let world = with_application("");
    let (one, two) = (one_file(&world, "one"), one_file(&world, "two"));
    world.deploy_rev("production/a", &two);
    world.push();
    world.settled();
    world.deploy_rev("production/a", &one);
    world.git(&[
        "commit",
        "-q",
        "-a",
        "-m",
        "Back",
        "-m",
        "Deploy-Rollback: alarms",
    ]);
    let line = world.push_unseen();
    fs::rename(world.path("apps/a.git"), world.path("apps/away.git")).unwrap();
    world
        .hook("post-receive", &line)
        .ok()
        .says("problem production/a.deploy");
    // Another push in between moves the cursor on.
    world.write("README", "x");
    world.push();
    fs::rename(world.path("apps/away.git"), world.path("apps/a.git")).unwrap();
    world.cmd(&["reconcile"]).ok();
    assert_eq!(world.settled().last().unwrap(), "#2 production/a succeeded");
    let shown = world.show(2);
    assert_eq!(shown["exceptions"][0]["reason"], "alarms");
    assert_eq!(shown["deploy_commit"], world.git(&["rev-parse", "HEAD~1"]));
}

#[test]
fn a_state_that_is_not_mounted_is_not_made_anew() {
    let world = World::new();
    let state = world.path("state");
    let config = fs::read_to_string(world.path("deploy.git/deploy-by-code.toml")).unwrap();
    world.config_file(&format!("state_dir = \"{}\"\n{config}", state.display()));
    world.install();
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    fs::rename(&state, world.path("away")).unwrap();
    fs::create_dir(&state).unwrap();
    // What was recorded can refuse it, so without the record nothing is accepted.
    world.deploy("production/a", 2);
    world
        .try_push()
        .exits(1)
        .says("there is no state here")
        .says("see that its file system is mounted");
    world.push_unseen();
    let (zero, tip) = (rev(0), world.tip());
    world
        .hook("post-receive", &format!("{zero} {tip} refs/heads/main\n"))
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
fn a_problem_is_told_to_whoever_touches_it_and_not_with_every_push() {
    let world = World::new();
    for name in ["a", "b"] {
        world.deploy(&format!("production/{name}"), 1);
    }
    world.push_unseen();
    world.config_file("");
    world
        .cmd(&["install", "--deploy-existing"])
        .ok()
        .says("production/a.deploy")
        .says("production/b.deploy");
    world.write("README", "x");
    world.push().says_nothing_of("problem");
    world.deploy("production/a", 2);
    world.push_unseen();
    let problem = world.cmd(&["reconcile"]).ok().says("production/a.deploy");
    problem.says_nothing_of("production/b.deploy");
    // Mended, both are deployed, each by the commit that asked for it.
    world.config_file("[defaults]\ncommand = [\"true\"]\n");
    world.cmd(&["reconcile"]).ok();
    assert_eq!(world.settled().len(), 2);
    let asked = |id| world.show(id)["deploy_commit"].as_str().unwrap().to_owned();
    assert_eq!(
        [asked(1), asked(2)],
        [
            world.git(&["rev-parse", "HEAD"]),
            world.git(&["rev-parse", "HEAD~2"])
        ]
    );
}

#[test]
fn what_is_judged_again_is_deployed_also_where_history_ends() {
    let world = World::new();
    world.deploy("production/a", 1);
    world.commit();
    world.write("README", "x");
    world.push_unseen();
    world.server_git(&["config", "receive.shallowUpdate", "true"]);
    fs::write(
        world.path("deploy.git/shallow"),
        format!("{}\n", world.tip()),
    )
    .unwrap();
    world.server_git(&["-c", "gc.reflogExpire=now", "gc", "-q", "--prune=now"]);
    world.config_file("");
    world
        .cmd(&["install", "--deploy-existing"])
        .ok()
        .says("production/a.deploy");
    world.config_file("[defaults]\ncommand = [\"true\"]\n");
    world.cmd(&["reconcile"]).ok().says("#1 production/a");
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(world.show(1)["deploy_commit"], world.tip());
}
