//! A state that was made anew or put back from a backup does not know which commands still run.
//! None of its deployments begins beside one of them.

use std::fs;

use nix::sys::stat::Mode;

use crate::cgroups::{push_without_cgroups, unshare_or_skip};
use crate::checkout;
use crate::crash::{assert_ran_in_turn, with_child_in_another_session, with_dead_runner};
use crate::processes::{in_background, kill_child, kill_one, of};
use crate::run::run;
use crate::world::World;

/// Thaws, pushes a second deployment, and asserts that it waits for the first one.
#[track_caller]
fn assert_held_after_thaw(world: &World) {
    world.job("note start; note end");
    world.cmd(&["thaw", "production"]).ok();
    world.deploy("production/b", 2);
    world.push();
    world.wait_until_held_by(1);
    let status = world.cmd(&["status"]).ok();
    status.says("deploy-by-code release production");
    assert_eq!(world.show(2)["status"], "queued");
    assert_eq!(world.ran(), ["production/a #1 start"]);
}

/// Lets the first one end, and asserts that the second one begins then.
#[track_caller]
fn assert_goes_on(world: &World) {
    world.open("end");
    assert_ran_in_turn(world, "production/b");
}

#[test]
fn command_that_outlives_its_record_holds_its_environment() {
    for how in ["database", "garbage", "whole state"] {
        let world = with_dead_runner("");
        let file = world.state().join("state.db");
        match how {
            "database" => fs::remove_file(file).unwrap(),
            "garbage" => fs::write(file, "garbage ".repeat(9999)).unwrap(),
            _ => fs::remove_dir_all(world.state()).unwrap(),
        }

        let mut rebuild = vec!["rebuild"];
        if how == "whole state" {
            // Its log is gone, so nobody but a person knows whether there were higher numbers.
            world.cmd(&["rebuild"]).exits(1).says("rebuild --above ");
            rebuild.extend(["--above", "1"]);
        }
        let dry = world
            .cmd(&[rebuild.clone(), vec!["--dry-run"]].concat())
            .ok();
        dry.says("held: production, because #1 production/a still runs");
        let done = world.cmd(&rebuild).ok();
        done.says("held: production, because #1 production/a still runs")
            .says("frozen: production")
            .says("the next deployment is #2");
        let found = world.cmd(&["doctor"]).exits(1);
        found.says("no runner carries out #1 production/a");

        assert_held_after_thaw(&world);
        assert_goes_on(&world);
    }
}

#[test]
fn number_of_a_living_command_is_not_given_out_again() {
    let world = with_dead_runner("");
    let state = world.state();
    for name in ["state.db", "logs/1.log"] {
        fs::remove_file(state.join(name)).unwrap();
    }
    for name in fs::read_dir(&state).unwrap() {
        let path = name.unwrap().path();
        if path.to_string_lossy().contains("state.db-") {
            fs::remove_file(path).unwrap();
        }
    }
    fs::remove_dir_all(state.join("locks")).unwrap();

    let refused = world.cmd(&["rebuild"]).exits(1);
    refused
        .says("#1 production/a still runs")
        .says("deploy-by-code rebuild --above 1");
    world.cmd(&["rebuild", "--above", "1"]).ok();
    assert_held_after_thaw(&world);
    assert_goes_on(&world);
}

/// The first process of the command has ended, and left a child in another session.
#[test]
fn child_that_outlives_its_record_holds_its_environment() {
    let world = with_child_in_another_session("hold leader");
    world.wait_until_only_the_runner_is_left();
    world.kill_runner();
    world.open("leader");
    fs::remove_file(world.state().join("state.db")).unwrap();

    world.cmd(&["rebuild"]).ok();
    assert_held_after_thaw(&world);
    assert_goes_on(&world);
}

#[test]
fn command_that_outlives_its_record_can_be_released_or_cancelled() {
    for verb in [["release", "production"], ["cancel", "1"]] {
        let world = with_dead_runner("");
        fs::remove_file(world.state().join("state.db")).unwrap();
        world.cmd(&["rebuild"]).ok();
        assert_held_after_thaw(&world);

        world.cmd(&verb).ok();
        let settled = world.settled();
        assert_eq!(settled[1], "#2 production/b succeeded", "{settled:?}");
        let is_released = settled[0].contains("released by");
        assert_eq!(is_released, verb[0] == "release", "{settled:?}");
        world.open("end");
    }
}

