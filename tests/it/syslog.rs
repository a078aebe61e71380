//! Events in the system log, and a system log that takes nothing.
//!
//! Only root may bind /dev/log, and only one process can. So these tests run one after another, and
//! only where no syslog daemon runs.

use std::fs::{self, File};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Child;

use crate::nobody::root_or_skip;
use crate::processes::in_background;
use crate::run::{run, skip};
use crate::world::World;

pub const SOCKET: &str = "/dev/log";
const RSYSLOGD: &str = "/usr/sbin/rsyslogd";

/// The right to bind the socket, until this value is dropped.
pub struct Turn {
    _lock: File,
}

impl Turn {
    /// Waits for the other tests. Where the socket cannot be bound, the calling test is skipped.
    #[track_caller]
    pub fn take() -> Option<Self> {
        if !root_or_skip() {
            return None;
        }
        let lock =
            File::create(std::env::temp_dir().join("deploy-by-code-it-syslog.lock")).unwrap();
        lock.lock().unwrap();
        if fs::symlink_metadata(SOCKET).is_ok() {
            skip(&format!("{SOCKET} belongs to a syslog daemon"));
            return None;
        }
        Some(Self { _lock: lock })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if fs::symlink_metadata(SOCKET).is_ok_and(|meta| meta.file_type().is_socket()) {
            let _ = fs::remove_file(SOCKET);
        }
    }
}

/// Starts a syslog daemon that writes to the file `syslog` of the world.
#[track_caller]
fn start_rsyslogd(world: &World) -> Child {
    let config = format!(
        "module(load=\"imuxsock\" SysSock.Name=\"{SOCKET}\" SysSock.RateLimit.Interval=\"0\")\n\
         template(name=\"plain\" type=\"string\" \
         string=\"%syslogfacility-text% %programname% [%procid%]:%msg%\\n\")\n\
         action(type=\"omfile\" file=\"{}\" template=\"plain\")\n",
        world.path("syslog").display()
    );
    fs::write(world.path("rsyslog.conf"), config).unwrap();

    let daemon = in_background(
        world
            .command(RSYSLOGD, ".")
            .args(["-n", "-f"])
            .arg(world.path("rsyslog.conf"))
            .arg("-i")
            .arg(world.path("rsyslogd.pid")),
    );
    world.wait_until("rsyslogd listens", || Path::new(SOCKET).exists());
    daemon
}

#[test]
fn syslog_gets_each_event_as_one_clean_line() {
    let Some(_turn) = Turn::take() else { return };
    if !Path::new(RSYSLOGD).exists() {
        skip("rsyslogd is not installed");
        return;
    }
    let world = World::installed();
    let mut daemon = start_rsyslogd(&world);

    world.job("test $DEPLOY_APPLICATION != syslog-bad");
    world.deploy("production/syslog-good", 1);
    world.deploy("production/syslog-bad", 1);
    world.commit();
    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    let hostile = "eve\u{1b}[31m\nforged deploy-by-code: line \u{202e}";
    run(push.env("GL_USER", hostile), b"").ok();
    world.settled();

    world.deploy_file("production/syslog-refused", "nonsense\n");
    world.try_push().exits(1);

    let lines = || -> Vec<String> {
        let text = fs::read(world.path("syslog")).unwrap_or_default();
        let text = String::from_utf8(text).expect("the log is UTF-8");
        text.lines()
            .filter(|line| line.contains("syslog-"))
            .map(str::to_owned)
            .collect()
    };
    let has = |application: &str, word: &str| {
        let wanted = |line: &String| line.contains(application) && line.contains(word);
        lines().iter().any(wanted)
    };
    world.wait_until("the events are in the log", || {
        [
            ("syslog-good", "queued"),
            ("syslog-good", "succeeded"),
            ("syslog-bad", "failed"),
            ("syslog-refused", "refused"),
        ]
        .iter()
        .all(|(application, word)| has(application, word))
    });

    assert!(lines().iter().any(|line| line.contains("forged")));
    let repository = format!(" repository={}", world.repository().display());
    for line in lines() {
        assert!(line.starts_with("daemon deploy-by-code ["), "{line:?}");
        assert!(line.ends_with(&repository), "{line:?}");
        assert!(line.len() < 1024, "{line:?}");
        assert!(
            !line.contains(['\u{1b}', '\u{202e}'])
                && !line.contains("#033")
                && !line.contains("#012"),
            "{line:?}"
        );
    }

    let _ = daemon.kill();
    let _ = daemon.wait();
}

#[test]
fn syslog_that_is_full_blocks_neither_hooks_nor_runners() {
    let Some(_turn) = Turn::take() else { return };

    // Nobody reads from the socket, and its queue is full.
    let _never_read = UnixDatagram::bind(SOCKET).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.set_nonblocking(true).unwrap();

    let full = loop {
        if let Err(error) = sender.send_to(b"fills the queue", SOCKET) {
            break error;
        }
    };
    assert_eq!(full.kind(), std::io::ErrorKind::WouldBlock);

    let world = World::installed();
    world.config("queue = \"all\"");

    for n in 1..=8 {
        for application in ["a", "b", "c", "d"] {
            world.deploy(&format!("production/{application}"), n);
        }
        world.push();
    }

    assert_eq!(world.settled().len(), 32);

    world.deploy_file("production/a", "nonsense\n");
    world.try_push().exits(1);
}

#[test]
fn syslog_path_that_is_no_socket_does_no_harm() {
    let Some(_turn) = Turn::take() else { return };
    fs::write(SOCKET, "").unwrap();
    let world = World::installed();
    world.deploy("production/a", 1);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        world.push();
        world.settled()
    }));
    fs::remove_file(SOCKET).unwrap();
    assert_eq!(result.unwrap(), ["#1 production/a succeeded"]);
}
