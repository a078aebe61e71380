//! Runners that are killed: what their commands do meanwhile, what becomes of their deployments,
//! and that nothing overlaps or starts twice.

use std::fs;

use crate::nobody::user;
use crate::processes::{alive, kill_one};
use crate::runner::overlap;
use crate::world::World;

/// How often the job of deployment `id` started.
pub fn starts(world: &World, id: usize) -> usize {
    let line = format!("production/a #{id} start");
    world.ran().iter().filter(|ran| **ran == line).count()
}

/// A world whose first deployment runs and holds at the gate `end`, and whose runner was killed.
pub fn with_dead_runner(config: &str) -> World {
    let world = World::installed();
    world.config(config);
    world.job("note start; hold end; note end");
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.kill_runner();
    world
}

/// A world whose first deployment has started a child in a session of its own, which ends once the
/// gate `end` is open. The job goes on with `rest`.
pub fn with_child_in_another_session(rest: &str) -> World {
    let world = World::installed();
    world.job(&format!(
        "setsid sh -c '. \"$0\"' \"$W/child\" & note start; {rest}"
    ));
    let child = format!(
        "W='{}'\n\
         until [ -e \"$W/gate.end\" ]; do sleep 0.03; done\n\
         echo 'production/a #1 end' >> \"$W/ran\"\n",
        world.path("").display()
    );
    fs::write(world.path("child"), child).unwrap();
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world
}

/// Waits until all deployments have ended, and asserts that the second one, of `target`, began
/// after all that the first one had left.
#[track_caller]
pub fn assert_ran_in_turn(world: &World, target: &str) {
    assert_eq!(
        world.settled(),
        [
            "#1 production/a interrupted: the runner died".to_owned(),
            format!("#2 {target} succeeded")
        ]
    );
    assert_eq!(overlap(&world.ran(), "production/"), 1);
}

#[test]
fn dead_runners_environment_is_held_until_its_command_ended() {
    let world = with_dead_runner("");

    world.deploy("production/a", 2);
    world.deploy("production/b", 2);
    world.deploy("staging/a", 2);
    world.push();
    // Another environment is not held.
    world.wait_for("staging/a #4 start");
    world.wait_until_held_by(1);
    assert_eq!(world.ran(), ["production/a #1 start", "staging/a #4 start"]);

    world.open("end");
    assert_eq!(
        world.settled(),
        [
            "#1 production/a interrupted: the runner died",
            "#2 production/a succeeded",
            "#3 production/b succeeded",
            "#4 staging/a succeeded"
        ]
    );
    assert_eq!(overlap(&world.ran(), "production/"), 1);
    world.cmd(&["status"]).ok().says_nothing_of("held by");
    world.wait_until_idle();
}

/// The control of the test above: without the hold, the two commands do run at the same time, and
/// that is seen.
#[test]
fn release_lets_the_next_deployment_overlap() {
    let world = with_dead_runner("");
    world.deploy("production/b", 1);
    world.push();
    world.wait_until_held_by(1);
    world.job("note start; note end");

    world.cmd(&["release", "production"]).ok();

    assert_eq!(
        world.settled(),
        [
            &format!(
                "#1 production/a interrupted: the runner died; released by {}",
                user()
            ),
            "#2 production/b succeeded"
        ]
    );
    world.open("end");
    world.wait_for("production/a #1 end");
    assert_eq!(overlap(&world.ran(), "production/"), 2);
}

#[test]
fn release_of_an_environment_that_is_not_held_is_refused() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();

    world
        .cmd(&["release", "production"])
        .exits(1)
        .says("production is not held by anything");
    world.cmd(&["release", "nowhere"]).exits(1).says("nowhere");
}

#[test]
fn dead_runners_environment_is_held_by_a_grandchild_too() {
    let world = with_child_in_another_session("wait");
    world.kill_runner();

    // Only the child, which is in a session of its own, is left after this.
    let leader = leader(&world);
    kill_one(leader);
    world.wait_until("the job's shell is gone", || !alive(leader));

    world.job("note start; note end");
    world.deploy("production/a", 2);
    world.push();
    world.wait_until_held_by(1);

    world.open("end");
    assert_ran_in_turn(&world, "production/a");
}

/// The shell that runs the job script.
#[track_caller]
fn leader(world: &World) -> i32 {
    let shell = format!("/bin/sh\0{}\0", world.path("job").display());
    let runs_the_job = |pid: &i32| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == shell.as_bytes())
    };
    let mut found = crate::processes::of(&world.path(""));
    found.retain(runs_the_job);
    assert_eq!(found.len(), 1, "shells that run the job: {found:?}");
    found[0]
}