/// The older of two children leads no session, and the younger one does. Both are waited for.
#[test]
fn children_that_outlive_their_record_are_all_waited_for() {
    if !unshare_or_skip() {
        return;
    }
    let world = World::installed();
    let child = |gate: &str| {
        format!(
            "until [ -e \"$0/gate.{gate}\" ]; do sleep 0.03; done; \
             echo \"production/a #1 {gate}\" >> \"$0/ran\""
        )
    };
    world.job(&format!(
        "sh -c '{}' \"$W\" & sleep 0.1
        setsid sh -c '{}' \"$W\" & sleep 0.1
        note start
        hold leader",
        child("end"),
        child("younger"),
    ));
    world.deploy("production/a", 1);
    push_without_cgroups(&world);
    world.wait_for("production/a #1 start");
    world.wait_until_only_the_runner_is_left();
    world.kill_runner();
    world.open("leader");
    world.wait_until("the first process has ended", || {
        of(&world.path("job")).is_empty()
    });
    fs::remove_file(world.state().join("state.db")).unwrap();

    world.cmd(&["rebuild"]).ok();
    assert_held_after_thaw(&world);
    world.open("younger");
    world.wait_for("production/a #1 younger");
    // It looks every 250 ms: the runner has time to go on if it does not see the older one.
    std::thread::sleep(std::time::Duration::from_secs(1));
    world.wait_until_held_by(1);
    assert_eq!(world.show(2)["status"], "queued");
    assert_goes_on(&world);
}

/// A process that bears the mark of this state, as everybody can start one.
#[test]
fn process_that_does_not_say_what_it_deploys_stops_the_rebuild() {
    let world = World::installed();
    fs::remove_file(world.state().join("state.db")).unwrap();
    let sleep = |id: &str| {
        let mut sleep = world.command("sleep", ".");
        sleep.arg("1000").env("DEPLOY_STATE_DIR", world.state());
        in_background(sleep.env("DEPLOY_ID", id))
    };

    // What has no number is none of a deployment's.
    let mut other = sleep("x");
    world.cmd(&["rebuild", "--dry-run"]).ok();
    kill_child(&mut other);

    let mut unknown = sleep("1");
    world
        .cmd(&["rebuild"])
        .exits(4)
        .says(&format!("/proc/{}: it belongs to #1", unknown.id()));
    assert!(!world.state().join("state.db").exists());
    kill_child(&mut unknown);
    world.cmd(&["rebuild"]).ok();
}

/// The step waits for a pipe that nobody writes to.
#[test]
fn step_of_a_checkout_that_outlives_its_record_holds_its_environment() {
    let world = checkout::world("[environments.production]\non_freeze = \"hold\"\n");
    let revision = checkout::one_file(&world, "one");
    world.cmd(&["freeze", "production", "--reason", "x"]).ok();
    world.deploy_rev("production/a", &revision);
    world.push();
    let pipe = world.path("apps/a.git/objects/info/alternates");
    nix::unistd::mkfifo(&pipe, Mode::from_bits_truncate(0o666)).unwrap();
    world.cmd(&["thaw", "production"]).ok();
    let is_step = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("checkout-step")
    };
    let steps = || world.ours().iter().filter(|pid| is_step(pid)).count();
    world.wait_until("both steps run", || steps() == 2);
    for runner in world.ours().into_iter().filter(|pid| !is_step(pid)) {
        kill_one(runner);
    }
    fs::remove_file(world.state().join("state.db")).unwrap();

    world.wait_until("the runner is dead", || world.ours().len() == 2);
    let done = world.cmd(&["rebuild"]).ok();
    done.says("held: production, because #1 production/a still runs");
    assert_eq!(world.show(1)["revision"], revision.as_str());
}

/// Copies the whole state, or puts the copy in its place.
fn copy(world: &World, from: &str, to: &str) {
    let _ = fs::remove_dir_all(world.path(to));
    let mut cp = world.command("cp", ".");
    run(cp.args(["-a", from, to]), b"").ok();
}

#[test]
fn state_from_a_backup_is_held_by_what_began_since() {
    const STATE: &str = "deploy.git/deploy-by-code";
    for was_queued in [false, true] {
        let world = World::installed();
        world.job("note start; hold end; note end");
        world.config("[environments.production]\non_freeze = \"hold\"");
        world.cmd(&["freeze", "production", "--reason", "x"]).ok();
        world.deploy("production/a", 1);
        if was_queued {
            world.push();
        }
        copy(&world, STATE, "backup");
        world.cmd(&["thaw", "production"]).ok();
        world.push();
        world.wait_for("production/a #1 start");
        world.wait_until_only_the_runner_is_left();
        world.kill_runner();
        copy(&world, "backup", STATE);

        world
            .cmd(&["rebuild", "--above", "1"])
            .ok()
            .says("held: production");
        assert_held_after_thaw(&world);
        if was_queued {
            assert_goes_on(&world);
        }
        world.open("end");
    }
}

/// What a deployment that succeeded left running is no reason to wait, as far as that is on record.
#[test]
fn daemon_of_a_recorded_success_holds_nothing() {
    let world = World::installed();
    world.job(
        "setsid sh -c 'until [ -e \"$0/gate.end\" ]; do sleep 0.03; done' \"$W\" & note start",
    );
    world.deploy("production/a", 1);
    world.push();
    assert!(world.settled()[0].contains("left processes running"));
    world.wait_until_idle();

    let done = world.cmd(&["rebuild", "--above", "7"]).ok();
    done.says("the next deployment is #8")
        .says_nothing_of("held:");
    world.cmd(&["thaw", "production"]).ok();
    world.job("note start");
    world.deploy("production/b", 2);
    world.push();
    assert_eq!(world.settled()[1], "#8 production/b succeeded");
    world.open("end");
}
