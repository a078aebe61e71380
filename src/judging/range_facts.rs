//! How the deploy branch moves, and the reasons in its commits.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use super::subject::Subject;
use crate::deploy_repository::DeployRepository;
use crate::id::Revision;
use crate::policy::{BranchMove, Stage, Trailers};
use crate::store::Fault;

/// What a range of the deploy branch says, besides the changes themselves.
#[derive(Debug, Default)]
pub(super) struct RangeFacts {
    pub(super) branch_move: BranchMove,
    /// The reasons in the commits, by the path of the deploy file that they touch.
    pub(super) reasons: BTreeMap<Vec<u8>, Trailers>,
}

impl RangeFacts {
    /// Reads the range of a subject, which itself changes the paths in `touched`. If nobody pushes,
    /// the branch does not move, and nobody gives a reason now.
    pub(super) fn read(
        deploy: &DeployRepository,
        subject: &Subject<'_>,
        touched: &BTreeSet<Vec<u8>>,
    ) -> Result<Self, Error> {
        if subject.stage() == Stage::Look {
            return Ok(Self::default());
        }
        let (old, new) = subject.range();

        // No error is returned here. A tip that can't be read fails everywhere else.
        let branch_move = deploy.repository.branch_move(old, new).unwrap_or_default();
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
        Ok(Self {
            branch_move,
            reasons,
        })
    }
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
    deploy
        .repository
        .reasons(&deploy.config.root, since, new)
        .unwrap_or_else(|error| {
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
