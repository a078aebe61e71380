//! Pushes that wait where no runner works, and where nobody can see whether one does.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

use crate::processes::{BINARY, copy_program};
use crate::run::{Run, run};
use crate::world::World;

/// Deploys something with a push that waits for the end.
fn push_and_wait(world: &World, option: &str) -> Run {
    world.deploy("production/a", 1);
    world
        .push_with(&["-o", option, "origin", "HEAD:refs/heads/main"])
        .ok()
}

/// How a push says that it does not wait any longer because no runner works.
const NOBODY: [&str; 4] = [
    "deploy-by-code: no runner works on production: its lock was free for 10 s",
    "  hint: to find the cause, on the server: deploy-by-code doctor; then: deploy-by-code \
     reconcile",
    "deploy-by-code: nothing can go on now, so this push does not wait any longer",
    "deploy-by-code: 1 of 1 not ended: production/a (#1)",
];

/// Checks that a push ended because no runner works.
#[track_caller]
fn ended_for_want_of_a_runner(push: &Run) {
    let said = push.remote();
    assert_eq!(said[said.len() - 4..], NOBODY, "{said:#?}");
}

/// Whatever reads the wake files is not there.
fn runner_of_a_unit_that_is_not_there() {
    let world = World::installed();
    world.config_top("runner = \"systemd\"");

    thread::scope(|scope| {
        let push = scope.spawn(|| push_and_wait(&world, "wait"));
        world.wait_until("it is queued", || !world.history().is_empty());
        world
            .cmd(&["wait", "1"])
            .exits(4)
            .says("no runner works on production");
        ended_for_want_of_a_runner(&push.join().unwrap());
    });
    assert_eq!(world.history(), ["#1 production/a queued"]);
}

/// The runner has died, and its successors can't read the configuration.
fn configuration_that_broke_after_the_push() {
    let world = World::installed();
    world.job("echo nonsense > \"$W/deploy.git/deploy-by-code.toml\"; kill -9 $PPID");

    let push = push_and_wait(&world, "follow")
        .says("deploy-by-code.toml:1:")
        .says("what is queued waits until this is fixed");
    ended_for_want_of_a_runner(&push);
}

/// The runner has died, and its successors can't be executed.
fn runner_that_cannot_be_executed() {
    let world = World::new();
    copy_program(Path::new(BINARY), &world.path("program"));
    let mut install = world.command(world.path("program").to_str().unwrap(), ".");
    run(install.args(["-C", "deploy.git", "install"]), b"").ok();
    world.job("chmod a-x \"$W/program\"; kill -9 $PPID");

    let push = push_and_wait(&world, "wait")
        .says("no runner carries it out, and none can be started from here");
    ended_for_want_of_a_runner(&push);
}

/// The lock is a socket, which can't be opened.
fn lock_that_cannot_be_looked_at() {
    let world = World::installed();
    world.config_top("runner = \"systemd\"");
    fs::create_dir_all(world.state().join("locks")).unwrap();
    let lock = world.state().join("locks/production.lock");
    let _socket = UnixListener::bind(lock).unwrap();

    push_and_wait(&world, "wait=17s")
        .says("whether a runner works on production can't be seen: ")
        .says("this push has waited for 17 s")
        .says_nothing_of("no runner works");
}

/// All of them wait at the same time, because each of them waits long. The last one is the control:
/// a runner works all the time, but not on what the push asked for.
#[test]
fn push_option_wait_ends_only_where_no_runner_works() {
    let slow = World::installed();
    slow.job("note start; hold end");
    slow.deploy("production/b", 1);
    slow.push();
    slow.wait_for("production/b #1 start");

    thread::scope(|scope| {
        let waits = scope.spawn(|| push_and_wait(&slow, "wait"));
        let all = [
            runner_of_a_unit_that_is_not_there,
            configuration_that_broke_after_the_push,
            runner_that_cannot_be_executed,
            lock_that_cannot_be_looked_at,
        ];
        let all = all.map(|each| scope.spawn(each));
        let all = all.map(thread::ScopedJoinHandle::join);
        let is_waiting = !waits.is_finished();
        slow.open("end");

        for each in all {
            each.unwrap();
        }
        assert!(is_waiting, "the runner works");
        waits.join().unwrap().says("1 of 1 succeeded");
    });
}
