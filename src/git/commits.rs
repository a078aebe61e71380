//! What git tells about the history of a repository.

use std::path::Path;

use super::command::{LIST_MAX, SHORT_MAX, answer, list};
use super::error::Error;
use crate::id::Revision;
use crate::policy::{Commit, Commits};
use crate::time::Timestamp;

/// How many commits of a range are named.
const NAMED_MAX: u64 = 20;

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
    newest_commits(git_dir, Some(without), to, NAMED_MAX)
}

/// The same, with at most `most` of them by name. `without` is `None`: all commits that `to` has.
///
/// # Errors
/// git gave no answer.
pub fn newest_commits(
    git_dir: &Path,
    without: Option<&Revision>,
    to: &Revision,
    most: u64,
) -> Result<Commits, Error> {
    let range = match without {
        Some(without) => format!("{without}..{to}"),
        None => to.to_string(),
    };
    let count = ["rev-list", "--count", &range, "--"];
    let count: u64 = answer(git_dir, &count, SHORT_MAX)?
        .parse()
        .map_err(|_| Error::new(git_dir, format!("git rev-list {range} gave no count")))?;
    if count == 0 || most == 0 {
        return Ok(Commits {
            count,
            newest: Vec::new(),
        });
    }

    let newest = newest_of(git_dir, &range, most)?;
    if u64::try_from(newest.len()).ok() != Some(count.min(most)) {
        let message = format!("git rev-list {range} did not list what it counted");
        return Err(Error::new(git_dir, message));
    }
    Ok(Commits { count, newest })
}

/// When the commits were committed that `to` has and `without` does not have, by their own word, in
/// seconds since 1970: of the newest of them, at most `most`. What is no number is left out.
///
/// # Errors
/// git gave no answer.
pub fn commit_dates(
    git_dir: &Path,
    without: &Revision,
    to: &Revision,
    most: usize,
) -> Result<Vec<i64>, Error> {
    let most = format!("--max-count={most}");
    let range = format!("{without}..{to}");
    let form = "--format=%ct";
    let arguments = ["rev-list", &most, "--no-commit-header", form, &range, "--"];
    let text = list(git_dir, &arguments)?;
    Ok(text.lines().filter_map(|date| date.parse().ok()).collect())
}

/// The newest commits of a range, at most so many.
fn newest_of(git_dir: &Path, range: &str, most: u64) -> Result<Vec<Commit>, Error> {
    let most = format!("--max-count={most}");
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
    let text = answer(git_dir, &arguments, LIST_MAX)?;

    // What comes after the last NUL is the end of the last line.
    let fields: Vec<&str> = text.split('\0').collect();
    let commit = |fields: &[&str]| {
        let &[id, author, seconds, subject] = fields else {
            return None;
        };
        let seconds: i64 = seconds.parse().ok()?;
        Some(Commit {
            id: Revision::new(id.trim_start()).ok()?,
            author: author.trim_end().to_owned(),
            committed_at: Timestamp::from_ms(seconds.saturating_mul(1000)),
            subject: subject.trim_end().to_owned(),
        })
    };
    let no_commit = || Error::new(git_dir, format!("git rev-list {range} printed no commit"));
    fields
        .chunks_exact(4)
        .map(|fields| commit(fields).ok_or_else(no_commit))
        .collect()
}

/// The branches whose history has a commit; where there is no such branch, the tags. At most 20 of
/// them, without symbolic refs. `None`: git gave no answer. It only informs a person, or shows a
/// contradiction.
/// Tags come last because there can be thousands of them, and git walks the history of each.
pub(super) fn refs_with(git_dir: &Path, commit: &Revision) -> Option<Vec<String>> {
    let contains = format!("--contains={commit}");
    let below = |prefix: &str| {
        let arguments = [
            "for-each-ref",
            "--count=20",
            "--format=%(if)%(symref)%(then)%(else)%(refname)%(end)",
            &contains,
            prefix,
        ];
        let text = list(git_dir, &arguments).ok()?;
        let names = text.lines().filter(|name| !name.is_empty());
        Some(names.map(str::to_owned).collect::<Vec<String>>())
    };

    let branches = below("refs/heads/")?;
    if branches.is_empty() {
        below("refs/tags/")
    } else {
        Some(branches)
    }
}
