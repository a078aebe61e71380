//! Starting the processes that continue after a hook has ended: this program again, detached.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::config::RunnerKind;
use crate::deploy_repository::DeployRepository;
use crate::id::{Environment, Revision};
use crate::identity::Identity;
use crate::sys::clock::{self, Deadline};
use crate::sys::detach;
use crate::sys::group;
use crate::sys::sharing::Sharing;
use crate::sys::surroundings::PATH;
use crate::sys::user::User;

/// How long to wait for the end of a process that was killed.
const KILLED_MAX: Duration = Duration::from_secs(2);

/// The environment of a runner. It gets nothing of the hook's environment, which can hold the
/// pusher's password.
const ENVIRONMENT: &[(&str, &str)] = &[("PATH", PATH), ("LANG", "C.UTF-8")];

/// The path of this program, even if a newer file has replaced it meanwhile.
fn own_program() -> io::Result<PathBuf> {
    let program = env::current_exe()?;
    let path = program.as_os_str().as_bytes();
    Ok(path
        .strip_suffix(b" (deleted)")
        .map_or(program.clone(), |path| {
            PathBuf::from(OsStr::from_bytes(path))
        }))
}

/// A command for this program with the options that make it work on the same repository with the
/// same configuration file.
fn arguments(deploy: &DeployRepository, command: &[OsString]) -> io::Result<Vec<OsString>> {
    let mut all: Vec<OsString> = vec!["--repository".into(), deploy.repository.path().into()];
    if let Some(file) = &deploy.config_file {
        all.extend(["--config".into(), file.canonicalize()?.into()]);
    }
    all.extend_from_slice(command);
    Ok(all)
}

/// Starts this program detached, with a command for the same repository.
fn spawn(deploy: &DeployRepository, command: &[OsString]) -> io::Result<()> {
    let all = arguments(deploy, command)?;
    let all: Vec<&OsStr> = all.iter().map(OsString::as_os_str).collect();
    detach::spawn(&own_program()?, &all, ENVIRONMENT)
}

/// The command that is a runner. Whoever starts it here may: git let this user push, or the user's
/// right was checked.
fn run(environment: &Environment) -> [OsString; 3] {
    [
        "run".into(),
        "--checked".into(),
        environment.as_str().into(),
    ]
}

/// Starts a runner for an environment. With `runner = "systemd"` it leaves a wake file instead, and
/// the service starts the runner. A runner that finds another one alive ends again.
///
/// # Errors
/// It can't be started. What is queued stays queued.
pub fn runner(deploy: &DeployRepository, environment: &Environment) -> io::Result<()> {
    match deploy.config.runner {
        RunnerKind::Detached => spawn(deploy, &run(environment)),
        RunnerKind::Systemd => {
            // The path unit sees that there is a file. The service removes it before it starts the
            // runner.
            let folder = deploy.wake_folder();
            let sharing = Sharing::of_folder(&deploy.state_dir())?;
            sharing.create_folder(&folder)?;

            let file = folder.join(environment.as_str());
            sharing
                .open_file(&file, OpenOptions::new().append(true))
                .map(drop)
        }
    }
}

/// Removes the wake files, and returns the environments for which hooks left them.
///
/// # Errors
/// The folder can't be read.
pub fn take_wake_files(deploy: &DeployRepository) -> io::Result<Vec<Environment>> {
    let entries = match fs::read_dir(deploy.wake_folder()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };

    let mut woken = Vec::new();
    for entry in entries {
        let Ok(entry) = entry else { continue };
        // An entry that can't be removed, for example a folder, is passed over.
        if fs::remove_file(entry.path()).is_ok() {
            woken.extend(Environment::new(entry.file_name().as_bytes()));
        }
    }
    Ok(woken)
}

/// Whether the folder of the wake files still has an entry, which then can't be removed.
#[must_use]
pub fn is_anything_left(deploy: &DeployRepository) -> bool {
    fs::read_dir(deploy.wake_folder()).is_ok_and(|mut entries| entries.next().is_some())
}

