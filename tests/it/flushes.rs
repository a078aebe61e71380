//! What is synced before something counts as recorded, and how often the device is flushed.

use std::fs;

use crate::faults::strace_or_skip;
use crate::processes::BINARY;
use crate::run::run;
use crate::world::World;

/// Freezes the environment, and returns what this process wrote into the log of the database and
/// what it synced, in its order. Writes that follow each other are one.
fn writes_and_flushes(world: &World) -> Vec<&'static str> {
    let trace = world.path("trace");
    let mut freeze = world.command("strace", "deploy.git");
    freeze.args(["-y", "-e", "trace=pwrite64,fsync,fdatasync", "-o"]);
    freeze.arg(&trace).arg(BINARY);
    run(freeze.args(["freeze", "production", "--reason", "x"]), b"").ok();

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

#[test]
fn commit_is_one_flush_and_the_folder_of_an_empty_log_is_synced_first() {
    if !strace_or_skip() {
        return;
    }
    let world = World::installed();
    world.config("[environments.production]\n");
    // Where another test listens to the system log, the event is sent, and the position of its
    // reader written.
    world.config_top("syslog = false");
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
    assert_eq!(writes_and_flushes(&world), first);
    assert_eq!(writes_and_flushes(&world), ["write", "sync the log"]);
}
