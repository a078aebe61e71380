//! Running the programs that the configuration names for a phase.

use super::job::Job;
use super::log::Log;
use super::outcome::{JobEnd, ended, failed};
use super::phase_program::PhaseProgram;
use super::start::{NotStarted, remove_cgroup, start};
use super::tries::{Try, persist, run_gated};
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

fn try_program(job: &mut Job<'_>, log: &mut Log, program: &PhaseProgram) -> Try<Outcome> {
    let gated = match start(job, log, program) {
        Ok(gated) => gated,
        Err(not_started) => return not_started.into(),
    };
    let tree = |job: &Job<'_>| program.tree(job, &job.run);
    let (exit, supervised) = match run_gated(job, log, gated, tree) {
        Try::Done(ended) => ended,
        Try::End(end) => return Try::End(end),
        Try::Fault(why) => return Try::Fault(why),
    };

    let exit = match exit {
        ChildExit::Ended(status) => Ok(status),
        ChildExit::Unknown(error) => Err(error),
        ChildExit::NotExecuted(error) => {
            return match NotStarted::of_program(job, program, &error) {
                NotStarted::Fault(why) if supervised.stop.is_some() => Try::Done(failed(why)),
                not_started => not_started.into(),
            };
        }
    };
    Try::Done(ended(exit, supervised))
}
