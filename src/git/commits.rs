//! What git tells about the history of a repository.

use std::path::Path;

use gix::hash::ObjectId;

use super::command::{LIST_MAX, SHORT_MAX, answer, list};
use super::error::Error;
use super::range;
use super::repository::Repository;
use crate::id::Revision;
use crate::policy::{Commit, Commits, CommitsInFolder};
use crate::time::Timestamp;

/// How many commits of a range are named.
const NAMED_MAX: usize = 20;

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
    newest_of_range(
        git_dir,
        &format!("{without}..{to}"),
        NAMED_MAX as u64,
        folder,
    )
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

impl Repository {
    /// The same as [`commits_between`], counted by this program: it needs no process of git, and is
    /// right whatever dates the commits claim.
    ///
    /// # Errors
    /// A commit can't be read, or git gave no answer.
    pub(super) fn commits_between(
        &self,
        (without, without_id): (&Revision, ObjectId),
        (to, to_id): (&Revision, ObjectId),
        folder: Option<&str>,
    ) -> Result<Commits, Error> {
        let walked = self.walk_commits(|commits| {
            let (without, to) = (commits.number(without_id)?, commits.number(to_id)?);
            let (mut newest, _) = range::newest(commits, Some(without), to, usize::MAX)?;
            let count = newest.len() as u64;
            newest.truncate(NAMED_MAX);
            let newest = newest.into_iter().map(|commit| commits.known.id(commit));
            Ok((count, newest.collect::<Vec<ObjectId>>()))
        });
        // git may read what this program can't read.
        let Ok((count, newest)) = walked else {
            return commits_between(self.path(), without, to, folder);
        };

        if folder.is_some() {
            let range = format!("{without}..{to}");
            return with_newest(self.path(), &range, NAMED_MAX as u64, count, folder);
        }
        Ok(Commits {
            count,
            in_folder: None,
            newest: named(self.path(), &newest)?,
        })
    }
}

fn newest_of_range(
    git_dir: &Path,
    range: &str,
    most: u64,
    folder: Option<&str>,
) -> Result<Commits, Error> {
    let count = count(git_dir, range, None)?;
    with_newest(git_dir, range, most, count, folder)
}

/// The newest commits of a range which has so many of them.
fn with_newest(
    git_dir: &Path,
    range: &str,
    most: u64,
    count: u64,
    folder: Option<&str>,
) -> Result<Commits, Error> {
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
    let path = path.into_iter();
    described(git_dir, [&most, range, "--"].into_iter().chain(path))
}

/// These commits, by name, in their order.
fn named(git_dir: &Path, ids: &[ObjectId]) -> Result<Vec<Commit>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let hashes: Vec<String> = ids.iter().map(ObjectId::to_string).collect();
    let arguments = hashes.iter().map(String::as_str).chain(["--"]);
    let commits = described(git_dir, ["--no-walk=unsorted"].into_iter().chain(arguments))?;

    let is_same = |(id, commit): (&String, &Commit)| id == commit.id.as_str();
    if commits.len() != hashes.len() || !hashes.iter().zip(&commits).all(is_same) {
        let message = "git rev-list did not list the commits that it was asked for";
        return Err(Error::new(git_dir, message));
    }
    Ok(commits)
}

/// What git rev-list lists for some arguments.
fn described<'a>(
    git_dir: &Path,
    what: impl Iterator<Item = &'a str>,
) -> Result<Vec<Commit>, Error> {
    // A NUL ends each field, so that no subject can be mistaken for another commit. Names and
    // subjects are cut: each can be as long as a push may be.
    let form = "--format=%H%x00%<(200,trunc)%an%x00%ct%x00%<(500,trunc)%s%x00";
    let arguments = ["rev-list", "--no-commit-header", "--encoding=UTF-8", form];
    let arguments: Vec<&str> = arguments.into_iter().chain(what).collect();
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
    let no_commit = || Error::new(git_dir, "git rev-list printed something that is no commit");
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
