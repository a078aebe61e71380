//! What is tried again: a step of a deployment that a fault of the server prevents.

use super::job::Job;
use super::log::Log;
use super::outcome::{JobEnd, Supervised, Wait};
use super::supervise::supervise;
use crate::store::Stale;
use crate::sys::gated::{ChildExit, Gated};
use crate::sys::tree::Tree;

/// Why one try of a step did not do it.
pub(super) enum NotDone {
    /// The deployment ends here.
    End(JobEnd),
    /// A fault prevents it now.
    Fault(String),
}

/// Does a step of a deployment. Where a fault of the server prevents it, it waits, and tries it
/// again if the deployment has begun already. Meanwhile the deployment keeps its status.
pub(super) fn persist<T>(
    job: &mut Job<'_>,
    mut step: impl FnMut(&mut Job<'_>) -> Result<T, NotDone>,
) -> Result<T, JobEnd> {
    loop {
        match step(job) {
            Ok(done) => return Ok(done),
            Err(NotDone::End(end)) => return Err(end),
            Err(NotDone::Fault(why)) => match job.wait_because(&why) {
                Wait::Again => {}
                Wait::Over(end) => return Err(end),
            },
        }
    }
}

/// Records a process that waits at its gate, lets it begin, and looks after it until its end.
/// `tree` says how to find what it starts.
pub(super) fn run_gated(
    job: &mut Job<'_>,
    log: &mut Log,
    gated: Gated,
    tree: impl FnOnce(&Job<'_>) -> Tree,
) -> Result<(ChildExit, Supervised), NotDone> {
    // If this fails, the gate closes, and the process ends without having executed anything.
    job.run.leader = Some(gated.identity);
    match job.begin_with_leader() {
        Ok(Ok(())) => {}
        Ok(Err(Stale)) => return Err(NotDone::End(JobEnd::NotOurs)),
        Err(error) => return Err(NotDone::Fault(error.to_string())),
    }

    let mut tree = tree(job);
    tree.forks_before = gated.forks_before;
    match gated.open() {
        Ok(process) => Ok(supervise(job, log, &tree, &process)),
        Err(error) => {
            let why = format!("the first process was ended: {error}");
            Err(NotDone::Fault(why))
        }
    }
}
