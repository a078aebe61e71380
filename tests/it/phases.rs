//! The phases of a deployment with a checkout: their order, their record, and the check.

use std::fs;

use serde_json::Value;

use crate::checkout::{commit, deploy, one_file, release, world as checkout_world};
use crate::processes::{alive, kill_one};
use crate::stopping::pids;
use crate::tree::EXECUTABLE;
use crate::world::World;

/// Every program of a deployment is the job, which knows its phase. A check is tried once.
pub const PROGRAMS: &str = "command = [\"/bin/sh\", \"{W}/job\"]\n\
                        activate = [\"/bin/sh\", \"{W}/job\"]\n\
                        verify = [\"/bin/sh\", \"{W}/job\"]\n";

/// Notes the phase, the revision's file and where `current` leads.
pub const NOTE: &str = r#"
current() { cat "$W/srv/production/a/current/file" 2>/dev/null || echo nothing; }
note "$DEPLOY_PHASE in $(cat file), current is $(current)"
"#;

/// A world in which every phase runs the job, and in which a first revision `one` is deployed. What
/// follows is what the job does afterwards.
pub fn world(more: &str, job: &str) -> World {
    let world = checkout_world(&format!("{PROGRAMS}{more}"));
    world.job(NOTE);
    let one = one_file(&world, "one");
    assert_eq!(deploy(&world, &one), "#1 production/a succeeded");
    fs::remove_file(world.path("ran")).unwrap();
    world.job(&format!("{NOTE}{job}"));
    world
}

/// Deploys a second revision, which is called like this, and returns the line of its end.
#[track_caller]
pub fn deploy_two(world: &World) -> String {
    let two = one_file(world, "two");
    deploy(world, &two)
}

/// The phases of a deployment, each with its status.
#[track_caller]
pub fn phases(world: &World, id: u32) -> Vec<String> {
    let shown = world.show(id);
    let line = |row: &Value| {
        let text = |key: &str| row[key].as_str().unwrap();
        assert!(
            row["started_at"].is_string() && row["duration_ms"].is_u64(),
            "a phase has its times: {row}"
        );
        format!("{} {}", text("phase"), text("status"))
    };
    shown["phases"]
        .as_array()
        .unwrap()
        .iter()
        .map(line)
        .collect()
}

#[test]
fn phases_come_one_after_the_other_and_are_recorded() {
    let world = world("", "");
    assert_eq!(deploy_two(&world), "#2 production/a succeeded");

    assert_eq!(
        world.ran(),
        [
            "production/a #2 command in two, current is one",
            "production/a #2 activate in two, current is two",
            "production/a #2 verify in two, current is two",
        ]
    );
    assert_eq!(
        phases(&world, 2),
        [
            "export succeeded",
            "command succeeded",
            "activate succeeded",
            "verify succeeded"
        ]
    );
    let log = world.logs(2);
    let headings: Vec<&str> = log.lines().filter(|line| line.contains(" == ")).collect();
    let heading = |phase: &str| format!("deploy-by-code: == {phase}");
    assert_eq!(
        headings,
        ["export", "command", "activate", "verify"].map(heading)
    );
    world
        .cmd(&["show", "2"])
        .ok()
        .says("phases         export ")
        .says("               verify ");
}

#[test]
fn checkout_alone_has_the_phases_that_it_needs() {
    let world = checkout_world("");
    let one = one_file(&world, "one");
    assert_eq!(deploy(&world, &one), "#1 production/a succeeded");
    assert_eq!(
        phases(&world, 1),
        ["export succeeded", "activate succeeded"]
    );
}

#[test]
fn command_alone_is_one_phase_without_a_heading() {
    let world = World::installed();
    world.job("echo hello");
    world.deploy("production/a", 1);
    world.push();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(phases(&world, 1), ["command succeeded"]);
    assert_eq!(world.logs(1), "hello\n");
    world.cmd(&["show", "1"]).ok().says_nothing_of("phases");
}

