//! Planning is level-triggered: hooks in the wrong order, twice, at the same time, or not at all,
//! and pushers that go away.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use crate::processes::{BINARY, kill_one};
use crate::world::{NULL, World, rev};

#[test]
fn hooks_in_the_wrong_order() {
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
fn the_same_hook_twice() {
    let world = World::installed();
    world.deploy("production/a", 1);
    let line = world.push_unseen();
    world.hook("post-receive", &line).ok();
    world.hook("post-receive", &line).ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(world.ran().len(), 2);
}

#[test]
fn hooks_at_the_same_time() {
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
fn a_hook_that_git_never_started() {
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
fn a_ref_moved_by_hand_deploys() {
    let world = World::installed();
    world.deploy("production/a", 1);
    let commit = world.commit();
    world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
    // No receive-pack: the reference-transaction hook alone sees it.
    world.server_git(&["update-ref", "refs/heads/main", &commit]);
    world.wait_until("it was planned", || !world.history().is_empty());
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn branch_created_deleted_created() {
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
fn branch_rewound() {
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
    world
        .hook(
            "post-receive",
            &format!("{second} {first} refs/heads/main\n"),
        )
        .ok();
    let history = world.settled();
    assert_eq!(history.len(), 4, "{history:#?}");
    assert_eq!(world.show(4)["revision"], rev(1));
    assert_eq!(world.show(4)["application"], "a");
}

#[test]
fn a_pusher_who_is_gone_before_post_receive_starts() {
    let world = World::installed();
    // Another hook is at work while the pusher goes away; git then never starts post-receive.
    world.cmd(&["uninstall"]).ok();
    let hook = world.path("deploy.git/hooks/pre-receive");
    let text = "#!/bin/sh\ncat > /dev/null\ntouch ../in-hook\nuntil [ -e ../go-on ]; do sleep 0.02; done\n";
    fs::write(&hook, text).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    world.install();
    world.deploy("production/a", 1);
    world.commit();
    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    let mut client = push
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    world.wait_until("pre-receive runs", || world.path("in-hook").exists());
    kill_one(client.id().cast_signed());
    client.wait().unwrap();
    fs::write(world.path("go-on"), "").unwrap();
    world.wait_until("the branch moved", || world.tip() != NULL);
    world.wait_until("it was planned", || !world.history().is_empty());
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert!(
        world.show(1)["pusher"].is_string(),
        "the pusher is recorded"
    );
}

#[test]
fn a_pusher_who_is_gone_while_post_receive_writes() {
    for (number, streams) in [
        ">&-",
        "2>&-",
        ">&- 2>&-",
        ">/dev/full 2>/dev/full",
        "| true",
    ]
    .into_iter()
    .enumerate()
    {
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
        assert_eq!(
            world.settled(),
            ["#1 production/a succeeded"],
            "case {number}: {streams}"
        );
    }
}

#[test]
fn a_follower_who_goes_away_leaves_it_running() {
    let world = World::installed();
    world.job("note start; echo output; hold end; note end");
    world.deploy("production/a", 1);
    world.commit();
    let mut push = world.push_command(&["-o", "follow", "origin", "HEAD:refs/heads/main"]);
    let mut client = push
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    world.wait_for("production/a #1 start");
    kill_one(client.id().cast_signed());
    client.wait().unwrap();
    world.open("end");
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(
        world.ran(),
        ["production/a #1 start", "production/a #1 end"]
    );
}

#[test]
fn hooks_at_the_same_time_make_the_state() {
    for _ in 0..3 {
        let world = World::new();
        for hook in ["pre-receive", "post-receive"] {
            std::os::unix::fs::symlink(BINARY, world.path(&format!("deploy.git/hooks/{hook}")))
                .unwrap();
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
fn upkeep_of_the_repository_deploys_nothing_and_is_never_stopped() {
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
