//! What the hooks print, for the pusher.
//!
//! git keeps the pipe of a hook open when the pusher has gone, and then nobody reads it any more.
//! So no hook waits without end for what it prints.

use std::io::{self, Write};
use std::time::Duration;

use super::output::complaint;
use crate::sys::listener::Listener;

/// How long a pusher may read nothing of what a hook prints.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pusher, who reads what a hook prints on standard output and standard error.
pub(super) struct Pusher(Listener);

impl Pusher {
    pub(super) fn new() -> Self {
        Self(Listener::new(PATIENCE))
    }

    /// Prints on standard error. Nothing happens if nobody reads it any more.
    pub(super) fn print_error(&mut self, text: &str) {
        let _ = self.0.tell(&io::stderr(), text.as_bytes());
    }

    /// Says on standard error what went wrong and what to do. Nothing happens if nobody reads it
    /// any more.
    pub(super) fn complain(&mut self, message: &str, hint: Option<&str>) {
        self.print_error(&complaint(message, hint));
    }

    /// Whether somebody still reads what was printed on standard output.
    pub(super) fn listens(&mut self) -> bool {
        self.0.listens(&io::stdout())
    }
}

/// Standard output.
impl Write for Pusher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.tell(&io::stdout(), bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
