//! How git is called: with which environment, and within which limits.
//!
//! Protocol: git gets an explicit `--git-dir`, only what it needs of this process's environment,
//! and a session of its own. A call that takes too long or prints too much
//! is ended, and becomes an [`Error`] that says which limit it passed. So an answer that could not
//! be had is never mistaken for "no" or for "nothing".

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use super::error::Error;
use crate::sys::file::in_memory;
use crate::sys::output::{OutputError, output_of_input, output_within};
use crate::sys::user::User;
use crate::sys::{detach, environment};

/// How long one call of git may take.
const LIMIT: Duration = Duration::from_secs(60);

/// The most that git may print where the answer is one hash, name or setting, in bytes.
pub(super) const SHORT_MAX: usize = 1024 * 1024;

/// The most that git may print where the answer is a list of refs or commits, in bytes.
pub(super) const LIST_MAX: usize = 64 * 1024 * 1024;

/// The variables that git gets of this process's: where programs and the user's settings are.
/// Whatever else there is could lead git to another repository, change its answer, or be a secret:
/// the user as whom git runs can read it in /proc.
const INHERITED: &[&str] = &[
    "PATH",
    "LD_LIBRARY_PATH",
    "GIT_EXEC_PATH",
    "TMPDIR",
    "HOME",
    "XDG_CONFIG_HOME",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
];

/// What goes before a command of git that must read the objects themselves, and believe no
/// commit-graph.
pub(super) const OBJECTS_ONLY: &[&str] = &["-c", "core.commitGraph=false"];

/// Why a call of git gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("git could not be started: {0}")]
    Start(#[source] io::Error),

    #[error("the answer of git {call} could not be read: {source}")]
    Read { call: String, source: io::Error },

    #[error("git {call} gave no answer within {} s", .limit.as_secs())]
    TooLong { call: String, limit: Duration },

    #[error("git {call} printed more than {max_bytes} bytes")]
    TooLarge { call: String, max_bytes: usize },

    #[error("the answer of git {call} ends in the middle of a line")]
    CutShort { call: String },

    #[error("git {call} failed ({status}): {complaint}")]
    Failed {
        call: String,
        status: ExitStatus,
        complaint: String,
    },
}

impl NoAnswer {
    fn new(call: &str, error: OutputError) -> Self {
        let call = call.to_owned();
        match error {
            OutputError::Start(source) => Self::Start(source),
            OutputError::Read(source) => Self::Read { call, source },
            OutputError::TooLong { limit } => Self::TooLong { call, limit },
            OutputError::TooLarge { max_bytes } => Self::TooLarge { call, max_bytes },
        }
    }
}

/// git, with nothing but [`INHERITED`] of this process's environment, and in a session of its own:
/// root may call it as another user, and that user must not get hold of root's terminal.
pub(super) fn command() -> Command {
    let mut command = Command::new("git");
    environment::inherit_only(&mut command, INHERITED);
    command.env("LC_ALL", "C");
    detach::in_own_session(&mut command);
    command
}

/// git, with nothing of this process's environment but where its programs are: for a call that must
/// be the same from a hook, from a runner and from a person's terminal.
pub(super) fn git_alone() -> Command {
    let mut command = Command::new("git");
    environment::inherit_only(&mut command, &["PATH", "LD_LIBRARY_PATH", "GIT_EXEC_PATH"]);
    command.env("LC_ALL", "C");
    detach::in_own_session(&mut command);
    command
}

/// Runs a command of git within its limits. `folder` and `call` are for the error: the repository,
/// and which command of git it is.
///
/// # Errors
/// git could not be started, or passed a limit. A command that fails is not an error here; its
/// status says that it failed.
pub(super) fn run(
    command: Command,
    folder: &Path,
    call: &str,
    max_bytes: usize,
) -> Result<Output, Error> {
    run_within(command, folder, call, LIMIT, max_bytes)
}

/// [`run`] with a limit of time of its own.
pub(super) fn run_within(
    command: Command,
    folder: &Path,
    call: &str,
    limit: Duration,
    max_bytes: usize,
) -> Result<Output, Error> {
    output_within(command, limit, max_bytes)
        .map_err(|error| Error::new(folder, NoAnswer::new(call, error)))
}

/// A command of git on a repository, in the repository's folder. `object_folders` are further
/// folders of objects: those of a push in quarantine.
///
/// With an explicit `--git-dir`, git does not ask whether the folder is safe (safe.directory). The
/// repository's configuration can be another user's, so it must not be able to name a program that
/// these commands run. Fetching missing objects would run one, and is therefore forbidden.
/// `settings` go before those of the configuration.
pub(super) fn command_in(
    git_dir: &Path,
    object_folders: &[PathBuf],
    settings: &[&str],
    arguments: &[&str],
) -> Command {
    let mut command = command();

    // Relative paths in settings begin at this folder, as they do for hooks.
    command
        .current_dir(git_dir)
        .args(["-c", "advice.graftFileDeprecated=false", "--git-dir=."])
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .args(arguments);

    command
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "none")
        .env("GIT_OPTIONAL_LOCKS", "0");

    // Neither replacement objects nor grafts may change the history. gix judges the history, and
    // knows neither.
    command
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_GRAFT_FILE", "/dev/null");

    if !object_folders.is_empty() {
        let folders: Vec<Vec<u8>> = object_folders.iter().map(|path| quoted(path)).collect();
        let folders = OsString::from_vec(folders.join(&b':'));
        command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", folders);
    }
    command
}