/// Starts a runner as a child of this process, for the service.
///
/// # Errors
/// It can't be started.
pub fn runner_as_child(deploy: &DeployRepository, environment: &Environment) -> io::Result<Child> {
    let arguments = arguments(deploy, &run(environment))?;
    let mut command = Command::new(own_program()?);
    command
        .args(arguments)
        .env_clear()
        .envs(ENVIRONMENT.iter().copied())
        .current_dir("/");

    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// Runs `reconcile` on a repository as its owner, and waits for it, but not longer than `patience`.
///
/// # Errors
/// It can't be run, or it failed, or it took too long and was killed.
pub fn reconcile_as(repository: &Path, owner: u32, patience: Duration) -> io::Result<()> {
    let mut command = Command::new(own_program()?);
    command.arg("--repository").arg(repository);
    command.args(["reconcile", "--check-hooks"]);
    command
        .env_clear()
        .envs(ENVIRONMENT.iter().copied())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    // The git processes that it starts are killed with it. Runners have sessions of their own.
    command.process_group(0);
    // The child must not start as root: the files in the folder lead it to the repository, and the
    // owner can write to them.
    if User::is_root() && owner != 0 {
        User::by_number(owner)?.run(&mut command);
    }

    let mut child = command.spawn()?;
    let deadline = Deadline::after(patience);
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(io::Error::other(format!("reconcile: {status}"))),
            None if deadline.is_over() => break,
            None => clock::sleep(Duration::from_millis(10)),
        }
    }

    group::kill(&child)?;
    // This wait has a limit: if the process's user traces it, it can stay for ever.
    let deadline = Deadline::after(KILLED_MAX);
    while child.try_wait()?.is_none() && !deadline.is_over() {
        clock::sleep(Duration::from_millis(10));
    }
    Err(io::Error::other("reconcile took too long and was ended"))
}

/// Lets systemd run `reconcile --registered` as a user, in a unit of its own, and waits for it. The
/// runners that it starts are in that unit's control group, which the user may divide, and only the
/// limits of that unit count for them. If the unit of an earlier call still runs, it is left alone.
///
/// # Errors
/// It can't be run, or it failed.
pub fn reconcile_in_unit(user: u32, registry: &Path, patience: Duration) -> io::Result<()> {
    let unit = format!("deploy-by-code-reconcile-{user}");

    let mut command = Command::new("systemd-run");
    command.args([
        "--quiet",
        "--collect",
        "--wait",
        "--property=Delegate=yes",
        "--property=KillMode=process",
    ]);
    command.arg(format!("--property=RuntimeMaxSec={}", patience.as_secs()));
    command.args([
        format!("--uid={user}"),
        format!("--unit={unit}"),
        "--".to_owned(),
    ]);
    command
        .arg(own_program()?)
        .args(["reconcile", "--registered", "--registry"])
        .arg(registry);

    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{status}; see: journalctl --unit={unit}"
    )))
}

/// Starts a `reconcile` that waits a moment, and then plans the push if post-receive did not.
///
/// # Errors
/// It can't be started.
pub fn reconcile(
    deploy: &DeployRepository,
    old: Option<&Revision>,
    new: Option<&Revision>,
    pusher: Option<&Identity>,
) -> io::Result<()> {
    let mut arguments: Vec<OsString> = vec!["reconcile".into(), "--after-push".into()];
    let (name, evidence) = pusher
        .map(|pusher| (pusher.name.as_str(), pusher.evidence.as_str()))
        .unzip();

    for (option, value) in [
        ("--push-old", old.map(Revision::as_str)),
        ("--push-new", new.map(Revision::as_str)),
        ("--pusher", name),
        ("--pusher-known-by", evidence),
    ] {
        // Option and value are one word, since a pusher's name can begin with a dash.
        arguments.extend(value.map(|value| format!("{option}={value}").into()));
    }

    spawn(deploy, &arguments)
}
