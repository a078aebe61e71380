//! One deployment, from its turn to its end.

use std::path::PathBuf;

use super::activation::{activate, enter, go_back};
use super::checkout;
use super::error::Error;
use super::fetch::fetch;
use super::job::{Job, checkout_elsewhere};
use super::log::Log;
use super::outcome::{JobEnd, failed, succeeded, with_remark};
use super::patience::Patience;
use super::phase_program::PhaseProgram;
use super::programs::run_program;
use super::tries::{NotDone, persist};
use crate::checkout::CheckoutOrder;
use crate::phase::Phase;
use crate::status::Status;
use crate::store::Outcome;
use crate::text;

/// Carries a deployment out, and records its end. Where a fault of the server prevents its
/// beginning, it stays queued, and what is returned says how often it was tried.
///
/// # Errors
/// The state can't be changed, and the deployment is still queued.
pub(super) fn execute(mut job: Job<'_>) -> Result<Option<Patience>, Error> {
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

fn open_log(job: &mut Job<'_>) -> Result<Log, JobEnd> {
    let path = job.store.log_file(job.deployment.id);
    persist(job, |job| {
        let log = Log::create(path.clone(), job.store.sharing(), job.settings.log_limit);
        log.map_err(|error| {
            let path = text::escape(path.as_os_str().as_encoded_bytes(), 200);
            NotDone::Fault(format!("the log {path} can't be written: {error}"))
        })
    })
}

/// Carries a deployment out.
fn carry_out(job: &mut Job<'_>, log: &mut Log) -> Result<Outcome, JobEnd> {
    fetch(job, log)?;
    let Some(folder) = checkout_folder(job) else {
        let Some(arguments) = job.settings.command.clone() else {
            return Ok(failed("neither command nor checkout is configured"));
        };
        enter(job, log, Phase::Command);
        let program = PhaseProgram::new(job, Phase::Command, arguments, None);
        return run_program(job, log, &program);
    };

    let mut order = checkout::order(job, folder)?;
    let outcome = match check_out_and_run(job, log, &mut order) {
        Ok(outcome) | Err(JobEnd::Outcome(outcome)) => outcome,
        Err(end) => return Err(end),
    };
    checkout::prune(job, log, &mut order, &outcome);
    Ok(outcome)
}

/// The folder of the checkout, if there is one.
fn checkout_folder(job: &Job<'_>) -> Option<PathBuf> {
    let checkout = job.run.checkout.as_ref()?;
    Some(PathBuf::from(&checkout.folder))
}

/// Writes the revision's release, runs the command in it, where there is one, and puts the release
/// into force.
fn check_out_and_run(
    job: &mut Job<'_>,
    log: &mut Log,
    order: &mut CheckoutOrder,
) -> Result<Outcome, JobEnd> {
    enter(job, log, Phase::Export);
    let release = checkout::export(job, log, order)?;

    let mut outcome = succeeded();
    if let Some(arguments) = job.settings.command.clone() {
        enter(job, log, Phase::Command);
        let folder = Some(release.clone());
        let program = PhaseProgram::new(job, Phase::Command, arguments, folder);
        outcome = run_program(job, log, &program)?;
    }
    if outcome.status == Status::Succeeded {
        return activate(job, log, order, &release, outcome);
    }
    Ok(outcome)
}

/// Completes the going back of a deployment whose runner died meanwhile, and records its end.
/// `failed` is how the deployment ended before that. The job has taken the deployment over.
pub(super) fn complete_going_back(mut job: Job<'_>, failed: &Outcome) {
    let completed = open_log(&mut job).and_then(|mut log| {
        let Some(folder) = checkout_folder(&job) else {
            let why = "could not go back: the runner died, and checkout is not configured any more";
            return Ok((with_remark(failed.clone(), Some(why.to_owned())), log));
        };
        let mut order = checkout::order(&mut job, folder)?;
        let outcome = go_back(&mut job, &mut log, &order, failed)?;
        let mut remark = "the first runner died meanwhile".to_owned();
        match checkout_elsewhere(&job.run, &job.settings, &job.deployment.target) {
            Some(folder) => {
                let folder = text::escape(folder, 200);
                remark = format!("{remark}, and checkout was {folder} when it began");
            }
            // How many releases are kept elsewhere, the configuration does not say any more.
            None => checkout::prune(&mut job, &mut log, &mut order, &outcome),
        }
        Ok((with_remark(outcome, Some(remark)), log))
    });

    let outcome = match completed {
        Ok((outcome, log)) => {
            let _ = log.close(job.store.sharing());
            outcome
        }
        Err(JobEnd::Outcome(outcome)) => with_remark(failed.clone(), outcome.reason),
        Err(JobEnd::NotOurs | JobEnd::Later) => return,
    };
    job.record(&outcome);
}
