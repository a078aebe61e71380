//! Starting `reconcile`: after a push, for the timer, and in a unit of its own.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::program::{Call, ENVIRONMENT};
use crate::deploy_repository::DeployRepository;
use crate::id::Revision;
use crate::identity::Identity;
use crate::sys::clock::{self, Deadline};
use crate::sys::group;
use crate::sys::own_program::own_program;
use crate::sys::user::User;

/// How long to wait for the end of a process that was killed.
const KILLED_MAX: Duration = Duration::from_secs(2);

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
        User::by_number(owner)?.credentials()?.run(&mut command);
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
/// processes that it starts are in that unit's control group, which the user may divide, and only
/// the limits of that unit count for them.
///
/// # Errors
/// It can't be run, or it failed.
pub fn reconcile_in_unit(user: u32, registry: &Path, patience: Duration) -> io::Result<()> {
    // The name of a unit is taken as long as any of its processes lives. A runner can live for
    // hours, and a process that tells others for a day, and the next call must not wait for them.
    let unit = format!("deploy-by-code-reconcile-{user}-{}", clock::now().as_ms());

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

    Call::of(deploy).spawn(&arguments)
}
