//! Events are rows of the state, and the system log reads them from a position of its own: even if
//! a process dies between a fact and its line, the line is sent.

use std::os::unix::net::UnixDatagram;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use crate::faults::strace_or_skip;
use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::syslog::{SOCKET, Turn};
use crate::world::World;

/// A system log that keeps the lines that it receives.
struct SystemLog {
    heard: Receiver<String>,
    lines: Vec<String>,
}

impl SystemLog {
    fn listen() -> Self {
        let socket = UnixDatagram::bind(SOCKET).unwrap();
        let (sender, heard) = mpsc::channel();
        thread::spawn(move || {
            let mut datagram = [0; 8192];
            while let Ok(length) = socket.recv(&mut datagram) {
                let line = String::from_utf8_lossy(&datagram[..length]).into_owned();
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            heard,
            lines: Vec::new(),
        }
    }

    /// The lines about something, each from its first word on. Other tests may write to the same
    /// log, so each test uses a name that no other test has.
    fn about(&mut self, name: &str) -> Vec<String> {
        while let Ok(line) = self.heard.recv_timeout(Duration::from_millis(200)) {
            self.lines.push(line);
        }
        let own = self.lines.iter().filter(|line| line.contains(name));
        own.map(|line| line.split_once("]: ").unwrap().1.to_owned())
            .collect()
    }
}

/// Runs a command that dies when it enters its first system call of a kind, and so does everything
/// that it starts.
pub fn killed_at(
    world: &World,
    call: &str,
    program: &str,
    folder: &str,
    arguments: &[&str],
) -> Run {
    let mut strace = world.command("strace", folder);
    // With this name for the pusher, the user database is not asked. Asking it would connect
    // somewhere too.
    strace
        .env("DEPLOY_BY_CODE_PUSHER", "alice")
        .args(["-f", "-qq", "-o", "/dev/null"])
        .args(["-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:signal=KILL:when=1")])
        .arg(program)
        .args(arguments);
    run(&mut strace, b"")
}

/// Freezes an environment that has an application, and dies at a system call.
fn freeze_killed_at(world: &World, call: &str, environment: &str, reason: &str) {
    world.deploy(&format!("{environment}/app"), 1);
    world.push();
    world.settled();
    // A process that still runs would send the event as well.
    world.wait_until("nothing of the push runs on", || world.ours().is_empty());

    let repository = world.repository();
    let repository = repository.to_str().unwrap();
    let freeze = ["-C", repository, "freeze", environment, "--reason", reason];
    let killed = killed_at(world, call, BINARY, ".", &freeze);
    assert_ne!(killed.code, Some(0), "{killed:#?}");
}

fn words(lines: &[String]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect()
}

#[test]
fn event_line_survives_a_kill_between_the_fact_and_the_line() {
    let Some(_turn) = Turn::take() else { return };
    if !strace_or_skip() {
        return;
    }

    let mut log = SystemLog::listen();
    let world = World::installed();
    freeze_killed_at(&world, "connect", "events-fact", "alarm events-fact");

    // The fact is on record, and its line was not sent.
    world.cmd(&["status"]).ok().says("alarm events-fact");
    let before = log.about("alarm events-fact");
    assert_eq!(before, [""; 0]);

    world.cmd(&["reconcile"]).ok();
    let lines = log.about("alarm events-fact");
    assert_eq!(words(&lines), ["frozen"], "{lines:#?}");
    // The line is sent only once.
    world.cmd(&["reconcile"]).ok();
    assert_eq!(log.about("alarm events-fact").len(), 1);
}

/// The control: what was never committed is not a fact, and no line is sent.
#[test]
fn event_line_never_comes_for_a_fact_that_was_not_committed() {
    let Some(_turn) = Turn::take() else { return };
    if !strace_or_skip() {
        return;
    }

    let mut log = SystemLog::listen();
    let world = World::installed();
    freeze_killed_at(&world, "pwrite64", "events-control", "alarm events-control");

    world.cmd(&["reconcile"]).ok();
    world
        .cmd(&["status"])
        .ok()
        .says_nothing_of("alarm events-control");
    assert_eq!(log.about("alarm events-control"), [""; 0]);
}

#[test]
fn event_lines_survive_a_kill_of_the_runner() {
    let Some(_turn) = Turn::take() else { return };
    if !strace_or_skip() {
        return;
    }

    let mut log = SystemLog::listen();
    let world = World::installed();
    world.deploy("events-runner/app", 1);
    world.commit();

    // The hook leaves the sending to the runner, which dies when it begins to send.
    let arguments = ["push", "-q", "origin", "HEAD:refs/heads/main"];
    killed_at(&world, "connect", "git", "work", &arguments);
    world.wait_until("nothing of the push runs on", || world.ours().is_empty());
    assert_eq!(world.history(), ["#1 events-runner/app queued"]);
    assert_eq!(log.about("events-runner"), [""; 0]);

    world.cmd(&["reconcile"]).ok();
    world.settled();
    world.wait_until("the runner left", || world.ours().is_empty());
    let lines = log.about("events-runner");
    assert_eq!(
        words(&lines),
        ["queued", "running", "succeeded"],
        "{lines:#?}"
    );
}

#[test]
fn event_lines_wait_for_a_log_that_comes_later() {
    let Some(_turn) = Turn::take() else { return };
    let world = World::installed();
    world.deploy("events-later/app", 1);
    world.push();
    world.settled();
    world.deploy_file("events-later/bad", "nonsense\n");
    world.try_push().exits(1);

    let mut log = SystemLog::listen();
    world.cmd(&["reconcile"]).ok();
    let lines = log.about("events-later");
    assert_eq!(
        words(&lines),
        ["queued", "running", "succeeded", "refused"],
        "{lines:#?}"
    );
}

#[test]
fn event_of_a_refusal_is_told_also_without_a_state() {
    let Some(_turn) = Turn::take() else { return };
    let mut log = SystemLog::listen();
    // Somebody linked the hook by hand, and nothing was installed.
    let world = World::new();
    let hook = world.path("deploy.git/hooks/pre-receive");
    std::os::unix::fs::symlink(crate::processes::BINARY, hook).unwrap();

    world.deploy_file("events-stateless/bad", "nonsense\n");
    world.try_push().exits(1);
    let lines = log.about("events-stateless");
    assert_eq!(words(&lines), ["refused"], "{lines:#?}");
}

/// The `key=value` pairs of a line, read as a program that knows the quoting reads them.
fn pairs(line: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = line.chars().skip_while(|c| *c != ' ').peekable();
    while rest.next().is_some() {
        let key: String = rest.by_ref().take_while(|c| *c != '=').collect();
        let mut value = String::new();
        if rest.next_if_eq(&'"').is_some() {
            while let Some(c) = rest.next().filter(|c| *c != '"') {
                value.push(if c == '\\' { rest.next().unwrap() } else { c });
            }
        } else {
            while let Some(c) = rest.next_if(|c| *c != ' ') {
                value.push(c);
            }
        }
        pairs.push((key, value));
    }
    pairs
}

#[test]
fn event_line_has_no_key_that_somebody_else_wrote() {
    let Some(_turn) = Turn::take() else { return };
    let mut log = SystemLog::listen();
    let world = World::installed();
    let forged = r#"events-forged\" id=2 by=root repository=/srv/other.git"#;
    world.deploy("production/app", 1);
    world.push();
    world.settled();
    world
        .cmd(&["freeze", "production", "--reason", forged])
        .ok();
    world.deploy("production/app", 2);
    world.commit();
    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    run(push.env("DEPLOY_BY_CODE_PUSHER", forged), b"").exits(1);

    let lines = log.about("events-forged");
    assert_eq!(words(&lines), ["frozen", "refused"], "{lines:#?}");
    let keys = |line: &str| -> Vec<String> { pairs(line).into_iter().map(|pair| pair.0).collect() };
    assert_eq!(
        keys(&lines[0]),
        ["environment", "by", "reason", "repository"]
    );
    assert_eq!(keys(&lines[1]), ["path", "message", "pusher", "repository"]);

    assert_eq!(pairs(&lines[0])[2].1, forged);
    let repository = world.repository().display().to_string();
    for line in &lines {
        assert_eq!(pairs(line)[3].1, repository, "{line}");
    }
}

#[test]
fn event_lines_of_failures_name_the_repository() {
    let Some(_turn) = Turn::take() else { return };
    let mut log = SystemLog::listen();
    let world = World::installed();
    world.deploy("production/app", 1);
    let line = world.push_unseen();
    world.config_file("events-nonsense = 1\n");
    world.hook("post-receive", &line).exits(1);

    let lines = log.about("events-nonsense");
    assert_eq!(words(&lines), ["failure"], "{lines:#?}");
    let end = format!(" repository={}", world.repository().display());
    assert!(lines[0].ends_with(&end), "{lines:#?}");
}

#[test]
fn event_lines_of_the_push_of_doctor_are_not_sent() {
    let Some(_turn) = Turn::take() else { return };
    let mut log = SystemLog::listen();
    let world = World::installed();
    let temporary = world.path("temporary");
    std::fs::create_dir(&temporary).unwrap();
    run(world.binary().arg("doctor").env("TMPDIR", &temporary), b"")
        .ok()
        .says("a push: a test push to a scratch repository with these hooks was planned");
    world.wait_until("its runner left", || {
        crate::processes::ours(&temporary).is_empty()
    });
    assert_eq!(log.about(temporary.to_str().unwrap()), [""; 0]);
}

#[test]
fn event_lines_are_not_sent_while_syslog_is_switched_off() {
    let Some(_turn) = Turn::take() else { return };
    let mut log = SystemLog::listen();
    let world = World::installed();
    world.config_top("syslog = false");
    world.deploy("events-off/app", 1);
    world.push();
    world.settled();
    world.deploy_file("events-off/bad", "nonsense\n");
    world.try_push().exits(1);
    world
        .cmd(&["doctor"])
        .ok()
        .says("syslog: switched off by the configuration");
    assert_eq!(log.about("events-off"), [""; 0]);

    world.config_file(
        &world
            .config_text()
            .replace("syslog = false", "syslog = true"),
    );
    world.cmd(&["reconcile"]).ok();
    let lines = log.about("events-off");
    assert_eq!(
        words(&lines),
        ["queued", "running", "succeeded", "refused"],
        "{lines:#?}"
    );
}
