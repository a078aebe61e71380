//! Which commit of the deploy branch made a change, and who wrote it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gix::hash::ObjectId;

use super::error::Error;
use super::kept_changes::DeepScan;
use super::repository::Repository;
use crate::id::Revision;
use crate::text;

/// How many commits of the deploy branch are looked at for one range.
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

impl Provenance {
    /// A commit, with its author.
    ///
    /// # Errors
    /// The commit can't be read.
    pub fn of(repository: &Repository, commit: &Revision) -> Result<Self, Error> {
        let id = repository.own_id(commit)?;
        let mut buffer = Vec::new();
        let object = repository.commit(&id, &mut buffer)?;
        Ok(Self {
            commit: commit.clone(),
            author: text::decode(object.author, AUTHOR_MAX),
        })
    }
}

/// The commits that `new` has and `old` does not have, from `new` back along first parents, newest
/// first; at most [`WALK_MAX`]. On a branch into which merges are made, these are what one push
/// brought.
///
/// # Errors
/// A commit can't be read, or the range is too large.
pub fn first_parents(
    repository: &Repository,
    old: Option<&Revision>,
    new: &Revision,
) -> Result<Vec<Revision>, Error> {
    let line = first_parent_line(repository, old, new)?;
    line.iter().map(|(id, _)| repository.revision(id)).collect()
}

/// The same, each commit with its first parent.
fn first_parent_line(
    repository: &Repository,
    old: Option<&Revision>,
    new: &Revision,
) -> Result<Vec<(ObjectId, Option<ObjectId>)>, Error> {
    // The line can have commits that the order by dates puts behind many others. So the whole range
    // is asked for, except where there is nothing that would have to be left out.
    let mut parents: HashMap<ObjectId, Option<ObjectId>> = HashMap::new();
    if old.is_some() {
        let range = repository.range(old, new, usize::MAX)?.commits.into_iter();
        parents.extend(range.map(|commit| (commit.id, commit.parents.first().copied())));
    }

    let mut line = Vec::new();
    let mut next = Some(repository.own_id(new)?);
    let mut buffer = Vec::new();
    while let Some(id) = next.filter(|_| line.len() < WALK_MAX) {
        let parent = match (old, parents.get(&id)) {
            (_, Some(parent)) => *parent,
            (Some(_), None) => break,
            (None, None) => repository
                .commit(&id, &mut buffer)?
                .parents
                .first()
                .copied(),
        };
        line.push((id, parent));
        next = parent;
    }
    Ok(line)
}

/// For each path, the newest commit on the first-parent line to `new` that changed it, of those
/// that the commit does not have that is named with the path. The history is walked once for each
/// of these commits, however many paths there are.
///
/// A path for which no such commit is found has no answer.
///
/// # Errors
/// A commit or tree can't be read, or a range is too large.
pub fn deploy_commits(
    repository: &Repository,
    root: &str,
    new: &Revision,
    paths: BTreeMap<Vec<u8>, Option<&Revision>>,
) -> Result<BTreeMap<Vec<u8>, Provenance>, Error> {
    let mut by_start: BTreeMap<Option<&Revision>, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for (path, since) in paths {
        by_start.entry(since).or_default().insert(path);
    }

    let mut found = BTreeMap::new();
    for (since, mut paths) in by_start {
        let start = since.map(|since| repository.own_id(since)).transpose()?;
        for (id, parent) in first_parent_line(repository, since, new)? {
            // If this is the first commit of the range, no other is left that could have changed
            // the paths. So the trees need not be read.
            let changed = if parent == start {
                std::mem::take(&mut paths)
            } else {
                let commit = repository.revision(&id)?;
                let parent = parent
                    .map(|parent| repository.revision(&parent))
                    .transpose()?;
                let deep = DeepScan::EnvironmentFolders;
                let changed =
                    repository.changed_paths(root, parent.as_ref(), Some(&commit), deep)?;
                let of_these = paths.intersection(&changed).cloned().collect();
                paths.retain(|path| !changed.contains(path));
                of_these
            };
            if !changed.is_empty() {
                let provenance = Provenance::of(repository, &repository.revision(&id)?)?;
                found.extend(changed.into_iter().map(|path| (path, provenance.clone())));
            }
            if paths.is_empty() {
                break;
            }
        }
    }
    Ok(found)
}
