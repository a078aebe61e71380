//! Going back to the release before, and what the next runner does where a runner died.

use std::fs;

use serde_json::Value;

use crate::checkout::{
    current, deploy, one_file, order, release, roll_back, world as checkout_world,
};
use crate::faults::strace_or_skip;
use crate::nobody::user;
use crate::phases::{NOTE, PROGRAMS, deploy_two, phases, world};
use crate::processes::{BINARY, kill_one, of_program};
use crate::run::run;
use crate::world::World;

/// The short hash of what deployment 1 deployed.
pub fn first(world: &World) -> String {
    world.show(1)["revision"].as_str().unwrap()[..7].to_owned()
}

/// Asserts that the release before is the current one again, was activated again as what it is, and
/// that the next deployment works.
#[track_caller]
fn assert_went_back(world: &World) {
    let last = world.ran().pop().unwrap();
    assert_eq!(last, "production/a #2 go-back in one, current is one");
    world.job(NOTE);
    let three = one_file(world, "three");
    assert_eq!(deploy(world, &three), "#3 production/a succeeded");
}

#[test]
fn failed_check_goes_back_and_activates_what_was_there_before() {
    let job = "[ \"$DEPLOY_PHASE\" != verify ] || exit 22\n\
               [ \"$DEPLOY_PHASE\" != go-back ] || \
                   echo \"$DEPLOY_PREVIOUS_REVISION -> $DEPLOY_REVISION\"";
    let world = world("verify_retries = 0\n", job);
    let ended = deploy_two(&world);

    let (one, two) = (world.show(1), world.show(2));
    let (one, two) = (one["revision"].as_str(), two["revision"].as_str());
    let expected = format!(
        "#2 production/a failed: verify: exit status 22; went back to {}",
        first(&world)
    );
    assert_eq!(ended, expected);
    assert_eq!(
        world.ran()[2..],
        [
            "production/a #2 verify in two, current is two",
            "production/a #2 go-back in one, current is one",
        ]
    );
    assert_eq!(
        phases(&world, 2)[2..],
        ["activate succeeded", "verify failed", "go-back succeeded"]
    );
    let log = world.logs(2);
    let swapped = format!("{} -> {}\n", two.unwrap(), one.unwrap());
    assert!(log.contains(&swapped), "{log}");
    assert_eq!(world.show(2)["exit_status"], Value::Null);
    assert!(!release(&world, two.unwrap()).exists());
    assert_went_back(&world);
}

#[test]
fn failed_activation_goes_back() {
    let world = world("", "[ \"$DEPLOY_PHASE\" != activate ] || exit 7");
    let expected = format!(
        "#2 production/a failed: activate: exit status 7; went back to {}",
        first(&world)
    );
    assert_eq!(deploy_two(&world), expected);
    assert_eq!(
        phases(&world, 2)[2..],
        ["activate failed", "go-back succeeded"]
    );
    assert_went_back(&world);
}

#[test]
fn program_that_is_missing_goes_back() {
    let world = world("verify_retries = 3\n", "");
    let config = world.config_text();
    let verify = config
        .lines()
        .find(|line| line.starts_with("verify ="))
        .unwrap();
    world.config_file(&config.replace(verify, "verify = [\"/nonexistent/check\"]"));

    let ended = deploy_two(&world);
    let expected = "#2 production/a failed: verify: could not start the command \
                    \"/nonexistent/check\": No such file or directory (os error 2); \
                    \"/nonexistent/check\" is not there; went back to ";
    assert!(ended.starts_with(expected), "{ended}");
    let last = world.ran().pop().unwrap();
    assert_eq!(last, "production/a #2 go-back in one, current is one");
}

#[test]
fn first_deployment_that_fails_has_nothing_to_go_back_to() {
    let world = checkout_world(&format!("{PROGRAMS}verify_retries = 0\n"));
    world.job(&format!("{NOTE}[ \"$DEPLOY_PHASE\" != verify ] || exit 1"));
    let one = one_file(&world, "one");
    assert_eq!(
        deploy(&world, &one),
        "#1 production/a failed: verify: exit status 1; \
         there is no release before it to go back to"
    );
    assert_eq!(phases(&world, 1)[3..], ["verify failed", "go-back failed"]);
    assert_eq!(world.ran().len(), 3, "nothing was activated again");
    assert!(world.path("srv/production/a/current/file").exists());

    // What was there before the next deployment is what it goes back to.
    let expected = format!(
        "#2 production/a failed: verify: exit status 1; went back to {}",
        first(&world)
    );
    assert_eq!(deploy_two(&world), expected);
}

#[test]
fn release_that_was_current_before_stays() {
    let world = checkout_world("");
    let one = one_file(&world, "one");
    deploy(&world, &one);
    let config = world.config_text();
    world.config_file(&format!(
        "{config}verify = [\"false\"]\nverify_retries = 0\n"
    ));
    let ended = deploy_two(&world);
    assert!(ended.contains("; went back to "), "{ended}");

    assert_eq!(
        roll_back(&world, &one),
        "#3 production/a failed: verify: exit status 1; current led to the same release before"
    );
    assert_eq!(current(&world), "one");
}

