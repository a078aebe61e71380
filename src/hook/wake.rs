//! Starting what goes on after the hook: this program again, detached.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::deploy_repository::DeployRepository;
use crate::id::{Environment, Pusher, Revision};
use crate::sys::detach;
use crate::sys::process::PATH;

/// The environment of a runner. The hook's own never gets there: it can hold the pusher's password.
const ENVIRONMENT: &[(&str, &str)] = &[("PATH", PATH), ("LANG", "C.UTF-8")];

/// This program's file, also when a newer one was put in its place meanwhile.
fn own_program() -> io::Result<PathBuf> {
    let program = env::current_exe()?;
    let path = program.as_os_str().as_bytes();
    Ok(path.strip_suffix(b" (deleted)").map_or(program.clone(), |path| PathBuf::from(OsStr::from_bytes(path))))
}

fn spawn(deploy: &DeployRepository, arguments: &[OsString]) -> io::Result<()> {
    let mut all: Vec<OsString> = vec!["--repository".into(), deploy.repository.path().into()];
    if let Some(file) = &deploy.config_file {
        all.extend(["--config".into(), file.canonicalize()?.into()]);
    }
    all.extend_from_slice(arguments);
    let all: Vec<&OsStr> = all.iter().map(OsString::as_os_str).collect();
    detach::spawn(&own_program()?, &all, ENVIRONMENT)
}

/// Starts a runner for an environment; where one runs already, the new one leaves again.
///
/// # Errors
/// It can't be started. What is queued stays queued.
pub fn runner(deploy: &DeployRepository, environment: &Environment) -> io::Result<()> {
    spawn(deploy, &["run".into(), environment.as_str().into()])
}

/// Starts a `reconcile` that gives post-receive a moment and then sees whether it came.
///
/// # Errors
/// It can't be started.
pub fn reconcile(
    deploy: &DeployRepository,
    old: Option<&Revision>,
    new: Option<&Revision>,
    pusher: Option<&Pusher>,
) -> io::Result<()> {
    let mut arguments: Vec<OsString> = vec!["reconcile".into(), "--after-push".into()];
    let (name, known_by) = pusher.map(|pusher| (pusher.name.as_str(), pusher.known_by.as_str())).unzip();
    for (option, value) in [
        ("--push-old", old.map(Revision::as_str)),
        ("--push-new", new.map(Revision::as_str)),
        ("--pusher", name),
        ("--pusher-known-by", known_by),
    ] {
        // In one word: a pusher's name may begin with a dash.
        arguments.extend(value.map(|value| format!("{option}={value}").into()));
    }
    spawn(deploy, &arguments)
}
