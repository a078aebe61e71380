//! A fault at every system call that writes something: kills, full disks, broken disks. Nothing is
//! lost, and nothing starts twice.

use std::process::Command;
use std::slice::Iter;
use std::sync::Mutex;
use std::thread;

use crate::crash::starts;
use crate::processes::BINARY;
use crate::run::{Run, run, skip};
use crate::world::World;

/// The system calls that change something outside the process. A question mark means: where the
/// machine has this call.
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

/// What ends strace after a while, and nothing else. It lets go of what it traces then. A fault in
/// each child would keep a runner for minutes that starts a process anew until one comes up.
const LET_GO: [&str; 5] = ["--foreground", "--signal", "KILL", "10", "strace"];

/// Whether strace can be used. Where it cannot, the calling test is skipped.
#[track_caller]
pub fn strace_or_skip() -> bool {
    let probe = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output();
    let can = probe.is_ok_and(|output| output.status.success());
    if !can {
        skip("strace is not installed, or may not trace here");
    }
    can
}

/// A fault at the n-th of a system call.
#[derive(Debug, Clone, Copy)]
pub struct Fault<'a> {
    pub call: &'a str,
    pub n: u32,
    /// In the words of strace: `signal=KILL`, `error=EIO`.
    pub what: &'a str,
}

impl Fault<'_> {
    fn kill(call: &str, n: u32) -> Fault<'_> {
        let what = "signal=KILL";
        Fault { call, n, what }
    }

    /// Runs the binary under test in the deploy repository with this fault. Without the option `-f`
    /// for strace, only the calls of the process itself count, not those of what it starts.
    #[track_caller]
    pub fn run(self, world: &World, options: &[&str], arguments: &[&str], input: &str) -> Run {
        let Self { call, n, what } = self;
        let mut strace = if options.contains(&"-f") {
            let mut limited = world.command("timeout", "deploy.git");
            limited.args(LET_GO);
            limited
        } else {
            world.command("strace", "deploy.git")
        };
        strace
            .args(options)
            .args(["-qq", "-o", "/dev/null", "-e", &format!("trace={call}")])
            .args(["-e", &format!("inject={call}:{what}:when={n}"), BINARY])
            .args(arguments)
            .env("GIT_DIR", ".");
        run(&mut strace, input.as_bytes())
    }
}

