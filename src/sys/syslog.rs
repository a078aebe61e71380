//! One line for each event to the machine's log.
//!
//! Protocol: RFC 3164 datagrams to /dev/log, facility daemon. The socket never blocks: a daemon
//! that is stopped would otherwise hold up whoever writes the eleventh line, for ever. A line that
//! can't be sent is lost; what happened is in the state, not in the log.

use std::os::unix::net::UnixDatagram;

use syslog::{Facility, Formatter3164, Logger, LoggerBackend};

use crate::event::{Event, Severity};

const SOCKET: &str = "/dev/log";
const IDENT: &str = "deploy-by-code";

/// Whether a line can be sent now.
///
/// # Errors
/// Why not.
pub fn check() -> std::io::Result<()> {
    connect().map(drop)
}

fn connect() -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(SOCKET)?;
    Ok(socket)
}

/// Sends the lines of some events; nothing fails and nothing waits.
pub fn log<'a>(events: impl IntoIterator<Item = Event<'a>>) {
    let mut events = events.into_iter().peekable();
    if events.peek().is_none() {
        return;
    }
    let Ok(socket) = connect() else { return };
    let formatter = Formatter3164 {
        facility: Facility::LOG_DAEMON,
        hostname: None,
        process: IDENT.to_owned(),
        pid: std::process::id(),
    };
    let mut logger = Logger::new(LoggerBackend::Unix(socket), formatter);
    for event in events {
        let line = event.line();
        let _ = match event.severity() {
            Severity::Info => logger.info(line),
            Severity::Warning => logger.warning(line),
            Severity::Error => logger.err(line),
        };
    }
}
