//! A runner that works while a newer program takes the place of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::processes::{BINARY, copy_program, of_program};
use crate::run::run;
use crate::world::World;

/// How long a program must have been in its place before a process goes on as that one.
const SETTLED: Duration = Duration::from_secs(2);

/// Lets one deployment run and hold at the gate `end`, and another one wait for it.
fn one_runs_and_one_waits(world: &World, program: &Path) {
    world.job("note start; hold end");
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.deploy("production/a", 2);
    world.push();
    world.wait_until("only the runner is left", || {
        of_program(&world.path(""), program).len() == 1
    });
}

/// Says that the state has a version, and returns which one it had.
fn set_version(world: &World, version: i64) -> i64 {
    let database = Connection::open(world.state().join("state.db")).unwrap();
    let before = database.query_row("PRAGMA user_version", [], |row| row.get(0));
    database
        .pragma_update(None, "user_version", version)
        .unwrap();
    before.unwrap()
}

#[test]
fn runner_begins_nothing_more_in_a_state_of_a_newer_version() {
    for config in ["", "[environments.production]\nparallel = 2"] {
        let world = World::installed();
        world.config(config);
        one_runs_and_one_waits(&world, Path::new(BINARY));

        let known = set_version(&world, 9999);
        world.open("end");
        world.wait_until_idle();
        assert_eq!(world.ran(), ["production/a #1 start"], "{config}");

        set_version(&world, known);
        world.cmd(&["reconcile"]).ok();
        let expect = ["#1 production/a succeeded", "#2 production/a succeeded"];
        assert_eq!(world.settled(), expect, "{config}");
    }
}

#[test]
fn runner_goes_on_as_the_program_that_brought_the_state_up_to_date() {
    let world = World::new();
    let program = world.path("program");
    copy_program(Path::new(BINARY), &program);
    let mut install = world.command(program.to_str().unwrap(), ".");
    run(install.args(["-C", "deploy.git", "install"]), b"").ok();
    one_runs_and_one_waits(&world, &program);

    // The newer program only says what it was called with.
    let new = world.path("new");
    let said = world.path("said");
    fs::write(
        &new,
        format!("#!/bin/sh\necho \"$*\" >'{}'\n", said.display()),
    )
    .unwrap();
    fs::set_permissions(&new, PermissionsExt::from_mode(0o755)).unwrap();
    fs::rename(&new, &program).unwrap();
    set_version(&world, 9999);
    let replaced = Instant::now();
    world.wait_until("the new program has settled", || {
        replaced.elapsed() > SETTLED
    });

    world.open("end");
    world.wait_until("the new program was called", || said.exists());
    world.wait_until_idle();
    let said = fs::read_to_string(said).unwrap();
    assert!(said.ends_with(" production\n"), "{said:?}");
    assert_eq!(world.ran(), ["production/a #1 start"]);
}
