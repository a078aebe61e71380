//! This program, and what it needs of the machine.

use super::finding::Finding;
use super::installation::Installation;
use crate::sys::user::User;
use crate::sys::{cgroup, clock, syslog};
use crate::text;

/// A time zone that every machine with time zone data knows.
const SOME_ZONE: &str = "Europe/Zurich";

/// The version of the program, and the user who runs the checks.
pub(super) fn version(installation: &Installation<'_>) -> Finding {
    let version = installation.request.version;
    let user = User::current().map_or_else(|error| error.to_string(), |user| user.name);
    let user = text::escape(user, 64);
    Finding::ok(format!("deploy-by-code {version}, as the user {user}"))
}

/// Whether the kernel can keep track of all processes of a command.
pub(super) fn process_tracking(_: &Installation<'_>) -> Finding {
    match cgroup::create("doctor") {
        Some((folder, _)) => {
            cgroup::remove(&folder);
            Finding::ok("each deployment gets a cgroup of its own")
        }
        // Many a server has no cgroup for a session, and nothing there is wrong.
        None => Finding::ok(
            "no cgroup can be made here, so processes of a command are found by session, process \
             group and environment, and the runner does not wait for one that leaves all three",
        ),
    }
}

/// Whether events reach syslog.
pub(super) fn system_log(installation: &Installation<'_>) -> Finding {
    if installation.deploy.config.without_syslog {
        return Finding::ok("switched off by the configuration");
    }
    match syslog::SystemLog::open() {
        Ok(_) => Finding::ok("reachable"),
        Err(error) => Finding::warning(
            format!("/dev/log: {error}"),
            "start a syslog daemon; deployments go on without one",
        ),
    }
}

/// Whether the calendar can name time zones.
pub(super) fn time_zones(_: &Installation<'_>) -> Finding {
    match clock::zone(SOME_ZONE) {
        Some(_) => Finding::ok("known"),
        // A calendar that names one is a mistake in the configuration then.
        None => Finding::ok("none but UTC, because the package tzdata is not installed"),
    }
}
