//! What is recorded is exactly what happened: also where two commands act at the same time, where
//! something changed between a command's look and its change, and where a process is killed.

use std::fs;
use std::thread;

use nix::libc::{SYS_clock_nanosleep, SYS_nanosleep};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::commands::with_history;
use crate::crash::with_dead_runner;
use crate::events::killed_at;
use crate::faults::strace_or_skip;
use crate::nobody::user;
use crate::processes::BINARY;
use crate::run::Run;
use crate::world::World;

fn database(world: &World) -> Connection {
    Connection::open(world.state().join("state.db")).unwrap()
}

/// The data of all events of a kind.
fn events(world: &World, kind: &str) -> Vec<Value> {
    let database = database(world);
    let mut statement = database
        .prepare("SELECT data FROM events WHERE kind = ? ORDER BY id")
        .unwrap();
    let texts = statement.query_map([kind], |row| row.get::<_, String>(0));
    texts
        .unwrap()
        .map(|text| serde_json::from_str(&text.unwrap()).unwrap())
        .collect()
}

/// The unix user that runs the tests, as an event names it.
fn this_user() -> Value {
    json!({"name": user(), "evidence": "unix"})
}

/// Whether a process sleeps. While the state is locked, a command sleeps only to wait for it.
pub fn sleeps(pid: i32) -> bool {
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let number = call.split(' ').next().unwrap_or_default();
    [SYS_nanosleep, SYS_clock_nanosleep]
        .map(|call| call.to_string())
        .contains(&number.to_owned())
}

/// Runs commands at the same time, and changes the state after they have looked at it and before
/// they change it.
fn at_once(world: &World, commands: &[&[&str]], change: impl FnOnce(&Connection)) -> Vec<Run> {
    world.wait_until_idle();
    let database = database(world);
    database.execute_batch("BEGIN IMMEDIATE").unwrap();

    thread::scope(|scope| {
        let started: Vec<_> = commands
            .iter()
            .map(|arguments| scope.spawn(|| world.cmd(arguments)))
            .collect();
        world.wait_until("each command waits for the state", || {
            let ours = world.ours();
            ours.len() == commands.len() && ours.into_iter().all(sleeps)
        });
        change(&database);
        database.execute_batch("COMMIT").unwrap();
        started.into_iter().map(|run| run.join().unwrap()).collect()
    })
}

#[test]
fn release_leaves_alone_what_began_after_its_look() {
    let world = with_dead_runner("");
    world.deploy("production/b", 1);
    world.push();
    world.wait_until_held_by(1);
    world.kill_runner();

    // The first deployment ends, and a living runner begins the second one: this test.
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after_the_name = stat.rsplit_once(')').unwrap().1;
    let ticks = after_the_name.split_whitespace().nth(19).unwrap();
    let change = format!(
        "UPDATE deployments SET status = 'interrupted' WHERE id = 1;
         UPDATE deployments SET status = 'running', runner_pid = {}, runner_ticks = {ticks},
             boot_id = (SELECT boot_id FROM deployments WHERE id = 1) WHERE id = 2;",
        std::process::id()
    );
    let change = |database: &Connection| database.execute_batch(&change).unwrap();
    let said = at_once(&world, &[&["release", "production"]], change).remove(0);

    let sql = "SELECT released_by FROM deployments WHERE id = 2";
    let released_by: Option<String> = database(&world)
        .query_row(sql, [], |row| row.get(0))
        .unwrap();
    assert_eq!(released_by, None);
    assert_eq!(events(&world, "released"), [Value::Null; 0]);
    said.exits(1)
        .says("production is not held any more")
        .says_nothing_of("stopped waiting");
}

#[test]
fn release_by_two_at_once_is_one_event() {
    let world = with_dead_runner("");

    let release: &[&str] = &["release", "production"];
    let mut said = at_once(&world, &[release, release], |_| {});

    let event = json!({"released": {"environment": "production", "by": this_user()}});
    assert_eq!(events(&world, "released"), [event]);
    said.sort_by_key(|run| run.code);
    said.pop()
        .unwrap()
        .exits(1)
        .says("production is not held any more");
    said.pop()
        .unwrap()
        .ok()
        .says("stopped waiting for what #1 production/a left running");
}

