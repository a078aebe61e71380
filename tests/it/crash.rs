//! Dead runners: what their commands do meanwhile, what becomes of them, and what never overlaps.

use std::fs;
use std::process::Command;

use crate::processes::alive;
use crate::run::run;
use crate::runner::overlap;
use crate::world::World;

/// How often the job of deployment `id` started.
pub fn starts(world: &World, id: usize) -> usize {
    world
        .ran()
        .iter()
        .filter(|line| **line == format!("production/a #{id} start"))
        .count()
}

/// A world whose first deployment runs, held at the gate `end`, and whose runner was killed.
fn with_dead_runner(config: &str) -> World {
    let world = World::installed();
    world.config(config);
    world.job("note start; hold end; note end");
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.kill_runner();
    world
}

#[test]
fn a_dead_runners_command_holds_the_environment_until_it_ended() {
    let world = with_dead_runner("");
    world.deploy("production/a", 2);
    world.deploy("production/b", 2);
    world.deploy("staging/a", 2);
    world.push();
    world.wait_for("staging/a #4 start");
    world.wait_until("status says why", || {
        world
            .cmd(&["status"])
            .ok()
            .stdout
            .contains("held by what #1 left running")
    });
    assert_eq!(world.ran(), ["production/a #1 start", "staging/a #4 start"]);
    world.open("end");
    let history = world.settled();
    assert_eq!(history[0], "#1 production/a interrupted: the runner died");
    assert!(
        history[1..].iter().all(|line| line.ends_with(" succeeded")),
        "{history:#?}"
    );
    assert_eq!(overlap(&world.ran(), "production/"), 1);
    world.cmd(&["status"]).ok().says_nothing_of("held by");
    assert!(
        world.ours().is_empty() || {
            world.wait_until("the runner left", || world.ours().is_empty());
            true
        }
    );
}

#[test]
fn what_the_dead_runners_command_started_holds_it_too() {
    let world = World::installed();
    world.job("setsid sh -c '. \"$0\"' \"$W/child\" & note start; wait");
    let child = format!(
        "W='{}'\nuntil [ -e \"$W/gate.end\" ]; do sleep 0.03; done; echo 'production/a #1 end' >> \"$W/ran\"\n",
        world.path("").display()
    );
    fs::write(world.path("child"), child).unwrap();
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.kill_runner();
    // Now the leader as well: its child in another session is all that is left.
    let leader = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let arguments = fs::read_to_string(entry.path().join("cmdline")).ok()?;
            let pid = entry.file_name().to_str()?.parse::<i32>().ok()?;
            (arguments == format!("/bin/sh\0{}\0", world.path("job").display())).then_some(pid)
        });
    let leader: Vec<_> = leader.collect();
    assert_eq!(leader.len(), 1, "the job's shell");
    crate::processes::kill_one(leader[0]);
    world.wait_until("the leader is gone", || !alive(leader[0]));
    world.job("note start; note end");
    world.deploy("production/a", 2);
    world.push();
    world.wait_until("status says why", || {
        world
            .cmd(&["status"])
            .ok()
            .stdout
            .contains("held by what #1 left running")
    });
    world.open("end");
    assert_eq!(
        world.settled(),
        [
            "#1 production/a interrupted: the runner died",
            "#2 production/a succeeded"
        ]
    );
    assert_eq!(overlap(&world.ran(), "production/"), 1);
}

