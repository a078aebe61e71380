//! Starting a deployment's processes, with their arguments and their environment.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::job::Job;
use super::log::Log;
use super::outcome::{JobEnd, failed, not_started};
use super::tries::Try;
use crate::checkout::{CheckoutStep, OWN_PROGRAM, STEP_COMMAND, StepOrder};
use crate::id::Revision;
use crate::store::Outcome;
use crate::sys::cgroup;
use crate::sys::exec::is_momentary;
use crate::sys::file::in_memory;
use crate::sys::gated::{Gated, spawn_gated};
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
    /// By what the kernel answered when the command was to be executed.
    pub(super) fn of_command(job: &Job, release: Option<&Path>, error: &io::Error) -> Self {
        let folder = folder_of(job, release);
        let outcome = not_started(&job.settings, &job.deployment.target, &folder, error);
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

impl<T> From<NotStarted> for Try<T> {
    fn from(not_started: NotStarted) -> Self {
        match not_started {
            NotStarted::Fault(why) => Self::Fault(why),
            NotStarted::Failed(outcome) => Self::End(JobEnd::Outcome(outcome)),
        }
    }
}

/// Forks the command's first process, which waits at its gate until it is recorded. `release`: the
/// folder of the revision that was checked out.
///
/// # Errors
/// [`NotStarted`]: the user does not exist, the log or the folder can't be used, or the process
/// can't be forked or set up.
pub(super) fn start(job: &mut Job, log: &Log, release: Option<&Path>) -> Result<Gated, NotStarted> {
    let not_started = |error: io::Error| NotStarted::of_command(job, release, &error);
    let user = user_of(job).map_err(not_started)?;
    let other = user.clone().filter(|user| !user.is_current());

    let mut command = command(job, release, user.as_ref()).map_err(not_started)?;
    let output = log
        .for_command()
        .map_err(|error| NotStarted::at(log.path(), &error))?;
    let errors = output.try_clone().map_err(not_started)?;
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    command.current_dir(folder(job, release)?);

    let name = job.deployment.id.0.to_string();
    spawn(job, command, &name, other).map_err(|error| NotStarted::of_command(job, release, &error))
}

/// Forks the first process of one step of a checkout, which waits at its gate. What it says at its
/// end goes into `report`.
///
/// # Errors
/// As for [`start`].
pub(super) fn start_step(
    job: &mut Job,
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
    let target = &job.deployment.target;
    let mut command = Command::new(OWN_PROGRAM);
    command
        .args([STEP_COMMAND, step.as_str()])
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8")
        .env("DEPLOY_ID", job.deployment.id.0.to_string())
        .env("DEPLOY_STATE_DIR", job.store.folder())
        // These say what it is, should the record of it be lost.
        .env("DEPLOY_ENVIRONMENT", target.environment.as_str())
        .env("DEPLOY_APPLICATION", target.application.as_str())
        .env("DEPLOY_REVISION", job.deployment.revision.as_str())
        .current_dir("/")
        .stdin(in_memory(line.as_bytes()).map_err(not_started)?)
        .stdout(report.try_clone().map_err(not_started)?)
        .stderr(output);

    let name = format!("{}.{}", job.deployment.id.0, step.as_str());
    let other = user.filter(|user| !user.is_current());
    spawn(job, command, &name, other).map_err(not_started)
}

/// Forks a process in a cgroup of this name, or in none if it can't join that one.
fn spawn(job: &mut Job, command: Command, name: &str, user: Option<User>) -> io::Result<Gated> {
    let (folder, procs) = cgroup::create(name).unzip();
    let could_be_made = folder.is_some();
    let spawned = spawn_gated(command, procs, user);

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
        job.run.cgroup = cgroup::create_around(gated.identity.pid, name);
    }
    spawned
}

/// Removes the cgroup of a process that has ended.
pub(super) fn remove_cgroup(job: &Job) {
    if let Some(folder) = &job.run.cgroup {
        cgroup::remove(folder);
    }
}

/// The user that the command runs as; `None`: this process's own, which has no name.
fn user_of(job: &Job) -> io::Result<Option<User>> {
    match &job.settings.user {
        Some(name) => User::find(name).map(Some),
        None => match User::current() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found.map(Some),
        },
    }
}

/// The command with its arguments, environment and folder. It gets nothing of the runner's own
/// environment.
fn command(job: &Job, release: Option<&Path>, user: Option<&User>) -> io::Result<Command> {
    let values = values(job, release);
    let by_name: Vec<(&str, &str)> = values
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let arguments = job.settings.command.iter().flatten();
    let arguments: Vec<String> = arguments.map(|argument| argument.fill(&by_name)).collect();
    let (program, arguments) = arguments
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no command is configured"))?;

    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8");
    if let Some(user) = user {
        command
            .env("HOME", &user.home)
            .env("USER", &user.name)
            .env("LOGNAME", &user.name);
    }

    // These come last: the configuration can't replace them.
    command.envs(&job.settings.env);
    for (name, value) in &values {
        command.env(format!("DEPLOY_{}", name.to_ascii_uppercase()), value);
    }
    command.env("DEPLOY_STATE_DIR", job.store.folder());
    Ok(command)
}

/// The folder that the command begins in. It is looked at here, because the kernel answers the same
/// for a folder that is missing as for a program that is.
fn folder(job: &Job, release: Option<&Path>) -> Result<PathBuf, NotStarted> {
    let folder = folder_of(job, release);
    match fs::metadata(folder.join(".")) {
        Ok(_) => Ok(folder),
        Err(error) => Err(NotStarted::at(&folder, &error)),
    }
}

fn folder_of(job: &Job, release: Option<&Path>) -> PathBuf {
    let work = || job.store.folder().join("work");
    release.map_or_else(work, Path::to_owned)
}

/// What the command gets to know about its deployment: in its arguments in place of `{name}`, and
/// in its environment as `DEPLOY_NAME`. A value that does not apply is empty.
fn values(job: &Job, release: Option<&Path>) -> [(&'static str, String); 9] {
    let path = |path: Option<&Path>| {
        let path = path.map(Path::to_string_lossy);
        path.unwrap_or_default().into_owned()
    };
    // Neither an argument nor a variable can have a NUL.
    let text = |text: Option<&str>| text.unwrap_or_default().replace('\0', "");
    let hash = |hash: Option<&Revision>| text(hash.map(Revision::as_str));

    let deployment = &job.deployment;
    let pusher = deployment.pusher.as_ref();
    [
        ("id", deployment.id.0.to_string()),
        ("environment", deployment.target.environment.to_string()),
        ("application", deployment.target.application.to_string()),
        ("revision", deployment.revision.to_string()),
        ("previous_revision", hash(job.previous.as_ref())),
        ("commit", hash(deployment.deploy_commit.as_ref())),
        ("pusher", text(pusher.map(|pusher| pusher.name.as_str()))),
        ("repository", path(job.repository.as_deref())),
        ("checkout", path(release)),
    ]
}
