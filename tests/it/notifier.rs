//! The process that tells others: it is killed, what it tells is down, and what it works with
//! changes meanwhile. Nothing is lost, the order is kept, and nobody waits for it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::faults::strace_or_skip;
use crate::nobody::Nobody;
use crate::notify::{got, told};
use crate::processes::{BINARY, kill_one, of_program};
use crate::run::{Run, run};
use crate::world::World;

/// The program that tells others.
pub fn notifier() -> PathBuf {
    PathBuf::from(BINARY).with_file_name("deploy-by-code-notify")
}

/// Where telling the program fails as long as this file is there.
pub const BROKEN: &str = "broken";

/// A world in which a program is told of each freeze of the environment `production`.
pub fn world() -> World {
    let world = told("\"frozen\"");
    let text = world.config_text();
    world.config_file(&format!("{text}\n[environments.production]\n"));
    world
}

/// Makes an event that has a number as its reason.
#[track_caller]
pub fn freeze(world: &World, n: u32) {
    let reason = n.to_string();
    world
        .cmd(&["freeze", "production", "--reason", &reason])
        .ok();
}

/// The numbers of the events that the program got.
fn numbers(world: &World) -> Vec<u32> {
    let number = |event: &Value| event["reason"].as_str().unwrap().parse().unwrap();
    got(world).iter().map(number).collect()
}

/// The processes that tell others.
pub fn notifiers(world: &World) -> Vec<i32> {
    of_program(&world.path(""), &notifier())
}

#[track_caller]
pub fn wait_until_told(world: &World, expected: &[u32]) {
    world.wait_until(&format!("the program got {expected:?}"), || {
        numbers(world) == expected
    });
}

/// Breaks the program, makes an event, and waits until a try has failed.
#[track_caller]
pub fn freeze_while_broken(world: &World, n: u32) {
    fs::write(world.path(BROKEN), "").unwrap();
    freeze(world, n);
    world.wait_until("a try has failed", || {
        let rows = world.json(&["notifications"]);
        rows.as_array()
            .unwrap()
            .iter()
            .any(|row| row["status"] == "waiting" && row["attempts"].as_u64() > Some(0))
    });
}

/// The process that tells others, once those have ended that found its lock taken.
#[track_caller]
pub fn the_one_that_waits(world: &World) -> i32 {
    world.wait_until("one process waits", || notifiers(world).len() == 1);
    notifiers(world)[0]
}

#[track_caller]
fn kill_notifiers(world: &World) {
    let found = notifiers(world);
    assert!(!found.is_empty(), "there is no process to kill");
    found.into_iter().for_each(kill_one);
    world.wait_until("they are gone", || notifiers(world).is_empty());
}

#[test]
fn what_a_killed_notifier_left_is_told_in_order() {
    let world = world();
    freeze_while_broken(&world, 1);
    freeze(&world, 2);
    kill_notifiers(&world);
    fs::remove_file(world.path(BROKEN)).unwrap();

    world.cmd(&["reconcile"]).ok();
    wait_until_told(&world, &[1, 2]);
    freeze(&world, 3);
    wait_until_told(&world, &[1, 2, 3]);
    world.wait_until("it ends when nothing waits", || {
        notifiers(&world).is_empty()
    });
}

/// The system calls by which the process changes something, and those that start another one.
const CALLS: &[&str] = &[
    "write",
    "pwrite64",
    "?fdatasync",
    "?ftruncate",
    "?flock",
    "?fcntl",
    "?clone",
    "?clone3",
    "?vfork",
    "?wait4",
    "?waitid",
];

/// Runs the process that tells others to its end, under strace where `strace` has words for it.
#[track_caller]
fn tell(world: &World, strace: &[&str]) -> Run {
    let program = notifier();
    let words = ["-C", "deploy.git", "--checked"];
    let mut command = match strace.split_first() {
        None => world.command(program.to_str().unwrap(), "."),
        Some((strace, words)) => {
            let mut command = world.command(strace, ".");
            command.args(words).arg(&program);
            command
        }
    };
    run(command.args(words), b"")
}

