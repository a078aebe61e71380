//! The order in which deployments run, and what never runs at the same time.

use crate::world::{World, rev};

/// How many jobs ran at the same time at most, by their start and end lines; `of` picks the lines
/// that count.
pub fn overlap(ran: &[String], of: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for line in ran.iter().filter(|line| line.starts_with(of)) {
        if line.ends_with(" start") {
            now += 1;
        } else if line.ends_with(" end") {
            now -= 1;
        }
        most = most.max(now);
    }
    assert_eq!(now, 0, "what started has ended: {ran:#?}");
    most
}

/// The lines of jobs that started.
fn starts(world: &World) -> Vec<String> {
    let ran = world.ran().into_iter();
    ran.filter_map(|line| line.strip_suffix(" start").map(str::to_owned))
        .collect()
}

#[test]
fn the_push_returns_while_the_job_runs() {
    let world = World::installed();
    world.job("note start; hold end; note end");
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    assert_eq!(world.history(), ["#1 production/a running"]);
    let row = world.status("production/a");
    assert_eq!(row["status"], "running");
    assert_eq!(
        (&row["wanted"], row["deployed"].is_null()),
        (&rev(1).into(), true),
        "{row:#}"
    );
    world.open("end");
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(world.status("production/a")["deployed"], rev(1));
}

#[test]
fn when_nothing_waits_no_process_is_left() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.deploy("staging/a", 1);
    world.push();
    world.settled();
    world.wait_until("no process is left", || world.ours().is_empty());
}

#[test]
fn environments_run_side_by_side() {
    let world = World::installed();
    world.job("note start; hold end; note end");
    world.deploy("production/a", 1);
    world.deploy("staging/a", 1);
    world.push();
    world.wait_until("both run", || world.ran().len() == 2);
    world.open("end");
    assert_eq!(world.settled().len(), 2);
}

#[test]
fn applications_of_one_environment_never_overlap() {
    let world = World::installed();
    world.job("note start; sleep 0.1; note end");
    for application in ["a", "b", "c", "d"] {
        world.deploy(&format!("production/{application}"), 1);
    }
    world.push();
    world.deploy("production/e", 1);
    world.push();
    assert_eq!(world.settled().len(), 5);
    assert_eq!(overlap(&world.ran(), "production/"), 1);
    assert_eq!(starts(&world).len(), 5);
}

#[test]
fn parallel_allows_some_of_one_rollout() {
    let world = World::installed();
    world.config("[environments.production]\nparallel = 2");
    world.job("note start; hold end; sleep 0.1; note end");
    for application in ["a", "b", "c", "d"] {
        world.deploy(&format!("production/{application}"), 1);
    }
    world.push();
    world.wait_until("two run", || world.ran().len() == 2);
    world.open("end");
    assert_eq!(world.settled().len(), 4);
    assert_eq!(overlap(&world.ran(), "production/"), 2);
}

#[test]
fn parallel_never_mixes_rollouts() {
    let world = World::installed();
    world.config("[environments.production]\nparallel = 4");
    world.job("note start; hold first; note end");
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.deploy("production/b", 1);
    world.push();
    assert_eq!(world.history()[1], "#2 production/b queued");
    world.open("first");
    world.settled();
    assert_eq!(overlap(&world.ran(), "production/"), 1);
}

#[test]
fn rollouts_run_in_the_order_of_planning() {
    let world = World::installed();
    world.job("note start; hold end; note end");
    for (number, application) in ["z", "m", "a", "q"].into_iter().enumerate() {
        world.deploy(&format!("production/{application}"), 1);
        world.push();
        world.wait_until("it is recorded", || world.history().len() == number + 1);
    }
    world.open("end");
    world.settled();
    assert_eq!(
        starts(&world),
        [
            "production/z #1",
            "production/m #2",
            "production/a #3",
            "production/q #4"
        ]
    );
}

#[test]
fn after_orders_the_applications_of_a_rollout() {
    let world = World::installed();
    world.config(
        "[environments.production]\nparallel = 8\n[applications.a]\nafter = [\"b\"]\n[applications.b]\nafter = [\"c\", \"not-there\"]",
    );
    world.job("note start; sleep 0.1; note end");
    for application in ["a", "b", "c", "d"] {
        world.deploy(&format!("production/{application}"), 1);
    }
    world.push();
    assert!(
        world
            .settled()
            .iter()
            .all(|line| line.ends_with(" succeeded"))
    );
    let ran = world.ran();
    let at = |line: &str| {
        ran.iter()
            .position(|ran| ran.starts_with("production/") && ran.contains(line))
            .unwrap()
    };
    let (of_a, of_b) = (at("/a #1 start"), at("/b #2 start"));
    assert!(at("/c #3 end") < of_b && at("/b #2 end") < of_a, "{ran:#?}");
}

