//! How the deploy branch moves, and the reasons in its commits.

use std::collections::{BTreeMap, BTreeSet};

use super::subject::Subject;
use crate::deploy_repository::DeployRepository;
use crate::git;
use crate::id::Revision;
use crate::policy::{BranchMove, Stage, Trailers, Unknown};
use crate::store::Fault;

/// The reasons in some commits, by the path of the deploy file that they touch.
type Reasons = BTreeMap<Vec<u8>, Trailers>;

/// What a range of the deploy branch says, besides the changes themselves.
#[derive(Debug, Default)]
pub(super) struct RangeFacts {
    pub(super) branch_move: BranchMove,
    /// The reasons in the commits, or why the commits that change the path can't be read. A path
    /// without reasons is left out.
    pub(super) reasons: BTreeMap<Vec<u8>, Result<Trailers, Unknown>>,
}

impl RangeFacts {
    /// Reads the range of a subject, which itself changes the paths in `touched`. If nobody pushes,
    /// the branch does not move, and nobody gives a reason now.
    /// What can't be read of the range is a fact.
    pub(super) fn read(
        deploy: &DeployRepository,
        subject: &Subject<'_>,
        touched: &BTreeSet<Vec<u8>>,
    ) -> Self {
        if subject.stage() == Stage::Look {
            return Self::default();
        }
        let (old, new) = subject.range();
        let mut facts = Self {
            branch_move: branch_move(deploy, subject),
            reasons: BTreeMap::new(),
        };

        if !touched.is_empty() {
            let read = reasons(deploy, old, new);
            let paths = touched.iter().map(Vec::as_slice);
            facts.reasons = by_path(read, paths);
        }
        for (since, paths) in paths_by_start(subject.faults()) {
            let earlier = by_path(reasons(deploy, since, new), paths.into_iter());
            for (path, mut given) in earlier {
                // Who pushes now has a right to override of their own. A reason in a commit that
                // somebody else pushed before makes no use of it.
                if touched.contains(&path)
                    && let Ok(given) = &mut given
                {
                    let now = facts.reasons.get(&path);
                    let now = now.and_then(|now| now.as_ref().ok());
                    given.override_reason = now.and_then(|now| now.override_reason.clone());
                }
                facts.reasons.insert(path, given);
            }
        }
        facts
    }
}

/// How the branch moves. If this could not be found out before, the move of then is judged again.
fn branch_move(deploy: &DeployRepository, subject: &Subject<'_>) -> BranchMove {
    let (old, new) = subject.range();
    let branch = deploy.branch.as_bytes();
    let mut faults = subject.faults().iter();
    let old = match faults.find(|fault| fault.path == branch) {
        Some(fault) => fault.since.as_ref(),
        None => old,
    };
    let found = deploy.repository.branch_move(old, new);
    found.unwrap_or_else(|error| BranchMove::Unknown(error.to_string()))
}

/// The reasons in the commits from `old` to `new`.
fn reasons(
    deploy: &DeployRepository,
    old: Option<&Revision>,
    new: Option<&Revision>,
) -> Result<Reasons, git::Error> {
    let Some(new) = new else {
        return Ok(Reasons::new());
    };
    match deploy.repository.reasons(&deploy.config.root, old, new) {
        // Nobody can tell which commits are new. A reason that is not certainly new gives no right.
        Err(_) if !has_beginning(deploy, old)? => Ok(Reasons::new()),
        read => read,
    }
}

/// Whether it is known where the commits since `old` begin. It is not if that commit was removed,
/// or if the history is cut off.
fn has_beginning(deploy: &DeployRepository, old: Option<&Revision>) -> Result<bool, git::Error> {
    if deploy.repository.is_shallow()? {
        return Ok(false);
    }
    old.map_or(Ok(true), |old| deploy.repository.has_commit(old))
}

/// The reasons for some paths; if the commits could not be read, why not, for each path.
fn by_path<'p>(
    read: Result<Reasons, git::Error>,
    paths: impl Iterator<Item = &'p [u8]>,
) -> BTreeMap<Vec<u8>, Result<Trailers, Unknown>> {
    match read {
        Ok(mut reasons) => paths
            .filter_map(|path| reasons.remove_entry(path))
            .map(|(path, given)| (path, Ok(given)))
            .collect(),
        Err(error) => {
            let why = Unknown(error.to_string());
            paths
                .map(|path| (path.to_owned(), Err(why.clone())))
                .collect()
        }
    }
}

/// The paths that are judged again, by the commit at which the branch was before they changed. So
/// the history is read only once for each of these commits.
fn paths_by_start(faults: &[Fault]) -> BTreeMap<Option<&Revision>, Vec<&[u8]>> {
    let mut paths: BTreeMap<Option<&Revision>, Vec<&[u8]>> = BTreeMap::new();
    for Fault { path, since, .. } in faults {
        paths.entry(since.as_ref()).or_default().push(path);
    }
    paths
}