#[test]
fn wait_for_a_dead_runners_deployment_starts_a_new_runner() {
    let world = World::installed();
    // So that no hook starts a runner.
    fs::remove_file(world.path("deploy.git/hooks/reference-transaction")).unwrap();
    world.job("note start; hold end; note end");
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.kill_runner();
    world.open("end");
    world.wait_for("production/a #1 end");

    world.wait_until("status says that the runner died", || {
        let status = world.cmd(&["status"]).ok().stdout;
        status.contains("production: the runner of #1 died")
    });
    world
        .cmd(&["doctor"])
        .exits(1)
        .says("no runner carries out #1 production/a");
    world
        .cmd(&["wait", "1"])
        .exits(1)
        .says("#1 production/a interrupted: the runner died");
}

#[test]
fn reconcile_marks_a_dead_runners_deployment_interrupted() {
    let world = with_dead_runner("");
    world.open("end");
    world.wait_for("production/a #1 end");

    world.cmd(&["reconcile"]).ok();

    assert_eq!(
        world.settled(),
        ["#1 production/a interrupted: the runner died"]
    );
    let deployed = world.status("production/a")["deployed"].clone();
    assert!(deployed.is_null(), "it may not count as deployed");
    world.cmd(&["wait", "1"]).exits(1);

    // A person has to try it again.
    world.cmd(&["retry", "1"]).ok();
    assert_eq!(world.settled()[1], "#2 production/a succeeded");
}

#[test]
fn on_interrupt_retry_queues_the_deployment_again() {
    let world = with_dead_runner("on_interrupt = \"retry\"");
    world.open("end");

    world.cmd(&["reconcile"]).ok();

    world.wait_until("it is tried again", || world.history().len() == 2);
    assert_ran_in_turn(&world, "production/a");
}

#[test]
fn cancel_ends_what_a_dead_runner_left_running() {
    let world = with_dead_runner("");
    world.deploy("production/b", 1);
    world.push();
    world.wait_until_held_by(1);
    let leader = leader(&world);
    world.job("note start");

    world.cmd(&["cancel", "1"]).ok();

    assert_eq!(
        world.settled(),
        [
            "#1 production/a interrupted: the runner died",
            "#2 production/b succeeded"
        ]
    );
    assert!(!alive(leader));
    assert!(!world.ran().contains(&"production/a #1 end".to_owned()));
}

#[test]
fn killed_runners_never_overlap_or_start_anything_twice() {
    let world = World::installed();
    world.config("queue = \"all\"");
    world.job("note start; sleep 0.2; note end");

    let mut killed = 0;
    for n in 1..=12 {
        world.deploy("production/a", n);
        world.push();
        if n % 2 == 0 {
            let runners = world.ours();
            killed += runners.len();
            runners.into_iter().for_each(kill_one);
        }
    }
    world.cmd(&["reconcile"]).ok();

    let history = world.settled();
    assert_eq!(history.len(), 12);
    let mut ran = world.ran();
    for id in 1..=12 {
        assert!(starts(&world, id) <= 1, "#{id} started twice: {ran:#?}");

        // A process that waits at its gate is killed as well, and may have begun meanwhile.
        let end = format!("production/a #{id} end");
        if !ran.contains(&end) {
            let was_killed = [" interrupted: ", " failed: signal 9"]
                .iter()
                .any(|how| history[id - 1].contains(how));
            assert!(was_killed, "#{id} has not ended: {history:#?}");
            ran.retain(|line| *line != format!("production/a #{id} start"));
        }
    }
    assert_eq!(overlap(&ran, "production/"), 1, "{ran:#?}");

    // The control: processes were killed, and some of them while a command was running.
    let ended = |word: &str| history.iter().filter(|line| line.contains(word)).count();
    assert!(killed >= 3, "only {killed} processes were killed");
    assert!(ended(" interrupted: ") >= 1, "{history:#?}");
    assert!(ended(" succeeded") >= 1, "{history:#?}");
}

#[test]
fn state_of_a_newer_version_is_refused() {
    let world = World::installed();
    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    database
        .execute_batch("PRAGMA user_version = 9999")
        .unwrap();
    drop(database);

    world.cmd(&["status"]).exits(4).says("newer");
    world.deploy("production/a", 1);
    let line = world.push_unseen();
    let hook = world.hook("post-receive", &line).exits(1);
    assert!(hook.stderr.contains("9999"), "{hook:#?}");
}
