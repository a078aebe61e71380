//! What goes wrong in a process whose output nobody sees.

use super::place::Place;
use crate::publish::Audience;
use crate::sys::syslog;

/// Sends a line about a process that could not do its work to the system log, unless the
/// configuration switches that off. If the configuration can't be used, the line is sent. It is
/// lost where nobody listens. `what`: the process.
pub fn report_failure(place: &Place, what: &str, message: &str) {
    match place.deploy() {
        Ok(deploy) => Audience::of(&deploy).report_failure(what, message),
        Err(_) => syslog::failure(&place.git_dir, what, message),
    }
}
