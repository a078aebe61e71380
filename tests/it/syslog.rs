//! Events in the system log, and a system log that is missing, stuck or hostile to be written to.
//!
//! Only root may bind /dev/log, and only where nobody else has; the tests wait for one another.

use std::fs::{self, File};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Stdio;

use crate::run::run;
use crate::world::World;

pub const SOCKET: &str = "/dev/log";

/// The right to bind the socket. It goes away with this value.
pub struct Turn {
    _lock: File,
}

impl Turn {
    pub fn take() -> Option<Self> {
        let lock =
            File::create(std::env::temp_dir().join("deploy-by-code-it-syslog.lock")).unwrap();
        lock.lock().unwrap();
        if !nix::unistd::Uid::effective().is_root() || fs::symlink_metadata(SOCKET).is_ok() {
            println!("skipped: not root, or {SOCKET} is somebody else's");
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

#[test]
fn each_event_is_one_line() {
    let Some(_turn) = Turn::take() else { return };
    let rsyslogd = Path::new("/usr/sbin/rsyslogd");
    if !rsyslogd.exists() {
        println!("skipped: rsyslogd is not installed");
        return;
    }
    let world = World::installed();
    let config = format!(
        "module(load=\"imuxsock\" SysSock.Name=\"{SOCKET}\" SysSock.RateLimit.Interval=\"0\")\n\
         template(name=\"plain\" type=\"string\" string=\"%syslogfacility-text% %programname% [%procid%]:%msg%\\n\")\n\
         action(type=\"omfile\" file=\"{}\" template=\"plain\")\n",
        world.path("syslog").display()
    );
    fs::write(world.path("rsyslog.conf"), config).unwrap();
    let mut daemon = world.command(rsyslogd.to_str().unwrap(), ".");
    daemon
        .arg("-n")
        .arg("-f")
        .arg(world.path("rsyslog.conf"))
        .arg("-i")
        .arg(world.path("rsyslogd.pid"));
    let mut daemon = daemon
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    world.wait_until("rsyslogd listens", || Path::new(SOCKET).exists());

    world.job("test $DEPLOY_APPLICATION != syslog-bad");
    world.deploy("production/syslog-good", 1);
    world.deploy("production/syslog-bad", 1);
    world.commit();
    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    run(
        push.env(
            "GL_USER",
            "eve\u{1b}[31m\nforged deploy-by-code: line \u{202e}",
        ),
        b"",
    )
    .ok();
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
        has("syslog-good", "queued")
            && has("syslog-good", "succeeded")
            && has("syslog-bad", "failed")
            && has("syslog-refused", "refused")
    });
    for line in lines() {
        assert!(line.starts_with("daemon deploy-by-code ["), "{line:?}");
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
fn a_stuck_log_blocks_neither_hook_nor_runner() {
    let Some(_turn) = Turn::take() else { return };
    let _never_read = UnixDatagram::bind(SOCKET).unwrap();
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
fn what_is_no_socket_in_its_place_is_no_problem() {
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
