//! Servers that are short of something for a moment: files, processes, disk space. What never began
//! stays queued and says why, what ended is recorded, and nothing panics.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use crate::checkout;
use crate::crash::starts;
use crate::faults::strace_or_skip;
use crate::nobody::user;
use crate::processes::{BINARY, in_background};
use crate::run::run;
use crate::world::World;

/// Waits until a deployment that is queued says why, and returns the reason.
#[track_caller]
fn reason_of_queued(world: &World, id: u32) -> String {
    world.wait_until("it says why it waits", || {
        world.history().len() >= id as usize && world.show(id)["reason"].is_string()
    });
    let shown = world.show(id);
    assert_eq!(shown["status"], "queued", "{shown:#}");
    shown["reason"].as_str().unwrap().to_owned()
}

/// Does something with the state before the first deployment is pushed, and returns the reason
/// for which that deployment waits.
#[track_caller]
fn reason_after(world: &World, break_it: impl FnOnce(&Path)) -> String {
    world.wait_until_idle();
    break_it(&world.state());
    world.deploy("production/a", 1);
    world.push();
    let reason = reason_of_queued(world, 1);
    world
        .cmd(&["status"])
        .ok()
        .says("queued: waits for another try: ");
    assert_eq!(world.ran(), [""; 0]);
    reason
}

/// Puts a file into the place of the folder of logs.
fn without_logs(state: &Path) {
    fs::remove_dir(state.join("logs")).unwrap();
    fs::write(state.join("logs"), "").unwrap();
}

#[test]
fn log_that_can_not_be_made_keeps_the_deployment_queued() {
    let world = World::installed();
    let reason = reason_after(&world, without_logs);
    assert!(
        reason.contains("/logs/1.log can't be written: "),
        "{reason}"
    );

    let mut wait = world.command("timeout", ".");
    run(
        wait.args(["3", BINARY, "-C", "deploy.git", "wait", "1"]),
        b"",
    )
    .says("deploy-by-code: #1 production/a queued: waits for another try: the log ");

    fs::remove_file(world.state().join("logs")).unwrap();
    fs::create_dir(world.state().join("logs")).unwrap();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(starts(&world, 1), 1);
}

