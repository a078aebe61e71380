//! How the deploy branch moves, the reasons in its commits, and who signed them.

use std::collections::{BTreeMap, BTreeSet};

use super::reviews::{Reviews, reviews};
use super::subject::Subject;
use crate::candidate::Candidate;
use crate::deploy_repository::DeployRepository;
use crate::git;
use crate::id::Revision;
use crate::policy::{BranchMove, Stage, Trailers};
use crate::store::Fault;

/// What a range of the deploy branch says, besides the changes themselves.
#[derive(Debug, Default)]
pub(super) struct RangeFacts {
    pub(super) branch_move: BranchMove,
    /// The reasons in the commits, by the path of the deploy file that they touch.
    pub(super) reasons: BTreeMap<Vec<u8>, Trailers>,
    /// Who changed and approved the deploy files, where the rules ask for that.
    pub(super) reviews: Reviews,
}

impl RangeFacts {
    /// Reads the range of a subject, which itself changes the paths in `touched`. If nobody pushes,
    /// the branch does not move, and nobody gives a reason now. What can't be read of the range is
    /// a fact.
    pub(super) fn read(
        deploy: &DeployRepository,
        subject: &Subject<'_>,
        candidates: &[Candidate],
        touched: &BTreeSet<Vec<u8>>,
    ) -> Self {
        if subject.stage() == Stage::Look {
            return Self::default();
        }
        let (old, new) = subject.range();

        let mut reasons = if touched.is_empty() {
            BTreeMap::new()
        } else {
            reasons_since(deploy, old, new, touched)
        };
        for (since, paths) in paths_by_start(subject.faults()) {
            let mut earlier = reasons_since(deploy, since, new, &paths);
            for path in paths {
                let Some(mut given) = earlier.remove(&path) else {
                    continue;
                };
                // Who pushes now has a right to override of their own. A reason in a commit that
                // somebody else pushed before makes no use of it.
                if touched.contains(&path) {
                    let now = reasons.remove(&path);
                    given.override_reason = now.and_then(|now| now.override_reason);
                }
                reasons.insert(path, given);
            }
        }
        Self {
            branch_move: branch_move(deploy, subject),
            reviews: reviews(deploy, subject, candidates, touched, &reasons),
            reasons,
        }
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

/// The reasons in the commits since one commit, by path. If they can't be read, the reasons for
/// each of `paths` are unknown.
fn reasons_since(
    deploy: &DeployRepository,
    since: Option<&Revision>,
    new: Option<&Revision>,
    paths: &BTreeSet<Vec<u8>>,
) -> BTreeMap<Vec<u8>, Trailers> {
    let Some(new) = new else {
        return BTreeMap::new();
    };
    let read = deploy.repository.reasons(&deploy.config.root, since, new);
    let read = read.or_else(|error| match has_beginning(deploy, since) {
        // Nobody can tell which commits are new. A reason that is not certainly new gives no right.
        Ok(false) => Ok(BTreeMap::new()),
        Ok(true) => Err(error),
        Err(error) => Err(error),
    });
    read.unwrap_or_else(|error| {
        let unknown = Trailers {
            unknown: Some(error.to_string()),
            ..Trailers::default()
        };
        paths
            .iter()
            .map(|path| (path.clone(), unknown.clone()))
            .collect()
    })
}

/// Whether it is known where the commits since `old` begin. It is not if that commit was removed,
/// or if the history is cut off.
fn has_beginning(deploy: &DeployRepository, old: Option<&Revision>) -> Result<bool, git::Error> {
    if deploy.repository.is_shallow()? {
        return Ok(false);
    }
    old.map_or(Ok(true), |old| deploy.repository.has_commit(old))
}

/// The paths that are judged again, by the commit at which the branch was before they changed. So
/// the history is read only once for each of these commits.
fn paths_by_start(faults: &[Fault]) -> BTreeMap<Option<&Revision>, BTreeSet<Vec<u8>>> {
    let mut paths: BTreeMap<Option<&Revision>, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for Fault { path, since, .. } in faults {
        paths
            .entry(since.as_ref())
            .or_default()
            .insert(path.clone());
    }
    paths
}
