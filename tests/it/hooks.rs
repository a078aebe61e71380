//! The hooks in the surroundings in which git calls them: quarantine, work trees, alternates, many
//! refs, and without `install`.

use std::fs;
use std::os::unix::fs::symlink;

use crate::hosts::script;
use crate::processes::BINARY;
use crate::run::run;
use crate::world::{World, rev};

#[test]
fn hooks_read_objects_in_quarantine_loose_and_packed() {
    for limit in ["1", "100000"] {
        let world = World::installed();
        world.server_git(&["config", "transfer.unpackLimit", limit]);
        world.deploy("production/a", 1);
        world.push();

        world.deploy_file("production/a", "nonsense\n");
        world
            .try_push()
            .exits(1)
            .says("refused production/a.deploy");

        world.deploy_file("production/a", rev(2));
        world.push();
        world.settled();
        assert_eq!(world.show(2)["revision"], rev(2));
    }
}

#[test]
fn hooks_and_state_are_shared_by_a_linked_work_tree() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.server_git(&["worktree", "add", "-q", "--detach", "../linked", "main"]);

    world.deploy("production/a", 2);
    world.commit();
    world
        .push_with(&["../linked", "HEAD:refs/heads/main"])
        .ok()
        .says("#2 production/a 0000001 -> 0000002 queued");
    assert_eq!(world.settled().len(), 2);

    let status = world.cmd_in("linked", &["status", "--json"]).ok();
    assert!(status.stdout.contains(&rev(2)), "{status:#?}");
}

#[test]
fn hooks_find_objects_in_alternates() {
    let world = World::new();
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    world.push();
    fs::rename(world.repository(), world.path("old.git")).unwrap();
    let clone = ["clone", "-q", "--bare", "--shared", "old.git", "deploy.git"];
    world.git_in(".", &clone);
    world.config("");
    world.install();

    world.deploy("production/a", 2);
    let said = world.push().remote();

    assert_eq!(
        said[0],
        "deploy-by-code: #1 production/a 0000001 -> 0000002 queued"
    );
    assert_eq!(world.settled().len(), 1);
}

#[test]
fn hooks_take_thousands_of_refs_in_one_push() {
    let world = World::installed();
    world.deploy("production/a", 1);
    let commit = world.commit();
    let refs: String = (0..2000)
        .map(|n| format!("create refs/heads/topic/{n} {commit}\n"))
        .collect();
    let mut update = world.command("git", "work");
    run(update.args(["update-ref", "--stdin"]), refs.as_bytes()).ok();

    let push = world
        .push_with(&["-q", "origin", "refs/heads/*:refs/heads/*"])
        .ok();

    assert_eq!(
        push.remote()[0],
        "deploy-by-code: #1 production/a new -> 0000001 queued"
    );
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn hook_can_be_called_for_a_repository_that_an_option_names() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push_unseen();

    let input = format!("{} {} refs/heads/main\n", rev(0), world.tip());
    let mut hook = world.command(BINARY, ".");
    hook.args(["-C", "deploy.git", "post-receive"]);
    run(&mut hook, input.as_bytes())
        .ok()
        .says("#1 production/a");

    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn hook_scripts_of_the_administrator_can_call_the_commands() {
    let world = World::installed();
    for hook in ["pre-receive", "post-receive", "reference-transaction"] {
        let path = world.path(&format!("deploy.git/hooks/{hook}"));
        fs::remove_file(&path).unwrap();
        script(
            &path,
            &format!("#!/bin/sh\nexec '{BINARY}' {hook} \"$@\"\n"),
        );
    }

    world.deploy("production/a", 1);
    world.push().says("#1 production/a new -> 0000001 queued");
    world.deploy_file("production/b", "nonsense");
    world
        .try_push()
        .exits(1)
        .says("refused production/b.deploy");

    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn hooks_linked_by_hand_work_without_install() {
    let world = World::new();
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    world.push();
    for hook in ["pre-receive", "post-receive"] {
        symlink(BINARY, world.path(&format!("deploy.git/hooks/{hook}"))).unwrap();
    }

    world.deploy("production/a", 2);
    let said = world.push().remote();

    assert_eq!(
        said[0],
        "deploy-by-code: #1 production/a 0000001 -> 0000002 queued"
    );
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}
