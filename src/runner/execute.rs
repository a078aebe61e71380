//! One deployment, from its turn to its end.

use std::path::{Path, PathBuf};

use super::checkout::{Checkout, CheckoutError};
use super::error::Error;
use super::job::Job;
use super::log::Log;
use super::outcome::{cancelled, failed, not_started, succeeded};
use super::start::start;
use super::supervise::supervise;
use crate::deploy_repository::folder_values;
use crate::status::Status;
use crate::store::Outcome;
use crate::sys::cgroup;

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

    if job.begin()?.is_err() {
        return Ok(None);
    }
    let folder = folder.fill(&folder_values(&job.deployment.target));
    check_out_and_run(job, log, PathBuf::from(folder))
}

/// Writes the revision's release, runs the command in it, where there is one, and makes the release
/// the current one.
fn check_out_and_run(
    job: &mut Job,
    log: &mut Log,
    folder: PathBuf,
) -> Result<Option<Outcome>, Error> {
    let not_checked_out = |error: CheckoutError| Ok(Some(failed(format!("checkout: {error}"))));
    let (checkout, is_new) = match export(job, folder) {
        Ok(exported) => exported,
        Err(error) => return not_checked_out(error),
    };
    let revision = job.deployment.revision.clone();
    let release = checkout.release(&revision);
    let done = if is_new { "checked out" } else { "reused" };
    log.say(&format!("{done} {}", release.display()));
    if let Some(by) = job.cancelled_by()? {
        return Ok(Some(cancelled(&by)));
    }

    let outcome = match job.settings.command {
        Some(_) => run_command(job, log, Some(&release))?,
        None => Some(succeeded()),
    };
    let has_succeeded = |outcome: &Outcome| outcome.status == Status::Succeeded;
    if !outcome.as_ref().is_some_and(has_succeeded) {
        return Ok(outcome);
    }

    if let Err(error) = checkout.flip(&revision) {
        return not_checked_out(error);
    }
    log.say(&format!("current -> releases/{revision}"));
    checkout.prune(job.settings.keep_releases);
    Ok(outcome)
}

/// The checkout with the release of the deployment's revision, and whether the release was written
/// just now.
fn export(job: &Job, folder: PathBuf) -> Result<(Checkout, bool), CheckoutError> {
    let repository = job.repository.as_deref();
    let repository = repository.ok_or(CheckoutError::NoRepository)?;
    let checkout = Checkout::claim(folder, &job.deployment.target)?;
    let is_new = checkout.export(repository, &job.deployment.revision)?;
    Ok((checkout, is_new))
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
        Ok(exit) => supervise(job, log, &tree, &exit)?,
        Err(error) => not_started(job, &error),
    };
    remove_cgroup(job);
    Ok(Some(outcome))
}

fn remove_cgroup(job: &Job) {
    if let Some(folder) = &job.run.cgroup {
        cgroup::remove(folder);
    }
}