#[test]
fn going_back_has_time_of_its_own() {
    let job = "[ \"$DEPLOY_PHASE\" != activate ] || sleep 1000";
    let world = world("timeout = \"1s\"\n", job);
    let ended = deploy_two(&world);
    let expected = "#2 production/a failed: activate: timeout after 1 s; went back to ";
    assert!(ended.starts_with(expected), "{ended}");
    assert_went_back(&world);
}

#[test]
fn cancelled_deployment_goes_back_too() {
    let job = "[ \"$DEPLOY_PHASE\" != verify ] || sleep 1000";
    let world = world("", job);
    let two = one_file(&world, "two");
    world.deploy_rev("production/a", &two);
    world.push();
    world.wait_for("production/a #2 verify in two, current is two");
    let row = world.status("production/a");
    assert_eq!(
        (&row["phase"], &row["remark"]),
        (&"verify".into(), &"running: verify".into())
    );
    world.cmd(&["status"]).ok().says("running: verify");
    world.cmd(&["cancel", "2"]).ok();

    let expected = format!(
        "#2 production/a cancelled: by {}; went back to {}",
        user(),
        first(&world)
    );
    assert_eq!(world.settled().pop().unwrap(), expected);
    assert_eq!(
        phases(&world, 2)[3..],
        ["verify cancelled", "go-back succeeded"]
    );
    assert_went_back(&world);
}

#[test]
fn activation_that_fails_again_is_said() {
    let job = "case $DEPLOY_PHASE in activate) exit 1;; go-back) exit 2;; esac";
    let world = world("", job);
    let expected = format!(
        "#2 production/a failed: activate: exit status 1; went back to {}, but activate failed \
         there: exit status 2",
        first(&world)
    );
    assert_eq!(deploy_two(&world), expected);
    assert_eq!(
        phases(&world, 2)[2..],
        ["activate failed", "go-back failed"]
    );
}

#[test]
fn release_that_somebody_else_made_current_stays() {
    let job = "[ \"$DEPLOY_PHASE\" = verify ] || exit 0\n\
               mkdir -p \"$W/srv/production/a/releases/mine\"\n\
               ln -sfn releases/mine \"$W/srv/production/a/current\"\n\
               exit 1";
    let world = world("verify_retries = 0\n", job);
    assert_eq!(
        deploy_two(&world),
        "#2 production/a failed: verify: exit status 1; did not go back, because current leads to \
         another release now"
    );
    let current = fs::read_link(world.path("srv/production/a/current")).unwrap();
    assert_eq!(current.to_str(), Some("releases/mine"));
}

#[test]
fn checkout_that_cannot_be_switched_fails_in_its_phase() {
    let job = "[ \"$DEPLOY_PHASE\" = command ] || exit 0\n\
               rm \"$W/srv/production/a/current\"; mkdir \"$W/srv/production/a/current\"";
    let world = world("", job);
    let ended = deploy_two(&world);
    assert!(
        ended.starts_with("#2 production/a failed: activate: checkout: ")
            && ended.contains("current is not a symbolic link"),
        "{ended}"
    );
    assert_eq!(
        phases(&world, 2),
        [
            "export succeeded",
            "command succeeded",
            "activate failed",
            "go-back failed"
        ]
    );
}

/// A world in which deployment 2 waits in a phase at the gate `end`, and whose runner was killed.
#[track_caller]
pub fn interrupted_in(phase: &str, other: &str) -> World {
    let job = format!("case $DEPLOY_PHASE in {phase}) note in; hold end;; {other} esac");
    let world = world("verify_retries = 0\n", &job);
    let two = one_file(&world, "two");
    world.deploy_rev("production/a", &two);
    world.push();
    world.wait_for("production/a #2 in");
    world.kill_runner();
    world
}

#[test]
fn interrupted_phase_is_named() {
    let table = [
        ("command", "", "one"),
        ("activate", "; current may lead to {} already", "two"),
        (
            "verify",
            "; current leads to {}, and nobody knows whether that works",
            "two",
        ),
    ];
    for (phase, where_current, leads_to) in table {
        let world = interrupted_in(phase, "");
        world.open("end");
        world.cmd(&["reconcile"]).ok();

        let shown = world.settled().pop().unwrap();
        let two = world.show(2)["revision"].as_str().unwrap()[..7].to_owned();
        let where_current = where_current.replace("{}", &two);
        let expected =
            format!("#2 production/a interrupted: the runner died during {phase}{where_current}");
        assert_eq!(shown, expected);
        let last = phases(&world, 2).pop().unwrap();
        assert_eq!(last, format!("{phase} interrupted"));
        assert_eq!(current(&world), leads_to);
    }
}

/// Asserts that another runner completed going back.
#[track_caller]
pub fn assert_completed(world: &World) {
    let expected = format!(
        "#2 production/a failed: verify: exit status 5; went back to {}; the first runner died \
         meanwhile",
        first(world)
    );
    assert_eq!(world.settled().pop().unwrap(), expected);
}