/// Runs a [`command_in`] a repository within its limits.
///
/// # Errors
/// As for [`run`].
fn git_with(
    git_dir: &Path,
    object_folders: &[PathBuf],
    arguments: &[&str],
    limit: Duration,
    max_bytes: usize,
) -> Result<Output, Error> {
    let command = command_in(git_dir, object_folders, &[], arguments);
    run_within(command, git_dir, name_of(arguments), limit, max_bytes)
}

/// Lets a command of git that writes read its standard input from a file. What it has written is on
/// disk when this returns, also after a power cut.
///
/// # Errors
/// As for [`run`], or git failed.
pub(super) fn feed(git_dir: &Path, arguments: &[&str], input: File) -> Result<(), Error> {
    let settings = ["core.fsync=committed,loose-object"];
    let command = command_in(git_dir, &[], &settings, arguments);
    let call = name_of(arguments);
    let output = output_of_input(command, input, LIMIT, SHORT_MAX)
        .map_err(|error| Error::new(git_dir, NoAnswer::new(call, error)))?;
    if output.status.code() == Some(0) {
        return Ok(());
    }
    Err(failed(git_dir, call, &output))
}

/// What a command of git printed that writes objects or refs, without the end of its last line; it
/// may print nothing. It reads `input` on its standard input.
///
/// No hook of the repository runs: it is another user's program, and nothing that it could refuse
/// is asked for here. What was written is on disk when this returns: the state notes afterwards
/// that it was. Root writes as the repository's owner, who could not change root's files later.
///
/// # Errors
/// As for [`run`], or git failed, or the last line has no end.
pub(super) fn write(git_dir: &Path, arguments: &[&str], input: &[u8]) -> Result<String, Error> {
    let settings = ["core.hooksPath=/dev/null", "core.fsync=all"];
    let mut command = command_in(git_dir, &[], &settings, arguments);
    for who in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{who}_NAME"), "deploy-by-code")
            .env(format!("GIT_{who}_EMAIL"), "deploy-by-code@localhost");
    }

    let call = name_of(arguments);
    let error = |error: io::Error| Error::new(git_dir, error);
    as_owner(&mut command, git_dir).map_err(error)?;
    let input = in_memory(input).map_err(error)?;
    let output = output_of_input(command, input, LIMIT, SHORT_MAX)
        .map_err(|error| Error::new(git_dir, NoAnswer::new(call, error)))?;
    if output.status.code() != Some(0) {
        return Err(failed(git_dir, call, &output));
    }
    if output.stdout.is_empty() {
        return Ok(String::new());
    }
    whole(git_dir, arguments, &output)
}

/// Lets root run a command that writes as the owner of the repository.
fn as_owner(command: &mut Command, git_dir: &Path) -> io::Result<()> {
    let owner = git_dir.metadata()?.uid();
    if User::is_root() && owner != User::own_number() {
        User::by_number(owner)?.credentials()?.run(command);
    }
    Ok(())
}

/// Runs a command of git that puts the files of a mirror in order. It says nothing. If this process
/// ends, it ends too.
///
/// # Errors
/// As for [`run`], or git failed.
pub(super) fn git_to_tidy(
    git_dir: &Path,
    arguments: &[&str],
    limit: Duration,
) -> Result<(), Error> {
    let settings = ["core.hooksPath=/dev/null", "core.fsync=all"];
    let mut command = command_in(git_dir, &[], &settings, arguments);
    as_owner(&mut command, git_dir).map_err(|error| Error::new(git_dir, error))?;
    detach::end_with_this_thread(&mut command);

    let call = name_of(arguments);
    let output = run_within(command, git_dir, call, limit, SHORT_MAX)?;
    if output.status.code() == Some(0) {
        return Ok(());
    }
    Err(failed(git_dir, call, &output))
}

/// A path in the list `GIT_ALTERNATE_OBJECT_DIRECTORIES` (git(1)): in quotes, so that it may have a
/// colon.
fn quoted(path: &Path) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(*byte);
    }
    quoted.push(b'"');
    quoted
}

/// [`git_with`] the repository's own objects only.
///
/// # Errors
/// As for [`run`].
pub(super) fn git(git_dir: &Path, arguments: &[&str], max_bytes: usize) -> Result<Output, Error> {
    git_with(git_dir, &[], arguments, LIMIT, max_bytes)
}

