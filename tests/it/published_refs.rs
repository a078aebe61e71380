//! At which refs the status is published, and that nobody else writes them.

use std::fs;

use crate::faults::strace_or_skip;
use crate::processes::BINARY;
use crate::published_status::wait_for;
use crate::published_status::{REF, messages, publishing, publishing_at, subjects, unpublished};
use crate::run::{run, skip};
use crate::world::{World, rev};

#[test]
fn nobody_can_push_to_it() {
    let world = publishing_at(World::new(), "refs/heads/ops/status");
    world.deploy("production/web", 1);
    world.push();
    world.wait_until("it is published", || {
        !subjects(&world, "refs/heads/ops/status").is_empty()
    });
    world.wait_until_idle();
    world.server_git(&["symbolic-ref", "refs/heads/alias", "refs/heads/ops/status"]);
    let published = messages(&world, "refs/heads/ops/status");

    for name in [
        "refs/heads/ops/status",
        "refs/heads/ops/status/below",
        "refs/heads/ops",
        "refs/heads/alias",
        REF,
        "refs/deploy-by-code/other",
        "refs/deploy-by-code",
    ] {
        let push = world.push_with(&["-f", "origin", &format!("HEAD:{name}")]);
        push.exits(1).says(&format!(
            "refused {name}: only deploy-by-code writes this ref"
        ));
    }
    let push = world.push_with(&["origin", ":refs/heads/ops/status"]);
    push.exits(1).says("only deploy-by-code writes this ref");
    world
        .push_with(&["origin", "HEAD:refs/heads/ops-status"])
        .ok();

    world.config_file("publish = \"refs/heads/ops/status\"\nnonsense = 1\n");
    let push = world.push_with(&["-f", "origin", "HEAD:refs/heads/ops/status"]);
    push.exits(1).says("only deploy-by-code writes this ref");
    assert_eq!(messages(&world, "refs/heads/ops/status"), published);
}

#[test]
fn ref_that_is_the_deploy_branch_is_a_mistake() {
    let world = World::installed();
    world.config_top("publish = \"refs/heads/main\"");
    world.deploy("production/web", 1);
    let push = world.try_push().exits(1);
    push.says("publish names the deploy branch refs/heads/main");
    world
        .cmd(&["check"])
        .exits(3)
        .says("publish names the deploy branch");
    world.config_file("publish = \"refs/heads/a..b\"\n");
    world
        .cmd(&["check"])
        .exits(3)
        .says("deploy-by-code.toml:1:11: publish: ");
}

#[test]
fn symbolic_ref_is_not_written_through() {
    let world = publishing();
    world.server_git(&["symbolic-ref", REF, "refs/heads/main"]);
    world.deploy("production/web", 1);
    world.push();
    world.settled();
    let tip = world.git(&["rev-parse", "HEAD"]);
    assert_eq!(world.tip(), tip);
    world.wait_until("doctor says why nothing is published", || {
        let doctor = world.cmd(&["doctor"]).all();
        doctor.contains("refs/deploy-by-code/status is a symbolic ref")
    });

    // The process waits to try again, and goes on when the ref can be written.
    world.server_git(&["symbolic-ref", "--delete", REF]);
    wait_for(&world, "production/web 0000001 succeeded (#1)");
    assert_eq!(world.tip(), tip);
    let doctor = world.cmd(&["doctor"]);
    doctor.says("the status is published at refs/deploy-by-code/status");
}

#[test]
fn repository_can_use_sha256_and_reftable() {
    let init = ["--object-format=sha256", "--ref-format=reftable"];
    let probe = World::new();
    let mut git = probe.command("git", ".");
    git.args(["init", "-q", "--bare"])
        .args(init)
        .arg("probe.git");
    if run(&mut git, b"").code != Some(0) {
        skip("this git cannot make reftable repositories");
        return;
    }

    let world = publishing_at(World::with_init(&init), REF);
    world.deploy_rev("production/web", &format!("{:064}", 1));
    world.push();
    wait_for(&world, "production/web 0000000 succeeded (#1)");
    let push = world.push_with(&["-f", "origin", &format!("HEAD:{REF}")]);
    push.exits(1).says("only deploy-by-code writes this ref");
}

#[test]
fn hooks_start_nothing_when_the_status_is_published() {
    if !strace_or_skip() {
        return;
    }
    let world = publishing_at(World::new(), "refs/heads/status");
    unpublished(&world, || {
        world.cmd(&["freeze", "production", "--reason", "x"]);
        world.deploy("production/web", 1);
        world.push();
        world.settled();
    });
    let trace = world.path("trace").display().to_string();
    let mut publish = world.command("strace", ".");
    publish.args([
        "-f",
        "-qq",
        "-s",
        "1000",
        "-e",
        "trace=execve",
        "-o",
        &trace,
        BINARY,
        "-C",
    ]);
    run(publish.arg(world.repository()).arg("publish"), b"").ok();

    let trace = fs::read_to_string(trace).unwrap();
    assert!(
        trace.contains("hooks/reference-transaction"),
        "the hook is called: {trace}"
    );
    assert!(
        !trace.contains("\"reconcile\"") && !trace.contains("\"run\""),
        "{trace}"
    );
    assert!(!subjects(&world, "refs/heads/status").is_empty());
}

#[test]
fn section_that_is_called_status_does_not_hold_it_up() {
    let world = World::new();
    world.config("[notify.status]\nkind = \"command\"\ncommand = [\"/bin/false\"]\n");
    let world = publishing_at(world, REF);
    for number in 1..=2 {
        world.deploy("production/web", number);
        world.push();
        let end = format!("{} succeeded (#{number})", &rev(number)[..7]);
        world.wait_until("it is published while the program fails", || {
            let subjects = subjects(&world, REF);
            subjects.last().is_some_and(|last| last.ends_with(&end))
        });
    }
}
