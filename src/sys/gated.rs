//! A command that does not begin before it is on record.
//!
//! Protocol: the child makes itself a session, joins its cgroup, takes its user, says who it is
//! through a pipe and waits at a gate, which is a second pipe. The parent records who the child is
//! and only then opens the gate. If the parent dies first, the kernel closes the gate, and the
//! child ends without executing anything. So a command that runs is one that is on record.
//!
//! [`super::child`] says how the child is made, and why it is no copy of the parent.
//!
//! A cgroup that can't be joined, for example because it is gone, does not stop the child: it goes
//! on without one, and says so.
//!
//! It does not promise that a command on record has run: the parent can die after it recorded the
//! child and before it opened the gate.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitStatus;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::Duration;

use super::child::{Child, Report, start, wait_for};
use super::clock;
use super::invocation::{Image, Invocation};
use super::poll;
use super::process::ProcessIdentity;
use super::user::Credentials;

/// How a child ended.
#[derive(Debug)]
pub enum ChildExit {
    /// Its program was executed, and has ended.
    Ended(ExitStatus),
    /// Its program could not be executed.
    NotExecuted(io::Error),
    /// It has ended, and the kernel does not say how.
    Unknown(io::Error),
}

/// A child that waits at its gate. Dropping it closes the gate: the child ends without executing
/// anything.
pub struct Gated {
    /// Who it is.
    pub identity: ProcessIdentity,
    /// Whether it is in the cgroup that it was to join.
    pub is_in_cgroup: bool,
    /// How many processes the machine had forked before, where it is known.
    pub forks_before: Option<u64>,
    gate: PipeWriter,
    child: Running,
}

impl Gated {
    /// Lets the child begin.
    ///
    /// # Errors
    /// The child is gone, and has not executed anything.
    pub fn open(mut self) -> io::Result<Running> {
        self.gate.write_all(b"g")?;
        Ok(self.child)
    }
}

/// A child that was let through its gate.
pub struct Running {
    exit: Receiver<ChildExit>,
    /// Its other end is closed when the child has ended.
    has_ended: PipeReader,
    reports: PipeReader,
}

impl Running {
    /// Waits until the child has ended or `other` can be read, but not longer than `patience`, and
    /// returns how it ended.
    #[must_use]
    pub fn wait(&self, other: Option<BorrowedFd<'_>>, patience: Duration) -> Option<ChildExit> {
        let watched: Vec<BorrowedFd<'_>> =
            [self.has_ended.as_fd()].into_iter().chain(other).collect();
        if poll::wait_until_readable(&watched, patience).is_err() {
            clock::sleep(patience);
        }
        match self.exit.try_recv() {
            Ok(exit) => Some(self.with_last_report(exit)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(ChildExit::Unknown(io::Error::other(
                "the thread that waits for it has ended",
            ))),
        }
    }

    /// How a child ended, with what it said before that. What it said is in the pipe by then.
    fn with_last_report(&self, exit: ChildExit) -> ChildExit {
        let has_said = poll::wait_until_readable(&[self.reports.as_fd()], Duration::ZERO);
        if has_said.is_ok_and(|has_said| has_said)
            && let Ok(Report::Failed(errno)) = Report::read(&self.reports)
        {
            return ChildExit::NotExecuted(errno.into());
        }
        exit
    }
}

/// Makes a child that waits at its gate: in a session of its own, with umask 022, in the cgroup
/// whose `cgroup.procs` is given, as `user`, and with no descriptor but the standard ones.
///
/// # Errors
/// The child can't be made or set up. It has not executed anything.
pub fn spawn_gated(
    invocation: Invocation,
    cgroup: Option<File>,
    user: Option<Credentials>,
) -> io::Result<Gated> {
    let (reports, report) = io::pipe()?;
    let (gate_reader, gate) = io::pipe()?;
    let child = start_in_thread(
        Child {
            image: Image::of(&invocation)?,
            streams: invocation.streams,
            cgroup,
            user,
            report,
            gate: gate_reader,
        },
        reports,
    )?;

    let ended_early = || io::Error::other("the process ended before it began");
    let greeting = match Report::read(&child.reports) {
        Ok(Report::Waits(greeting)) => greeting,
        Ok(Report::Failed(errno)) => return Err(errno.into()),
        Err(_) => {
            // A child that waits at its gate ends now. Otherwise its end would be waited for for
            // ever.
            drop(gate);
            return Err(match child.exit.recv() {
                Ok(ChildExit::NotExecuted(why)) => why,
                // It was killed.
                _ => ended_early(),
            });
        }
    };

    let identity = ProcessIdentity::of(greeting.pid).map_err(io::Error::other)?;
    Ok(Gated {
        identity: identity.ok_or_else(ended_early)?,
        is_in_cgroup: greeting.is_in_cgroup,
        forks_before: greeting.forks_before,
        gate,
        child,
    })
}

/// Makes a child and waits for its end, in a thread, which stands still until the child executes
/// its program, and so until its gate is open.
fn start_in_thread(child: Child, reports: PipeReader) -> io::Result<Running> {
    let (sender, exit) = mpsc::channel();
    let (has_ended, is_alive) = io::pipe()?;
    std::thread::Builder::new()
        .name("child".to_owned())
        .spawn(move || {
            // When this returns, the parent's copies of the child's ends of the pipes are closed,
            // so that a child that fails early is noticed.
            let started = start(child);
            let _ = sender.send(match started.map(wait_for) {
                Ok(Ok(status)) => ChildExit::Ended(status),
                Ok(Err(errno)) => ChildExit::Unknown(errno.into()),
                Err(errno) => ChildExit::NotExecuted(errno.into()),
            });
            drop(is_alive);
        })?;
    Ok(Running {
        exit,
        has_ended,
        reports,
    })
}

#[cfg(test)]
#[path = "gated_tests.rs"]
mod tests;
