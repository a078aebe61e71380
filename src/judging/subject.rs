//! What is to be judged.

use crate::id::Revision;
use crate::identity::Identity;
use crate::policy::Stage;
use crate::store::{Deployment, Fault};

/// What is to be judged. This is the only difference between the five callers.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A push or a merge request that can still be refused: pre-receive and `plan`.
    Push {
        /// The tip of the deploy branch; `None`: the branch does not exist.
        old: Option<&'a Revision>,
        /// Its new tip; `None`: the branch is deleted.
        new: Option<&'a Revision>,
        /// Who pushes, if that is known.
        pusher: Option<&'a Identity>,
    },
    /// A range by which the deploy branch has moved: planning. What is refused now becomes a
    /// problem on record, and what is frozen waits.
    Moved {
        /// The commit up to which the branch was planned.
        old: Option<&'a Revision>,
        /// The tip of the branch.
        new: Option<&'a Revision>,
        /// Who pushed the whole range, if that is known.
        pusher: Option<&'a Identity>,
        /// The problems of which the server was the cause. They are judged again.
        faults: &'a [Fault],
    },
    /// What is on the deploy branch, or would be there, though nobody pushes anything: `check`.
    Branch {
        /// The commit that is looked at.
        commit: Option<&'a Revision>,
        /// The tip of the branch. A push of the commit would be compared with it.
        tip: Option<&'a Revision>,
    },
    /// One deployment that somebody wants to retry: `retry`. Its reasons count again.
    Retry {
        /// The tip of the deploy branch.
        tip: Option<&'a Revision>,
        /// The deployment.
        deployment: &'a Deployment,
    },
}

impl<'a> Subject<'a> {
    /// The old and the new commit of the deploy branch. If nobody pushes, the old one is `None`.
    #[must_use]
    pub fn range(&self) -> (Option<&'a Revision>, Option<&'a Revision>) {
        match *self {
            Self::Push { old, new, .. } | Self::Moved { old, new, .. } => (old, new),
            Self::Branch { commit, .. } => (None, commit),
            Self::Retry { tip, .. } => (None, tip),
        }
    }

    pub(super) fn stage(&self) -> Stage {
        match self {
            Self::Push { .. } => Stage::Before,
            Self::Moved { .. } => Stage::After,
            Self::Branch { .. } | Self::Retry { .. } => Stage::Look,
        }
    }

    pub(super) fn pusher(&self) -> Option<&'a Identity> {
        match *self {
            Self::Push { pusher, .. } | Self::Moved { pusher, .. } => pusher,
            Self::Branch { .. } | Self::Retry { .. } => None,
        }
    }

    pub(super) fn faults(&self) -> &'a [Fault] {
        match *self {
            Self::Moved { faults, .. } => faults,
            _ => &[],
        }
    }
}
