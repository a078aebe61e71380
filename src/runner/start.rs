//! Starting a deployment's processes, with their arguments and their environment.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::job::Job;
use super::log::Log;
use super::outcome::{JobEnd, failed, not_started};
use super::phase_program::PhaseProgram;
use super::tries::NotDone;
use crate::checkout::{CheckoutStep, OWN_PROGRAM, STEP_COMMAND, StepOrder};
use crate::store::Outcome;
use crate::sys::cgroup;
use crate::sys::exec::is_momentary;
use crate::sys::file::in_memory;
use crate::sys::gated::{Gated, spawn_gated};
use crate::sys::invocation::Invocation;
use crate::sys::surroundings::PATH;
use crate::sys::user::User;
use crate::text;

/// Why a process was not started. Nothing of it was executed.
pub(super) enum NotStarted {
    /// A fault of the server: it may be over in a moment.
    Fault(String),
    /// What is configured can't be started.
    Failed(Outcome),
}

impl NotStarted {
    /// By what the kernel answered when the program of a phase was to be executed.
    pub(super) fn of_program(job: &Job<'_>, program: &PhaseProgram, error: &io::Error) -> Self {
        let folder = program.folder(job);
        let outcome = not_started(&job.settings, &program.name(job), &folder, error);
        Self::of(outcome, error)
    }

    /// By what the kernel answered when the process of a checkout's step was to be executed.
    pub(super) fn of_step(step: CheckoutStep, error: &io::Error) -> Self {
        let step = step.as_str();
        let why = format!("checkout: the step {step} could not be started: {error}");
        Self::of(failed(why), error)
    }

    fn of(outcome: Outcome, error: &io::Error) -> Self {
        // What this program says itself is about the machine too: the first process was ended
        // before it began, or /proc does not show it.
        if is_momentary(error) || error.kind() == io::ErrorKind::Other {
            Self::Fault(outcome.reason.unwrap_or_default())
        } else {
            Self::Failed(outcome)
        }
    }

    /// Something of the state directory can't be used.
    fn at(path: &Path, error: &io::Error) -> Self {
        let path = text::escape(path.as_os_str().as_encoded_bytes(), 200);
        Self::Fault(format!("{path}: {error}"))
    }
}

impl From<NotStarted> for NotDone {
    fn from(not_started: NotStarted) -> Self {
        match not_started {
            NotStarted::Fault(why) => Self::Fault(why),
            NotStarted::Failed(outcome) => Self::End(JobEnd::Outcome(outcome)),
        }
    }
}

/// Makes the first process of a phase's program, which waits at its gate until it is recorded.
///
/// # Errors
/// [`NotStarted`]: the user does not exist, the log or the folder can't be used, or the process
/// can't be made or set up.
pub(super) fn start(
    job: &mut Job<'_>,
    log: &Log,
    program: &PhaseProgram,
) -> Result<Gated, NotStarted> {
    let not_started = |error: io::Error| NotStarted::of_program(job, program, &error);
    let user = user_of(job).map_err(not_started)?;
    let other = user.clone().filter(|user| !user.is_current());

    let input = File::open("/dev/null").map_err(not_started)?;
    let output = log
        .for_command()
        .map_err(|error| NotStarted::at(log.path(), &error))?;
    let errors = output.try_clone().map_err(not_started)?;
    let invocation = program
        .invocation(job, user.as_ref(), [input, output, errors])
        .map_err(not_started)?;
    check_folder(&invocation.folder)?;

    spawn(job, invocation, program.phase.as_str(), other)
        .map_err(|error| NotStarted::of_program(job, program, &error))
}

/// Makes the first process of one step of a checkout, which waits at its gate. What it says at its
/// end goes into `report`.
///
/// # Errors
/// As for [`start`].
pub(super) fn start_step(
    job: &mut Job<'_>,
    log: &Log,
    step: CheckoutStep,
    order: &dyn StepOrder,
    report: &File,
) -> Result<Gated, NotStarted> {
    let not_started = |error: io::Error| NotStarted::of_step(step, &error);
    // Only the process that reads the application's repository is the runner's own.
    let user = order.user().filter(|_| step != CheckoutStep::Export);
    let user = user.map(User::find).transpose().map_err(not_started)?;

    let line = order.line().map_err(not_started)?;
    let output = log
        .for_command()
        .map_err(|error| NotStarted::at(log.path(), &error))?;
    let input = in_memory(line.as_bytes()).map_err(not_started)?;
    let said = report.try_clone().map_err(not_started)?;
    let target = &job.deployment.target;
    let mut invocation = Invocation {
        arguments: vec![
            OWN_PROGRAM.into(),
            STEP_COMMAND.into(),
            step.as_str().into(),
        ],
        environment: BTreeMap::new(),
        folder: "/".into(),
        streams: [input, said, output],
    };
    invocation.set("PATH", PATH);
    invocation.set("LANG", "C.UTF-8");
    invocation.set("DEPLOY_ID", job.deployment.id.0.to_string());
    invocation.set("DEPLOY_STATE_DIR", job.store.folder());
    // These say what it is, should the record of it be lost.
    invocation.set("DEPLOY_ENVIRONMENT", target.environment.as_str());
    invocation.set("DEPLOY_APPLICATION", target.application.as_str());
    invocation.set("DEPLOY_REVISION", job.deployment.revision.as_str());

    let other = user.filter(|user| !user.is_current());
    spawn(job, invocation, step.as_str(), other).map_err(not_started)
}

/// Makes a process in a cgroup of its own, or in none if it can't join that one. What an earlier
/// process has left in its cgroup stays there. `what` is for the group's name.
fn spawn(
    job: &mut Job<'_>,
    invocation: Invocation,
    what: &str,
    user: Option<User>,
) -> io::Result<Gated> {
    let user = user.map(|user| user.credentials()).transpose()?;
    job.started += 1;
    let name = format!("{}.{}.{what}", job.deployment.id.0, job.started);
    let (folder, procs) = cgroup::create(&name).unzip();
    let could_be_made = folder.is_some();
    let spawned = spawn_gated(invocation, procs, user);

    let is_in_cgroup = spawned.as_ref().is_ok_and(|gated| gated.is_in_cgroup);
    job.run.cgroup = folder.filter(|folder| {
        if !is_in_cgroup {
            cgroup::remove(folder);
        }
        is_in_cgroup
    });
    // systemd removes empty groups of a unit whose main process has ended. If this one was among
    // them, the process is still at its gate, and can be moved into another one.
    if let (Ok(gated), true, false) = (&spawned, could_be_made, is_in_cgroup) {
        job.run.cgroup = cgroup::create_around(gated.identity.pid, &name);
    }
    spawned
}

/// Removes the cgroup of a process that has ended.
pub(super) fn remove_cgroup(job: &Job<'_>) {
    if let Some(folder) = &job.run.cgroup {
        cgroup::remove(folder);
    }
}

/// The user that the command runs as; `None`: this process's own, which has no name.
fn user_of(job: &Job<'_>) -> io::Result<Option<User>> {
    match &job.settings.user {
        Some(name) => User::find(name).map(Some),
        None => match User::current() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found.map(Some),
        },
    }
}

/// Makes sure that the folder is there that a program begins in. The kernel answers the same for a
/// folder that is missing as for a program that is.
fn check_folder(folder: &Path) -> Result<(), NotStarted> {
    match fs::metadata(folder.join(".")) {
        Ok(_) => Ok(()),
        Err(error) => Err(NotStarted::at(folder, &error)),
    }
}
