//! How git is called where it talks to another host, and what its answer means.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use super::error::{FetchError, at};
use crate::config::RepositoryUrl;
use crate::git::command::git_alone;
use crate::sys::detach::end_with_this_thread;
use crate::sys::output::{OutputError, output_heard};
use crate::sys::user::User;
use crate::text;

/// The most that git may print, in bytes. What the other host says is a part of it. git prints a
/// line for each ref that is new, and only says how far it is if it may print these too; so this
/// is enough for about 100,000 refs.
const OUTPUT_MAX: usize = 16 * 1024 * 1024;

/// How many lines of what git says are taken over, and how long all of them may be.
const LINES_MAX: usize = 3;
const COMPLAINT_MAX: usize = 300;

/// How git starts ssh. It must not ask, not leave a process behind that keeps the connection, and
/// not wait for ever for a host that is gone. The user's own configuration of ssh counts for the
/// rest: keys, known hosts, proxies.
const SSH: &str = "ssh -o BatchMode=yes -o ControlMaster=no -o ControlPath=none \
                   -o ConnectTimeout=10 -o ServerAliveInterval=10 -o ServerAliveCountMax=3 \
                   -o ForwardAgent=no -o ForwardX11=no -o ClearAllForwardings=yes \
                   -o PermitLocalCommand=no";

/// What is set, whatever the configuration of the user or the mirror says.
const SETTINGS: &[&str] = &[
    // Nothing is started beside the fetch.
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "core.alternateRefsCommand=",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    // What arrives is checked, and kept as one pack that is on disk before a ref leads to it.
    "fetch.fsckObjects=true",
    "transfer.fsckObjects=true",
    "fetch.unpackLimit=1",
    "core.fsync=all",
    // Nothing but the URL says from where it comes.
    "http.followRedirects=initial",
    "transfer.bundleURI=false",
    // A connection on which nothing arrives is given up, also when nobody is left to end it.
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
];

/// git for a URL, in the folder of a mirror or in another one. It runs as this user. Root lets it
/// run as the owner of the folder, who could not change root's files later.
///
/// # Errors
/// The folder can't be looked at, or the user can't be looked up.
pub(super) fn git_for(url: &RepositoryUrl, folder: &Path) -> Result<Command, FetchError> {
    let owner = folder.metadata().map_err(at(folder))?.uid();
    let other = User::is_root() && owner != User::own_number();
    let user = if other {
        User::by_number(owner).map(Some)
    } else {
        match User::current() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            found => found.map(Some),
        }
    };
    let user = user.map_err(at(folder))?;

    let mut command = git_alone();
    if let Some(user) = &user {
        command
            .env("HOME", &user.home)
            .env("USER", &user.name)
            .env("LOGNAME", &user.name);
    }
    command
        .env("GIT_ALLOW_PROTOCOL", url.protocol().as_str())
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_SSH_COMMAND", SSH)
        .env("GIT_SSH_VARIANT", "ssh")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_NO_REPLACE_OBJECTS", "1");
    command
        .current_dir(folder)
        .args(SETTINGS.iter().flat_map(|setting| ["-c", *setting]));
    if let Some(user) = user.filter(|_| other) {
        user.credentials().map_err(at(folder))?.run(&mut command);
    }
    // The last: a change of the user would undo it.
    end_with_this_thread(&mut command);
    Ok(command)
}

/// Runs git to its end, but not longer than `limit`; then all that it started is ended too. `heard`
/// gets what it writes to its standard error, at least a few times a second.
///
/// # Errors
/// git can't be started, passed a limit or failed.
pub(super) fn run(
    command: Command,
    limit: Duration,
    heard: &mut dyn FnMut(&[u8]),
) -> Result<(), FetchError> {
    let output = output_heard(command, limit, OUTPUT_MAX, heard).map_err(|error| match error {
        OutputError::TooLong { limit } => FetchError::TooLong(limit),
        error => FetchError::Git(format!("git: {error}")),
    })?;
    if output.status.success() {
        Ok(())
    } else {
        Err(FetchError::Git(complaint(&output)))
    }
}

/// What git and the programs that it started say went wrong: the last lines that mean something,
/// escaped. The first ones can be the greeting of the other host.
fn complaint(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let lines = said.split(['\n', '\r']).map(str::trim_end);
    let mut lines: Vec<&str> = lines.filter(|line| is_complaint(line)).collect();
    lines.drain(..lines.len().saturating_sub(LINES_MAX));
    if lines.is_empty() {
        return format!("git fetch ended: {}", output.status);
    }
    text::escape(lines.join("; "), COMPLAINT_MAX)
}

/// Whether a line is neither about progress nor general advice.
fn is_complaint(line: &str) -> bool {
    const OTHERS: &[&str] = &[
        // What was fetched, and how far it is.
        " ",
        "From ",
        "Receiving objects:",
        "Resolving deltas:",
        "remote: Enumerating objects:",
        "remote: Counting objects:",
        "remote: Compressing objects:",
        "remote: Total ",
        // What always stands there.
        "warning: ",
        "Warning: ",
        "Please make sure you have the correct access rights",
        "and the repository exists.",
    ];
    !line.is_empty() && !OTHERS.iter().any(|other| line.starts_with(other))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn complaint_is_what_went_wrong_and_neither_greeting_nor_advice() {
        let table = [
            (
                "*** Welcome ***\r\nno trespassing\r\nlast login: never\r\n\
                 git@example.org: Permission denied (publickey).\r\n\
                 fatal: Could not read from remote repository.\n\n\
                 Please make sure you have the correct access rights\n\
                 and the repository exists.\n",
                "last login: never; git@example.org: Permission denied (publickey).; \
                 fatal: Could not read from remote repository.",
            ),
            (
                "From https://example.org/web\n * [new branch] main -> main\n\
                 remote: Counting objects: 50% (1/2)\rremote: Counting objects: 100% (2/2)\n\
                 fatal: fsck error in packed object\n",
                "fatal: fsck error in packed object",
            ),
            ("fatal: \u{1b}[2J\n", "fatal: \\u{1b}[2J"),
            ("warning: redirecting\n", "git fetch ended: exit status: 1"),
            ("", "git fetch ended: exit status: 1"),
        ];
        for (said, expect) in table {
            let output = Output {
                status: ExitStatus::from_raw(0x100),
                stdout: Vec::new(),
                stderr: said.as_bytes().to_vec(),
            };
            assert_eq!(complaint(&output), expect);
        }
    }
}