#[test]
fn thaw_by_two_at_once_is_one_event() {
    let world = with_history();
    world
        .cmd(&["freeze", "production", "--reason", "incident 7"])
        .ok();

    let thaw: &[&str] = &["thaw", "production"];
    let mut said = at_once(&world, &[thaw, thaw], |_| {});

    let event = json!({"thawed": {"environment": "production", "by": this_user()}});
    assert_eq!(events(&world, "thawed"), [event]);
    said.sort_by_key(|run| run.code);
    said.pop()
        .unwrap()
        .exits(1)
        .says("production is not frozen any more");
    said.pop().unwrap().ok().says("production is thawed");
}

#[test]
fn retry_is_an_event_with_the_exceptions_that_are_stored() {
    let world = with_history();
    for id in [2, 5] {
        world.job("exit 1");
        world.cmd(&["retry", "--stale", &id.to_string()]).ok();
        world.settled();

        let reason = format!("retry --stale of #{id} by {}", user());
        let shown = world.settled().len() as u32;
        assert_eq!(
            world.show(shown)["exceptions"][0]["reason"],
            reason.as_str()
        );
        let planned = events(&world, "planned").pop().unwrap();
        let exceptions = json!([{"kind": "stale", "reason": reason}]);
        assert_eq!(planned["planned"]["exceptions"], exceptions);
    }
}

#[test]
fn cancel_keeps_how_the_person_is_known() {
    let world = World::installed();
    world.job("note start; hold end");
    for application in ["a", "b"] {
        world.deploy(&format!("production/{application}"), 1);
    }
    world.push();
    world.wait_for("production/a #1 start");

    // One that is queued, and one that runs.
    for id in ["2", "1"] {
        world.cmd(&["cancel", id]).ok();
    }
    world.settled();

    let sql = "SELECT cancelled_by, cancelled_known_by FROM deployments WHERE id = ?";
    for id in [1, 2] {
        let by: (Option<String>, Option<String>) = database(&world)
            .query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(by, (Some(user()), Some("unix".to_owned())), "#{id}");
    }
    for event in events(&world, "cancelled") {
        assert_eq!(event["became"]["by"], this_user(), "{event}");
    }
}

/// A world in which the command of a dead runner has ended. A new runner, which shall try the
/// deployment again, is killed at its first system call of a kind.
fn with_recovery_killed_at(call: &str) -> World {
    let world = with_dead_runner("on_interrupt = \"retry\"");
    world.open("end");
    world.wait_for("production/a #1 end");
    // Without anything to send, the runner first connects to the system log after its first change.
    let sent = "INSERT INTO event_readers (name, position) SELECT 'syslog', MAX(id) FROM events
         WHERE true ON CONFLICT DO UPDATE SET position = excluded.position";
    database(&world).execute_batch(sent).unwrap();

    let repository = world.repository();
    let run = ["-C", repository.to_str().unwrap(), "run", "production"];
    let killed = killed_at(&world, call, BINARY, ".", &run);
    assert_ne!(killed.code, Some(0), "{killed:#?}");
    world.wait_until_idle();
    world
}

#[test]
fn on_interrupt_retry_survives_a_kill_after_the_interruption() {
    if !strace_or_skip() {
        return;
    }
    let world = with_recovery_killed_at("connect");
    assert_eq!(
        world.history(),
        [
            "#1 production/a interrupted: the runner died",
            "#2 production/a queued"
        ]
    );

    world.cmd(&["reconcile"]).ok();
    assert_eq!(world.settled()[1], "#2 production/a succeeded");
}

/// The control: a kill before the COMMIT leaves neither the interruption nor the retry.
#[test]
fn on_interrupt_retry_survives_a_kill_before_the_interruption() {
    if !strace_or_skip() {
        return;
    }
    let world = with_recovery_killed_at("pwrite64");
    assert_eq!(world.history(), ["#1 production/a running"]);

    world.cmd(&["reconcile"]).ok();
    world.wait_until("it is tried again", || world.history().len() == 2);
    assert_eq!(world.settled()[1], "#2 production/a succeeded");
}
