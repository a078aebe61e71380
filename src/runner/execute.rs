//! One deployment, from its turn to its end.

use std::path::{Path, PathBuf};

use super::checkout::{self, remove_cgroup};
use super::error::Error;
use super::job::Job;
use super::log::Log;
use super::outcome::{ended, failed, not_started, succeeded};
use super::start::start;
use super::supervise::supervise;
use crate::checkout::CheckoutOrder;
use crate::deploy_repository::folder_values;
use crate::status::Status;
use crate::store::Outcome;

/// Carries a deployment out, and records its end.
///
/// # Errors
/// The state can't be read or changed.
pub(super) fn execute(mut job: Job) -> Result<(), Error> {
    let sharing = job.store.sharing();
    let log = job.store.log_file(job.deployment.id);
    let mut log = match Log::create(log, sharing, job.settings.log_limit) {
        Ok(log) => log,
        Err(error) => {
            if job.begin()?.is_ok() {
                job.record(&failed(format!("the log can't be written: {error}")))?;
            }
            return Ok(());
        }
    };

    let Some(outcome) = carry_out(&mut job, &mut log)? else {
        return Ok(());
    };

    // A command that exits has usually said in the log why it failed.
    if outcome.status != Status::Succeeded && outcome.exit_status.is_none() {
        log.say(outcome.reason.as_deref().unwrap_or_default());
    }
    let _ = log.close(sharing);
    job.record(&outcome)?;
    Ok(())
}

/// Carries a deployment out. `None`: another process was faster, and it is not this runner's to
/// carry out.
fn carry_out(job: &mut Job, log: &mut Log) -> Result<Option<Outcome>, Error> {
    let Some(folder) = job.settings.checkout.clone() else {
        if job.settings.command.is_some() {
            return run_command(job, log, None);
        }
        let missing = || failed("neither command nor checkout is configured");
        return Ok(job.begin()?.is_ok().then(missing));
    };

    let folder = folder.fill(&folder_values(&job.deployment.target));
    let mut order = match checkout::order(job, PathBuf::from(folder))? {
        Ok(order) => order,
        Err(outcome) => return Ok(job.begin()?.is_ok().then_some(outcome)),
    };
    let outcome = check_out_and_run(job, log, &mut order)?;
    if let Some(outcome) = &outcome {
        checkout::prune(job, log, &mut order, outcome)?;
    }
    Ok(outcome)
}

/// Writes the revision's release, runs the command in it, where there is one, and makes the release
/// the current one.
fn check_out_and_run(
    job: &mut Job,
    log: &mut Log,
    order: &mut CheckoutOrder,
) -> Result<Option<Outcome>, Error> {
    let release = match checkout::export(job, log, order)? {
        Ok(release) => release,
        Err(outcome) => return Ok(outcome),
    };

    let outcome = match job.settings.command {
        Some(_) => run_command(job, log, Some(&release))?,
        None => Some(succeeded()),
    };
    let has_succeeded = |outcome: &Outcome| outcome.status == Status::Succeeded;
    if !outcome.as_ref().is_some_and(has_succeeded) {
        return Ok(outcome);
    }

    match checkout::make_current(job, log, order)? {
        Ok(()) => Ok(outcome),
        Err(outcome) => Ok(outcome),
    }
}

/// Runs the command to its end. `None`: another process was faster.
fn run_command(
    job: &mut Job,
    log: &mut Log,
    release: Option<&Path>,
) -> Result<Option<Outcome>, Error> {
    let gated = match start(job, log, release) {
        Ok(gated) => gated,
        Err(error) => {
            remove_cgroup(job);
            let outcome = not_started(job, &error);
            let is_ours = job.has_begun || job.begin()?.is_ok();
            return Ok(is_ours.then_some(outcome));
        }
    };

    job.run.leader = Some(gated.identity);
    if job.begin_with_leader()?.is_err() {
        // The gate closes, and the first process ends without having executed anything.
        drop(gated);
        remove_cgroup(job);
        return Ok(None);
    }

    let tree = job.run.tree(job.deployment.id, job.store.folder());
    let outcome = match gated.open() {
        Ok(exit) => {
            let end = supervise(job, log, &tree, &exit)?;
            ended(job, end)
        }
        Err(error) => not_started(job, &error),
    };
    remove_cgroup(job);
    Ok(Some(outcome))
}