#[test]
fn failed_command_leaves_everything_as_it_was() {
    let world = world("", "exit 3");
    assert_eq!(deploy_two(&world), "#2 production/a failed: exit status 3");
    assert_eq!(phases(&world, 2), ["export succeeded", "command failed"]);
    assert_eq!(world.show(2)["exit_status"], 3);
    assert_eq!(
        world.ran(),
        ["production/a #2 command in two, current is one"]
    );
}

#[test]
fn check_is_tried_again_until_it_succeeds() {
    let job = "[ \"$DEPLOY_PHASE\" = verify ] || exit 0\n\
               echo x >> \"$W/tries\"\n\
               [ \"$(wc -l < \"$W/tries\")\" -ge 3 ] || exit 1";
    let world = world("verify_retries = 2\n", job);
    assert_eq!(deploy_two(&world), "#2 production/a succeeded");
    let log = world.logs(2);
    assert!(
        log.contains("deploy-by-code: exit status 1; try 2 of 3 follows\n"),
        "{log}"
    );
    assert!(
        log.contains("deploy-by-code: exit status 1; try 3 of 3 follows\n"),
        "{log}"
    );
    assert_eq!(phases(&world, 2).len(), 4, "all tries are one phase");
}

#[test]
fn check_is_given_up_after_its_tries() {
    let world = world(
        "verify_retries = 1\n",
        "[ \"$DEPLOY_PHASE\" != verify ] || exit 1",
    );
    let ended = deploy_two(&world);
    let expected = "#2 production/a failed: verify: exit status 1; tried 2 times; went back to ";
    assert!(ended.starts_with(expected), "{ended}");
}

#[test]
fn check_that_hangs_is_ended_and_not_what_was_activated() {
    let job = "case $DEPLOY_PHASE in\n\
               activate) setsid sh -c 'echo $$ > \"$0/new\"; mv \"$0/new\" \"$0/pid.service\"; \
                   exec sleep 1000' \"$W\" &\n\
                   until [ -e \"$W/pid.service\" ]; do sleep 0.02; done;;\n\
               verify) sleep 1000;;\n\
               esac";
    let world = world("verify_timeout = \"500ms\"\n", job);
    let ended = deploy_two(&world);
    let expected = "#2 production/a failed: verify: timeout after 500 ms; went back to ";
    assert!(ended.starts_with(expected), "{ended}");

    let service = pids(&world);
    assert!(
        alive(service[0]),
        "the check's end has ended the service too"
    );
    service.into_iter().for_each(kill_one);
    let remark = world.show(2)["phases"][2]["reason"].clone();
    assert_eq!(
        remark,
        Value::Null,
        "the phase that succeeded has no reason of its own"
    );
}

#[test]
fn program_of_the_release_activates_it() {
    let world = checkout_world("activate = [\"./restart\", \"{revision}\"]\n");
    let revision = commit(&world, |trees| {
        let program = trees.blob("#!/bin/sh\necho restarted $1 in $PWD\n");
        trees.path(EXECUTABLE, b"restart", &program)
    });
    assert_eq!(deploy(&world, &revision), "#1 production/a succeeded");
    let said = format!(
        "restarted {revision} in {}\n",
        release(&world, &revision).display()
    );
    assert!(world.logs(1).contains(&said), "{}", world.logs(1));

    // `check` knows before the deployment that another one is missing.
    let config = world.config_text().replace("./restart", "./start");
    world.config_file(&config);
    world
        .cmd(&["check"])
        .says("start of a at")
        .says("is not there");
}

#[test]
fn settings_that_need_a_checkout_are_refused_without_one() {
    let world = World::installed();
    world.config("verify = [\"true\"]");
    world.deploy("production/a", 1);
    world
        .try_push()
        .exits(1)
        .says("verify is configured for production/a, but checkout is not");
}