#[test]
fn whoever_waits_for_a_dead_runner_gets_a_new_one() {
    let world = World::installed();
    // Nobody comes by.
    fs::remove_file(world.path("deploy.git/hooks/reference-transaction")).unwrap();
    world.job("note start; hold end; note end");
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.kill_runner();
    world.open("end");
    world.wait_for("production/a #1 end");
    world.wait_until("status says that its runner died", || {
        world
            .cmd(&["status"])
            .ok()
            .stdout
            .contains("production: the runner of #1 died")
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
fn release_gives_up_waiting() {
    let world = with_dead_runner("");
    world.deploy("production/b", 1);
    world.push();
    world.wait_until("status says why", || {
        world
            .cmd(&["status"])
            .ok()
            .stdout
            .contains("held by what #1 left running")
    });
    world.job("note start");
    world.cmd(&["release", "production"]).ok();
    let history = world.settled();
    assert!(
        history[0].starts_with("#1 production/a interrupted: the runner died"),
        "{history:#?}"
    );
    assert_eq!(history[1], "#2 production/b succeeded");
    assert_eq!(
        world.ran(),
        ["production/a #1 start", "production/b #2 start"]
    );
    world.cmd(&["release", "nowhere"]).exits(1);
    world.open("end");
}

#[test]
fn reconcile_marks_dead_runs_interrupted() {
    let world = with_dead_runner("");
    world.open("end");
    world.wait_for("production/a #1 end");
    world.cmd(&["reconcile"]).ok();
    assert_eq!(
        world.settled(),
        ["#1 production/a interrupted: the runner died"]
    );
    assert_eq!(
        world.status("production/a")["deployed"],
        serde_json::Value::Null,
        "never called a success"
    );
    world.cmd(&["wait", "1"]).exits(1);
    // It waits for a person, who has it tried again under a new number.
    world.cmd(&["retry", "1"]).ok();
    assert_eq!(world.settled()[1], "#2 production/a succeeded");
}

#[test]
fn on_interrupt_retry_queues_it_again() {
    let world = with_dead_runner("on_interrupt = \"retry\"");
    world.open("end");
    world.cmd(&["reconcile"]).ok();
    world.wait_until("it is tried again", || world.history().len() == 2);
    assert_eq!(
        world.settled(),
        [
            "#1 production/a interrupted: the runner died",
            "#2 production/a succeeded"
        ]
    );
    assert_eq!(overlap(&world.ran(), "production/"), 1);
}

#[test]
fn cancel_reaches_what_a_dead_runner_left_running() {
    let world = with_dead_runner("");
    world.deploy("production/b", 1);
    world.push();
    world.wait_until("status says why", || {
        world
            .cmd(&["status"])
            .ok()
            .stdout
            .contains("held by what #1 left running")
    });
    world.job("note start");
    world.cmd(&["cancel", "1"]).ok();
    let history = world.settled();
    assert!(
        history[0].contains(" cancelled") || history[0].contains(" interrupted"),
        "{history:#?}"
    );
    assert_eq!(history[1], "#2 production/b succeeded");
    assert!(!world.ran().contains(&"production/a #1 end".to_owned()));
}

#[test]
fn many_killed_runners_one_after_the_other() {
    let world = World::installed();
    world.config("queue = \"all\"");
    world.job("note start; sleep 0.2; note end");
    for n in 1..=12 {
        world.deploy("production/a", n);
        world.push();
        if n % 2 == 0 {
            world
                .ours()
                .into_iter()
                .for_each(crate::processes::kill_one);
        }
    }
    world.cmd(&["reconcile"]).ok();
    assert_eq!(world.settled().len(), 12);
    let ran = world.ran();
    assert!(overlap(&ran, "production/") <= 1, "{ran:#?}");
    for id in 1..=12 {
        assert!(starts(&world, id) <= 1, "#{id} started twice: {ran:#?}");
    }
}

#[test]
fn the_state_of_a_newer_version_is_an_error_that_says_so() {
    if Command::new("sqlite3").arg("-version").output().is_err() {
        println!("skipped: sqlite3 is not installed");
        return;
    }
    let world = World::installed();
    let mut sqlite = world.command("sqlite3", ".");
    run(
        sqlite
            .arg(world.state().join("state.db"))
            .arg("PRAGMA user_version = 9999"),
        b"",
    )
    .ok();
    world.cmd(&["status"]).exits(4).says("newer");
    world.deploy("production/a", 1);
    let line = world.push_unseen();
    let hook = world.hook("post-receive", &line).exits(1);
    assert!(hook.stderr.contains("9999"), "{hook:#?}");
}
