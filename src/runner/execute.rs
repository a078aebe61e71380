//! One deployment, from its turn to its end.

use std::path::{Path, PathBuf};

use super::checkout::{Checkout, CheckoutError};
use super::error::Error;
use super::job::Job;
use super::log::Log;
use super::outcome::{JobEnd, Wait, cancelled, ended, failed, succeeded};
use super::patience::Patience;
use super::start::{NotStarted, start};
use super::supervise::supervise;
use crate::deploy_repository::folder_values;
use crate::status::Status;
use crate::store::{Outcome, Stale};
use crate::sys::cgroup;
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

/// What one try of a step came to, where a fault of the server can prevent the step.
enum Try<T> {
    /// It is done.
    Done(T),
    /// The deployment ends here.
    End(JobEnd),
    /// A fault prevents it now.
    Fault(String),
}

/// Does a step of a deployment. Where a fault of the server prevents it, it waits, and tries it
/// again if the deployment has begun already. Meanwhile the deployment keeps its status.
fn persist<T>(job: &mut Job, mut step: impl FnMut(&mut Job) -> Try<T>) -> Result<T, JobEnd> {
    loop {
        match step(job) {
            Try::Done(done) => return Ok(done),
            Try::End(end) => return Err(end),
            Try::Fault(why) => match job.wait_because(&why) {
                Wait::Again => {}
                Wait::Over(end) => return Err(end),
            },
        }
    }
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

fn begin(job: &mut Job) -> Result<(), JobEnd> {
    persist(job, |job| match job.begin() {
        Ok(Ok(())) => Try::Done(()),
        Ok(Err(Stale)) => Try::End(JobEnd::NotOurs),
        Err(error) => Try::Fault(error.to_string()),
    })
}

/// Carries a deployment out.
fn carry_out(job: &mut Job, log: &mut Log) -> Result<Outcome, JobEnd> {
    match job.settings.checkout.clone() {
        Some(folder) => {
            begin(job)?;
            let folder = folder.fill(&folder_values(&job.deployment.target));
            check_out_and_run(job, log, PathBuf::from(folder))
        }
        None if job.settings.command.is_some() => run_command(job, log, None),
        None => Ok(failed("neither command nor checkout is configured")),
    }
}

/// Writes the revision's release, runs the command in it, where there is one, and makes the release
/// the current one.
fn check_out_and_run(job: &mut Job, log: &mut Log, folder: PathBuf) -> Result<Outcome, JobEnd> {
    let not_checked_out = |error: CheckoutError| failed(format!("checkout: {error}"));
    let (checkout, is_new) = match export(job, folder) {
        Ok(exported) => exported,
        Err(error) => return Ok(not_checked_out(error)),
    };
    let revision = job.deployment.revision.clone();
    let release = checkout.release(&revision);
    let done = if is_new { "checked out" } else { "reused" };
    log.say(&format!("{done} {}", release.display()));
    if let Some(by) = job.cancelled_by() {
        return Ok(cancelled(&by));
    }

    let outcome = match job.settings.command {
        Some(_) => run_command(job, log, Some(&release))?,
        None => succeeded(),
    };
    if outcome.status != Status::Succeeded {
        return Ok(outcome);
    }

    if let Err(error) = checkout.flip(&revision) {
        return Ok(not_checked_out(error));
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

/// Runs the command to its end. What never began is tried again.
fn run_command(job: &mut Job, log: &mut Log, release: Option<&Path>) -> Result<Outcome, JobEnd> {
    persist(job, |job| {
        let tried = try_command(job, log, release);
        if let Some(folder) = &job.run.cgroup {
            cgroup::remove(folder);
        }
        tried
    })
}

fn try_command(job: &mut Job, log: &mut Log, release: Option<&Path>) -> Try<Outcome> {
    let gated = match start(job, log, release) {
        Ok(gated) => gated,
        Err(NotStarted::Fault(why)) => return Try::Fault(why),
        Err(NotStarted::Failed(outcome)) => return Try::Done(outcome),
    };

    // If this fails, the gate closes, and the first process ends without having executed anything.
    job.run.leader = Some(gated.identity);
    match job.begin_with_leader() {
        Ok(Ok(())) => {}
        Ok(Err(Stale)) => return Try::End(JobEnd::NotOurs),
        Err(error) => return Try::Fault(error.to_string()),
    }

    let mut tree = job.run.own_tree(job.deployment.id, job.store.folder());
    tree.forks_before = gated.forks_before;
    let command = match gated.open() {
        Ok(command) => command,
        Err(error) => return Try::Fault(format!("the command's process was ended: {error}")),
    };
    let (exit, supervised) = supervise(job, log, &tree, &command);

    let exit = match exit {
        ChildExit::Ended(status) => Ok(status),
        ChildExit::Unknown(error) => Err(error),
        ChildExit::NotExecuted(error) => {
            return match NotStarted::of(job, &error) {
                NotStarted::Fault(why) if supervised.stop.is_none() => Try::Fault(why),
                NotStarted::Fault(why) => Try::Done(failed(why)),
                NotStarted::Failed(outcome) => Try::Done(outcome),
            };
        }
    };
    Try::Done(ended(&job.settings, exit, supervised))
}
