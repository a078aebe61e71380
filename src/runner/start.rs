//! Starting a deployment's processes, with their arguments and their environment.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::job::Job;
use super::log::Log;
use crate::checkout::{CheckoutOrder, CheckoutStep, OWN_PROGRAM, STEP_COMMAND};
use crate::id::Revision;
use crate::sys::cgroup;
use crate::sys::file::in_memory;
use crate::sys::gated::{Gated, spawn_gated};
use crate::sys::surroundings::PATH;
use crate::sys::user::User;

/// Forks the command's first process, which waits at its gate until it is recorded. `release`: the
/// folder of the revision that was checked out.
///
/// # Errors
/// The user does not exist, or the process can't be forked or set up.
pub(super) fn start(job: &mut Job, log: &Log, release: Option<&Path>) -> io::Result<Gated> {
    let configured = job.settings.user.as_deref();
    let configured = configured.map(User::find).transpose()?;
    let other = configured.clone().filter(|user| !user.is_current());
    let user = configured.or_else(|| User::current().ok());

    let mut command = command(job, release, user.as_ref())?;
    let output = log.for_command()?;
    command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);

    let name = job.deployment.id.0.to_string();
    spawn(job, command, &name, other)
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
    order: &CheckoutOrder,
    report: &File,
) -> io::Result<Gated> {
    // Only the process that reads the application's repository is the runner's own.
    let user = order
        .user
        .as_deref()
        .filter(|_| step != CheckoutStep::Export);
    let user = user.map(User::find).transpose()?;

    let mut command = Command::new(OWN_PROGRAM);
    command
        .args([STEP_COMMAND, step.as_str()])
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8")
        .env("DEPLOY_ID", job.deployment.id.0.to_string())
        .env("DEPLOY_STATE_DIR", job.store.folder())
        .current_dir("/")
        .stdin(in_memory(order.to_line()?.as_bytes())?)
        .stdout(report.try_clone()?)
        .stderr(log.for_command()?);
    let name = format!("{}.{}", job.deployment.id.0, step.as_str());
    spawn(job, command, &name, user.filter(|user| !user.is_current()))
}

/// Forks a process in a cgroup of this name.
fn spawn(job: &mut Job, command: Command, name: &str, user: Option<User>) -> io::Result<Gated> {
    let (folder, procs) = cgroup::create(name).unzip();
    job.run.cgroup = folder;
    spawn_gated(command, procs, user)
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
        .ok_or_else(|| io::Error::other("no command is configured"))?;

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

    let work = || job.store.folder().join("work");
    command.current_dir(release.map_or_else(work, Path::to_owned));
    Ok(command)
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
