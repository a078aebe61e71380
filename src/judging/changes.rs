//! The changes that each [`Subject`] is about.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use super::subject::Subject;
use crate::change::{Change, Depth, Node};
use crate::deploy_path::deploy_path;
use crate::deploy_repository::DeployRepository;
use crate::git::DeepScan;
use crate::id::{Revision, Target};
use crate::store::{Fault, Reader};

/// The changes that a subject is about.
pub(super) struct Changes {
    /// The changes that are judged.
    pub(super) all: Vec<Change>,
    /// The paths that the subject itself changes. The other paths are only judged again.
    pub(super) touched: BTreeSet<Vec<u8>>,
}

impl Changes {
    fn new(all: Vec<Change>) -> Self {
        Self {
            touched: all.iter().map(|change| change.path.clone()).collect(),
            all,
        }
    }
}

/// The changes that a subject is about.
///
/// # Errors
/// The deploy repository or the state can't be read.
pub(super) fn changes(
    deploy: &DeployRepository,
    subject: &Subject<'_>,
    record: Option<&Reader<'_>>,
) -> Result<Changes, Error> {
    let root = &deploy.config.root;
    let changes = |old, new, scan| deploy.repository.changes(root, old, new, scan);

    Ok(match subject {
        Subject::Push { old, new, .. } => {
            let range = (*old, *new);
            Changes::new(between(deploy, range, DeepScan::Everywhere, record)?)
        }
        Subject::Moved {
            old, new, faults, ..
        } => moved(deploy, *old, *new, faults, record)?,
        Subject::Branch { commit, .. } => {
            Changes::new(changes(None, *commit, DeepScan::Everywhere)?)
        }
        Subject::Retry { tip, deployment } => {
            let mut changes = changes(None, *tip, DeepScan::EnvironmentFolders)?;
            let path = deploy_path(root, &deployment.target).into_bytes();
            changes.retain(|change| change.path == path);
            Changes::new(changes)
        }
    })
}

/// The changes between two commits of the deploy branch, and the paths that are judged again.
fn moved(
    deploy: &DeployRepository,
    old: Option<&Revision>,
    new: Option<&Revision>,
    faults: &[Fault],
    record: Option<&Reader<'_>>,
) -> Result<Changes, Error> {
    let root = &deploy.config.root;
    let scan = DeepScan::EnvironmentFolders;
    let mut changes = Changes::new(between(deploy, (old, new), scan, record)?);

    if !faults.is_empty() {
        // These paths are judged again as if their files were new, because their changes were
        // never accepted.
        let is_fault = |change: &Change| faults.iter().any(|fault| fault.path == change.path);
        let all = &mut changes.all;
        all.retain(|change| !is_fault(change) || change.new.is_none());
        let files = deploy.repository.changes(root, None, new, scan)?;
        all.extend(files.into_iter().filter(is_fault));
        all.sort_by(|a, b| a.path.cmp(&b.path));
    }
    Ok(changes)
}

/// The changes between two commits of the deploy branch.
///
/// # Errors
/// A commit or its deploy files can't be read. If that is a damage, it is one of the new commit, or
/// of an old commit up to which nothing was planned.
fn between(
    deploy: &DeployRepository,
    (old, new): (Option<&Revision>, Option<&Revision>),
    scan: DeepScan,
    record: Option<&Reader<'_>>,
) -> Result<Vec<Change>, Error> {
    let root = &deploy.config.root;
    let read = |old| deploy.repository.changes(root, old, new, scan);

    match (read(old), record) {
        (Err(error), Some(record)) if error.is_damage() => {
            let cursor = record.cursor()?;
            if cursor.is_none_or(|cursor| cursor.commit.as_ref() != old) {
                return Err(error.into());
            }
            // The commit at the cursor was removed or damaged. git removes commits some time after
            // a rewind. What was planned from this commit is still on record.
            Ok(since_last_planned(
                root,
                read(None)?,
                record.last_planned()?,
            ))
        }
        (read, _) => Ok(read?),
    }
}

/// The changes since the revisions that were last planned. `all` is every deploy file of a tree, as
/// if it were new.
fn since_last_planned(
    root: &str,
    mut all: Vec<Change>,
    last_planned: BTreeMap<Target, Revision>,
) -> Vec<Change> {
    let content = |revision: &Revision| Node::File(Ok(revision.clone()));
    let mut planned: BTreeMap<Vec<u8>, Revision> = last_planned
        .into_iter()
        .map(|(target, revision)| (deploy_path(root, &target).into_bytes(), revision))
        .collect();

    for change in &mut all {
        let before = planned.remove(&change.path);
        change.old = before.as_ref().map(content);
    }

    let deleted = planned.into_iter().map(|(path, revision)| Change {
        path,
        depth: Depth::Right,
        old: Some(content(&revision)),
        new: None,
        comparison: None,
        summary: None,
        twin: None,
    });
    all.extend(deleted);
    all
}
