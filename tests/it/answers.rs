//! An answer that could not be had is no answer: one failing system call while a repository is read
//! never becomes "no", "yes" or "nothing". At worst it is a fault, which is judged again.

use crate::applications::{commit_on, commits, short, world};
use crate::faults::{Fault, strace_or_skip};
use crate::world::World;

const A: &str = "production/a";

/// How many points are tried for each call in each world.
fn points(call: &str) -> impl Iterator<Item = u32> {
    let (most, step) = match std::env::var("DBC_POINTS") {
        Ok(most) => (most.parse().unwrap(), 1),
        Err(_) => (60, 13),
    };
    let first = u32::try_from(call.len()).unwrap() % 13 + 1;
    (first..=most).step_by(step)
}

/// Pushes a new commit of the application again and again, and lets one call of the hook, of its
/// threads and of the git processes that it starts fail each time.
fn sweep(world: &World, main: &[String]) {
    let mut next = main.iter();
    let mut deployed = world.settled().len();
    let mut faults = 0;

    for call in [
        "?statx",
        "openat",
        "read",
        "?newfstatat",
        "getdents64",
        "mmap",
    ] {
        for n in points(call) {
            let revision = next.next().expect("enough commits");
            world.deploy_rev(A, revision);
            let line = world.push_unseen();
            let what = ["error=EIO", "error=ENOMEM", "error=EMFILE"][n as usize % 3];
            let fault = Fault { call, n, what };

            // Called before the branch has moved, as git calls it.
            let judged = fault.run(world, &["-f"], &["pre-receive"], &line);
            let said = judged.all();
            for wrong in [
                "is not on ",
                "merge it there",
                "Deploy-",
                "rewound",
                "correct the hash",
            ] {
                assert!(!said.contains(wrong), "{fault:?}: {judged:?}");
            }
            faults += u32::from(judged.code != Some(0));

            let planned = fault.run(world, &["-f"], &["post-receive"], &line);
            faults += u32::from(planned.code != Some(0) || planned.all().contains("problem"));
            world.cmd(&["reconcile"]).ok();
            deployed += 1;
            // The runner is traced too and can fail. This is not about the runner.
            let history = world.settled();
            assert_eq!(history.len(), deployed, "{fault:?}: {judged:?} {planned:?}");
            world.cmd(&["status"]).ok().says_nothing_of("problem");
        }
    }
    // The control: the faults had an effect.
    assert!(faults >= 5, "only {faults} faults had an effect");
}

#[test]
fn failed_look_at_loose_objects_and_refs_is_a_fault_that_is_judged_again() {
    if !strace_or_skip() {
        return;
    }
    let world = world(
        &["a"],
        "allowed_refs = [\"refs/heads/main\", \"refs/tags/v*\"]",
    );
    let main = commits(&world, "a", 400);
    sweep(&world, &main);
}

#[test]
fn failed_look_at_packs_and_packed_refs_is_a_fault_that_is_judged_again() {
    if !strace_or_skip() {
        return;
    }
    let world = world(&["a"], "allowed_refs = [\"refs/heads/ma*\"]");
    let main = commits(&world, "a", 400);
    for arguments in [&["pack-refs", "--all"][..], &["repack", "-adq"]] {
        world.git_in("apps/a.git", arguments);
    }
    sweep(&world, &main);
}

/// The control: what is really not on an allowed ref is refused, and stays so.
#[test]
fn commit_that_is_on_no_allowed_ref_is_not_deployed_by_a_fault() {
    if !strace_or_skip() {
        return;
    }
    let world = world(&["a"], "");
    let main = commits(&world, "a", 2);
    let side = commit_on(&world, "a", "side", "not reviewed", &[&main[0]]);
    world.deploy_rev(A, &side);
    let line = world.push_unseen();

    for call in ["?statx", "openat", "read"] {
        for n in points(call) {
            let fault = Fault {
                call,
                n,
                what: "error=EIO",
            };
            fault.run(&world, &["-f"], &["post-receive"], &line);
            fault.run(&world, &["-f"], &["reconcile"], "");
        }
    }
    world.cmd(&["reconcile"]).ok();
    assert_eq!(world.settled(), [""; 0]);
    let refused = format!("{} is not on refs/heads/main of a", short(&side));
    world.cmd(&["status"]).ok().says(&refused);
}
