//! The deploy repository as git sees it: settings, ownership, and lock files.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::finding::Finding;
use super::installation::{Installation, shown};
use crate::git;
use crate::sys::clock;
use crate::text;
use crate::time::Timestamp;
use crate::verbs::install::is_checked_out;

/// How old a lock file must be before doctor reports it. No git command holds a lock that long.
const LOCK_AGE: Duration = Duration::from_secs(60 * 60);

/// The lock files that git makes outside of `refs`.
const TOP_LOCKS: &[&str] = &[
    "HEAD.lock",
    "packed-refs.lock",
    "config.lock",
    "shallow.lock",
];

/// Whether a pusher can use `git push -o`.
pub(super) fn push_options(installation: &Installation<'_>) -> Finding {
    match git::config_bool(installation.git_dir(), "receive.advertisePushOptions") {
        Ok(true) => Finding::ok("receive.advertisePushOptions is true"),
        Ok(false) => Finding::warning(
            "git push -o follow and -o wait are refused by git",
            installation.set("receive.advertisePushOptions true"),
        ),
        Err(error) => Finding::problem(error.to_string(), "check that git is installed"),
    }
}

/// Whether the deploy branch exists, as soon as there are branches.
pub(super) fn deploy_branch(installation: &Installation<'_>) -> Finding {
    let branch = &installation.deploy.branch;
    match installation.deploy.missing_branch() {
        Ok(None) => Finding::ok(text::escape(branch, 200)),
        Ok(Some(missing)) => Finding::problem(missing.to_string(), missing.hint()),
        Err(error) => Finding::problem(
            error.to_string(),
            "check that this user may read the repository",
        ),
    }
}

/// Whether git accepts pushes to the deploy branch although the repository has a work tree.
pub(super) fn work_tree(installation: &Installation<'_>) -> Finding {
    match is_checked_out(installation.deploy) {
        Ok(false) => Finding::ok("git accepts pushes to the deploy branch"),
        Ok(true) => Finding::problem(
            "the deploy branch is checked out in a work tree here, so git refuses every push to it",
            "deploy from a bare repository: git clone --bare",
        ),
        Err(error) => Finding::problem(error.to_string(), "check that git is installed"),
    }
}

/// Whether git works here for this user, who may not be the repository's owner (git-config(1),
/// `safe.directory`).
pub(super) fn ownership(installation: &Installation<'_>) -> Finding {
    match git::trusts(installation.git_dir()) {
        Ok(true) => Finding::ok("git trusts the repository"),
        Ok(false) => {
            let repository = shown(installation.git_dir());
            Finding::problem(
                "the repository is another user's, and git refuses to work in it as this user",
                format!("git config --global --add safe.directory {repository}"),
            )
        }
        Err(error) => Finding::problem(error.to_string(), "check that git is installed"),
    }
}

/// Whether git checks the objects that it receives, and writes them so that they survive a power
/// cut. This is recommended; the administrator decides.
pub(super) fn git_settings(installation: &Installation<'_>) -> Finding {
    let git_dir = installation.git_dir();
    let is_true = |key| git::config_bool(git_dir, key).unwrap_or(false);
    let checks = is_true("receive.fsckObjects") || is_true("transfer.fsckObjects");

    let synced = git::config_value(git_dir, "core.fsync").ok().flatten();
    let syncs = synced.is_some_and(|value| {
        value.contains("all") || value.contains("committed") && value.contains("reference")
    });

    let mut missing = Vec::new();
    if !checks {
        missing.push(installation.set("receive.fsckObjects true"));
    }
    if !syncs {
        missing.push(installation.set("core.fsync committed,reference"));
    }
    if missing.is_empty() {
        return Finding::ok("objects are checked, refs and objects are synced");
    }
    Finding::warning(
        "git accepts malformed objects, or a power cut may lose a push that git acknowledged",
        missing.join("; "),
    )
}

/// Whether a git process that died has left a lock file. Pushes that need the lock fail until the
/// file is removed.
pub(super) fn lock_files(installation: &Installation<'_>) -> Finding {
    let now = clock::now();
    let is_old = |file: &&PathBuf| {
        file.symlink_metadata().is_ok_and(|found| {
            let changed = Timestamp::from_ms(found.mtime().saturating_mul(1000));
            now.since(changed) > LOCK_AGE
        })
    };

    match possible_locks(installation.git_dir()).iter().find(is_old) {
        None => Finding::ok("git has left no old lock file behind"),
        Some(file) => {
            let file = shown(file);
            Finding::problem(
                format!("{file} is older than an hour, and git refuses changes that need it"),
                "if no git process is running there, remove it",
            )
        }
    }
}

/// The files of [`TOP_LOCKS`], which need not exist, and all lock files of refs.
fn possible_locks(git_dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = TOP_LOCKS.iter().map(|name| git_dir.join(name)).collect();
    let mut folders = vec![git_dir.join("refs")];

    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "lock") {
                files.push(path);
            }
        }
    }
    files
}
