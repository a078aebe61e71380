//! A fault at every writing system call: kills, full disks, broken disks. Nothing lost, nothing
//! twice.

use std::process::Command;

use crate::crash::starts;
use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::world::World;

/// The system calls by which something outside the process changes; `?`: where the machine has it.
const WRITING: &[&str] = &[
    "write",
    "?writev",
    "?pwrite64",
    "?pwritev",
    "?fsync",
    "?fdatasync",
    "?ftruncate",
    "?rename",
    "?renameat",
    "?renameat2",
    "?unlink",
    "?unlinkat",
    "?mkdir",
    "?mkdirat",
    "?flock",
    "?fcntl",
    "?chmod",
    "?fchmod",
    "?fchmodat",
    "?clone",
    "?clone3",
    "?vfork",
    "?kill",
];

fn no_strace() -> bool {
    let missing = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output()
        .map_or(true, |o| !o.status.success());
    if missing {
        println!("skipped: strace is not installed, or may not trace here");
    }
    missing
}

/// Runs the binary under test with a fault at the n-th of a system call; `also`: more arguments for
/// strace. Without `-f` only the process's own calls count, not those of what it starts.
fn with_fault(
    world: &World,
    call: &str,
    fault: &str,
    n: u32,
    also: &[&str],
    arguments: &[&str],
    input: &str,
) -> Run {
    let mut strace = world.command("strace", "deploy.git");
    strace
        .args(also)
        .args(["-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
    strace
        .args(["-e", &format!("inject={call}:{fault}:when={n}"), BINARY])
        .args(arguments)
        .env("GIT_DIR", ".");
    run(&mut strace, input.as_bytes())
}

/// For each writing system call and each n: `point` says whether something was killed; after that n
/// is too large.
fn sweep(mut point: impl FnMut(&str, u32) -> bool) -> u32 {
    let mut points = 0;
    for call in WRITING {
        for n in 1..=60 {
            if !point(call, n) {
                break;
            }
            points += 1;
        }
    }
    points
}

/// Whether strace's process was killed. What was not must have ended well.
fn killed(run: &Run) -> bool {
    let killed = run.signal == Some(9) || run.code == Some(137);
    assert!(killed || run.code == Some(0), "{run:?}");
    killed
}

#[test]
fn a_hook_killed_at_every_writing_call() {
    if no_strace() {
        return;
    }
    let world = World::installed();
    world.config("queue = \"all\"");
    world.job("note start");
    let mut planned = 0_u32;
    let points = sweep(|call, n| {
        planned += 1;
        world.deploy("production/a", planned);
        let line = world.push_unseen();
        let hook = with_fault(
            &world,
            call,
            "signal=KILL",
            n,
            &[],
            &["post-receive"],
            &line,
        );
        world.cmd(&["reconcile"]).ok();
        let history = world.settled();
        assert_eq!(
            history.len(),
            planned as usize,
            "deployments after a kill at {call} {n}: {hook:#?}"
        );
        assert_eq!(
            starts(&world, planned as usize),
            1,
            "starts after a kill at {call} {n}: {hook:#?}"
        );
        assert!(
            history.last().unwrap().ends_with(" succeeded"),
            "after a kill at {call} {n}: {history:#?}"
        );
        killed(&hook)
    });
    assert!(points >= 5, "only {points} points were hit");
    assert_eq!(world.ran().len(), planned as usize);
}

#[test]
fn a_runner_killed_at_every_writing_call() {
    if no_strace() {
        return;
    }
    let world = World::installed();
    world.config("queue = \"all\"");
    world.job("note start");
    let mut planned = 0;
    let points = sweep(|call, n| {
        planned += 1;
        world.deploy("production/a", planned);
        world.push_unseen();
        // With its threads, and with the command, which then fails by the signal.
        let runner = with_fault(
            &world,
            call,
            "signal=KILL",
            n,
            &["-f"],
            &["run", "production"],
            "",
        );
        world.cmd(&["reconcile"]).ok();
        let history = world.settled();
        let id = planned as usize;
        assert_eq!(history.len(), id, "deployments after a kill at {call} {n}");
        let (last, starts) = (history.last().unwrap(), starts(&world, id));
        assert!(
            starts <= 1,
            "after a kill at {call} {n} it started {starts} times: {last}"
        );
        let ended = [" interrupted", " failed: signal 9", " succeeded"]
            .into_iter()
            .find(|end| last.contains(end));
        let ended = ended.unwrap_or_else(|| panic!("after a kill at {call} {n}: {last}"));
        assert!(
            starts == 1 || ended != " succeeded",
            "after a kill at {call} {n} what never started succeeded"
        );
        killed(&runner) || ended != " succeeded"
    });
    assert!(points >= 10, "only {points} points were hit");
    let ends = |status: &str| {
        world
            .history()
            .iter()
            .filter(|line| line.contains(status))
            .count()
    };
    assert!(
        ends(" succeeded") > 0 && ends(" interrupted") > 0,
        "the sweep met both outcomes"
    );
}

#[test]
fn a_hook_whose_calls_fail_says_so_and_loses_nothing() {
    if no_strace() {
        return;
    }
    let world = World::installed();
    world.config("queue = \"all\"");
    world.job("note start");
    let (mut planned, mut failures) = (0_u32, 0);
    let calls = [
        ("?pwrite64", 8),
        ("?fdatasync", 3),
        ("?fsync", 2),
        ("?ftruncate", 3),
        ("openat", 24),
        ("?clone", 2),
        ("?clone3", 2),
    ];
    for (call, most) in calls {
        for n in 1..=most {
            planned += 1;
            world.deploy("production/a", planned);
            let line = world.push_unseen();
            let error = ["error=ENOSPC", "error=EIO", "error=EMFILE"][n as usize % 3];
            let hook = with_fault(&world, call, error, n, &[], &["post-receive"], &line);
            let place = format!("{error} at {call} {n}: {hook:?}");
            // The dynamic loader may be hit before the program begins; then it is 127.
            assert!(matches!(hook.code, Some(0 | 1 | 127)), "{place}");
            if hook.code == Some(1) {
                failures += 1;
                assert!(
                    hook.stderr.contains("deploy-by-code: "),
                    "no word about it, {place}"
                );
            }
            if hook.stdout.contains(&format!("#{planned} ")) {
                assert_eq!(
                    world.history().len(),
                    planned as usize,
                    "said to be recorded, {place}"
                );
            }
            world.cmd(&["reconcile"]).ok();
            let history = world.settled();
            assert_eq!(history.len(), planned as usize, "{place}");
            assert!(history.last().unwrap().ends_with(" succeeded"), "{place}");
            assert_eq!(starts(&world, planned as usize), 1, "{place}");
        }
    }
    assert!(failures >= 3, "only {failures} faults were felt");
}
