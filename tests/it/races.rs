//! Hooks that run in the wrong order, twice, at the same time or not at all, and pushers that go
//! away: what is planned depends only on the deploy branch.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use crate::hosts::script;
use crate::nobody::user;
use crate::processes::{BINARY, in_background, kill_child, of};
use crate::world::{NULL, World, rev};

#[test]
fn hooks_in_the_wrong_order_plan_the_newest_revision() {
    let world = World::installed();
    world.deploy("production/a", 1);
    let first = world.push_unseen();
    world.deploy("production/a", 2);
    world.deploy("production/b", 1);
    let second = world.push_unseen();

    let said = world.hook("post-receive", &second).ok();
    assert!(
        said.stdout
            .contains("deploy-by-code: #1 production/a new -> 0000002 queued"),
        "{said:#?}"
    );

    world.hook("post-receive", &first).ok();
    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded", "#2 production/b succeeded"]
    );
    assert_eq!(world.show(1)["revision"], rev(2));
}

#[test]
fn hook_that_runs_twice_deploys_once() {
    let world = World::installed();
    world.deploy("production/a", 1);
    let line = world.push_unseen();
    world.hook("post-receive", &line).ok();
    world.hook("post-receive", &line).ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(world.ran().len(), 2);
}

#[test]
fn hooks_at_the_same_time_deploy_each_push_once() {
    let world = World::installed();
    for round in 1..=4 {
        for application in ["a", "b", "c"] {
            world.deploy(&format!("production/{application}"), round);
        }
        let line = world.push_unseen();
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| world.hook("post-receive", &line).ok());
            }
        });
        assert_eq!(world.settled().len(), 3 * round as usize);
    }

    let starts = world
        .ran()
        .iter()
        .filter(|line| line.ends_with("start"))
        .count();
    assert_eq!(starts, 12);
}

#[test]
fn hook_that_never_ran_is_made_up_for_by_the_next_push() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push_unseen();
    world.deploy("production/b", 1);

    let said = world.push().remote();
    assert_eq!(
        said[0],
        "deploy-by-code: #1 production/a 0000001 queued, from an earlier push"
    );
    assert_eq!(
        said[1],
        "deploy-by-code: #2 production/b new -> 0000001 queued"
    );
    assert_eq!(world.settled().len(), 2);
}

#[test]
fn reconcile_plans_what_hooks_missed() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push_unseen();
    assert_eq!(world.history(), [""; 0]);
    world.cmd(&["reconcile"]).ok().says("#1 production/a");
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    world.cmd(&["reconcile"]).ok();
    assert_eq!(world.settled().len(), 1);
}

#[test]
fn deploy_branch_moved_by_hand_is_deployed() {
    let world = World::installed();
    world.deploy("production/a", 1);
    let commit = world.commit();
    world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
    // Without receive-pack only the hook reference-transaction runs.
    world.server_git(&["update-ref", "refs/heads/main", &commit]);
    world.wait_until("it is planned", || !world.history().is_empty());
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn deploy_branch_that_is_deleted_and_created_deploys_again() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    let created = world.push_unseen();
    world.hook("post-receive", &created).ok();
    world.settled();

    let tip = world.tip();
    world.without_hooks(|| world.server_git(&["update-ref", "-d", "refs/heads/main"]));
    let deleted = world
        .hook("post-receive", &format!("{tip} {NULL} refs/heads/main\n"))
        .ok();

    deleted
        .says("retired production/a")
        .says("retired production/b");
    assert_eq!(world.settled().len(), 2);
    assert!(world.status("production/a")["wanted"].is_null());

    world.without_hooks(|| world.server_git(&["update-ref", "refs/heads/main", &tip]));
    world.hook("post-receive", &created).ok();
    assert_eq!(world.settled().len(), 4);
}

#[test]
fn deploy_branch_that_is_rewound_deploys_the_older_revision() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    let first = world.commit();
    world.push();
    world.deploy("production/a", 2);
    world.push();
    world.settled();

    let second = world.tip();
    world.without_hooks(|| world.server_git(&["update-ref", "refs/heads/main", &first]));
    let line = format!("{second} {first} refs/heads/main\n");
    world.hook("post-receive", &line).ok();

    let history = world.settled();
    assert_eq!(history.len(), 4, "{history:#?}");
    assert_eq!(world.show(4)["revision"], rev(1));
    assert_eq!(world.show(4)["application"], "a");
}

