//! The steps of a checkout, as a runner asks for them. Each of them is a process that is started,
//! recorded and supervised as a command is. So `timeout` and `cancel` end it, and the runner itself
//! touches nothing in the checkout's folder.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::PathBuf;
use std::time::Duration;

use super::error::Error;
use super::job::Job;
use super::log::Log;
use super::outcome::{ProcessEnd, failed, stopped};
use super::start::start_step;
use super::supervise::supervise;
use crate::checkout::{CheckoutOrder, CheckoutOwner, CheckoutStep, ReleaseName};
use crate::git::ExportRules;
use crate::status::Status;
use crate::store::Outcome;
use crate::sys::cgroup;
use crate::sys::file::in_memory;
use crate::sys::tree::Tree;
use crate::text;

/// How much of what a step says is read, in bytes.
const REPORT_MAX: u64 = 4096;

/// How many more deployed revisions than are kept are named: of some of them there is no release.
const SUCCEEDED_MORE: usize = 100;

/// How long to wait for the end of a process that was killed.
const KILLED_MAX: Duration = Duration::from_secs(5);

/// What came of a step: what it said, or the end of the deployment. `None`: another process was
/// faster, and the deployment is not this runner's to carry out.
type StepResult<T> = Result<T, Option<Outcome>>;

/// Collects what the steps of a deployment's checkout need to know. Otherwise, why there is no such
/// deployment.
///
/// # Errors
/// The state can't be read.
pub(super) fn order(
    job: &mut Job,
    folder: PathBuf,
) -> Result<Result<CheckoutOrder, Outcome>, Error> {
    let Some(repository) = job.repository.clone() else {
        return Ok(Err(failed("checkout: no repository is configured")));
    };
    let state = match job.store.identity() {
        Ok(state) => state,
        Err(error) => return Ok(Err(failed(format!("checkout: {error}")))),
    };

    let (target, revision) = (&job.deployment.target, &job.deployment.revision);
    let keep = job.settings.keep_releases;
    let is_shared = job.store.sharing().is_with_group();
    let record = job.store.read()?;
    let last = record.newest_begun(target, revision, job.deployment.id)?;
    let reusable = last.filter(|last| last.status == Status::Succeeded);
    let succeeded = record.succeeded_revisions(target, keep.saturating_add(SUCCEEDED_MORE))?;
    drop(record);

    Ok(Ok(CheckoutOrder {
        folder,
        owner: CheckoutOwner {
            target: target.to_string(),
            state,
        },
        repository,
        revision: revision.clone(),
        id: job.deployment.id,
        reusable: reusable.map(|deployment| deployment.id),
        has_command: job.settings.command.is_some(),
        user: job.settings.user.clone(),
        is_shared,
        rules: ExportRules {
            lfs_pointers: job.settings.lfs_pointers,
            empty_submodules: job.settings.empty_submodules,
        },
        release: None,
        succeeded,
        keep,
    }))
}

/// Exports the release, or finds the one that is there, and returns its path.
///
/// # Errors
/// The state can't be read or changed.
pub(super) fn export(
    job: &mut Job,
    log: &mut Log,
    order: &mut CheckoutOrder,
) -> Result<StepResult<PathBuf>, Error> {
    let said = match run_step(job, log, CheckoutStep::Export, order)? {
        Ok(said) => said,
        Err(outcome) => return Ok(Err(outcome)),
    };

    // The last word came from a process of the user's: nothing but a release's name is accepted.
    let words = said.split_once(' ');
    let named = words.and_then(|(done, name)| Some((done, ReleaseName::parse(name.as_ref())?)));
    let Some((done, name)) = named.filter(|(_, name)| *name.revision() == order.revision) else {
        let said = text::quote(said, 100);
        return Ok(Err(Some(failed(format!(
            "checkout: the export said {said}"
        )))));
    };

    let release = order.folder.join("releases").join(name.to_string());
    let done = if done == "reused" {
        done
    } else {
        "checked out"
    };
    log.say(&format!("{done} {}", release.display()));
    order.release = Some(name.to_string());
    Ok(Ok(release))
}

