//! Deploy repositories of other kinds: with another deploy branch, with a root folder, with
//! SHA-256, with reftable.

use std::process::Command;

use crate::run::skip;
use crate::world::{World, rev};

#[test]
fn deploy_branch_is_the_one_that_head_names() {
    let world = World::new();
    world.server_git(&["symbolic-ref", "HEAD", "refs/heads/live/now"]);
    world.install();
    world.deploy("production/a", 1);
    world.push();
    assert_eq!(world.history(), [""; 0]);
    world
        .push_with(&["origin", "HEAD:refs/heads/live/now"])
        .ok();
    assert_eq!(world.settled().len(), 1);
}

#[test]
fn deploy_branch_is_the_one_that_the_configuration_names() {
    let world = World::new();
    world.config_top("branch = \"production-line\"");
    world.install();
    world.deploy("production/a", 1);
    world.push();
    assert_eq!(world.history(), [""; 0]);
    world
        .push_with(&["origin", "HEAD:refs/heads/production-line"])
        .ok();
    assert_eq!(world.settled().len(), 1);
}

#[test]
fn root_folder_holds_the_environments() {
    let world = World::new();
    world.config_top("root = \"deploy/files\"");
    world.install();
    world.write("deploy/files/production/a.deploy", rev(1));
    world.write("production/b.deploy", "Not a deploy file here.\n");
    world.push();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn sha256_deploy_repository_works() {
    let world = World::with_init(&["--object-format=sha256"]);
    world.install();
    world.deploy_rev("production/a", &"ab".repeat(32));
    world.push();
    world.deploy_rev("production/a", &"cd".repeat(32));
    world.push();
    assert_eq!(world.settled().last().unwrap(), "#2 production/a succeeded");
    assert_eq!(world.show(2)["revision"], "cd".repeat(32));
    assert_eq!(world.show(2)["deploy_commit"], world.tip());
    assert_eq!(world.tip().len(), 64);
    world.cmd(&["check"]).ok();
}

#[test]
fn reftable_deploy_repository_works() {
    let probe = tempfile::tempdir().unwrap();
    let init = Command::new("git")
        .args(["init", "-q", "--bare", "--ref-format=reftable"])
        .arg(probe.path())
        .output();
    if !init.unwrap().status.success() {
        skip("this git cannot make reftable repositories");
        return;
    }

    let world = World::with_init(&["--ref-format=reftable"]);
    world.install();
    world.deploy("production/a", 1);
    world.push();
    world.settled();

    world.deploy("production/a", 2);
    assert_eq!(
        world.push().remote()[0],
        "deploy-by-code: #2 production/a 0000001 -> 0000002 queued"
    );
    world.settled();
    assert_eq!(world.status("production/a")["deployed"], rev(2));

    world.deploy("production/a", 3);
    world.push_unseen();
    world.cmd(&["reconcile"]).ok();

    assert_eq!(world.settled().len(), 3);

    world.cmd(&["check"]).ok();
    world
        .cmd(&["plan", "HEAD~1", "HEAD"])
        .ok()
        .says("production/a");
}
