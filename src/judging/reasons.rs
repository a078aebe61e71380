//! How the deploy branch moves, and the reasons that its commits give.

use std::collections::BTreeMap;

use super::error::Error;
use super::subject::Subject;
use crate::deploy_repository::DeployRepository;
use crate::id::Revision;
use crate::policy::{BranchMove, Stage, Trailers};
use crate::store::Fault;

/// What the deploy repository says of a range, beside the changes themselves.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    pub(super) moves: BranchMove,
    /// By the paths of the deploy files that the commits touch.
    pub(super) by_path: BTreeMap<Vec<u8>, Trailers>,
}

impl Reasons {
    /// Reads the range of a subject. What merely stands on a branch moves nothing, and nobody gave a
    /// reason for it now.
    pub(super) fn read(
        deploy: &DeployRepository,
        subject: &Subject<'_>,
        has_candidates: bool,
    ) -> Result<Self, Error> {
        if subject.stage() == Stage::Look {
            return Ok(Self::default());
        }
        let (old, new) = subject.range();

        // A tip that can't be read fails everywhere else; a range that can't be walked any more
        // gives no reasons.
        let moves = deploy.repository.branch_move(old, new).unwrap_or_default();
        let read = |since| {
            let read = new.map(|new| deploy.repository.reasons(&deploy.config.root, since, new));
            read.and_then(Result::ok).unwrap_or_default()
        };

        let mut by_path = if has_candidates {
            read(old)
        } else {
            BTreeMap::new()
        };
        for (since, paths) in by_since(subject.faults()) {
            let mut again = read(since);
            by_path.extend(
                paths
                    .into_iter()
                    .filter_map(|path| again.remove_entry(path)),
            );
        }
        Ok(Self { moves, by_path })
    }
}

/// The paths that are judged again, by where the branch was before them: history is walked once for
/// each of these.
fn by_since(faults: &[Fault]) -> BTreeMap<Option<&Revision>, Vec<&[u8]>> {
    let mut paths: BTreeMap<Option<&Revision>, Vec<&[u8]>> = BTreeMap::new();
    for Fault { path, since, .. } in faults {
        paths.entry(since.as_ref()).or_default().push(path);
    }
    paths
}
