//! What git tells about the history of a repository.

use std::path::Path;

use super::command::{LIST_MAX, SHORT_MAX, answer, list};
use super::error::Error;
use crate::id::Revision;
use crate::policy::{Commit, Commits, CommitsInFolder};
use crate::time::Timestamp;

/// How many commits of a range are named.
const NAMED_MAX: u64 = 20;

/// The commits that `to` has and `without` does not have, newest first: how many there are, and the
/// newest of them by name. With a `folder`, these are the newest of those that change something in
/// it, as git-rev-list(1) simplifies a history.
///
/// # Errors
/// git gave no answer.
pub fn commits_between(
    git_dir: &Path,
    without: &Revision,
    to: &Revision,
    folder: Option<&str>,
) -> Result<Commits, Error> {
    newest_of_range(git_dir, &format!("{without}..{to}"), NAMED_MAX, folder)
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
    folder: Option<&str>,
) -> Result<Commits, Error> {
    let range = match without {
        Some(without) => format!("{without}..{to}"),
        None => to.to_string(),
    };
    newest_of_range(git_dir, &range, most, folder)
}

fn newest_of_range(
    git_dir: &Path,
    range: &str,
    most: u64,
    folder: Option<&str>,
) -> Result<Commits, Error> {
    let count = count(git_dir, range, None)?;
    let in_folder = match folder {
        None => None,
        Some(folder) => Some(CommitsInFolder {
            folder: folder.to_owned(),
            count: match count {
                0 => 0,
                _ => self::count(git_dir, range, Some(&literal(folder)))?,
            },
        }),
    };
    let mut commits = Commits {
        count,
        in_folder,
        newest: Vec::new(),
    };
    let listed = commits.listed().min(most);
    if listed == 0 {
        return Ok(commits);
    }

    let folder = folder.map(literal);
    commits.newest = newest_of(git_dir, range, most, folder.as_deref())?;
    if commits.newest.len() as u64 != listed {
        let message = format!("git rev-list {range} did not list what it counted");
        return Err(Error::new(git_dir, message));
    }
    Ok(commits)
}

/// A folder as git's commands take it (gitglossary(7), pathspec): nothing in it is a pattern.
fn literal(folder: &str) -> String {
    format!(":(top,literal){folder}")
}

/// How many commits a range has, or how many of them change something at a path.
fn count(git_dir: &Path, range: &str, path: Option<&str>) -> Result<u64, Error> {
    let mut arguments = vec!["rev-list", "--count", range, "--"];
    arguments.extend(path);
    let count = answer(git_dir, &arguments, SHORT_MAX)?;
    count
        .parse()
        .map_err(|_| Error::new(git_dir, format!("git rev-list {range} gave no count")))
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

/// The newest commits of a range, or of those that change something at a path, at most so many.
fn newest_of(
    git_dir: &Path,
    range: &str,
    most: u64,
    path: Option<&str>,
) -> Result<Vec<Commit>, Error> {
    let most = format!("--max-count={most}");
    // A NUL ends each field, so that no subject can be mistaken for another commit. Names and
    // subjects are cut: each can be as long as a push may be.
    let form = "--format=%H%x00%<(200,trunc)%an%x00%ct%x00%<(500,trunc)%s%x00";
    let mut arguments = vec![
        "rev-list",
        &most,
        "--no-commit-header",
        "--encoding=UTF-8",
        form,
        range,
        "--",
    ];
    arguments.extend(path);
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