#[test]
fn kill_at_any_call_tells_at_most_once_more_and_loses_nothing() {
    if !strace_or_skip() {
        return;
    }
    let world = world();
    // The commands leave it to systemd, which is not there.
    world.config_top("runner = \"systemd\"");

    let (mut events, mut kills, mut doubled, mut late) = (0, 0, 0, 0);
    for call in CALLS {
        for n in 1..=12 {
            events += 1;
            freeze(&world, events);
            let trace = format!("trace={call}");
            let inject = format!("inject={call}:signal=KILL:when={n}");
            // The threads are followed, and what they execute is not.
            let strace = ["strace", "-f", "-b", "execve", "-qq", "-o", "/dev/null"];
            let faulty = tell(
                &world,
                &[&strace[..], &["-e", &trace, "-e", &inject]].concat(),
            );
            let before = numbers(&world)
                .iter()
                .filter(|told| **told == events)
                .count();
            tell(&world, &[]).ok();

            let place = format!("after a kill at {call} {n}: {faulty:?}");
            let all = numbers(&world);
            let count = all.iter().filter(|told| **told == events).count();
            assert!((1..=2).contains(&count), "told {count} times {place}");
            let mut once = all.clone();
            once.dedup();
            assert_eq!(once, (1..=events).collect::<Vec<_>>(), "the order {place}");
            if faulty.code == Some(0) {
                break;
            }
            assert!(
                faulty.signal == Some(9) || faulty.code == Some(137),
                "{faulty:?}"
            );
            kills += 1;
            doubled += u32::from(count == 2);
            late += u32::from(before == 0);
        }
    }

    // The control: kills hit before the event was told, and between that and its record.
    assert!(kills >= 20, "only {kills} kills");
    assert!(
        doubled >= 1,
        "no kill hit between the telling and its record"
    );
    assert!(late >= 5, "only {late} kills hit before the event was told");
}

/// A pause that was recorded by a clock which was set back since is no pause.
#[test]
fn clock_that_is_set_back_holds_nothing_up() {
    let world = world();
    freeze_while_broken(&world, 1);
    kill_notifiers(&world);
    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    database
        .execute_batch(
            "UPDATE events SET at_ms = at_ms + 24 * 3600 * 1000;
             UPDATE notifications SET next_attempt_ms = next_attempt_ms + 24 * 3600 * 1000",
        )
        .unwrap();
    world
        .cmd(&["status"])
        .ok()
        .says("program: 1 event not told yet");

    fs::remove_file(world.path(BROKEN)).unwrap();
    world.cmd(&["reconcile"]).ok();
    wait_until_told(&world, &[1]);
}

#[test]
fn event_is_given_up_after_a_day_and_told_again_on_demand() {
    let world = world();
    freeze_while_broken(&world, 1);
    kill_notifiers(&world);
    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    database
        .execute_batch("UPDATE events SET at_ms = at_ms - 25 * 3600 * 1000")
        .unwrap();

    // A machine that was off for a day gives nothing up at its first try.
    world.cmd(&["reconcile"]).ok();
    let row = || world.json(&["notifications", "program"])[0].clone();
    let status = || row()["status"].clone();
    world.wait_until("it is tried twice", || {
        row()["attempts"].as_i64() >= Some(2)
    });
    assert_eq!(status(), "waiting");
    kill_notifiers(&world);

    // What did not work for long is given up.
    database
        .execute_batch("UPDATE notifications SET attempts = 10, next_attempt_ms = NULL")
        .unwrap();
    world.cmd(&["reconcile"]).ok();
    world.wait_until("it is given up", || status() == "given-up");
    world
        .cmd(&["status"])
        .ok()
        .says("program: 1 event not told within the last day, and not tried again: ");
    world
        .cmd(&["doctor"])
        .says("warning  notifications: program: 1 event not told within the last day");

    // What comes after it is told.
    fs::remove_file(world.path(BROKEN)).unwrap();
    freeze(&world, 2);
    wait_until_told(&world, &[2]);

    world
        .cmd(&["notifications", "--again", "1"])
        .ok()
        .says("#1 is told to program again");
    wait_until_told(&world, &[2, 1]);
    world.wait_until("the record says so", || {
        let rows = world.json(&["notifications"]);
        let rows = rows.as_array().unwrap();
        rows.iter().all(|row| row["status"] == "delivered")
    });
}

#[test]
fn corrected_configuration_counts_from_the_next_try_on() {
    let world = world();
    let good = world.config_text();
    world.config_file(&good.replace("/bin/sh\", \"", "/no/such/shell\", \""));
    let is_broken = world.config_text();
    assert_ne!(is_broken, good);
    freeze(&world, 1);
    world.wait_until("a try has failed", || {
        world.json(&["notifications"])[0]["answer"].is_string()
    });

    // A configuration that can't be used changes nothing.
    world.config_file("nonsense = 1");
    world.config_file(&good);
    wait_until_told(&world, &[1]);
}

/// The kernel's time of a change can be a tick behind the clock, which is 10 ms at most.
pub fn wait_for_the_clock() {
    std::thread::sleep(Duration::from_millis(20));
}

