//! One deployment, from its turn to its end.

use std::path::{Path, PathBuf};

use super::checkout;
use super::error::Error;
use super::fetch::fetch;
use super::job::Job;
use super::log::Log;
use super::outcome::{JobEnd, ended, failed, succeeded};
use super::patience::Patience;
use super::start::{NotStarted, remove_cgroup, start};
use super::tries::{Try, persist, run_gated};
use crate::checkout::CheckoutOrder;
use crate::deploy_repository::folder_values;
use crate::status::Status;
use crate::store::Outcome;
use crate::sys::gated::ChildExit;
use crate::text;

/// Carries a deployment out, and records its end. Where a fault of the server prevents its
/// beginning, it stays queued, and what is returned says how often it was tried.
///
/// # Errors
/// The state can't be changed, and the deployment is still queued.
pub(super) fn execute(mut job: Job) -> Result<Option<Patience>, Error> {
    let (ended, log) = match open_log(&mut job) {
        Ok(mut log) => (carry_out(&mut job, &mut log), Some(log)),
        Err(end) => (Err(end), None),
    };
    let outcome = match ended {
        Ok(outcome) | Err(JobEnd::Outcome(outcome)) => outcome,
        Err(JobEnd::NotOurs) => return Ok(None),
        Err(JobEnd::Later) => return Ok(Some(job.patience)),
    };
    if !job.has_begun && job.begin()?.is_err() {
        return Ok(None);
    }

    if let Some(mut log) = log {
        // A command that exits has usually said in the log why it failed.
        if outcome.status != Status::Succeeded && outcome.exit_status.is_none() {
            log.say(outcome.reason.as_deref().unwrap_or_default());
        }
        // A log that can't be written anew, for example on a full disk, stays as it is, and its
        // middle is a hole.
        let _ = log.close(job.store.sharing());
    }
    job.record(&outcome);
    Ok(None)
}

fn open_log(job: &mut Job) -> Result<Log, JobEnd> {
    let path = job.store.log_file(job.deployment.id);
    persist(job, |job| {
        match Log::create(path.clone(), job.store.sharing(), job.settings.log_limit) {
            Ok(log) => Try::Done(log),
            Err(error) => {
                let path = text::escape(path.as_os_str().as_encoded_bytes(), 200);
                Try::Fault(format!("the log {path} can't be written: {error}"))
            }
        }
    })
}

/// Carries a deployment out.
fn carry_out(job: &mut Job, log: &mut Log) -> Result<Outcome, JobEnd> {
    fetch(job, log)?;
    let Some(folder) = job.settings.checkout.clone() else {
        return match job.settings.command {
            Some(_) => run_command(job, log, None),
            None => Ok(failed("neither command nor checkout is configured")),
        };
    };

    let folder = folder.fill(&folder_values(&job.deployment.target));
    let mut order = checkout::order(job, PathBuf::from(folder))?;
    let outcome = match check_out_and_run(job, log, &mut order) {
        Ok(outcome) | Err(JobEnd::Outcome(outcome)) => outcome,
        Err(end) => return Err(end),
    };
    checkout::prune(job, log, &mut order, &outcome);
    Ok(outcome)
}

/// Writes the revision's release, runs the command in it, where there is one, and makes the release
/// the current one.
fn check_out_and_run(
    job: &mut Job,
    log: &mut Log,
    order: &mut CheckoutOrder,
) -> Result<Outcome, JobEnd> {
    let release = checkout::export(job, log, order)?;
    let outcome = match job.settings.command {
        Some(_) => run_command(job, log, Some(&release))?,
        None => succeeded(),
    };
    if outcome.status == Status::Succeeded {
        checkout::make_current(job, log, order)?;
    }
    Ok(outcome)
}

/// Runs the command to its end. What never began is tried again.
fn run_command(job: &mut Job, log: &mut Log, release: Option<&Path>) -> Result<Outcome, JobEnd> {
    persist(job, |job| {
        let tried = try_command(job, log, release);
        remove_cgroup(job);
        tried
    })
}

fn try_command(job: &mut Job, log: &mut Log, release: Option<&Path>) -> Try<Outcome> {
    let gated = match start(job, log, release) {
        Ok(gated) => gated,
        Err(not_started) => return not_started.into(),
    };
    let tree = |job: &Job| job.run.own_tree(job.deployment.id, job.store.folder());
    let (exit, supervised) = match run_gated(job, log, gated, tree) {
        Try::Done(ended) => ended,
        Try::End(end) => return Try::End(end),
        Try::Fault(why) => return Try::Fault(why),
    };

    let exit = match exit {
        ChildExit::Ended(status) => Ok(status),
        ChildExit::Unknown(error) => Err(error),
        ChildExit::NotExecuted(error) => {
            return match NotStarted::of_command(job, release, &error) {
                NotStarted::Fault(why) if supervised.stop.is_some() => Try::Done(failed(why)),
                not_started => not_started.into(),
            };
        }
    };
    Try::Done(ended(&job.settings, exit, supervised))
}
