//! Going back where the configuration was changed after the runner died that had begun to.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};

use crate::checkout::{configure, current, deploy, one_file, world as checkout_world};
use crate::going_back::{assert_completed, first, interrupted_in, kill_command};
use crate::nobody::{NOBODY, Nobody};
use crate::phases::{self, NOTE, PROGRAMS, phases};
use crate::world::World;

/// A world in which the check of deployment 2 failed, and whose runner was killed while `current`
/// still led to the new release: another process held the lock of the folder.
#[track_caller]
fn interrupted() -> World {
    let job = "[ \"$DEPLOY_PHASE\" != verify ] || { note in; hold check; exit 5; }";
    let world = phases::world("verify_retries = 0\n", job);
    let two = one_file(&world, "two");
    world.deploy_rev("production/a", &two);
    world.push();
    world.wait_for("production/a #2 in");

    let lock = fs::File::open(world.path("srv/production/a/.deploy-by-code.lock")).unwrap();
    lock.lock().unwrap();
    world.open("check");
    world.wait_until("the runner goes back", || {
        world.status("production/a")["phase"] == "go-back"
    });
    world.kill_runner();
    assert_eq!(current(&world), "two");
    world
}

/// Changes the configuration.
fn change(world: &World, from: &str, to: &str) {
    let config = world.config_text();
    assert!(config.contains(from), "{config}");
    world.config_file(&config.replace(from, to));
}

/// The remark of a deployment that went back in a folder that `checkout` does not name any more.
fn remark(world: &World) -> String {
    let folder = world.path("srv/production/a");
    let folder = folder.display();
    format!("the first runner died meanwhile, and checkout was {folder} when it began")
}

#[test]
fn next_runner_goes_back_in_the_folder_in_which_the_deployment_began() {
    let world = interrupted();
    change(&world, "/srv/", "/other/");
    world.job("note in; hold end");

    // The second runner dies too. What the first one recorded holds for the third as well.
    world.cmd(&["reconcile"]).ok();
    world.wait_until("the second runner goes back", || {
        world
            .ran()
            .iter()
            .filter(|line| line.ends_with("#2 in"))
            .count()
            == 2
    });
    assert_eq!(current(&world), "one");
    world.kill_runner();
    world.job(NOTE);
    world.cmd(&["reconcile"]).ok();
    kill_command(&world);

    let expected = format!(
        "#2 production/a failed: verify: exit status 5; went back to {}; {}",
        first(&world),
        remark(&world)
    );
    assert_eq!(world.settled().pop().unwrap(), expected);
    assert_eq!(phases(&world, 2).pop().unwrap(), "go-back succeeded");
    assert_eq!(current(&world), "one");
    let last = world.ran().pop().unwrap();
    assert_eq!(last, "production/a #2 go-back in one, current is one");
    assert!(!world.path("other").exists());
    let releases = fs::read_dir(world.path("srv/production/a/releases")).unwrap();
    assert_eq!(releases.count(), 2, "nobody says how many are kept there");
}

#[test]
fn next_runner_goes_back_though_no_checkout_is_configured_any_more() {
    let world = interrupted();
    world.config_file("[defaults]\ncommand = [\"true\"]\n");
    world.cmd(&["reconcile"]).ok();

    let expected = format!(
        "#2 production/a failed: verify: exit status 5; went back to {}; nothing was activated, \
         because activate is not configured; {}",
        first(&world),
        remark(&world)
    );
    assert_eq!(world.settled().pop().unwrap(), expected);
    assert_eq!(current(&world), "one");
}

#[test]
fn next_runner_goes_back_as_the_user_as_whom_the_deployment_began() {
    let world = checkout_world("");
    if Nobody::new(&world).is_none() {
        return;
    }
    let programs = format!("{PROGRAMS}verify_retries = 0\n");
    configure(&world, &format!("{programs}user = \"nobody\"\n"));
    fs::create_dir_all(world.path("srv/production/a")).unwrap();
    for folder in ["srv/production/a", "ran"] {
        let path = world.path(folder);
        if folder == "ran" {
            fs::write(&path, "").unwrap();
        }
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    world.job("");
    let (one, two) = (one_file(&world, "one"), one_file(&world, "two"));
    assert_eq!(deploy(&world, &one), "#1 production/a succeeded");

    world.job("case $DEPLOY_PHASE in verify) exit 5;; go-back) note in; hold end;; esac");
    world.deploy_rev("production/a", &two);
    world.push();
    world.wait_for("production/a #2 in");
    world.kill_runner();
    configure(&world, &programs);
    world.job("note \"$DEPLOY_PHASE as $(id -un)\"");
    world.open("end");
    world.cmd(&["reconcile"]).ok();

    assert_completed(&world);
    let last = world.ran().pop().unwrap();
    assert_eq!(last, "production/a #2 go-back as nobody");
    for path in ["current", ".deploy-by-code"] {
        let path = world.path("srv/production/a").join(path);
        assert_eq!(fs::symlink_metadata(path).unwrap().uid(), NOBODY);
    }
}

#[test]
fn folder_that_is_gone_is_not_made_again() {
    let world = interrupted();
    change(&world, "/srv/", "/other/");
    fs::rename(world.path("srv"), world.path("other")).unwrap();
    world.cmd(&["reconcile"]).ok();

    let folder = world.path("srv/production/a");
    let expected = format!(
        "#2 production/a failed: verify: exit status 5; could not go back: checkout: {}: No such \
         file or directory (os error 2); {}",
        folder.display(),
        remark(&world)
    );
    assert_eq!(world.settled().pop().unwrap(), expected);
    assert_eq!(phases(&world, 2).pop().unwrap(), "go-back failed");
    assert!(!world.path("srv").exists());
}

#[test]
fn what_an_earlier_version_began_goes_back_in_the_folder_of_now() {
    for (is_changed, went) in [(false, "went back to "), (true, "could not go back: ")] {
        let world = interrupted();
        let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
        let forget = "UPDATE deployments SET checkout = NULL, checkout_user = NULL";
        assert_eq!(database.execute(forget, []).unwrap(), 2);
        drop(database);
        let current = if is_changed {
            change(&world, "/srv/", "/other/");
            fs::create_dir_all(world.path("other/production/a")).unwrap();
            format!(
                "this deployment has not moved {}; look whether checkout was another folder before",
                world.path("other/production/a/current").display()
            )
        } else {
            first(&world)
        };
        world.cmd(&["reconcile"]).ok();

        let why = "the first runner died meanwhile";
        let expected =
            format!("#2 production/a failed: verify: exit status 5; {went}{current}; {why}");
        assert_eq!(world.settled().pop().unwrap(), expected);
    }
}

#[test]
fn interrupted_check_names_the_link_where_checkout_is_another_folder_now() {
    let world = interrupted_in("verify", "");
    change(&world, "/srv/", "/other/");
    world.open("end");
    world.cmd(&["reconcile"]).ok();

    let two = world.show(2)["revision"].as_str().unwrap()[..7].to_owned();
    let link = world.path("srv/production/a/current");
    let expected = format!(
        "#2 production/a interrupted: the runner died during verify; {} leads to {two}, and \
         nobody knows whether that works",
        link.display()
    );
    assert_eq!(world.settled().pop().unwrap(), expected);
}