/// Makes the release the current one.
///
/// # Errors
/// The state can't be read or changed.
pub(super) fn make_current(
    job: &mut Job,
    log: &mut Log,
    order: &CheckoutOrder,
) -> Result<StepResult<()>, Error> {
    let step = run_step(job, log, CheckoutStep::MakeCurrent, order)?;
    if step.is_ok() {
        let release = order.release.as_deref().unwrap_or_default();
        log.say(&format!("current -> releases/{release}"));
    }
    Ok(step.map(drop))
}

/// Runs a step to its end.
fn run_step(
    job: &mut Job,
    log: &mut Log,
    step: CheckoutStep,
    order: &CheckoutOrder,
) -> Result<StepResult<String>, Error> {
    let report = in_memory(&[]);
    let gated = report.and_then(|report| Ok((start_step(job, log, step, order, &report)?, report)));
    let (gated, report) = match gated {
        Ok(started) => started,
        Err(error) => {
            remove_cgroup(job);
            let is_ours = job.has_begun || job.begin()?.is_ok();
            return Ok(Err(is_ours.then(|| not_started(step, &error))));
        }
    };

    job.run.leader = Some(gated.identity);
    if job.begin_with_leader()?.is_err() {
        // The gate closes, and the process ends without having executed anything.
        drop(gated);
        remove_cgroup(job);
        return Ok(Err(None));
    }

    let tree = tree(job);
    let end = match gated.open() {
        Ok(exit) => supervise(job, log, &tree, &exit)?,
        Err(error) => ProcessEnd {
            exit: Err(error),
            stop: None,
            is_left: false,
        },
    };
    remove_cgroup(job);
    Ok(said(job, step, end, report))
}

/// What a step has said, or the end of the deployment.
fn said(job: &Job, step: CheckoutStep, end: ProcessEnd, report: File) -> StepResult<String> {
    if let Some(stop) = end.stop {
        return Err(Some(stopped(job, stop)));
    }
    let exit = end.exit.map_err(|error| Some(not_started(step, &error)))?;
    let said = read_report(report).map_err(|error| Some(not_started(step, &error)))?;
    if exit.success() {
        return Ok(said);
    }

    let reason = if said.is_empty() {
        format!("the step {} ended: {exit}", step.as_str())
    } else {
        said
    };
    Err(Some(failed(format!("checkout: {reason}"))))
}

fn not_started(step: CheckoutStep, error: &io::Error) -> Outcome {
    let step = step.as_str();
    failed(format!(
        "checkout: the step {step} could not be started: {error}"
    ))
}

fn read_report(mut report: File) -> io::Result<String> {
    report.rewind()?;
    let mut said = Vec::new();
    report.take(REPORT_MAX).read_to_end(&mut said)?;
    Ok(text::escape(said.trim_ascii(), 2000))
}

/// The processes of a step. They bear the marks of the deployment, but a process of its command may
/// have been left running and does so too.
fn tree(job: &Job) -> Tree {
    Tree {
        leader: job.run.leader,
        cgroup: job.run.cgroup.clone(),
        marks: Vec::new(),
    }
}

/// Removes old releases and what was left unfinished, also after a deployment that failed or was
/// cancelled. It has as much time as the deployment had. What can't be removed stays until the next
/// time.
///
/// # Errors
/// The state can't be changed.
pub(super) fn prune(
    job: &mut Job,
    log: &mut Log,
    order: &mut CheckoutOrder,
    outcome: &Outcome,
) -> Result<(), Error> {
    if outcome.status == Status::Succeeded {
        let revision = &order.revision;
        order.succeeded.retain(|(other, _)| other != revision);
        order.succeeded.insert(0, (revision.clone(), order.id));
    }

    let report = in_memory(&[]);
    let gated = report.and_then(|report| start_step(job, log, CheckoutStep::Prune, order, &report));
    if let Ok(gated) = gated {
        job.run.leader = Some(gated.identity);
        let is_ours = job.begin_with_leader()?.is_ok();
        let tree = tree(job);
        if let Some(exit) = is_ours.then(|| gated.open().ok()).flatten()
            && exit.recv_timeout(job.settings.timeout).is_err()
        {
            tree.kill();
            let _ = exit.recv_timeout(KILLED_MAX);
        }
    }
    remove_cgroup(job);
    Ok(())
}

/// Removes the cgroup of a process that has ended.
pub(super) fn remove_cgroup(job: &Job) {
    if let Some(folder) = &job.run.cgroup {
        cgroup::remove(folder);
    }
}
