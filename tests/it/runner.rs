//! The order in which deployments run, and which of them never run at the same time.

use crate::world::{World, rev};

/// How many jobs ran at the same time at most, according to the lines that they noted when they
/// started and ended. Only lines that begin with `of` count. Every job must have ended.
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
    assert_eq!(now, 0, "not every job that started has ended: {ran:#?}");
    most
}

/// The control of all tests that use it.
#[test]
fn overlap_counts_the_jobs_that_run_at_the_same_time() {
    let count = |lines: &[&str]| {
        let lines: Vec<_> = lines.iter().map(|line| format!("x/{line}")).collect();
        overlap(&lines, "x/")
    };

    assert_eq!(count(&["a start", "a end", "b start", "b end"]), 1);
    assert_eq!(count(&["a start", "b start", "a end", "b end"]), 2);
    assert_eq!(overlap(&["y/a start".to_owned()], "x/"), 0);
}

/// The jobs that started, in this order, each as `production/a #1`.
fn starts(world: &World) -> Vec<String> {
    let ran = world.ran().into_iter();
    ran.filter_map(|line| line.strip_suffix(" start").map(str::to_owned))
        .collect()
}

#[test]
fn push_returns_while_the_job_runs() {
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
fn runner_leaves_when_nothing_waits() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.deploy("staging/a", 1);
    world.push();
    world.settled();
    assert!(!world.ran().is_empty(), "there was a runner");
    world.wait_until_idle();
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
fn parallel_lets_some_of_one_rollout_run_at_once() {
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
        assert_eq!(world.history().len(), number + 1);
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
        "[environments.production]\nparallel = 8\n\
         [applications.a]\nafter = [\"b\"]\n\
         [applications.b]\nafter = [\"c\", \"not-there\"]",
    );
    world.job("note start; sleep 0.1; note end");
    for application in ["a", "b", "c", "d"] {
        world.deploy(&format!("production/{application}"), 1);
    }

    world.push();

    assert_eq!(
        world.settled(),
        [
            "#1 production/a succeeded",
            "#2 production/b succeeded",
            "#3 production/c succeeded",
            "#4 production/d succeeded"
        ]
    );

    let ran = world.ran();
    let at = |line: &str| ran.iter().position(|ran| ran == line).unwrap();
    assert!(
        at("production/c #3 end") < at("production/b #2 start"),
        "{ran:#?}"
    );
    assert!(
        at("production/b #2 end") < at("production/a #1 start"),
        "{ran:#?}"
    );
}

#[test]
fn after_lets_many_wait_for_the_last_one() {
    let world = World::installed();
    world.config("after = [\"z\"]\n[applications.z]\nafter = []");
    for application in 0..20 {
        world.deploy(&format!("production/a{application}"), 1);
    }

    world.deploy("production/z", 1);
    world.push();

    let history = world.settled();
    assert_eq!(history.len(), 21);
    assert!(
        history.iter().all(|line| line.ends_with(" succeeded")),
        "{history:#?}"
    );
    assert_eq!(starts(&world)[0], "production/z #21");
}

#[test]
fn after_skips_what_waits_for_a_failed_deployment() {
    let world = World::installed();
    world.config("[applications.a]\nafter = [\"b\"]\n[applications.b]\nafter = [\"c\"]");
    world.job("note start; test $DEPLOY_APPLICATION != c || exit 3");
    for application in ["a", "b", "c", "d"] {
        world.deploy(&format!("production/{application}"), 1);
    }

    world.push();
    assert_eq!(
        world.settled(),
        [
            "#1 production/a skipped: #2 b skipped",
            "#2 production/b skipped: #3 c failed",
            "#3 production/c failed: exit status 3",
            "#4 production/d succeeded"
        ]
    );
    assert_eq!(starts(&world), ["production/c #3", "production/d #4"]);

    // A later rollout without c does not wait for it.
    world.job("note start");
    world.cmd(&["retry", "2"]).ok();
    assert_eq!(world.settled().last().unwrap(), "#5 production/b succeeded");
}

#[test]
fn queue_latest_supersedes_what_waits() {
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
fn queue_all_runs_everything_in_order() {
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
fn after_moves_what_waits_to_the_newer_rollout() {
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
fn runner_that_leaves_misses_no_new_deployment() {
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
fn exit_status_and_signal_of_the_command_are_recorded() {
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
        "a failed deployment does not count as deployed"
    );
}

#[test]
fn command_that_cannot_be_started_fails_the_deployment() {
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
