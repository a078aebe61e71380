//! One line for each event to the machine's log.
//!
//! Protocol: RFC 3164 datagrams to /dev/log, facility daemon. The socket never blocks: otherwise, a
//! stopped daemon would block the process that writes the eleventh line, for ever.
//!
//! It does not promise that a line which was sent is kept: that depends on the daemon.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use syslog::{Facility, Formatter3164, Logger, LoggerBackend};

use crate::event::{Severity, failure_line};

const SOCKET: &str = "/dev/log";
const IDENT: &str = "deploy-by-code";

/// A connection to the system log.
pub struct SystemLog(Logger<LoggerBackend, Formatter3164>);

impl SystemLog {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn open() -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect(SOCKET)?;

        let formatter = Formatter3164 {
            facility: Facility::LOG_DAEMON,
            hostname: None,
            process: IDENT.to_owned(),
            pid: std::process::id(),
        };
        Ok(Self(Logger::new(LoggerBackend::Unix(socket), formatter)))
    }

    /// Sends a line, and waits for nobody.
    ///
    /// # Errors
    /// The daemon takes no line now.
    pub fn send(&mut self, severity: Severity, line: &str) -> io::Result<()> {
        let sent = match severity {
            Severity::Info => self.0.info(line),
            Severity::Warning => self.0.warning(line),
            Severity::Error => self.0.err(line),
        };
        sent.map_err(io::Error::other)
    }
}

/// Sends one line about a process that could not do its work for a deploy repository. It is lost
/// where nobody listens: the state, which would keep it, may be what failed.
///
/// Where the configuration is known, `Audience::report_failure` is called instead.
pub fn failure(repository: &Path, what: &str, message: &str) {
    if let Ok(mut log) = SystemLog::open() {
        // git tells a hook that the repository is the current folder.
        let path = repository.canonicalize();
        let path = path.as_deref().unwrap_or(repository);
        let _ = log.send(Severity::Error, &failure_line(path, what, message));
    }
}
