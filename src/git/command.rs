//! How git is called: with which environment, and within which limits.
//!
//! Protocol: git gets an explicit `--git-dir`, only what it needs of this process's environment,
//! and a session of its own. A call that takes too long or prints too much
//! is ended, and becomes an [`Error`] that says which limit it passed. So an answer that could not
//! be had is never mistaken for "no" or for "nothing".

use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use super::error::Error;
use crate::sys::output::{OutputError, output_within};
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

/// Why a call of git gave no answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("git could not be started: {0}")]
    Start(#[source] io::Error),

    #[error("the answer of git {call} could not be read: {source}")]
    Read { call: String, source: io::Error },

    #[error("git {call} gave no answer within {} s", .limit.as_secs())]
    TooLong { call: String, limit: Duration },

    #[error("git {call} printed more than {max_bytes} bytes")]
    TooLarge { call: String, max_bytes: usize },

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

/// Runs a command of git on a repository, in the repository's folder.
///
/// With an explicit `--git-dir`, git does not ask whether the folder is safe (safe.directory). The
/// repository's configuration can be another user's, so it must not be able to name a program that
/// these commands run. Fetching missing objects would run one, and is therefore forbidden.
///
/// # Errors
/// As for [`run`].
pub(super) fn git(git_dir: &Path, arguments: &[&str], max_bytes: usize) -> Result<Output, Error> {
    git_within(git_dir, arguments, LIMIT, max_bytes)
}

fn git_within(
    git_dir: &Path,
    arguments: &[&str],
    limit: Duration,
    max_bytes: usize,
) -> Result<Output, Error> {
    let mut command = command();

    // Relative paths in settings begin at this folder, as they do for hooks.
    command
        .current_dir(git_dir)
        .args(["-c", "advice.graftFileDeprecated=false", "--git-dir=."])
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

    run_within(command, git_dir, name_of(arguments), limit, max_bytes)
}

/// What git printed on success. `None`: git exited with 1, which means "there is none" for the
/// commands that this is used for.
///
/// # Errors
/// As for [`run`], or git failed, or it succeeded and printed nothing: git also exits with 0 when
/// it could not write its answer.
pub(super) fn answer(
    git_dir: &Path,
    arguments: &[&str],
    max_bytes: usize,
) -> Result<Option<String>, Error> {
    answer_within(git_dir, arguments, LIMIT, max_bytes)
}

/// [`answer`] with a limit of time of its own.
pub(super) fn answer_within(
    git_dir: &Path,
    arguments: &[&str],
    limit: Duration,
    max_bytes: usize,
) -> Result<Option<String>, Error> {
    let output = git_within(git_dir, arguments, limit, max_bytes)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let text = text.trim_end();

    match output.status.code() {
        Some(0) if !text.is_empty() => Ok(Some(text.to_owned())),
        Some(1) => Ok(None),
        _ => Err(failed(git_dir, name_of(arguments), &output)),
    }
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
fn name_of<'a>(arguments: &[&'a str]) -> &'a str {
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