/// A world with a hook of the administrator that runs in pre-receive until a push may go on.
fn with_slow_pre_receive() -> World {
    let world = World::new();
    script(
        &world.path("deploy.git/hooks/pre-receive"),
        "#!/bin/sh\n\
         cat > /dev/null\n\
         touch ../in-hook\n\
         until [ -e ../go-on ]; do sleep 0.02; done\n",
    );
    world.install();
    world
}

/// Pushes, and kills the client while pre-receive runs. git then moves the branch, and does not
/// start post-receive.
fn push_and_go_away(world: &World) {
    world.deploy("production/a", 1);
    world.commit();
    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    let mut client = in_background(push.process_group(0));
    world.wait_until("pre-receive runs", || world.path("in-hook").exists());
    kill_child(&mut client);
    fs::write(world.path("go-on"), "").unwrap();
    world.wait_until("the branch moved", || world.tip() != NULL);
}

#[test]
fn pusher_gone_before_post_receive_loses_nothing() {
    let world = with_slow_pre_receive();

    push_and_go_away(&world);

    world.wait_until("it is planned", || !world.history().is_empty());
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(world.show(1)["pusher"], user());
}

/// The control of the test above: post-receive really does not run, so that without the hook
/// reference-transaction the push waits for `reconcile`.
#[test]
fn pusher_gone_before_post_receive_needs_reference_transaction() {
    let world = with_slow_pre_receive();
    fs::remove_file(world.path("deploy.git/hooks/reference-transaction")).unwrap();

    push_and_go_away(&world);

    world.wait_until("git has ended", || of(&world.repository()).is_empty());
    assert_eq!(world.history(), [""; 0]);
    world.cmd(&["reconcile"]).ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn pusher_gone_while_post_receive_prints_loses_nothing() {
    for streams in [
        ">&-",
        "2>&-",
        ">&- 2>&-",
        ">/dev/full 2>/dev/full",
        "| true",
    ] {
        let world = World::installed();
        world.deploy("production/a", 1);
        let line = world.push_unseen();
        let mut shell = world.command("sh", "deploy.git");
        shell
            .args(["-c", &format!("'{BINARY}' post-receive {streams}")])
            .env("GIT_DIR", ".");
        let mut child = shell.stdin(Stdio::piped()).spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(line.as_bytes())
            .unwrap();
        child.wait().unwrap();

        assert_eq!(world.settled(), ["#1 production/a succeeded"], "{streams}");
    }
}

#[test]
fn follower_who_goes_away_leaves_the_job_running() {
    let world = World::installed();
    world.job("note start; echo output; hold end; note end");
    world.deploy("production/a", 1);
    world.commit();
    let mut push = world.push_command(&["-o", "follow", "origin", "HEAD:refs/heads/main"]);
    let mut client = in_background(push.process_group(0));
    world.wait_for("production/a #1 start");
    kill_child(&mut client);
    world.open("end");

    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(
        world.ran(),
        ["production/a #1 start", "production/a #1 end"]
    );
}

#[test]
fn hooks_at_the_same_time_make_the_state_once() {
    for _ in 0..3 {
        let world = World::new();
        for hook in ["pre-receive", "post-receive"] {
            symlink(BINARY, world.path(&format!("deploy.git/hooks/{hook}"))).unwrap();
        }

        world.deploy("production/a", 1);
        let line = world.push_unseen();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| world.hook("post-receive", &line).ok());
            }
        });

        assert_eq!(world.settled(), ["#1 production/a succeeded"]);
        assert_eq!(world.ran().len(), 2);
    }
}

#[test]
fn repository_upkeep_deploys_nothing_and_is_not_stopped() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();

    world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
    for upkeep in [
        &["pack-refs", "--all", "--prune"][..],
        &["gc", "-q", "--prune=now"],
        &["branch", "-m", "topic", "topic2"],
        &["symbolic-ref", "refs/heads/alias", "refs/heads/topic2"],
        &["branch", "-D", "topic2"],
        &["tag", "-a", "-m", "A tag", "v1", "main"],
        &["reflog", "expire", "--all"],
    ] {
        world.server_git(upkeep);
    }

    world.deploy("production/a", 2);
    world.push();
    world.server_git(&["repack", "-q", "-a", "-d"]);

    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded", "#2 production/a succeeded"]
    );
}
