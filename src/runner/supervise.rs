//! Looking after a running command until its end.

use std::io;
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::error::Error;
use super::job::Job;
use super::log::Log;
use super::outcome::{ProcessEnd, Stop};
use crate::sys::clock::{self, Deadline};
use crate::sys::tree::Tree;

/// How often to look after a running command.
const TICK: Duration = Duration::from_millis(100);

/// How much longer than `kill_after` to wait for what was killed. Then only the kernel can hold a
/// process, and it can do that for ever.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// A command that was asked to end (SIGTERM).
struct Ending {
    stop: Stop,
    /// When it is killed, if it still runs.
    kill_at: Deadline,
}

impl Ending {
    /// Asks a command to end.
    fn begin(job: &Job, tree: &Tree, stop: Stop) -> Self {
        tree.terminate();
        Self {
            stop,
            kill_at: Deadline::after(job.settings.kill_after),
        }
    }
}

/// Looks after a running command until it has ended and, within limits, everything that it started.
/// `exit` receives the end of the command's first process.
///
/// # Errors
/// The state can't be read at the beginning.
pub(super) fn supervise(
    job: &mut Job,
    log: &mut Log,
    tree: &Tree,
    exit: &Receiver<io::Result<ExitStatus>>,
) -> Result<ProcessEnd, Error> {
    let limit = job.settings.timeout;
    let timeout = *job.timeout.get_or_insert_with(|| Deadline::after(limit));
    let mut seen_version = job.store.data_version()?;
    // A user may have cancelled it before that, and this does not count as a change since then.
    let cancelled = job.cancelled_by()?.map(Stop::Cancelled);
    let mut ending = cancelled.map(|stop| Ending::begin(job, tree, stop));

    let exit = loop {
        let patience = match ending {
            Some(_) => TICK,
            None => TICK.min(timeout.left()),
        };
        match exit.recv_timeout(patience) {
            Ok(exit) => break exit,
            Err(RecvTimeoutError::Disconnected) => {
                break Err(io::Error::other("the thread that waits for it has ended"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }

        log.keep_within_limit();
        if ending.is_none() {
            let stop = reason_to_stop(job, &mut seen_version, timeout);
            ending = stop.map(|stop| Ending::begin(job, tree, stop));
        }
        if ending
            .as_ref()
            .is_some_and(|ending| ending.kill_at.is_over())
        {
            tree.kill();
        }
    };

    let kill_at = ending.as_ref().map(|ending| ending.kill_at);
    let is_left = wait_for_tree(job, log, tree, kill_at);
    Ok(ProcessEnd {
        exit,
        stop: ending.map(|ending| ending.stop),
        is_left,
    })
}

/// Why a running command has to end, if it has to.
fn reason_to_stop(job: &mut Job, seen_version: &mut i64, timeout: Deadline) -> Option<Stop> {
    // The record is only read after another process changed the state. A state that can't be read
    // now may be readable at the next look.
    let version = job.store.data_version().unwrap_or(*seen_version);
    if version != *seen_version {
        *seen_version = version;
        if let Some(by) = job.cancelled_by().ok().flatten() {
            return Some(Stop::Cancelled(by));
        }
    }
    timeout.is_over().then_some(Stop::Timeout)
}

/// Waits for what the command left running, and returns whether something still runs. It waits
/// until `kill_at` and a little longer where the command was asked to end, and for `grace`
/// otherwise.
fn wait_for_tree(job: &Job, log: &mut Log, tree: &Tree, kill_at: Option<Deadline>) -> bool {
    let grace = Deadline::after(job.settings.grace);
    let give_up = Deadline::after(job.settings.kill_after + AFTER_KILL);
    let mut wait = Duration::from_millis(1);

    while tree.is_alive() {
        match kill_at {
            Some(_) if give_up.is_over() => return true,
            Some(at) if at.is_over() => tree.kill(),
            None if grace.is_over() => return true,
            _ => {}
        }
        log.keep_within_limit();
        clock::sleep(wait);
        wait = (wait * 2).min(TICK);
    }
    false
}
