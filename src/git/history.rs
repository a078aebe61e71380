//! Which commit of the deploy branch made a change, and who wrote it.

use std::collections::{BTreeMap, BTreeSet};

use gix::objs::{CommitRefIter, Kind};

use super::{DeepScan, Error, Repository};
use crate::id::Revision;
use crate::text;

/// How many commits of the deploy branch are looked at for one range. Beyond it the tip stands for the commit that made a change.
const WALK_MAX: usize = 1000;

/// The longest author that is kept, in characters.
const AUTHOR_MAX: usize = 256;

/// The commit that made a change and its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The commit on the deploy branch.
    pub commit: Revision,
    /// `Name <address>`, as the commit says; anybody can write anything there.
    pub author: String,
}

struct Commit {
    parent: Option<Revision>,
    author: String,
}

fn read(repository: &Repository, id: &Revision) -> Result<Commit, Error> {
    let wrong_kind = || repository.error(format_args!("{id} is of another kind of hash"));
    let object_id = repository.object_id(id)?.ok_or_else(wrong_kind)?;
    let mut buffer = Vec::new();
    let data = repository.find(&object_id, Kind::Commit, &mut buffer)?;
    let iter = || CommitRefIter::from_bytes(data, object_id.kind());
    let parent = iter().parent_ids().next().and_then(|parent| Revision::new(parent.to_string()).ok());
    let author = match iter().author() {
        Ok(author) => {
            let author = author.trim();
            let (name, email): (&[u8], &[u8]) = (author.name, author.email);
            text::decode(&[name, b" <", email, b">"].concat(), AUTHOR_MAX)
        }
        Err(_) => String::new(),
    };
    Ok(Commit { parent, author })
}

/// The commits from `new` back along first parents, newest first, up to but without `old`, [`WALK_MAX`] at most: what one push brought to a
/// branch on which merges are made.
///
/// # Errors
/// A commit can't be read.
pub fn first_parents(repository: &Repository, old: Option<&Revision>, new: &Revision) -> Result<Vec<Revision>, Error> {
    let mut commits = Vec::new();
    let mut next = Some(new.clone());
    while let Some(id) = next.filter(|id| Some(id) != old && commits.len() < WALK_MAX) {
        next = read(repository, &id)?.parent;
        commits.push(id);
    }
    Ok(commits)
}

/// For each path the newest commit on the first-parent line from `old` to `new` that changed it; `new` itself where that can't be told.
///
/// # Errors
/// A commit or tree can't be read.
pub fn deploy_commits(
    repository: &Repository,
    root: &str,
    old: Option<&Revision>,
    new: &Revision,
    mut paths: BTreeSet<Vec<u8>>,
) -> Result<BTreeMap<Vec<u8>, Provenance>, Error> {
    let mut found = BTreeMap::new();
    let mut next = Some(new.clone());
    for _ in 0..WALK_MAX {
        let Some(id) = next.filter(|id| Some(id) != old && !paths.is_empty()) else { break };
        let commit = read(repository, &id)?;
        if commit.parent.as_ref() == old {
            // The range's first commit: all that is left is its work, and the trees need not be read again.
            let provenance = Provenance { commit: id, author: commit.author };
            found.extend(std::mem::take(&mut paths).into_iter().map(|path| (path, provenance.clone())));
            break;
        }
        let changes = repository.changes(root, commit.parent.as_ref(), Some(&id), DeepScan::EnvironmentFolders)?;
        for change in changes {
            if let Some(path) = paths.take(&change.path) {
                found.insert(path, Provenance { commit: id.clone(), author: commit.author.clone() });
            }
        }
        next = commit.parent;
    }
    if !paths.is_empty() {
        let tip = Provenance { commit: new.clone(), author: read(repository, new)?.author };
        found.extend(paths.into_iter().map(|path| (path, tip.clone())));
    }
    Ok(found)
}
