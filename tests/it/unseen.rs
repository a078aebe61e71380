//! What can't be seen is alive: runners that can't look at the processes of a dead runner, because
//! they work in other namespaces or because a read fails, begin nothing beside them.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cgroups::{cgroups_or_skip, push_without_cgroups, unshare_or_skip, with_ghost};
use crate::crash::{assert_ran_in_turn, with_dead_runner};
use crate::faults::strace_or_skip;
use crate::processes::{BINARY, alive};
use crate::run::{Run, run};
use crate::stopping::pids;
use crate::world::World;

/// Runs a runner for two seconds in namespaces of its own, after a command of the shell.
#[track_caller]
fn run_elsewhere(world: &World, unshare: &str, before: &str) -> Run {
    // Here a hook would have started it.
    let arguments = "-C deploy.git run --checked production";
    let script = format!("{before} exec timeout 2 '{BINARY}' {arguments}");
    let mut command = world.command("unshare", ".");
    run(
        command.args(unshare.split(' ')).args(["sh", "-c", &script]),
        b"",
    )
}

/// Pushes a second deployment, of which no hook and no runner knows yet.
fn push_second(world: &World) {
    world.deploy("production/b", 2);
    world.push_unseen();
}

/// Asserts that only the first deployment began, and that it goes on in the right order once what
/// held it has ended.
#[track_caller]
fn assert_held(world: &World, why: &str) {
    let second = world.show(2);
    let reason = second["reason"].as_str().unwrap_or_default();
    assert_eq!(second["status"], "queued", "{second:#}");
    assert!(
        reason.contains("held by what #1 left running") && reason.contains(why),
        "{second:#}"
    );
    world.cmd(&["status"]).ok().says(why);
    assert_eq!(world.ran(), ["production/a #1 start"]);

    world.open("end");
    world.wait_for("production/a #1 end");
    world.cmd(&["reconcile"]).ok();
    assert_ran_in_turn(world, "production/b");
}

#[test]
fn environment_is_held_where_cgroups_are_not_mounted() {
    if !cgroups_or_skip() || !unshare_or_skip() {
        return;
    }
    let world = with_ghost();
    world.deploy("production/b", 2);
    push_without_cgroups(&world);

    world.wait_until("the runner says why it waits", || {
        world.show(2)["reason"].is_string()
    });
    assert_held(&world, "cgroup2 is not mounted here");
}

#[test]
fn environment_is_held_in_another_pid_namespace() {
    if !unshare_or_skip() {
        return;
    }
    let world = with_dead_runner("");
    world.job("note start; note end");
    push_second(&world);
    run_elsewhere(&world, "-mpf --mount-proc", "");
    assert_held(&world, "namespaces pid:[");
}

#[test]
fn runner_without_proc_begins_nothing_and_says_why() {
    if !unshare_or_skip() {
        return;
    }
    let world = with_dead_runner("");
    push_second(&world);
    run_elsewhere(&world, "-m", "umount -l /proc;")
        .exits(4)
        .says("/proc/self: No such file or directory");
    let reason = world.show(2)["reason"].to_string();
    assert!(reason.contains("/proc/self: No such"), "{reason}");
    assert_eq!(world.ran(), ["production/a #1 start"]);
    world.open("end");
}

/// Runs a runner that can't open one path, until the second deployment says why it waits.
#[track_caller]
fn run_without(world: &World, path: &str) {
    let mut strace = world.command("timeout", ".");
    strace
        .args(["60", "strace", "-f", "-qq", "-o", "/dev/null", "-P", path])
        .args(["-e", "inject=openat,open:error=EIO", BINARY])
        .args(["-C", "deploy.git", "run", "production"]);
    let mut strace = strace.spawn().unwrap();
    world.wait_until("the runner says why it waits", || {
        world.history().len() == 2 && world.show(2)["reason"].is_string()
    });

    let pid = Pid::from_raw(strace.id().cast_signed());
    kill(pid, Signal::SIGTERM).unwrap();
    strace.wait().unwrap();
}

fn cgroup_of_first(world: &World) -> String {
    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    let sql = "SELECT cgroup FROM deployments WHERE id = 1";
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn cgroup_that_can_not_be_read_holds_the_environment() {
    if !cgroups_or_skip() || !strace_or_skip() {
        return;
    }
    let world = with_ghost();
    push_second(&world);
    let events = format!("{}/cgroup.events", cgroup_of_first(&world));
    run_without(&world, &events);
    let second = world.show(2);
    assert!(
        second["reason"]
            .as_str()
            .unwrap()
            .contains(&format!("{events}: Input/output error")),
        "{second:#}"
    );
    // From here it is seen.
    world
        .cmd(&["status"])
        .ok()
        .says("held by what #1 left running");
    assert_held(&world, "cgroup.events");
}

#[test]
fn proc_that_can_not_be_read_holds_the_environment() {
    if !unshare_or_skip() || !strace_or_skip() {
        return;
    }
    let world = World::installed();
    world.job("note start; hold end; note end");
    world.deploy("production/a", 1);
    push_without_cgroups(&world);
    world.wait_for("production/a #1 start");
    world.kill_runner();
    world.job("note start; note end");
    push_second(&world);
    run_without(&world, "/proc");
    assert_held(&world, "/proc: Input/output error");
}

/// A login or `systemd-run --scope` moves a process in the same way.
#[test]
fn timeout_ends_a_child_that_left_its_cgroup() {
    if !cgroups_or_skip() {
        return;
    }
    let world = World::installed();
    world.config("timeout = \"1s\"");
    world.job(
        r#"
        top=$(sed -n 's/.* \(\/[^ ]*\) [^ ]* - cgroup2 .*/\1/p' /proc/self/mountinfo | head -n 1)
        setsid sh -c '
            echo $$ > "$1/cgroup.procs" || exit
            echo $$ > "$2/new.left"; mv "$2/new.left" "$2/pid.left"
            sleep 1000' left "$top" "$W" &
        until [ -e "$W/pid.left" ]; do sleep 0.02; done
        note start
        sleep 1000"#,
    );
    world.deploy("production/a", 1);
    world.push();

    assert!(world.settled()[0].contains(" failed: timeout after 1"));
    assert!(!alive(pids(&world)[0]), "the child escaped");
}

#[test]
fn cancel_asks_what_a_dead_runner_left_before_it_kills() {
    let world = World::installed();
    world.config("[environments.production]\nkill_after = \"30s\"");
    world.job("trap 'note cleaned; exit 0' TERM; note start; while :; do sleep 0.05; done");
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.kill_runner();

    world.cmd(&["cancel", "1"]).ok();
    world.settled();
    assert_eq!(
        world.ran(),
        ["production/a #1 start", "production/a #1 cleaned"]
    );
}

/// The control: without a fault, the same second deployment begins beside nothing, once the first
/// one has ended, and the tests above would see an overlap.
#[test]
fn environment_that_is_seen_is_not_held_longer_than_needed() {
    let world = with_dead_runner("");
    world.open("end");
    world.wait_for("production/a #1 end");
    push_second(&world);
    world.cmd(&["reconcile"]).ok();
    assert_ran_in_turn(&world, "production/b");
}
