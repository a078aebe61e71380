//! Asking git itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{Error, Repository};
use crate::id::Revision;

/// What of a hook's environment would make git look at another repository or tell something else than the repository at hand says.
const FORGET: &[&str] = &[
    "GIT_DIR",
    "GIT_COMMON_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_NAMESPACE",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_TRACE",
    "GIT_EXTERNAL_DIFF",
    "GIT_PAGER",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
];

/// Runs a git command on a repository. An explicit `--git-dir` is no question of safe.directory.
pub(super) fn git(git_dir: &Path, arguments: &[&str]) -> Result<Output, Error> {
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(git_dir).args(arguments).stdin(Stdio::null());
    FORGET.iter().for_each(|name| {
        command.env_remove(name);
    });
    command.env("LC_ALL", "C").env("GIT_NO_REPLACE_OBJECTS", "1").env("GIT_OPTIONAL_LOCKS", "0");
    command.output().map_err(|error| Error::new(git_dir, format_args!("git could not be started: {error}")))
}

/// What git printed, for an exit status that means success or, with `none_is`, "there is none".
///
/// git exits with 0 when its own write fails, so an empty answer is no answer.
pub(super) fn answer(git_dir: &Path, arguments: &[&str], none_is: i32) -> Result<Option<String>, Error> {
    let output = git(git_dir, arguments)?;
    let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    match output.status.code() {
        Some(0) if !text.is_empty() => Ok(Some(text)),
        Some(code) if code == none_is => Ok(None),
        _ => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let message = format!("git {} failed ({}): {}", arguments.join(" "), output.status, complaint.trim());
            Err(Error::new(git_dir, message))
        }
    }
}

/// How many commits `to` has that `from` has not, and the other way round.
///
/// # Errors
/// git could not tell.
pub fn gained_and_lost(repository: &Repository, from: &Revision, to: &Revision) -> Result<(u64, u64), Error> {
    let range = format!("{from}...{to}");
    let counts =
        answer(repository.path(), &["rev-list", "--left-right", "--count", &range, "--"], 1)?.unwrap_or_default();
    let mut counts = counts.split_whitespace().map(str::parse::<u64>);
    match (counts.next(), counts.next()) {
        (Some(Ok(lost)), Some(Ok(gained))) => Ok((gained, lost)),
        _ => Err(Error::new(repository.path(), format_args!("git rev-list {range} gave no counts"))),
    }
}

/// A value of a repository's git configuration, the user's and the system's included.
///
/// # Errors
/// git could not be asked.
pub fn config_value(git_dir: &Path, key: &str) -> Result<Option<String>, Error> {
    answer(git_dir, &["config", "--get", key], 1)
}

/// The folder from which git runs a repository's hooks.
///
/// # Errors
/// git could not be asked.
pub fn hooks_folder(git_dir: &Path) -> Result<PathBuf, Error> {
    let folder = answer(git_dir, &["rev-parse", "--path-format=absolute", "--git-path", "hooks"], 1)?;
    Ok(folder.map_or_else(|| git_dir.join("hooks"), PathBuf::from))
}

/// Sets a value in the repository's own git configuration.
///
/// # Errors
/// git could not set it.
pub fn set_config_value(git_dir: &Path, key: &str, value: &str) -> Result<(), Error> {
    let output = git(git_dir, &["config", "--local", key, value])?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(git_dir, format_args!("git config {key} {value} failed: {}", complaint.trim())))
}
