//! Running the programs that the configuration names for a phase.

use super::job::Job;
use super::log::Log;
use super::outcome::{JobEnd, ended, failed};
use super::phase_program::PhaseProgram;
use super::start::{NotStarted, remove_cgroup, start};
use super::tries::{NotDone, persist, run_gated};
use crate::store::Outcome;
use crate::sys::gated::ChildExit;

/// Runs a program to its end. What never began is tried again.
pub(super) fn run_program(
    job: &mut Job<'_>,
    log: &mut Log,
    program: &PhaseProgram,
) -> Result<Outcome, JobEnd> {
    persist(job, |job| {
        let tried = try_program(job, log, program);
        remove_cgroup(job);
        tried
    })
}

fn try_program(
    job: &mut Job<'_>,
    log: &mut Log,
    program: &PhaseProgram,
) -> Result<Outcome, NotDone> {
    let gated = start(job, log, program)?;
    let tree = |job: &Job<'_>| program.tree(job, &job.run);
    let (exit, supervised) = run_gated(job, log, gated, tree)?;

    let exit = match exit {
        ChildExit::Ended(status) => Ok(status),
        ChildExit::Unknown(error) => Err(error),
        ChildExit::NotExecuted(error) => {
            return match NotStarted::of_program(job, program, &error) {
                NotStarted::Fault(why) if supervised.stop.is_some() => Ok(failed(why)),
                not_started => Err(not_started.into()),
            };
        }
    };
    Ok(ended(exit, supervised))
}
