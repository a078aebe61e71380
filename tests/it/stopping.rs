//! Timeouts, `cancel`, and what a command leaves behind.

use std::fs;

use crate::nobody::user;
use crate::processes::alive;
use crate::world::World;

/// The process ids that a job has written to files called `pid.*`.
pub fn pids(world: &World) -> Vec<i32> {
    let files = fs::read_dir(world.path(".")).unwrap().flatten();
    files
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("pid."))
        .map(|entry| fs::read_to_string(entry.path()).unwrap())
        .map(|text| text.trim().parse().unwrap())
        .collect()
}

/// Asserts that the three processes which the job [`FAMILY`] started have ended.
#[track_caller]
pub fn assert_none_lives(world: &World) {
    let mut pids = pids(world);
    assert_eq!(pids.len(), 3);
    pids.retain(|pid| alive(*pid));
    assert_eq!(pids, [0; 0], "these processes still live");
}

/// A job that starts three grandchildren: one in the same process group, one in a session of its
/// own, and one that also ignores SIGTERM.
pub const FAMILY: &str = r#"
grandchild() { # NAME COMMAND...
    name=$1; shift
    "$@" "echo \$\$ > '$W/new.$name'; mv '$W/new.$name' '$W/pid.$name'; exec sleep 1000" &
}
grandchild plain sh -c
grandchild session setsid sh -c
setsid sh -c "trap '' TERM; echo \$\$ > '$W/new.deaf'; mv '$W/new.deaf' '$W/pid.deaf'
    while :; do sleep 0.05; done" &
for name in plain session deaf; do
    until [ -e "$W/pid.$name" ]; do sleep 0.02; done
done
note start
"#;

#[test]
fn timeout_ends_everything_that_the_command_started() {
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
    assert_none_lives(&world);
}

#[test]
fn timeout_sends_sigterm_first_and_sigkill_after_kill_after() {
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
fn timeout_lets_the_command_clean_up_and_still_fails() {
    let world = World::installed();
    world.config("timeout = \"500ms\"\n[environments.production]\nkill_after = \"30s\"");
    world.job("trap 'note cleaned; exit 0' TERM; note start; while :; do sleep 0.05; done");
    world.deploy("production/a", 1);

    world.push();

    assert!(world.settled()[0].contains("failed: timeout"));
    assert_eq!(
        world.ran(),
        ["production/a #1 start", "production/a #1 cleaned"]
    );
}

#[test]
fn cancel_ends_a_running_deployment_and_its_children() {
    let world = World::installed();
    world.job(&format!("{FAMILY}\nsleep 1000"));
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.job("note start");

    world.cmd(&["cancel", "1"]).ok();

    assert_eq!(
        world.settled(),
        [
            &format!("#1 production/a cancelled: by {}", user()),
            "#2 production/b succeeded"
        ]
    );
    assert_none_lives(&world);
    for id in ["1", "2"] {
        world.cmd(&["cancel", id]).exits(1).says("has ended");
    }
}

#[test]
fn cancel_of_a_queued_deployment_means_that_it_never_starts() {
    let world = World::installed();
    world.job("note start; hold end");
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    world.push();
    world.wait_for("production/a #1 start");

    world.cmd(&["cancel", "#2"]).ok();
    world.open("end");

    assert_eq!(
        world.settled(),
        [
            "#1 production/a succeeded",
            &format!("#2 production/b cancelled: by {}", user())
        ]
    );
    assert_eq!(world.ran(), ["production/a #1 start"]);
}

#[test]
fn cancel_skips_deployments_that_wait_for_the_cancelled_one() {
    let world = World::installed();
    world.config("[applications.b]\nafter = [\"a\"]");
    world.job("note start; hold end");
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    world.push();
    world.wait_for("production/a #1 start");

    world.cmd(&["cancel", "1"]).ok();

    assert_eq!(
        world.settled(),
        [
            &format!("#1 production/a cancelled: by {}", user()),
            "#2 production/b skipped: #1 a cancelled"
        ]
    );
}

#[test]
fn daemon_that_a_command_leaves_behind_holds_nothing_up() {
    let world = World::installed();
    world.job(
        "setsid sh -c 'echo $$ > '\"$W/new; mv $W/new $W/pid.daemon; exec sleep 1000\" &\n\
         until [ -e \"$W/pid.daemon\" ]; do sleep 0.02; done",
    );
    world.deploy("production/a", 1);
    world.push();
    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded: left processes running"]
    );
    let daemon = pids(&world)[0];
    assert!(alive(daemon), "the daemon may live on");
    world.wait_until_idle();

    world.job("note start");
    world.deploy("production/a", 2);
    world.push();
    assert_eq!(world.settled()[1], "#2 production/a succeeded");
    assert!(alive(daemon), "the daemon may live on");
}

#[test]
fn grace_is_the_time_in_which_what_is_left_may_still_end() {
    let world = World::installed();
    world.config("[environments.production]\ngrace = \"30s\"");
    world.job("(sleep 0.5; note late) &");
    world.deploy("production/a", 1);

    world.push();

    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(world.ran(), ["production/a #1 late"]);
}
