//! Timeouts, `cancel`, and what a command leaves behind.

use std::fs;

use crate::processes::alive;
use crate::world::World;

/// The process ids that a job has written to files called `pid.*`.
pub fn pids(world: &World) -> Vec<i32> {
    let files = fs::read_dir(world.path(".")).unwrap().flatten();
    let files = files.filter(|entry| entry.file_name().to_string_lossy().starts_with("pid."));
    files
        .map(|entry| {
            fs::read_to_string(entry.path())
                .unwrap()
                .trim()
                .parse()
                .unwrap()
        })
        .collect()
}

/// Starts a grandchild in the same group, one in a session of its own, and one that also ignores
/// SIGTERM.
pub const FAMILY: &str = r#"
grandchild() { sh -c "$1"' echo $$ > '"$W/new.$2; mv $W/new.$2 $W/pid.$2; while :; do sleep 0.05; done" & }
grandchild '' plain
setsid sh -c 'echo $$ > '"$W/new.session; mv $W/new.session $W/pid.session; exec sleep 1000" &
setsid sh -c 'trap "" TERM; echo $$ > '"$W/new.deaf; mv $W/new.deaf $W/pid.deaf; while :; do sleep 0.05; done" &
until [ -e "$W/pid.plain" ] && [ -e "$W/pid.session" ] && [ -e "$W/pid.deaf" ]; do sleep 0.02; done
note start
"#;

#[test]
fn a_timeout_ends_everything_that_the_command_started() {
    let world = World::installed();
    world.config("timeout = \"1s\"");
    world.job(&format!("{FAMILY}\nsleep 1000"));
    world.deploy("production/a", 1);
    world.push();
    let history = world.settled();
    assert!(
        history[0].starts_with("#1 production/a failed: timeout after 1"),
        "{history:#?}"
    );
    let pids = pids(&world);
    assert_eq!(pids.len(), 3);
    let living: Vec<_> = pids.into_iter().filter(|pid| alive(*pid)).collect();
    assert_eq!(living, [0; 0], "these processes still live");
}

#[test]
fn sigterm_comes_first_and_sigkill_after_kill_after() {
    let world = World::installed();
    world.config("timeout = \"500ms\"");
    world.job("trap 'note got TERM' TERM; note start; while :; do sleep 0.05; done");
    world.deploy("production/a", 1);
    world.push();
    assert!(world.settled()[0].contains("failed: timeout"));
    assert_eq!(
        world.ran(),
        ["production/a #1 start", "production/a #1 got TERM"]
    );
}

#[test]
fn a_command_may_clean_up_between_sigterm_and_sigkill() {
    let world = World::installed();
    world.config("timeout = \"500ms\"\n[environments.production]\nkill_after = \"30s\"");
    world.job("trap 'note cleaned; exit 0' TERM; note start; while :; do sleep 0.05; done");
    world.deploy("production/a", 1);
    world.push();
    assert!(
        world.settled()[0].contains("failed: timeout"),
        "a clean end after the timeout is no success"
    );
    assert_eq!(
        world.ran(),
        ["production/a #1 start", "production/a #1 cleaned"]
    );
}

#[test]
fn cancel_a_running_one() {
    let world = World::installed();
    world.job(&format!("{FAMILY}\nsleep 1000"));
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.job("note start");
    world.cmd(&["cancel", "1"]).ok();
    let history = world.settled();
    assert!(
        history[0].starts_with("#1 production/a cancelled: by "),
        "{history:#?}"
    );
    assert_eq!(history[1], "#2 production/b succeeded");
    let living: Vec<_> = pids(&world).into_iter().filter(|pid| alive(*pid)).collect();
    assert_eq!(living, [0; 0], "these processes still live");
    world.cmd(&["cancel", "1"]).exits(1);
    world.cmd(&["cancel", "2"]).exits(1);
}

#[test]
fn cancel_a_queued_one() {
    let world = World::installed();
    world.job("note start; hold end");
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.cmd(&["cancel", "#2"]).ok();
    world.open("end");
    let history = world.settled();
    assert_eq!(history[0], "#1 production/a succeeded");
    assert!(
        history[1].starts_with("#2 production/b cancelled: by "),
        "{history:#?}"
    );
    assert_eq!(world.ran(), ["production/a #1 start"]);
}

#[test]
fn dependants_of_what_was_cancelled_are_skipped() {
    let world = World::installed();
    world.config("[applications.b]\nafter = [\"a\"]");
    world.job("note start; hold end");
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.cmd(&["cancel", "1"]).ok();
    let history = world.settled();
    assert!(
        history[1].starts_with("#2 production/b skipped: #1 a cancelled"),
        "{history:#?}"
    );
}

#[test]
fn a_daemon_left_behind_holds_nothing_up() {
    let world = World::installed();
    world.job("setsid sh -c 'echo $$ > '\"$W/new; mv $W/new $W/pid.daemon; exec sleep 1000\" & until [ -e \"$W/pid.daemon\" ]; do sleep 0.02; done");
    world.deploy("production/a", 1);
    world.push();
    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded: left processes running"]
    );
    assert!(alive(pids(&world)[0]), "the daemon may live on");
    world.wait_until("the runner left", || world.ours().is_empty());
    world.job("note start");
    world.deploy("production/a", 2);
    world.push();
    assert_eq!(world.settled()[1], "#2 production/a succeeded");
    assert!(alive(pids(&world)[0]), "the daemon may live on");
}

#[test]
fn what_ends_within_the_grace_is_not_left_behind() {
    let world = World::installed();
    world.config("[environments.production]\ngrace = \"30s\"");
    world.job("(sleep 0.5; note late) &");
    world.deploy("production/a", 1);
    world.push();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(world.ran(), ["production/a #1 late"]);
}
