//! What changes while the process that tells others waits: its program and its configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Child;

use serde_json::Value;

use crate::notifier::{
    BROKEN, freeze, freeze_while_broken, notifier, notifiers, the_one_that_waits,
    wait_for_the_clock, wait_until_told, world,
};
use crate::processes::{copy_program, in_background};
use crate::world::World;

/// Puts a program into its place in one step, as a package does.
fn put(program: &Path, place: &Path) {
    let new = place.with_extension("new");
    copy_program(program, &new);
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&new, place).unwrap();
}

/// Starts the program that tells others from another place.
fn start(world: &World, program: &Path) -> Child {
    let mut command = world.command(program.to_str().unwrap(), ".");
    in_background(command.args(["-C", "deploy.git", "--checked"]))
}

/// How often the first event was tried.
fn tries(world: &World) -> u64 {
    let rows = world.json(&["notifications"]);
    rows[0]["attempts"].as_u64().unwrap_or(0)
}

#[test]
fn notifier_that_waits_goes_on_as_the_program_that_takes_its_place() {
    let world = world();
    // Nothing else starts such a program.
    world.config_top("runner = \"systemd\"");
    fs::write(world.path(BROKEN), "").unwrap();
    freeze(&world, 1);
    fs::create_dir(world.path("bin")).unwrap();
    let place = world.path("bin/deploy-by-code-notify");
    put(&notifier(), &place);
    let mut child = start(&world, &place);
    world.wait_until("a try has failed", || tries(&world) > 0);

    let handed = world.path("handed");
    let new = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$$ $*\" >>'{}'\nexec '{}' \"$@\"\n",
        handed.display(),
        notifier().display()
    );
    fs::write(world.path("new"), new).unwrap();
    put(&world.path("new"), &place);
    world.wait_until("the new program has begun", || handed.exists());
    fs::remove_file(world.path(BROKEN)).unwrap();
    wait_until_told(&world, &[1]);

    // It is the same process, and it hands over once.
    world.wait_until("it ends when nothing waits", || {
        child
            .try_wait()
            .unwrap()
            .is_some_and(|status| status.success())
    });
    let expect = format!("{} -C deploy.git --checked\n", child.id());
    assert_eq!(fs::read_to_string(handed).unwrap(), expect);
}

#[test]
fn telling_by_the_configuration_from_before_is_said() {
    let world = world();
    let good = world.config_text();
    freeze_while_broken(&world, 1);
    the_one_that_waits(&world);
    world.config_top("key_of_a_newer_program = 1");
    fs::remove_file(world.path(BROKEN)).unwrap();
    wait_until_told(&world, &[1]);

    world
        .cmd(&["notifications"])
        .says("the configuration can't be used")
        .says("key_of_a_newer_program");
    world.cmd(&["doctor"]).says("key_of_a_newer_program");
    world.config_file(&good);
    let row = || world.json(&["notifications"])[0].clone();
    world.wait_until("the record says so", || row()["status"] == "delivered");
    assert_eq!(
        row()["answer"],
        "by the earlier configuration, because the present one can't be used"
    );
}

#[test]
fn nothing_is_started_for_whom_a_process_tells_already() {
    let world = world();
    // What would be started is a file that systemd sees.
    world.config_top("runner = \"systemd\"");
    let wake = world.state().join("wake/+notify");
    freeze(&world, 1);
    fs::remove_file(&wake).unwrap();

    let lock = world.state().join("locks/+notify:program.lock");
    let lock = fs::File::create(lock).unwrap();
    lock.try_lock().unwrap();
    freeze(&world, 2);
    assert!(
        !wake.exists(),
        "a process is started that finds its lock taken"
    );

    lock.unlock().unwrap();
    freeze(&world, 3);
    assert!(wake.exists());
}

#[test]
fn what_waits_for_a_target_that_is_removed_is_given_up_on_record() {
    let world = world();
    let with = world.config_text();
    let (before, after) = with.split_once("[notify.program]").unwrap();
    let without = format!("{before}[environments.production]\n");
    assert!(after.contains("[environments.production]"));

    freeze_while_broken(&world, 1);
    freeze(&world, 2);
    freeze(&world, 3);
    wait_for_the_clock();
    world.config_file(&without);
    wait_for_the_clock();
    freeze(&world, 4);
    world.wait_until("its process ends", || notifiers(&world).is_empty());
    world
        .cmd(&["notifications"])
        .ok()
        .says("the configuration does not name it any more");
    let row = &world.json(&["notifications"])[0];
    assert_eq!(
        (&row["configured"], &row["behind"]),
        (&Value::Bool(false), &Value::Null)
    );
    world
        .cmd(&["notifications", "--again", "1"])
        .exits(1)
        .says("write a section [notify.program] first");

    give_up_the_gone(&world);
    let rows = world.json(&["notifications", "program"]);
    let found: Vec<_> = rows.as_array().unwrap().iter().collect();
    let answer = |n: usize| found[n]["answer"].as_str().unwrap();
    assert_eq!(found.len(), 2, "{rows:#}");
    assert!(
        found.iter().all(|row| row["status"] == "given-up"),
        "{rows:#}"
    );
    let why = "no section [notify.program] any more";
    assert!(
        answer(1).starts_with(&format!("{why}; before: ")),
        "{rows:#}"
    );
    let behind = format!("{why}: it was told of none of the 2 events from #2 to #3");
    assert_eq!(answer(0), behind);

    fs::remove_file(world.path(BROKEN)).unwrap();
    wait_for_the_clock();
    world.config_file(&with);
    freeze(&world, 5);
    wait_until_told(&world, &[5]);
    world.cmd(&["notifications", "--again", "1"]).ok();
    wait_until_told(&world, &[5, 1]);
}

/// Lets two looks see that the configuration does not name somebody any more. The first one is one
/// of an hour ago then.
#[track_caller]
fn give_up_the_gone(world: &World) {
    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    let count = |condition: &str| {
        world.cmd(&["reconcile"]).ok();
        let sql = format!("SELECT COUNT(*) FROM event_readers WHERE {condition}");
        let count = database.query_row(&sql, [], |row| row.get::<_, i64>(0));
        count.unwrap()
    };
    // The configuration must not have been changed a moment ago.
    world.wait_until("it is seen", || count("gone_since_ms IS NOT NULL") == 1);
    assert_eq!(count("gone_since_ms IS NOT NULL"), 1, "one look is enough");
    database
        .execute_batch("UPDATE event_readers SET gone_since_ms = gone_since_ms - 3600 * 1000")
        .unwrap();
    world.wait_until("its position is forgotten", || {
        count("name LIKE 'notify:%' AND gone_since_ms IS NOT NULL") == 0
    });
}
