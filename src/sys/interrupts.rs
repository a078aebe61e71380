//! Signals that a person sends to end a program, held back while something is put in order.
//!
//! Protocol: while an [`Interrupts`] lives, `SIGINT`, `SIGTERM`, `SIGHUP` and `SIGQUIT` only set a
//! mark in this process. Programs that it starts have the signals' default effects (execve(2): a
//! handler is not inherited), so Ctrl-C in a terminal still ends them.
//!
//! It does not promise anything against `SIGKILL`.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc::c_int;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

const HELD: [Signal; 4] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
];

/// Whether one has come.
static HAS_COME: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_signal: c_int) {
    HAS_COME.store(true, Ordering::Relaxed);
}

/// See the head of the file. There must be only one at a time.
pub struct Interrupts {
    before: Vec<(Signal, SigAction)>,
}

impl Interrupts {
    /// Holds the signals back from now on.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn hold() -> io::Result<Self> {
        HAS_COME.store(false, Ordering::Relaxed);
        let action = SigAction::new(
            SigHandler::Handler(note),
            SaFlags::SA_RESTART,
            SigSet::empty(),
        );
        let mut held = Self { before: Vec::new() };
        for signal in HELD {
            // SAFETY: the handler only sets an atomic mark.
            #[expect(unsafe_code, reason = "sys is where it may stand")]
            let before = unsafe { sigaction(signal, &action) }?;
            // nohup(1) and shells let programs ignore signals, and that stays so.
            if matches!(before.handler(), SigHandler::SigIgn) {
                // SAFETY: it puts back what was there.
                #[expect(unsafe_code, reason = "sys is where it may stand")]
                unsafe { sigaction(signal, &before) }?;
            } else {
                held.before.push((signal, before));
            }
        }
        Ok(held)
    }

    /// Whether a signal has come since the beginning.
    #[must_use]
    pub fn has_come(&self) -> bool {
        HAS_COME.load(Ordering::Relaxed)
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        for (signal, before) in &self.before {
            // SAFETY: it puts back what was there.
            #[expect(unsafe_code, reason = "sys is where it may stand")]
            let _ = unsafe { sigaction(*signal, before) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signal_is_noted_and_ends_nothing() {
        // nohup(1) may have started the tests.
        let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        // SAFETY: no handler is involved.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        unsafe { sigaction(Signal::SIGHUP, &default) }.unwrap();

        let held = Interrupts::hold().unwrap();
        assert!(!held.has_come());
        nix::sys::signal::raise(Signal::SIGHUP).unwrap();
        assert!(held.has_come());
    }
}