#[test]
fn new_target_begins_where_the_configuration_or_the_link_to_it_was_changed() {
    let world = world();
    let with = world.config_text();
    let (without, _) = with.split_once("[notify.program]").unwrap();
    world.config_file(&format!("{without}[environments.production]\n"));
    freeze(&world, 1);

    wait_for_the_clock();
    let renamed = with.replace("[notify.program]", "[notify.other]");
    fs::write(world.path("renamed.toml"), renamed).unwrap();
    world.config_file(&with);
    freeze(&world, 2);
    wait_until_told(&world, &[2]);

    // The file is older than the event, and the link to it is not.
    wait_for_the_clock();
    let file = world.path("deploy.git/deploy-by-code.toml");
    fs::remove_file(&file).unwrap();
    symlink("../renamed.toml", &file).unwrap();
    freeze(&world, 3);
    wait_until_told(&world, &[2, 3]);
}

#[test]
fn target_that_hangs_holds_up_neither_others_nor_a_deployment() {
    let world = told("\"succeeded\"");
    let text = world.config_text();
    let hangs = "[notify.hangs]\nkind = \"command\"\ncommand = [\"/bin/sleep\", \"1000\"]\n";
    world.config_file(&format!("{text}{hangs}"));

    for n in 1..=3 {
        world.deploy("production/app", n);
        world.push();
        world.wait_until("the other one is told", || got(&world).len() == n as usize);
    }
    assert_eq!(world.history().len(), 3);
    the_one_that_waits(&world);
}

#[test]
fn notifier_that_waits_keeps_neither_the_log_of_the_database_nor_files() {
    let world = world();
    freeze_while_broken(&world, 1);
    for n in 2..20 {
        freeze(&world, n);
    }
    let pid = the_one_that_waits(&world);

    let wal = world.state().join("state.db-wal");
    let mut next = 20..;
    world.wait_until("the log is moved into the database", || {
        // It is moved once there is much in it.
        freeze(&world, next.next().unwrap());
        world.cmd(&["reconcile"]).ok();
        fs::metadata(&wal).unwrap().len() == 0
    });
    let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    assert!(files <= 16, "{files} files are open");
    assert_eq!(the_one_that_waits(&world), pid);
}

#[test]
fn service_ends_while_the_notifier_waits() {
    let world = world();
    world.config_top("runner = \"systemd\"");
    fs::write(world.path(BROKEN), "").unwrap();
    freeze(&world, 1);

    world.cmd(&["serve"]).ok();
    the_one_that_waits(&world);

    fs::remove_file(world.path(BROKEN)).unwrap();
    wait_until_told(&world, &[1]);
}

#[test]
fn state_that_is_made_anew_is_not_held_up_by_a_notifier_of_the_old_one() {
    let world = world();
    freeze_while_broken(&world, 1);
    let old = notifiers(&world);
    fs::remove_file(world.state().join("state.db-wal")).unwrap();
    fs::write(world.state().join("state.db"), "damaged").unwrap();
    world.cmd(&["rebuild"]).ok();
    fs::remove_file(world.path(BROKEN)).unwrap();

    world.wait_until("the old one has ended", || {
        notifiers(&world).iter().all(|pid| !old.contains(pid))
    });
    freeze(&world, 2);
    world.wait_until("the new state is told of", || {
        got(&world)
            .last()
            .is_some_and(|event| event["reason"] == "2")
    });
}

/// A server that answers one request, and then tells that it did.
fn server() -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = vec![0; 64 * 1024];
        let length = stream.read(&mut request).unwrap();
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
            .unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    };
    (port, std::thread::spawn(answer))
}

#[test]
fn user_who_can_not_read_the_secret_leaves_it_to_one_who_can() {
    let world = World::new();
    let Some(nobody) = Nobody::sharing(&world) else {
        return;
    };
    let (port, answered) = server();
    let secret = world.path("secret");
    fs::write(&secret, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    world.config(&format!(
        "[notify.team]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\"\n\
         secret_file = {secret:?}\nevents = [\"succeeded\"]\n"
    ));
    world.install();
    world.job("true");

    world.deploy("production/app", 1);
    world.commit();
    let push = "git clone -q ../deploy.git c && cd c && git pull -q ../../work main && \
                git push -q origin HEAD:refs/heads/main";
    nobody.run("other", push).ok();
    world.wait_until("the other user has tried it", || {
        let rows = world.json(&["notifications"]);
        let answer = rows[0]["answer"].as_str().unwrap_or_default().to_owned();
        answer.contains("the user nobody can't tell it") && answer.contains("Permission denied")
    });
    world.wait_until("it does not keep the lock", || notifiers(&world).is_empty());

    // Another process of a user who may read it, as the timer's is.
    tell(&world, &[]).ok();
    let request = answered.join().unwrap();
    assert!(request.contains("webhook-signature: v1,"), "{request}");
    world.wait_until("the record says so", || {
        world.json(&["notifications"])[0]["status"] == "delivered"
    });
}