/// Calls `point` for each of the system calls that `calls` still has and for n = 1, 2, …, until it
/// returns that nothing was killed, because n is larger than the number of calls. Returns how often
/// something was killed. Several sweeps can share `calls`.
fn sweep(
    calls: &Mutex<Iter<'_, &'static str>>,
    mut point: impl FnMut(&'static str, u32) -> bool,
) -> u32 {
    let next_call = || calls.lock().unwrap().next();
    let mut points = 0;
    while let Some(call) = next_call() {
        for n in 1..=60 {
            if !point(call, n) {
                break;
            }
            points += 1;
        }
    }
    points
}

/// Whether the process that strace ran was killed. If it was not, it must have succeeded.
#[track_caller]
fn killed(run: &Run) -> bool {
    let killed = run.signal == Some(9) || run.code == Some(137);
    assert!(killed || run.code == Some(0), "{run:?}");
    killed
}

/// A world in which every deployment runs, and notes that it started.
fn world() -> World {
    let world = World::installed();
    world.config("queue = \"all\"");
    world.job("note start");
    world
}

#[test]
fn hook_killed_at_every_writing_call_loses_nothing() {
    if !strace_or_skip() {
        return;
    }
    let world = world();
    let (mut planned, mut unrecorded, mut recorded) = (0_u32, 0, 0);

    let points = sweep(&Mutex::new(WRITING.iter()), |call, n| {
        planned += 1;
        world.deploy("production/a", planned);
        let line = world.push_unseen();
        let hook = Fault::kill(call, n).run(&world, &[], &["post-receive"], &line);
        let id = planned as usize;
        match world.history().len() {
            found if found == id => recorded += 1,
            _ => unrecorded += 1,
        }

        world.cmd(&["reconcile"]).ok();
        let history = world.settled();
        let place = format!("after a kill at {call} {n}: {hook:?}");
        assert_eq!(history.len(), id, "deployments {place}");
        assert_eq!(starts(&world, id), 1, "starts {place}");
        let last = history.last().unwrap();
        assert!(last.ends_with(" succeeded"), "{last} {place}");
        killed(&hook)
    });

    assert_eq!(world.ran().len(), planned as usize);
    // The control: kills hit before the record was made, so that `reconcile` had to make it, and
    // after it.
    assert!(points >= 5, "only {points} kills");
    assert!(unrecorded >= 2, "only {unrecorded} kills before the record");
    assert!(recorded >= 2, "only {recorded} kills after the record");
}

#[test]
fn runner_killed_at_every_writing_call_starts_nothing_twice() {
    if !strace_or_skip() {
        return;
    }

    // Each runner waits for the hooks of the push, which never run. The waits are side by side.
    let calls = Mutex::new(WRITING.iter());
    let (mut points, mut ends) = (0, Vec::new());
    thread::scope(|scope| {
        let work = || sweep_of_runners(&calls);
        let sweeps: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        for sweep in sweeps {
            let (killed, history) = sweep.join().unwrap();
            points += killed;
            ends.extend(history);
        }
    });

    // The control: kills hit before the command, and after it.
    assert!(points >= 10, "only {points} kills");
    for end in [" succeeded", " interrupted"] {
        assert!(ends.iter().any(|line| line.contains(end)), "none {end}");
    }
}

/// Kills runners of one world at the calls that nobody has taken yet. Returns how many were killed,
/// and the history.
fn sweep_of_runners(calls: &Mutex<Iter<'_, &'static str>>) -> (u32, Vec<String>) {
    let world = world();
    let mut planned = 0;

    let points = sweep(calls, |call, n| {
        planned += 1;
        world.deploy("production/a", planned);
        world.push_unseen();
        // With `-f` the threads and the command count too. A command that is killed has failed.
        let runner = Fault::kill(call, n).run(&world, &["-f"], &["run", "production"], "");
        world.cmd(&["reconcile"]).ok();

        let place = format!("after a kill at {call} {n}");
        let history = world.settled();
        let id = planned as usize;
        assert_eq!(history.len(), id, "deployments {place}");
        let (last, starts) = (history.last().unwrap(), starts(&world, id));
        assert!(starts <= 1, "{starts} starts {place}: {last}");
        let is = |end: &str| last.contains(end);
        let has_succeeded = is(" succeeded");
        assert!(
            has_succeeded || is(" interrupted") || is(" failed: signal 9"),
            "{place}: {last}"
        );
        assert!(
            starts == 1 || !has_succeeded,
            "{place}: it succeeded and never started"
        );
        killed(&runner) || !has_succeeded
    });
    (points, world.history())
}

#[test]
fn hook_whose_calls_fail_reports_it_and_loses_nothing() {
    if !strace_or_skip() {
        return;
    }
    let world = world();
    let (mut planned, mut failures) = (0_u32, 0);

    for (call, most) in [
        ("?pwrite64", 8),
        ("?fdatasync", 3),
        ("?fsync", 2),
        ("?ftruncate", 3),
        ("openat", 24),
        ("?clone", 2),
        ("?clone3", 2),
    ] {
        for n in 1..=most {
            planned += 1;
            let id = planned as usize;
            world.deploy("production/a", planned);
            let line = world.push_unseen();
            let what = ["error=ENOSPC", "error=EIO", "error=EMFILE"][n as usize % 3];
            let fault = Fault { call, n, what };
            let hook = fault.run(&world, &[], &["post-receive"], &line);

            let place = format!("after {fault:?}: {hook:?}");
            match hook.code {
                Some(0) => {}
                Some(1) => {
                    failures += 1;
                    assert!(hook.stderr.contains("deploy-by-code: "), "silent {place}");
                }
                // The dynamic loader could not open a library, and the program never began.
                Some(127) => assert!(hook.stderr.contains("shared object file"), "{place}"),
                _ => panic!("{place}"),
            }
            if hook.stdout.contains(&format!("#{id} ")) {
                let recorded = world.history().len();
                assert_eq!(recorded, id, "the pusher was shown its number, {place}");
            }

            world.cmd(&["reconcile"]).ok();
            let history = world.settled();
            assert_eq!(history.len(), id, "{place}");
            assert!(history.last().unwrap().ends_with(" succeeded"), "{place}");
            assert_eq!(starts(&world, id), 1, "{place}");
        }
    }

    assert!(failures >= 3, "only {failures} faults had an effect");
}
