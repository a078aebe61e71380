//! What is synced before something counts as recorded, and how often the device is flushed.

use std::fs;

use crate::faults::strace_or_skip;
use crate::processes::BINARY;
use crate::run::run;
use crate::world::World;

const FREEZE: [&str; 4] = ["freeze", "production", "--reason", "x"];

/// Runs a command, and returns what this process wrote into the log of the database and what it
/// synced, in its order. Writes that follow each other are one.
fn writes_and_flushes(world: &World, command: &[&str]) -> Vec<&'static str> {
    let trace = world.path("trace");
    let mut strace = world.command("strace", "deploy.git");
    strace.args(["-y", "-e", "trace=pwrite64,fsync,fdatasync", "-o"]);
    strace.arg(&trace).arg(BINARY);
    run(strace.args(command), b"").ok();

    let log = format!("{}>", world.state().join("state.db-wal").display());
    let folder = format!("{}>", world.state().display());
    let text = fs::read_to_string(trace).unwrap();
    let mut found: Vec<_> = text
        .lines()
        .filter_map(|line| {
            let is_write = line.starts_with("pwrite64(");
            match (line.contains(&log), line.contains(&folder)) {
                (true, _) if is_write => Some("write"),
                (true, _) => Some("sync the log"),
                (_, true) if !is_write => Some("sync the folder"),
                _ if line.contains("sync(") => Some("sync something else"),
                _ => None,
            }
        })
        .collect();
    found.dedup();
    found
}

fn world() -> World {
    let world = World::installed();
    world.config("[environments.production]\n");
    // Where another test listens to the system log, the event is sent, and the position of its
    // reader written.
    world.config_top("syslog = false");
    world
}

#[test]
fn commit_is_one_flush_and_the_folder_of_an_empty_log_is_synced_first() {
    if !strace_or_skip() {
        return;
    }
    let world = world();
    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    database.query_row(checkpoint, [], |_| Ok(())).unwrap();
    drop(database);

    // SQLite syncs the head of a log before anything that follows it.
    let first = [
        "sync the folder",
        "write",
        "sync the log",
        "write",
        "sync the log",
    ];
    assert_eq!(writes_and_flushes(&world, &FREEZE), first);
    assert_eq!(
        writes_and_flushes(&world, &FREEZE),
        ["write", "sync the log"]
    );
}

#[test]
fn push_that_changes_no_deploy_file_is_planned_without_a_flush() {
    if !strace_or_skip() {
        return;
    }
    let world = world();
    run(world.binary().args(FREEZE), b"").ok();

    world.write("README.md", "1\n");
    world.push_unseen();
    assert_eq!(writes_and_flushes(&world, &["reconcile"]), ["write"]);
    // It is planned, and the next one is not the first that is seen of it.
    assert!(writes_and_flushes(&world, &["reconcile"]).is_empty());

    world.deploy("production/app", 1);
    world.push_unseen();
    let planned = writes_and_flushes(&world, &["reconcile"]);
    assert!(planned.contains(&"sync the log"), "{planned:?}");
    assert_eq!(world.history().len(), 1);
}
