//! The steps of a checkout, as a runner asks for them. Each of them is a process that is started,
//! recorded and supervised as a command is. So `timeout` and `cancel` end it, and the runner itself
//! touches nothing in the checkout's folder.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::PathBuf;
use std::time::Duration;

use super::job::Job;
use super::log::Log;
use super::outcome::{JobEnd, ended, failed};
use super::start::{NotStarted, remove_cgroup, start_step};
use super::supervise::tidies_in_time;
use super::tries::{NotDone, persist, run_gated};
use crate::checkout::{
    CheckoutOrder, CheckoutOwner, CheckoutStep, ReleaseName, StepOrder, TRY_AGAIN, WentBack,
};
use crate::git::ExportRules;
use crate::id::{DeploymentId, Revision};
use crate::status::Status;
use crate::store::{self, Outcome};
use crate::sys::clock::Deadline;
use crate::sys::file::in_memory;
use crate::sys::gated::{ChildExit, Running};
use crate::sys::tree::Tree;
use crate::text;

/// How much of what a step says is read, in bytes.
const REPORT_MAX: u64 = 4096;

/// How many more deployed revisions than are kept are named: of some of them there is no release.
const SUCCEEDED_MORE: usize = 100;

/// How long to wait for the end of a process that was killed.
const KILLED_MAX: Duration = Duration::from_secs(5);

/// Collects what the steps of a deployment's checkout need to know.
pub(super) fn order(job: &mut Job<'_>, folder: PathBuf) -> Result<CheckoutOrder, JobEnd> {
    let (state, reusable, succeeded) = persist(job, |job| {
        recorded(job).map_err(|error| NotDone::Fault(format!("checkout: {error}")))
    })?;

    Ok(CheckoutOrder {
        folder,
        owner: CheckoutOwner {
            target: job.deployment.target.to_string(),
            state,
        },
        repository: job.repository.clone(),
        revision: job.deployment.revision.clone(),
        id: job.deployment.id,
        reusable,
        has_command: job.settings.command.is_some(),
        user: job.settings.user.clone(),
        is_shared: job.store.sharing().is_with_group(),
        subdirectory: job.subdirectory.clone(),
        shared: job.settings.shared.clone(),
        rules: ExportRules {
            lfs_pointers: job.settings.lfs_pointers,
            empty_submodules: job.settings.empty_submodules,
        },
        link: job.settings.link,
        is_alone: false,
        release: None,
        succeeded,
        keep: job.settings.keep_releases,
    })
}

/// What the state says: its identity, the deployment whose release may be used again, and the
/// revisions whose releases are good.
type GoodReleases = (String, Option<DeploymentId>, Vec<(Revision, DeploymentId)>);

fn recorded(job: &mut Job<'_>) -> Result<GoodReleases, store::Error> {
    let state = job.store.identity()?;

    let (target, revision) = (&job.deployment.target, &job.deployment.revision);
    let most = job.settings.keep_releases.saturating_add(SUCCEEDED_MORE);
    let record = job.store.read()?;
    let last = record.newest_begun(target, revision, job.deployment.id)?;
    let reusable = last.filter(|last| last.status == Status::Succeeded);
    let succeeded = record.succeeded_revisions(target, most)?;
    Ok((state, reusable.map(|last| last.id), succeeded))
}

/// Exports the release, or finds the one that is there, and returns its path.
pub(super) fn export(
    job: &mut Job<'_>,
    log: &mut Log,
    order: &mut CheckoutOrder,
) -> Result<PathBuf, JobEnd> {
    let said = run_step(job, log, CheckoutStep::Export, order)?;

    // The last word came from a process of the user's: nothing but a release's name is accepted.
    let words = said.split_once(' ');
    let named = words.and_then(|(done, name)| Some((done, ReleaseName::parse(name.as_ref())?)));
    let Some((done, name)) = named.filter(|(_, name)| *name.revision() == order.revision) else {
        let said = text::quote(said, 100);
        let outcome = failed(format!("checkout: the export said {said}"));
        return Err(JobEnd::Outcome(outcome));
    };

    let release = order.release_path(&name);
    let done = if done == "reused" {
        done
    } else {
        "checked out"
    };
    log.say(&format!("{done} {}", release.display()));
    order.release = Some(name.to_string());
    Ok(release)
}

/// Makes the release the current one.
pub(super) fn make_current(
    job: &mut Job<'_>,
    log: &mut Log,
    order: &CheckoutOrder,
) -> Result<(), JobEnd> {
    run_step(job, log, CheckoutStep::MakeCurrent, order)?;
    let release = order.release.as_deref().unwrap_or_default();
    log.say(&format!("current -> releases/{release}"));
    Ok(())
}

