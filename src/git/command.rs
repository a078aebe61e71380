//! Asking git itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::error::Error;
use crate::id::Revision;
use crate::policy::{Commit, Commits};
use crate::sys::detach;
use crate::sys::surroundings::PATH;
use crate::time::Timestamp;

/// What of a hook's environment would make git look at another repository or tell something else
/// than the repository at hand says.
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

/// git, told nothing by a hook's environment. In a session of its own: as another user than root
/// who typed this, its user could act through it, and root's terminal is not theirs.
fn command() -> Command {
    let mut command = Command::new("git");
    FORGET.iter().for_each(|name| {
        command.env_remove(name);
    });
    command.env("LC_ALL", "C").stdin(Stdio::null());
    detach::in_own_session(&mut command);
    command
}

/// What a git command printed. `at`: for the error where there is no git.
fn output(mut command: Command, at: &Path) -> Result<Output, Error> {
    command
        .output()
        .map_err(|error| Error::new(at, format!("git could not be started: {error}")))
}

/// Runs a git command on a repository, in its folder. An explicit `--git-dir` is no question of
/// safe.directory, so the repository's configuration, which can be another user's, must not be able
/// to name a program that these commands run: fetching what is missing would.
pub(super) fn git(git_dir: &Path, arguments: &[&str]) -> Result<Output, Error> {
    let mut command = command();
    // Settings are relative to that folder, as for hooks.
    command
        .current_dir(git_dir)
        .args(["-c", "advice.graftFileDeprecated=false", "--git-dir=."])
        .args(arguments);
    command
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "none")
        .env("GIT_OPTIONAL_LOCKS", "0");
    // Neither replacement objects nor grafts change what history says: gix, which judges it, knows
    // neither.
    command
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_GRAFT_FILE", "/dev/null");
    output(command, git_dir)
}

/// What git printed, for an exit status that means success or, with `none_is`, "there is none".
///
/// git exits with 0 when its own write fails, so an empty answer is no answer.
pub(super) fn answer(
    git_dir: &Path,
    arguments: &[&str],
    none_is: i32,
) -> Result<Option<String>, Error> {
    let output = git(git_dir, arguments)?;
    let text = String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned();
    match output.status.code() {
        Some(0) if !text.is_empty() => Ok(Some(text)),
        Some(code) if code == none_is => Ok(None),
        _ => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let first = complaint.lines().next().unwrap_or_default();
            let command = arguments.first().copied().unwrap_or_default();
            Err(Error::new(
                git_dir,
                format!("git {command} failed ({}): {first}", output.status),
            ))
        }
    }
}

/// Runs a git command in a scratch folder, by nobody's configuration, and says what it printed, its
/// errors included. Hooks that it runs may be somebody else's than whoever types this: they get
/// neither the terminal nor anything of the environment.
///
/// # Errors
/// It did not succeed.
pub fn scratch(folder: &Path, arguments: &[&str]) -> Result<String, Error> {
    let mut command = command();
    command
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", folder)
        .env("LC_ALL", "C");
    for who in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{who}_NAME"), "doctor")
            .env(format!("GIT_{who}_EMAIL"), "doctor@localhost");
    }
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    command.arg("-C").arg(folder).args(arguments);
    let output = output(command, folder)?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if output.status.success() {
        Ok(said)
    } else {
        Err(Error::new(
            folder,
            format!("git {}: {said}", arguments.join(" ")),
        ))
    }
}

/// Whether git, called as a pusher's receive-pack is, takes a repository for safe in the eyes of
/// this user.
///
/// # Errors
/// git could not be asked.
pub fn trusts(git_dir: &Path) -> Result<bool, Error> {
    let mut command = command();
    command
        .arg("-C")
        .arg(git_dir)
        .args(["rev-parse", "--git-dir"]);
    let output = output(command, git_dir)?;
    Ok(output.status.success()
        || !String::from_utf8_lossy(&output.stderr).contains("dubious ownership"))
}

/// How many commits of a range are named.
const NAMED_MAX: usize = 20;

