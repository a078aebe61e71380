//! With `runner = "systemd"`: hooks leave a file that asks for a runner, and the service starts it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};

use crate::cgroups::unshare_or_skip;
use crate::nobody::root_or_skip;
use crate::processes::{BINARY, in_background};
use crate::world::World;

/// Where hooks ask for runners.
fn asked(world: &World) -> usize {
    fs::read_dir(world.state().join("wake")).unwrap().count()
}

/// A world whose runners are started by the service.
fn with_service() -> World {
    let world = World::installed();
    world.config_top("runner = \"systemd\"");
    world
}

#[test]
fn service_starts_the_runners_that_hooks_ask_for() {
    let world = with_service();
    world.job("note start; test $DEPLOY_ENVIRONMENT != production || hold end");
    world.deploy("production/a", 1);
    world.push();
    assert!(world.state().join("wake/production").exists());

    let mut service = world.binary().arg("serve").spawn().unwrap();
    world.wait_for("production/a #1 start");

    // A request that comes while the service runs is taken as well.
    world.deploy("staging/a", 1);
    world.push();
    world.wait_until("the other environment is deployed", || {
        world.history().get(1).map(String::as_str) == Some("#2 staging/a succeeded")
    });

    world.open("end");
    assert_eq!(world.settled()[0], "#1 production/a succeeded");
    assert!(service.wait().unwrap().success());
    world.wait_until("no request is left", || asked(&world) == 0);
}

#[test]
fn service_starts_the_runner_whose_request_can_not_be_removed() {
    if !root_or_skip() || !unshare_or_skip() {
        return;
    }
    let world = with_service();
    world.deploy("production/a", 1);
    world.push();

    // A file on which something is mounted can't be removed.
    let file = world.state().join("wake/production");
    let script = "mount --bind \"$1\" \"$1\" && exec \"$0\" serve";
    let mut unshare = world.command("unshare", "deploy.git");
    unshare.args(["-m", "sh", "-c", script, BINARY]).arg(&file);
    let mut service = in_background(&mut unshare);
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);

    world.deploy("production/a", 2);
    world.push();
    assert_eq!(world.settled()[1], "#2 production/a succeeded");
    assert!(file.exists());
    service.kill().unwrap();
    service.wait().unwrap();
}

#[test]
fn service_units_are_set_up_by_install() {
    let world = with_service();

    world
        .cmd(&["install", "--dry-run"])
        .ok()
        .says("write /etc/systemd/system/deploy-by-code-runner@")
        .says("systemctl enable --now deploy-by-code-runner@");
}

/// Starts the service, and waits until it has said that it cannot work now.
fn waiting_service(world: &World) -> Child {
    let mut service = world
        .binary()
        .arg("serve")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(service.stderr.take().unwrap());
    stderr.read_line(&mut said).unwrap();
    assert!(said.contains("waiting until this is fixed"), "{said}");
    service
}

#[test]
fn service_waits_until_the_configuration_is_fixed() {
    let world = with_service();
    let good = world.config_text();
    world.deploy("production/a", 1);
    world.push();

    world.config_file("nonsense = 1");
    let mut service = waiting_service(&world);
    assert_eq!(world.history(), ["#1 production/a queued"]);

    world.config_file(&good);
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert!(service.wait().unwrap().success());
}

#[test]
fn service_of_root_waits_while_others_can_change_the_repository() {
    if !root_or_skip() {
        return;
    }
    let world = with_service();
    let mode =
        |mode| fs::set_permissions(world.repository(), fs::Permissions::from_mode(mode)).unwrap();
    world.deploy("production/a", 1);
    world.push();

    mode(0o775);
    let mut service = waiting_service(&world);
    assert_eq!(world.history(), ["#1 production/a queued"]);

    mode(0o755);
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert!(service.wait().unwrap().success());
}