#[test]
fn next_runner_completes_going_back() {
    let world = interrupted_in("go-back", "verify) exit 5;;");
    world.job(NOTE);
    world.open("end");
    world.cmd(&["reconcile"]).ok();

    assert_completed(&world);
    assert_eq!(
        phases(&world, 2)[3..],
        ["verify failed", "go-back interrupted", "go-back succeeded"]
    );
    assert_went_back(&world);
}

#[test]
fn going_back_is_not_completed_for_ever() {
    let world = interrupted_in("go-back", "verify) exit 5;;");
    for _ in 0..2 {
        world.cmd(&["reconcile"]).ok();
        kill_command(&world);
        let before = world.ran().len();
        world.wait_until("another runner goes back", || world.ran().len() > before);
        world.wait_until_only_the_runner_is_left();
        world.kill_runner();
    }
    world.cmd(&["reconcile"]).ok();
    kill_command(&world);

    let two = world.show(2)["revision"].as_str().unwrap()[..7].to_owned();
    let expected = format!(
        "#2 production/a interrupted: the runner died during go-back; current may still lead to \
         {two}"
    );
    assert_eq!(world.settled().pop().unwrap(), expected);
    assert_eq!(phases(&world, 2).len(), 7);
}

#[test]
fn released_deployment_does_not_go_back() {
    let world = interrupted_in("go-back", "verify) exit 5;;");
    world.cmd(&["reconcile"]).ok();
    world.wait_until_held_by(2);
    world.cmd(&["release", "production"]).ok();

    let two = world.show(2)["revision"].as_str().unwrap()[..7].to_owned();
    let expected = format!(
        "#2 production/a interrupted: the runner died during go-back; current may still lead to \
         {two}; released by {}",
        user()
    );
    assert_eq!(world.settled().pop().unwrap(), expected);
    world.open("end");
}

/// Kills the job that waits at its gate.
#[track_caller]
pub fn kill_command(world: &World) {
    let shell = std::path::Path::new("/bin/sh").canonicalize().unwrap();
    let jobs = of_program(&world.path(""), &shell);
    assert!(!jobs.is_empty(), "no job waits");
    jobs.into_iter().for_each(kill_one);
}

#[test]
fn claim_that_cannot_be_written_keeps_nobody_from_going_back() {
    if !strace_or_skip() {
        return;
    }
    let world = world("", "");
    assert_eq!(deploy_two(&world), "#2 production/a succeeded");
    let folder = world.path("srv/production/a");
    let claim = fs::read_to_string(folder.join(".deploy-by-code")).unwrap();
    let (target, state) = claim.lines().next().unwrap().split_once(' ').unwrap();
    let two = world.show(2)["revision"].as_str().unwrap().to_owned();
    let mut order = order(&world, &folder, 2, &two);
    order["owner"] = serde_json::json!({ "target": target, "state": state });

    let one = world.show(1)["revision"].as_str().unwrap().to_owned();
    // The second time is that of a runner that completes it.
    for _ in 0..2 {
        let mut strace = world.command("strace", ".");
        strace.args(["-qq", "-o", "/dev/null", "-e", "trace=write"]);
        strace.args(["-e", "inject=write:error=ENOSPC:when=1"]);
        let step = strace.args([BINARY, "checkout-step", "switch-back"]);
        let went = run(step, format!("{order}\n").as_bytes()).ok();
        assert_eq!(went.stdout.trim(), format!("to {one}"));
        assert_eq!(current(&world), "one");
    }
}

#[test]
fn cancelled_deployment_waits_only_a_moment_for_old_releases_after_it_went_back() {
    let job = "case $DEPLOY_PHASE in\n\
               verify) sleep 1000;;\n\
               go-back) flock \"$W/srv/production/a/.deploy-by-code.lock\" \\
                   cat \"$W/held\" </dev/null >&0 2>&0 &\n\
                   sleep 0.2;;\n\
               esac";
    let world = world("", job);
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
    nix::unistd::mkfifo(&world.path("held"), mode).unwrap();
    let two = one_file(&world, "two");
    world.deploy_rev("production/a", &two);
    world.push();
    world.wait_for("production/a #2 verify in two, current is two");
    world.cmd(&["cancel", "2"]).ok();

    let ended = world.settled().pop().unwrap();
    assert!(
        ended.starts_with("#2 production/a cancelled: by "),
        "{ended}"
    );
    let log = world.logs(2);
    assert!(log.contains("old releases are left"), "{log}");
    fs::write(world.path("held"), "").unwrap();
}

#[test]
fn who_may_only_read_the_folder_holds_up_nothing() {
    let world = world(
        "verify_retries = 0\n",
        "[ \"$DEPLOY_PHASE\" != verify ] || exit 1",
    );
    let folder = fs::File::open(world.path("srv/production/a")).unwrap();
    folder.lock().unwrap();

    let ended = deploy_two(&world);
    assert!(ended.contains("; went back to "), "{ended}");
    drop(folder);
}
