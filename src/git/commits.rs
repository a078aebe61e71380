//! What git tells about the history of a repository.

use std::path::Path;

use super::command::{LIST_MAX, SHORT_MAX, answer, complaint, git};
use super::error::Error;
use crate::id::Revision;
use crate::policy::{Commit, Commits};
use crate::time::Timestamp;

/// How many commits of a range are named.
const NAMED_MAX: usize = 20;

/// The commits that `to` has and `without` does not have, newest first: how many there are, and the
/// newest of them by name.
///
/// # Errors
/// git gave no answer.
pub fn commits_between(
    git_dir: &Path,
    without: &Revision,
    to: &Revision,
) -> Result<Commits, Error> {
    let range = format!("{without}..{to}");
    let count = ["rev-list", "--count", &range, "--"];
    let count = answer(git_dir, &count, SHORT_MAX)?.unwrap_or_default();
    let count = count
        .parse()
        .map_err(|_| Error::new(git_dir, format!("git rev-list {range} gave no count")))?;
    if count == 0 {
        return Ok(Commits::default());
    }

    Ok(Commits {
        count,
        newest: newest_of(git_dir, &range)?,
    })
}

/// The newest commits of a range, [`NAMED_MAX`] at most.
fn newest_of(git_dir: &Path, range: &str) -> Result<Vec<Commit>, Error> {
    let most = format!("--max-count={NAMED_MAX}");
    // A NUL ends each field, so that no subject can be mistaken for another commit. Names and
    // subjects are cut: each can be as long as a push may be.
    let form = "--format=%H%x00%<(200,trunc)%an%x00%ct%x00%<(500,trunc)%s%x00";
    let arguments = [
        "rev-list",
        &most,
        "--no-commit-header",
        "--encoding=UTF-8",
        form,
        range,
        "--",
    ];
    let text = answer(git_dir, &arguments, LIST_MAX)?.unwrap_or_default();

    let fields: Vec<&str> = text.split('\0').collect();
    let commit = |fields: &[&str]| {
        let seconds: i64 = fields.get(2)?.parse().ok()?;
        Some(Commit {
            id: Revision::new(fields.first()?.trim_start()).ok()?,
            author: fields.get(1)?.trim_end().to_owned(),
            committed_at: Timestamp::from_ms(seconds.saturating_mul(1000)),
            subject: fields.get(3)?.trim_end().to_owned(),
        })
    };
    Ok(fields.chunks_exact(4).filter_map(commit).collect())
}

/// The branches whose history has a commit; where there is no such branch, the tags. At most 20 of
/// them. It is only used to inform a person: where git gives no answer, it is empty. Tags come last
/// because there can be thousands of them, and git walks the history of each.
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
        let output = git(git_dir, &arguments, LIST_MAX)
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

/// Checks that git can walk the whole history between two commits.
///
/// # Errors
/// Some of the history is missing, and the error says what; or git gave no answer.
pub(super) fn check_history(git_dir: &Path, commit: &str, tip: &str) -> Result<(), Error> {
    let arguments = ["merge-base", "--is-ancestor", commit, tip];
    let output = git(git_dir, &arguments, SHORT_MAX)?;
    match output.status.code() {
        // Yes and no are both fine: the history was walked.
        Some(0 | 1) => Ok(()),
        _ => {
            let message = format!("the history is broken: {}", complaint(&output));
            Err(Error::new(git_dir, message))
        }
    }
}