/// The answer of a command of git that answers with its exit code: 0 is yes, and 1 is no.
///
/// # Errors
/// As for [`run`], or git ended in another way.
pub(super) fn yes_or_no(
    git_dir: &Path,
    object_folders: &[PathBuf],
    arguments: &[&str],
) -> Result<bool, Error> {
    let output = git_with(git_dir, object_folders, arguments, LIMIT, SHORT_MAX)?;
    match output.status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(failed(git_dir, name_of(arguments), &output)),
    }
}

/// What git printed, without the end of its last line.
///
/// # Errors
/// As for [`run`], or git failed, or it printed nothing, or the last line has no end. git exits
/// with 0 also when it could not write its answer, or only a part of it.
pub(super) fn answer(
    git_dir: &Path,
    arguments: &[&str],
    max_bytes: usize,
) -> Result<String, Error> {
    answer_within(git_dir, arguments, LIMIT, max_bytes)
}

/// [`answer`] with a limit of time of its own.
pub(super) fn answer_within(
    git_dir: &Path,
    arguments: &[&str],
    limit: Duration,
    max_bytes: usize,
) -> Result<String, Error> {
    let output = git_with(git_dir, &[], arguments, limit, max_bytes)?;
    if output.status.code() != Some(0) || output.stdout.is_empty() {
        return Err(failed(git_dir, name_of(arguments), &output));
    }
    whole(git_dir, arguments, &output)
}

/// The [`answer`] of a command of git that exits with 1 to say that there is none.
///
/// # Errors
/// As for [`answer`].
pub(super) fn answer_if_any(git_dir: &Path, arguments: &[&str]) -> Result<Option<String>, Error> {
    answer_if_any_within(git_dir, arguments, LIMIT)
}

/// [`answer_if_any`] with a limit of time of its own.
pub(super) fn answer_if_any_within(
    git_dir: &Path,
    arguments: &[&str],
    limit: Duration,
) -> Result<Option<String>, Error> {
    let output = git_with(git_dir, &[], arguments, limit, SHORT_MAX)?;
    match output.status.code() {
        Some(0) if !output.stdout.is_empty() => whole(git_dir, arguments, &output).map(Some),
        Some(1) => Ok(None),
        _ => Err(failed(git_dir, name_of(arguments), &output)),
    }
}

/// The lines that git printed, if any. That there are none may also mean that git could not write
/// them: the caller must not conclude anything from that.
///
/// # Errors
/// As for [`run`], or git failed, or the last line has no end.
pub(super) fn list(git_dir: &Path, arguments: &[&str]) -> Result<String, Error> {
    let output = git(git_dir, arguments, LIST_MAX)?;
    if output.status.code() != Some(0) {
        return Err(failed(git_dir, name_of(arguments), &output));
    }
    if output.stdout.is_empty() {
        return Ok(String::new());
    }
    whole(git_dir, arguments, &output)
}

/// What git printed, if its last line has an end.
fn whole(git_dir: &Path, arguments: &[&str], output: &Output) -> Result<String, Error> {
    let text = String::from_utf8_lossy(&output.stdout);
    let call = || name_of(arguments).to_owned();
    let text = text
        .strip_suffix('\n')
        .ok_or_else(|| Error::new(git_dir, NoAnswer::CutShort { call: call() }))?;
    Ok(text.to_owned())
}

/// The error of a command of git that failed.
pub(super) fn failed(git_dir: &Path, call: &str, output: &Output) -> Error {
    let failed = NoAnswer::Failed {
        call: call.to_owned(),
        status: output.status,
        complaint: complaint(output),
    };
    Error::new(git_dir, failed)
}

/// The first line of what git wrote to its standard error.
pub(super) fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().next().unwrap_or_default().to_owned()
}

/// The name of the command that some arguments begin with.
pub(super) fn name_of<'a>(arguments: &[&'a str]) -> &'a str {
    let arguments = arguments.strip_prefix(OBJECTS_ONLY).unwrap_or(arguments);
    arguments.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error of a shell script in place of git.
    #[track_caller]
    fn error_of(script: &str, limit: Duration, max_bytes: usize) -> Error {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        run_within(command, Path::new("/repo"), "rev-list", limit, max_bytes).unwrap_err()
    }

    #[test]
    fn git_that_hangs_is_an_error_that_names_the_limit() {
        let error = error_of("sleep 60", Duration::from_secs(1), 100);
        assert_eq!(
            error.to_string(),
            "/repo: git rev-list gave no answer within 1 s"
        );
    }

    #[test]
    fn git_that_prints_too_much_is_an_error_that_names_the_limit() {
        let error = error_of("yes", Duration::from_secs(20), 1000);
        assert_eq!(
            error.to_string(),
            "/repo: git rev-list printed more than 1000 bytes"
        );
    }

    #[test]
    fn git_that_cannot_be_started_is_an_error_with_its_source() {
        let command = Command::new("/nonexistent/git");
        let error = run(command, Path::new("/repo"), "rev-list", 100).unwrap_err();

        let text = error.to_string();
        assert!(
            text.starts_with("/repo: git could not be started: "),
            "{text}"
        );
        assert!(std::error::Error::source(&error).is_some());
    }
}
