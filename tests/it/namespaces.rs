//! Runners in several PID namespaces that share the repository, the state and the control groups,
//! as containers on one machine do. None of them can see the processes of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Child;

use crate::cgroups::{can_make_cgroups, unshare_or_skip};
use crate::crash::with_dead_runner;
use crate::processes::{BINARY, in_background};
use crate::run::{Run, run};
use crate::world::World;

const ENVIRONMENTS: [&str; 2] = ["production", "staging"];

/// How many pushes there are, and how many deployments each of them asks for in an environment.
const PUSHES: usize = 12;
const APPLICATIONS: usize = 3;

/// Runs a command of the binary under test in a PID namespace of its own.
#[track_caller]
fn in_another_namespace(world: &World, arguments: &str) -> Run {
    let script = format!("'{BINARY}' -C deploy.git {arguments}");
    let mut unshare = world.command("unshare", ".");
    unshare.args(["-mpf", "--mount-proc", "sh", "-c", &script]);
    run(&mut unshare, b"")
}

/// Begins a PID namespace in which runners start again and again until the gate `stop` is open. The
/// one of the environment `idle` has nothing to do but to remove control groups that are left.
fn namespace_with_runners(world: &World) -> Child {
    let runner = format!("'{BINARY}' -C deploy.git run --checked");
    let again = |environment: &str| {
        format!("(until [ -e gate.stop ]; do {runner} {environment}; sleep 0.02; done) &\n")
    };
    let script = format!(
        "{}{}{}wait",
        again("production"),
        again("staging"),
        again("idle")
    );
    let mut unshare = world.command("unshare", ".");
    unshare.args(["-mpf", "--mount-proc", "sh", "-c", &script]);
    in_background(&mut unshare)
}

#[test]
fn runners_in_two_namespaces_lose_double_and_overlap_nothing() {
    if !unshare_or_skip() {
        return;
    }
    let world = World::installed();
    world.config(
        "[environments.production]\nparallel = 2\n[environments.staging]\nparallel = 2\n\
         [environments.idle]\n",
    );
    world.job(
        r#"
        note start
        echo "$DEPLOY_ID $(readlink /proc/self/ns/pid) $(grep ^0:: /proc/self/cgroup)" >> "$W/where"
        sleep 0.0$((DEPLOY_ID % 5))
        note end"#,
    );
    // The runners that the hooks start are in a third namespace, that of the test.
    let mut namespaces = [
        namespace_with_runners(&world),
        namespace_with_runners(&world),
    ];
    let mut rollouts = BTreeMap::new();
    for push in 0..PUSHES {
        for environment in ENVIRONMENTS {
            for application in 0..APPLICATIONS {
                let target = format!("{environment}/p{push}-{application}");
                world.deploy(&target, 1);
                rollouts.insert(target, push);
            }
        }
        world.push();
    }
    let history = world.settled();
    world.open("stop");
    for namespace in &mut namespaces {
        assert!(namespace.wait().unwrap().success());
    }

    // Everything succeeded, and began once.
    assert_eq!(history.len(), PUSHES * APPLICATIONS * ENVIRONMENTS.len());
    for line in &history {
        assert!(line.ends_with(" succeeded"), "{line}");
    }
    let ran = world.ran();
    let distinct: BTreeSet<&String> = ran.iter().collect();
    assert_eq!(ran.len(), 2 * history.len());
    assert_eq!(distinct.len(), ran.len(), "a command began twice");

    // Deployments of two rollouts of one environment never ran at the same time.
    for environment in ENVIRONMENTS {
        let mut running = BTreeSet::new();
        for line in ran.iter().filter(|line| line.starts_with(environment)) {
            let (target, rest) = line.split_once(' ').unwrap();
            if rest.ends_with(" start") {
                running.insert(target);
            } else {
                running.remove(target);
            }
            let at_once: BTreeSet<_> = running.iter().map(|target| rollouts[*target]).collect();
            assert!(running.len() <= 2 && at_once.len() <= 1, "{running:?}");
        }
    }

    // More than one namespace took part, and each deployment had a control group of its own.
    let text = fs::read_to_string(world.path("where")).unwrap();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        *seen.entry(words[1]).or_default() += 1;
        let own = format!(".{}.", words[0]);
        let has_own = words[2].contains("deploy-by-code.") && words[2].contains(&own);
        assert!(
            has_own || !can_make_cgroups(),
            "its group was removed: {line}"
        );
    }
    assert!(seen.len() >= 2, "only one namespace took part: {seen:?}");
}

/// What is told of a deployment whose runner lives in another namespace.
#[test]
fn deployment_that_a_runner_elsewhere_looks_after_is_not_taken_for_left() {
    if !unshare_or_skip() {
        return;
    }
    let world = World::installed();
    world.job("note start; hold end; note end");
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");

    let status = in_another_namespace(&world, "status").ok();
    status.says("running #1").says_nothing_of("held by");
    let doctor = in_another_namespace(&world, "doctor");
    doctor.says_nothing_of("no runner carries out");
    in_another_namespace(&world, "release production")
        .exits(1)
        .says("a runner looks after #1 production/a");
    // The runner that this starts finds the lock taken.
    in_another_namespace(&world, "reconcile").ok();
    in_another_namespace(&world, "run --checked production").ok();
    assert_eq!(world.history(), ["#1 production/a running"]);

    in_another_namespace(&world, "cancel 1").ok();
    assert!(world.settled()[0].starts_with("#1 production/a cancelled: by "));
}

/// The same, when the runner is dead. It can't be seen elsewhere whether its command has ended.
#[test]
fn deployment_of_a_dead_runner_elsewhere_is_held_and_can_be_released() {
    if !unshare_or_skip() {
        return;
    }
    let world = with_dead_runner("");
    for command in ["status", "doctor", "reconcile", "cancel 1"] {
        in_another_namespace(&world, command);
        assert_eq!(world.history(), ["#1 production/a running"], "{command}");
    }
    in_another_namespace(&world, "status")
        .ok()
        .says("held by what #1 left running; it can't be seen from here")
        .says("deploy-by-code release production");
    in_another_namespace(&world, "doctor")
        .exits(1)
        .says("no runner carries out #1 production/a");
    in_another_namespace(&world, "release production").ok();
    world.cmd(&["reconcile"]).ok();
    assert!(world.settled()[0].contains("the runner died; released by "));
    world.open("end");
}