/// The commits that `to` has and `without` has not, newest first.
///
/// # Errors
/// git could not tell.
pub fn commits_between(
    git_dir: &Path,
    without: &Revision,
    to: &Revision,
) -> Result<Commits, Error> {
    let range = format!("{without}..{to}");
    let count = answer(git_dir, &["rev-list", "--count", &range, "--"], 1)?.unwrap_or_default();
    let count = count
        .parse()
        .map_err(|_| Error::new(git_dir, format!("git rev-list {range} gave no count")))?;
    if count == 0 {
        return Ok(Commits::default());
    }
    let most = format!("--max-count={NAMED_MAX}");
    // A NUL ends each field, so that no subject can pass for another commit. A subject can be as
    // long as a push may be.
    let form = "--format=%H%x00%<(200,trunc)%an%x00%ct%x00%<(500,trunc)%s%x00";
    let arguments = [
        "rev-list",
        &most,
        "--no-commit-header",
        "--encoding=UTF-8",
        form,
        &range,
        "--",
    ];
    let text = answer(git_dir, &arguments, 1)?.unwrap_or_default();
    let fields: Vec<&str> = text.split('\0').collect();
    let commit = |fields: &[&str]| {
        Some(Commit {
            id: Revision::new(fields.first()?.trim_start()).ok()?,
            author: fields.get(1)?.trim_end().to_owned(),
            committed_at: Timestamp::from_ms(
                fields.get(2)?.parse::<i64>().ok()?.saturating_mul(1000),
            ),
            subject: fields.get(3)?.trim_end().to_owned(),
        })
    };
    Ok(Commits {
        count,
        newest: fields.chunks_exact(4).filter_map(commit).collect(),
    })
}

/// The branches in whose history a commit is, or, where there is none, the tags; some of them at
/// most. Only for telling a person: where git can't tell, none. Tags are looked at last because
/// there can be thousands, and git walks for each.
pub(super) fn refs_with(git_dir: &Path, commit: &Revision) -> Vec<String> {
    let contains = format!("--contains={commit}");
    let below = |prefix: &str| {
        let arguments = [
            "for-each-ref",
            "--count=20",
            "--format=%(refname)",
            &contains,
            prefix,
        ];
        let output = git(git_dir, &arguments)
            .ok()
            .filter(|output| output.status.success());
        let text = output
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default();
        text.lines().map(str::to_owned).collect::<Vec<String>>()
    };
    let branches = below("refs/heads/");
    if branches.is_empty() {
        below("refs/tags/")
    } else {
        branches
    }
}

/// Whether git can walk the whole history between two commits; what is missing, if not.
pub(super) fn check_history(git_dir: &Path, commit: &str, tip: &str) -> Result<(), Error> {
    let output = git(git_dir, &["merge-base", "--is-ancestor", commit, tip])?;
    match output.status.code() {
        Some(0 | 1) => Ok(()),
        _ => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let first = complaint.lines().next().unwrap_or_default();
            Err(Error::new(
                git_dir,
                format!("the history is broken: {first}"),
            ))
        }
    }
}

/// The refs below a prefix and the commits that they lead to, for kinds of ref storage that gix
/// can't read.
pub(super) fn list_refs(git_dir: &Path, prefix: &str) -> Result<Vec<(String, Revision)>, Error> {
    let form = "--format=%(refname)%00%(objectname)%00%(*objectname)";
    let output = git(git_dir, &["for-each-ref", form, "--", prefix])?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::new(
            git_dir,
            format!("git for-each-ref {prefix} failed: {complaint}"),
        ));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let read = |line: &str| {
        let mut fields = line.split('\0');
        let name = fields.next()?.to_owned();
        let (own, peeled) = (fields.next()?, fields.next()?);
        Some((
            name,
            Revision::new(if peeled.is_empty() { own } else { peeled }).ok()?,
        ))
    };
    Ok(text.lines().filter_map(read).collect())
}

/// A value of a repository's git configuration, the user's and the system's included.
///
/// # Errors
/// git could not be asked.
pub fn config_value(git_dir: &Path, key: &str) -> Result<Option<String>, Error> {
    answer(git_dir, &["config", "--get", key], 1)
}

/// A setting of a repository that is true or false, in whichever of git's words (git-config(1),
/// "boolean").
///
/// # Errors
/// git could not be asked, or the value is neither.
pub fn config_bool(git_dir: &Path, key: &str) -> Result<bool, Error> {
    Ok(answer(git_dir, &["config", "--type=bool", "--get", key], 1)?.as_deref() == Some("true"))
}

/// The folder from which git runs a repository's hooks.
///
/// # Errors
/// git could not be asked.
pub fn hooks_folder(git_dir: &Path) -> Result<PathBuf, Error> {
    let folder = answer(
        git_dir,
        &["rev-parse", "--path-format=absolute", "--git-path", "hooks"],
        1,
    )?;
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
    Err(Error::new(
        git_dir,
        format!("git config {key} {value} failed: {}", complaint.trim()),
    ))
}
