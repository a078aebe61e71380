//! Deploy repositories of other kinds: another branch, a root folder, SHA-256, reftable.

use std::fs;
use std::process::Command;

use crate::world::{World, rev};

#[test]
fn the_branch_is_the_one_that_head_names_or_the_configuration() {
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

    let world = World::new();
    let old = fs::read_to_string(world.path("deploy.git/deploy-by-code.toml")).unwrap();
    world.config_file(&format!("branch = \"production-line\"\n{old}"));
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
fn the_root_folder_holds_the_environments() {
    let world = World::new();
    let old = fs::read_to_string(world.path("deploy.git/deploy-by-code.toml")).unwrap();
    world.config_file(&format!("root = \"deploy/files\"\n{old}"));
    world.install();
    world.write("deploy/files/production/a.deploy", rev(1));
    world.write("deploy/README.md", "Not a deploy file.\n");
    world.push();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn sha256_repositories() {
    let world = World::with_init(&["--object-format=sha256"]);
    world.install();
    world.deploy_rev("production/a", &"ab".repeat(32));
    world.push();
    world.deploy_rev("production/a", &"cd".repeat(32));
    world.push();
    assert_eq!(world.settled().last().unwrap(), "#2 production/a succeeded");
    assert_eq!(world.show(2)["revision"], "cd".repeat(32));
    assert_eq!(
        world.show(2)["deploy_commit"].as_str().map(str::len),
        Some(64)
    );
    world.cmd(&["check"]).ok();
}

#[test]
fn reftable_repositories() {
    let probe = tempfile::tempdir().unwrap();
    let init = Command::new("git")
        .args(["init", "-q", "--bare", "--ref-format=reftable"])
        .arg(probe.path())
        .output();
    if !init.unwrap().status.success() {
        println!("skipped: this git has no reftable repositories");
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