/// Lets `current` lead again to where it led before the deployment moved it.
pub(super) fn go_back(
    job: &mut Job<'_>,
    log: &mut Log,
    order: &CheckoutOrder,
) -> Result<WentBack, JobEnd> {
    let said = run_step(job, log, CheckoutStep::GoBack, order)?;

    // The last word came from a process of the user's.
    let Ok(came) = said.parse() else {
        let said = text::quote(said, 100);
        let outcome = failed(format!("checkout: the step that goes back said {said}"));
        return Err(JobEnd::Outcome(outcome));
    };
    if let WentBack::To(release) = &came {
        log.say(&format!("current -> releases/{release}"));
    }
    Ok(came)
}

/// Runs a step to its end, and returns what it has said. What never began is tried again.
fn run_step(
    job: &mut Job<'_>,
    log: &mut Log,
    step: CheckoutStep,
    order: &CheckoutOrder,
) -> Result<String, JobEnd> {
    persist(job, |job| {
        let tried = try_step(job, log, step, order);
        remove_cgroup(job);
        tried
    })
}

/// Tries to run a step to its end, and returns what it has said.
pub(super) fn try_step(
    job: &mut Job<'_>,
    log: &mut Log,
    step: CheckoutStep,
    order: &dyn StepOrder,
) -> Result<String, NotDone> {
    let report = in_memory(&[]).map_err(|error| NotStarted::of_step(step, &error))?;
    let gated = start_step(job, log, step, order, &report)?;
    let (exit, supervised) = run_gated(job, log, gated, tree)?;

    let exit = match exit {
        ChildExit::Ended(status) => Ok(status),
        ChildExit::Unknown(error) => Err(error),
        ChildExit::NotExecuted(error) if supervised.stop.is_none() => {
            return Err(NotStarted::of_step(step, &error).into());
        }
        ChildExit::NotExecuted(error) => Err(error),
    };
    let status = match exit {
        Ok(status) if supervised.stop.is_none() => status,
        // It was ended, or nobody knows how it ended.
        exit => {
            let outcome = ended(exit, supervised);
            // The exit status of a deployment is its command's.
            let exit_status = None;
            return Err(NotDone::End(JobEnd::Outcome(Outcome {
                exit_status,
                ..outcome
            })));
        }
    };

    let said = match read_report(report) {
        Ok(said) if status.success() => return Ok(said),
        Ok(said) => said,
        Err(error) => format!(
            "what the step {} said can't be read: {error}",
            step.as_str()
        ),
    };
    let why = if said.is_empty() {
        format!("checkout: the step {} ended: {status}", step.as_str())
    } else {
        format!("checkout: {said}")
    };
    Err(match status.code() {
        Some(TRY_AGAIN) => NotDone::Fault(why),
        _ => NotDone::End(JobEnd::Outcome(failed(why))),
    })
}

fn read_report(mut report: File) -> io::Result<String> {
    report.rewind()?;
    let mut said = Vec::new();
    report.take(REPORT_MAX).read_to_end(&mut said)?;
    Ok(text::escape(said.trim_ascii(), 2000))
}

/// The processes of a step. They bear the marks of the deployment, but a process of its command may
/// have been left running and does so too.
fn tree(job: &Job<'_>) -> Tree {
    Tree {
        leader: job.run.leader,
        forks_before: None,
        cgroup: job.run.cgroup.clone(),
        marks: Vec::new(),
    }
}

/// Removes old releases and what was left unfinished, also after a deployment that failed or was
/// cancelled. It has as much time as the deployment had, and little after a `cancel`. What can't be
/// removed stays until the next time.
pub(super) fn prune(
    job: &mut Job<'_>,
    log: &mut Log,
    order: &mut CheckoutOrder,
    outcome: &Outcome,
) {
    // Nothing was written.
    if !job.has_begun {
        return;
    }
    if outcome.status == Status::Succeeded {
        let revision = &order.revision;
        order.succeeded.retain(|(other, _)| other != revision);
        order.succeeded.insert(0, (revision.clone(), order.id));
    }

    let Ok(report) = in_memory(&[]) else { return };
    if let Ok(gated) = start_step(job, log, CheckoutStep::Prune, order, &report) {
        job.run.leader = Some(gated.identity);
        let is_ours = matches!(job.begin_with_leader(), Ok(Ok(())));
        let mut tree = tree(job);
        tree.forks_before = gated.forks_before;
        if let Some(process) = is_ours.then(|| gated.open().ok()).flatten()
            && !tidies_in_time(job, &process)
        {
            tree.kill();
            log.say("old releases are left; they are removed after the next deployment");
            wait_for_killed(&process);
        }
    }
    remove_cgroup(job);
}

/// Waits for the end of a process that was killed, but not for ever: only the kernel can hold it.
fn wait_for_killed(process: &Running) {
    let end = Deadline::after(KILLED_MAX);
    while process.wait(None, end.left()).is_none() && !end.is_over() {}
}