#[test]
fn many_that_wait_for_the_last_one_are_no_cycle() {
    let world = World::installed();
    world.config("after = [\"z\"]\n[applications.z]\nafter = []");
    for application in 0..20 {
        world.deploy(&format!("production/a{application}"), 1);
    }
    world.deploy("production/z", 1);
    world.push();
    assert!(
        world
            .settled()
            .iter()
            .all(|line| line.ends_with(" succeeded")),
        "{:#?}",
        world.history()
    );
    assert_eq!(starts(&world)[0], "production/z #21");
}

#[test]
fn dependants_of_what_failed_are_skipped() {
    let world = World::installed();
    world.config("[applications.a]\nafter = [\"b\"]\n[applications.b]\nafter = [\"c\"]");
    world.job("note start; test $DEPLOY_APPLICATION != c || exit 3");
    for application in ["a", "b", "c", "d"] {
        world.deploy(&format!("production/{application}"), 1);
    }
    world.push();
    let history = world.settled();
    assert_eq!(
        history[2..],
        [
            "#3 production/c failed: exit status 3",
            "#4 production/d succeeded"
        ]
    );
    assert!(
        history[1].starts_with("#2 production/b skipped: #3 c failed"),
        "{history:#?}"
    );
    assert!(
        history[0].starts_with("#1 production/a skipped: #2 b"),
        "{history:#?}"
    );
    assert_eq!(starts(&world), ["production/c #3", "production/d #4"]);
    // In a later rollout without c, what waited may go.
    world.job("note start");
    world.cmd(&["retry", "2"]).ok();
    assert_eq!(world.settled().last().unwrap(), "#5 production/b succeeded");
}

#[test]
fn what_waits_is_superseded_by_a_newer_one() {
    let world = World::installed();
    world.job("note start; hold end; note end");
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.deploy("production/a", 2);
    world.push();
    world.deploy("production/a", 3);
    world.push();
    assert_eq!(
        world.history(),
        [
            "#1 production/a running",
            "#2 production/a superseded: by #3",
            "#3 production/a queued"
        ]
    );
    world.open("end");
    world.settled();
    assert_eq!(starts(&world), ["production/a #1", "production/a #3"]);
}

#[test]
fn with_queue_all_everything_runs_in_order() {
    let world = World::installed();
    world.config("queue = \"all\"");
    world.job("note start; hold end; note end");
    for n in 1..=4 {
        world.deploy("production/a", n);
        world.push();
    }
    world.open("end");
    world.settled();
    assert_eq!(
        starts(&world),
        [
            "production/a #1",
            "production/a #2",
            "production/a #3",
            "production/a #4"
        ]
    );
    assert_eq!(overlap(&world.ran(), "production/"), 1);
    assert_eq!(world.show(4)["previous_revision"], rev(3));
}

#[test]
fn a_dependant_of_a_superseded_one_moves_along() {
    let world = World::installed();
    world.config("[applications.a]\nafter = [\"b\"]");
    world.job("note start; hold end; note end");
    world.deploy("production/x", 1);
    world.push();
    world.wait_for("production/x #1 start");
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    world.push();
    world.deploy("production/b", 2);
    world.push();
    world.open("end");
    let history = world.settled();
    assert_eq!(
        history[1..],
        [
            "#2 production/a succeeded",
            "#3 production/b superseded: by #4",
            "#4 production/b succeeded"
        ]
    );
    assert_eq!(
        starts(&world),
        ["production/x #1", "production/b #4", "production/a #2"]
    );
}

#[test]
fn a_runner_that_leaves_and_a_new_deployment_cannot_miss_each_other() {
    let world = World::installed();
    world.config("queue = \"all\"");
    world.job(":");
    for n in 1..=40 {
        world.deploy("production/a", n);
        world.push();
    }
    let history = world.settled();
    assert_eq!(history.len(), 40);
    assert!(
        history.iter().all(|line| line.ends_with(" succeeded")),
        "{history:#?}"
    );
}

#[test]
fn exit_status_and_signal_are_recorded() {
    let world = World::installed();
    for (n, (job, expect, status)) in [
        ("exit 7", "failed: exit status 7", Some(7)),
        ("kill -9 $$", "failed: signal 9", None),
        (":", "succeeded", Some(0)),
    ]
    .into_iter()
    .enumerate()
    {
        let n = u32::try_from(n).unwrap() + 1;
        world.job(job);
        world.deploy("production/a", n);
        world.push();
        assert_eq!(
            world.settled().last().unwrap(),
            &format!("#{n} production/a {expect}")
        );
        assert_eq!(
            world.show(n)["exit_status"],
            serde_json::to_value(status).unwrap()
        );
    }
    assert_eq!(
        world.show(2)["previous_revision"],
        serde_json::Value::Null,
        "what failed was never deployed"
    );
}

#[test]
fn a_command_that_cannot_be_started_fails() {
    let world = World::installed();
    world.config_file("[defaults]\ncommand = [\"/nonexistent/deploy\"]");
    world.deploy("production/a", 1);
    world.push();
    let history = world.settled();
    assert!(
        history[0].starts_with("#1 production/a failed: could not start "),
        "{history:#?}"
    );
}
