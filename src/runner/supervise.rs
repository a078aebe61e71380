//! Looking after a running command until its end.

use std::time::Duration;

use super::job::Job;
use super::log::Log;
use super::outcome::{Left, Stop, Supervised};
use crate::sys::clock::Deadline;
use crate::sys::gated::{ChildExit, Running};
use crate::sys::tree::Tree;

/// How often to look after a running command.
const TICK: Duration = Duration::from_millis(100);

/// How much longer than `kill_after` to wait for what was killed. Then only the kernel can hold a
/// process, and it can do that for ever.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// When a command has to end.
#[derive(Clone, Copy)]
struct Limit {
    end: Deadline,
    /// How long it may take according to the configuration.
    length: Duration,
}

/// A command that was asked to end (SIGTERM).
struct Ending {
    stop: Stop,
    /// When it is killed, if it still runs.
    kill_at: Deadline,
}

impl Ending {
    /// Asks a command to end.
    fn begin(job: &Job<'_>, tree: &Tree, stop: Stop) -> Self {
        tree.terminate();
        Self {
            stop,
            kill_at: Deadline::after(job.settings.kill_after),
        }
    }
}

/// Looks after a running command until it has ended and, within limits, everything that it started.
/// Whatever fails meanwhile, it goes on: nobody else looks after the command.
pub(super) fn supervise(
    job: &mut Job<'_>,
    log: &mut Log,
    tree: &Tree,
    command: &Running,
) -> (ChildExit, Supervised) {
    let timeout = Deadline::after(job.time_left);
    let mut limit = Limit {
        end: timeout,
        length: job.settings.timeout,
    };
    if let Some((end, length)) = job.phase_limit
        && end.left() < timeout.left()
    {
        limit = Limit { end, length };
    }
    let mut seen_version = None;
    let mut ending: Option<Ending> = None;

    let exit = loop {
        match &mut ending {
            None => {
                let stop = reason_to_stop(job, &mut seen_version, limit);
                ending = stop.map(|stop| Ending::begin(job, tree, stop));
            }
            Some(ending) if ending.kill_at.is_over() => {
                tree.kill();
                // What forks meanwhile is killed by one of the next times.
                ending.kill_at = Deadline::after(TICK);
            }
            Some(_) => {}
        }

        let patience = match ending {
            Some(_) => TICK,
            None => TICK.min(limit.end.left()),
        };
        let (log_grows, patience) = log.next_look(patience);
        let exit = command.wait(log_grows, patience);
        log.keep_within_limit();
        if let Some(exit) = exit {
            break exit;
        }
    };

    let left = match exit {
        ChildExit::NotExecuted(_) => Left::Nothing,
        _ => wait_for_tree(job, log, tree, ending.as_ref().map(|ending| ending.kill_at)),
    };
    let stop = ending.map(|ending| ending.stop);
    job.time_left = timeout.left();
    (exit, Supervised { stop, left })
}

/// Why a running command has to end, if it has to.
fn reason_to_stop(job: &mut Job<'_>, seen_version: &mut Option<i64>, limit: Limit) -> Option<Stop> {
    // The record is only read after another process changed the state. A state that can't be read
    // now is read at the next look.
    let version = job.store.data_version().ok();
    if job.heeds_cancel && (version.is_none() || version != *seen_version) {
        match job.look_for_cancel() {
            Ok(Some(by)) => return Some(Stop::Cancelled(by)),
            Ok(None) => *seen_version = version,
            Err(_) => *seen_version = None,
        }
    }
    limit.end.is_over().then_some(Stop::Timeout(limit.length))
}

/// Waits for the end of a process that tidies up after a deployment, and returns whether it has
/// ended. It may take `timeout`. If somebody cancels the deployment, or has done so already, it may
/// take `kill_after` more.
pub(super) fn tidies_in_time(job: &mut Job<'_>, process: &Running) -> bool {
    let length = job.settings.timeout;
    let mut end = Deadline::after(length);
    let limit = Limit { end, length };
    let mut seen_version = None;
    let mut is_cancelled = false;

    while !end.is_over() {
        if process.wait(None, TICK.min(end.left())).is_some() {
            return true;
        }
        if !is_cancelled
            && let Some(Stop::Cancelled(_)) = reason_to_stop(job, &mut seen_version, limit)
        {
            is_cancelled = true;
            end = Deadline::after(job.settings.kill_after.min(end.left()));
        }
    }
    false
}

/// Waits for what the command left running, and returns what still runs. It waits until `kill_at`
/// and a little longer where the command was asked to end, and for `grace` otherwise. What can't be
/// seen is waited for as if it ran.
fn wait_for_tree(job: &Job<'_>, log: &mut Log, tree: &Tree, kill_at: Option<Deadline>) -> Left {
    let grace = Deadline::after(job.settings.grace);
    let give_up = Deadline::after(job.settings.kill_after.saturating_add(AFTER_KILL));
    let mut wait = Duration::from_millis(1);

    loop {
        let left = match tree.is_alive() {
            Ok(false) => return Left::Nothing,
            Ok(true) => Left::Processes,
            Err(unseen) => Left::Unseen(unseen),
        };
        match kill_at {
            Some(_) if give_up.is_over() => return left,
            Some(at) if at.is_over() => tree.kill(),
            None if grace.is_over() => return left,
            _ => {}
        }
        log.wait(wait);
        wait = (wait * 2).min(TICK);
    }
}