#[test]
fn work_folder_that_can_not_be_reached_is_named() {
    let world = World::installed();
    let reason = reason_after(&world, |state| {
        fs::remove_dir(state.join("work")).unwrap();
        fs::write(state.join("work"), "").unwrap();
    });
    assert!(reason.contains("/work: Not a directory"), "{reason}");
    assert!(!reason.contains("command"), "{reason}");

    fs::remove_file(world.state().join("work")).unwrap();
    fs::create_dir(world.state().join("work")).unwrap();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn deployment_that_waits_for_another_try_can_be_cancelled() {
    let world = World::installed();
    reason_after(&world, without_logs);

    world.cmd(&["cancel", "1"]).ok();
    let cancelled = format!("#1 production/a cancelled: by {}", user());
    assert_eq!(world.settled(), [cancelled]);
    world.wait_until_idle();
    assert_eq!(world.ran(), [""; 0]);
}

/// What may begin is decided anew before each try.
#[test]
fn freeze_holds_a_deployment_that_waits_for_another_try() {
    let world = World::installed();
    reason_after(&world, without_logs);
    let freeze = ["freeze", "production", "--reason", "incident 7"];
    world.cmd(&freeze).ok();
    world.wait_until("it waits for the thaw", || {
        let reason = world.show(1)["reason"].to_string();
        reason.contains("incident 7")
    });
    fs::remove_file(world.state().join("logs")).unwrap();
    fs::create_dir(world.state().join("logs")).unwrap();
    assert_eq!(world.ran(), [""; 0]);

    world.cmd(&["thaw", "production"]).ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn command_that_is_missing_fails_at_once() {
    for (command, why) in [
        ("/nonexistent/deploy", "No such file or directory"),
        ("/etc/passwd", "Permission denied"),
    ] {
        let world = World::installed();
        world.config_file(&format!("[defaults]\ncommand = [\"{command}\"]\n"));
        world.deploy("production/a", 1);
        world.push();
        let history = world.settled();
        assert!(
            history[0].contains(" failed: could not start the command") && history[0].contains(why),
            "{history:#?}"
        );
    }
}

#[test]
fn lock_that_can_not_be_opened_is_named_and_tried_again() {
    if !strace_or_skip() {
        return;
    }
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push_unseen();
    world.cmd(&["reconcile"]).ok();
    world.settled();
    world.deploy("production/a", 2);
    world.push_unseen();

    let lock = world.state().join("locks/production.lock");
    let lock = lock.to_str().unwrap();
    let mut runner = world.command("strace", ".");
    runner
        .args(["-f", "-qq", "-o", "/dev/null", "-P", lock])
        .args(["-e", "inject=openat:error=EMFILE:when=1..2", BINARY])
        .args(["-C", "deploy.git", "run", "production"]);
    let mut runner = in_background(&mut runner);
    let reason = reason_of_queued(&world, 2);
    assert!(
        reason.contains("locks/production.lock can't be taken: Too many open files"),
        "{reason}"
    );
    assert_eq!(world.settled()[1], "#2 production/a succeeded");
    runner.wait().unwrap();
}

/// Calls `look` with the state of a file, as often as possible, until a job has noted a line.
fn while_running(world: &World, line: &str, mut look: impl FnMut(&fs::Metadata)) {
    while !world.ran().iter().any(|ran| ran == line) {
        if let Ok(metadata) = fs::metadata(world.state().join("logs/1.log")) {
            look(&metadata);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn log_limit_bounds_the_disk_space_of_a_command_that_floods_it() {
    let world = World::installed();
    world.config("log_limit = \"1MiB\"");
    // It is silent first, for longer than a runner's usual look takes.
    world.job("sleep 0.5; timeout 2 yes; note end");
    world.deploy("production/a", 1);
    world.push();

    let (mut on_disk, mut written) = (0, 0);
    while_running(&world, "production/a #1 end", |log| {
        on_disk = on_disk.max(log.blocks() * 512);
        written = written.max(log.len());
    });
    world.settled();

    let mib = 1024 * 1024;
    assert!(written > 200 * mib, "only {written} bytes were written");
    // The machine can be too busy to let the runner look in time.
    let most = 16 * mib + written / 16;
    assert!(on_disk < most, "{on_disk} bytes on disk of {written}");
    assert!(world.logs(1).contains(" bytes left out]"));
}

/// A fault that is injected into all calls of a running process, until it is dropped.
struct Tracer(Child);

impl Tracer {
    /// Begins to inject a fault into the only process of the binary under test.
    #[track_caller]
    fn of_runner(world: &World, inject: &str) -> Self {
        world.wait_until("only the runner is left", || world.ours().len() == 1);
        let runner = world.ours()[0].to_string();

        let mut strace = Command::new("strace");
        strace
            .args(["-f", "-qq", "-o", "/dev/null", "-p", &runner])
            .args(["-e", &format!("inject={inject}")]);
        let tracer = Self(in_background(&mut strace));
        world.wait_until("strace traces the runner", || {
            let status = fs::read_to_string(format!("/proc/{runner}/status")).unwrap();
            !status.contains("TracerPid:\t0\n")
        });
        tracer
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // At this signal, strace lets go of what it traces.
        let pid = nix::unistd::Pid::from_raw(self.0.id().cast_signed());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// A world whose first deployment runs and holds at the gate `end`, then ends with status 7.
fn with_running() -> World {
    let world = World::installed();
    world.job("note start; hold end; exit 7");
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world
}

#[test]
fn process_or_thread_that_does_not_come_up_keeps_the_deployment_queued() {
    if !strace_or_skip() {
        return;
    }
    let none_left = "Resource temporarily unavailable";
    for (fault, expected) in [
        ("clone,fork,vfork:error=EAGAIN", none_left),
        ("clone3:error=EAGAIN", none_left),
        // The child closes what it does not need before it waits at its gate.
        (
            "close_range:signal=KILL",
            "the process ended before it began",
        ),
    ] {
        let world = with_running();
        world.deploy("production/b", 2);
        world.push();
        let tracer = Tracer::of_runner(&world, fault);
        world.open("end");
        let reason = reason_of_queued(&world, 2);
        assert!(reason.contains(expected), "{reason}");

        drop(tracer);
        assert_both_ran(&world, fault);
    }
}

/// What the runner has to fork can't be had, while it holds deployment 1 at the gate `end`. Returns
/// why the other deployment waits once that gate is open, and lets everything go on.
#[track_caller]
fn reason_without_processes(world: &World, id: u32) -> String {
    world.wait_for("production/a #1 start");
    let tracer = Tracer::of_runner(world, "clone,fork,vfork:error=EAGAIN");
    world.open("end");
    world.wait_until("it says why it waits", || {
        world.show(id)["reason"].is_string()
    });
    let shown = world.show(id);
    drop(tracer);
    format!("{} {}", shown["status"], shown["reason"])
}

#[test]
fn step_of_a_checkout_that_can_not_be_started_is_tried_again() {
    if !strace_or_skip() {
        return;
    }
    let world = checkout::world("");
    world.config("");
    world.job("note start; hold end");
    world.deploy_rev("production/a", &checkout::one_file(&world, "one"));
    world.push();
    world.wait_for("production/a #1 start");
    checkout::configure(&world, "");
    world.deploy_rev("production/a", &checkout::one_file(&world, "two"));
    world.push();

    let reason = reason_without_processes(&world, 2);
    let expected = "\"queued\" \"waits for another try: checkout: the step export could not be";
    assert!(reason.starts_with(expected), "{reason}");
    assert_eq!(world.settled()[1], "#2 production/a succeeded");
    assert_eq!(checkout::current(&world), "two");
}

#[test]
fn release_becomes_the_current_one_when_a_process_can_be_had_again() {
    if !strace_or_skip() {
        return;
    }
    let job = "command = [\"/bin/sh\", \"{W}/job\"]\n";
    let world = checkout::world(job);
    world.job("note start; hold end");
    world.deploy_rev("production/a", &checkout::one_file(&world, "one"));
    world.push();

    let reason = reason_without_processes(&world, 1);
    let expected = "\"running\" \"waits for another try: checkout: the step make-current could not";
    assert!(reason.starts_with(expected), "{reason}");
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(checkout::current(&world), "one");
    assert_eq!(starts(&world, 1), 1, "its command ran once");
}

/// Whether both deployments ran once and ended with status 7, whatever was injected meanwhile.
#[track_caller]
fn assert_both_ran(world: &World, fault: &str) {
    // While files can't be opened, /proc can't be read either, and the reason says so.
    let history = world.settled();
    let first = "#1 production/a failed: exit status 7";
    assert!(history[0].starts_with(first), "after {fault}: {history:#?}");
    assert_eq!(
        history[1], "#2 production/b failed: exit status 7",
        "after {fault}"
    );
    assert_eq!(
        world.ran(),
        ["production/a #1 start", "production/b #2 start"],
        "after {fault}"
    );
}

/// All calls of one kind fail for longer than a second, while one deployment ends and the next one
/// is to begin. A runner that panicked would leave the first one `interrupted`.
#[test]
fn runner_whose_calls_fail_for_a_moment_forgets_nothing() {
    if !strace_or_skip() {
        return;
    }
    for fault in [
        "pipe2:error=EMFILE",
        "openat:error=EMFILE",
        "dup2,dup3:error=EMFILE",
        "execve:error=ENOMEM",
        "poll:error=ENOMEM",
        "pread64:error=EIO",
        "inotify_init1,inotify_add_watch:error=ENOSPC",
    ] {
        let world = with_running();
        world.deploy("production/b", 2);
        world.push();
        let tracer = Tracer::of_runner(&world, fault);
        world.open("end");
        std::thread::sleep(Duration::from_millis(1500));
        drop(tracer);

        // A runner that could not read the state has left what was queued to the next one.
        world.cmd(&["reconcile"]).ok();
        assert_both_ran(&world, fault);
    }
}

/// A hook inherits from its parent that this signal is ignored. Then the kernel forgets how the
/// runner's children ended.
#[test]
fn exit_status_is_known_where_ended_children_are_ignored() {
    let world = World::installed();
    world.job("note start; exit 7");
    world.deploy("production/a", 1);
    world.commit();
    world
        .shell_in(
            "work",
            "trap '' CHLD; exec git push origin HEAD:refs/heads/main",
        )
        .ok();
    assert_eq!(world.settled(), ["#1 production/a failed: exit status 7"]);
}

/// A full disk for longer than anybody wants to wait, while a command ends whose exit status is
/// known.
#[test]
fn end_is_recorded_when_the_disk_has_room_again() {
    if !strace_or_skip() {
        return;
    }
    let world = with_running();
    let tracer = Tracer::of_runner(&world, "pwrite64,fallocate,ftruncate:error=ENOSPC");
    world.open("end");
    std::thread::sleep(Duration::from_secs(34));
    assert_eq!(world.history(), ["#1 production/a running"]);

    drop(tracer);
    assert_eq!(world.settled(), ["#1 production/a failed: exit status 7"]);
    assert_eq!(world.show(1)["exit_status"], 7);
}
