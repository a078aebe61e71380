//! Which commit of the deploy branch made a change, and who wrote it.

use std::collections::BTreeMap;

use gix::objs::{CommitRefIter, Kind};

use super::changes::DeepScan;
use super::error::Error;
use super::repository::Repository;
use crate::id::Revision;
use crate::text;

/// How many commits of the deploy branch are looked at for one range. For a change that an older
/// commit made, the tip is named instead.
const WALK_MAX: usize = 1000;

/// The longest author that is kept, in characters.
const AUTHOR_MAX: usize = 256;

/// The commit that made a change, and its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The commit on the deploy branch.
    pub commit: Revision,
    /// `Name <address>`, as the commit says. Anybody can write anything there.
    pub author: String,
}

struct HistoryCommit {
    /// The first parent.
    parent: Option<Revision>,
    author: String,
}

fn read(repository: &Repository, id: &Revision) -> Result<HistoryCommit, Error> {
    let object_id = repository.own_id(id)?;
    let mut buffer = Vec::new();
    let data = repository.find(&object_id, Kind::Commit, &mut buffer)?;
    let fields = || CommitRefIter::from_bytes(data, object_id.kind());

    let parent = fields().parent_ids().next();
    let parent = parent.and_then(|parent| Revision::new(parent.to_string()).ok());

    let author = match fields().author() {
        Ok(author) => {
            let author = author.trim();
            let (name, email): (&[u8], &[u8]) = (author.name, author.email);
            text::decode(&[name, b" <", email, b">"].concat(), AUTHOR_MAX)
        }
        Err(_) => String::new(),
    };
    Ok(HistoryCommit { parent, author })
}

/// The commits from `new` back along first parents, newest first, up to `old` and without it; at
/// most [`WALK_MAX`]. On a branch into which merges are made, these are what one push brought.
///
/// # Errors
/// A commit can't be read.
pub fn first_parents(
    repository: &Repository,
    old: Option<&Revision>,
    new: &Revision,
) -> Result<Vec<Revision>, Error> {
    let mut commits = Vec::new();
    let mut next = Some(new.clone());
    while let Some(id) = next.filter(|id| Some(id) != old && commits.len() < WALK_MAX) {
        next = read(repository, &id)?.parent;
        commits.push(id);
    }
    Ok(commits)
}

/// For each path, the newest commit on the first-parent line to `new` that changed it, since the
/// commit that is named with the path. The history is walked once, however many paths there are.
///
/// If this commit can't be found, the answer is `new` itself. The tip is deployed even if its
/// history can't be read any more.
#[must_use]
pub fn deploy_commits(
    repository: &Repository,
    root: &str,
    new: &Revision,
    mut paths: BTreeMap<Vec<u8>, Option<&Revision>>,
) -> BTreeMap<Vec<u8>, Provenance> {
    let author = read(repository, new).map(|commit| commit.author);
    let tip = Provenance {
        commit: new.clone(),
        author: author.unwrap_or_default(),
    };
    let mut found: BTreeMap<_, _> = paths
        .keys()
        .map(|path| (path.clone(), tip.clone()))
        .collect();

    let mut next = Some(new.clone());
    for _ in 0..WALK_MAX {
        paths.retain(|_, since| *since != next.as_ref());
        let Some(id) = next.filter(|_| !paths.is_empty()) else {
            break;
        };
        let Ok(commit) = read(repository, &id) else {
            break;
        };
        let provenance = Provenance {
            commit: id.clone(),
            author: commit.author,
        };
        let parent = commit.parent.as_ref();

        // This is the first commit of the range of some paths. No other commit is left that could
        // have changed them, so the trees need not be read.
        paths.retain(|path, since| {
            let is_first = *since == parent;
            if is_first {
                found.insert(path.clone(), provenance.clone());
            }
            !is_first
        });
        if paths.is_empty() {
            break;
        }

        let changes = repository.changes(root, parent, Some(&id), DeepScan::EnvironmentFolders);
        let Ok(changes) = changes else { break };
        for change in changes {
            if let Some((path, _)) = paths.remove_entry(&change.path) {
                found.insert(path, provenance.clone());
            }
        }
        next = commit.parent;
    }
    found
}
