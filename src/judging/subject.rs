//! What is to be judged.

use crate::id::Revision;
use crate::identity::Identity;
use crate::policy::Stage;
use crate::store::{Deployment, Fault};

/// What is to be judged. The five callers differ in this alone.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A push or a merge request, which can still be refused: pre-receive and `plan`.
    Push {
        /// Where the deploy branch is; `None`: it does not exist.
        old: Option<&'a Revision>,
        /// Where it goes; `None`: it is deleted.
        new: Option<&'a Revision>,
        /// Who pushes, where that is known.
        pusher: Option<&'a Identity>,
    },
    /// A range of the deploy branch that has moved already: planning. What is refused now is a
    /// problem on record, and what is frozen waits.
    Moved {
        /// The cursor.
        old: Option<&'a Revision>,
        /// The branch's tip.
        new: Option<&'a Revision>,
        /// Who pushed all of it, where that is known.
        pusher: Option<&'a Identity>,
        /// What is judged again.
        faults: &'a [Fault],
    },
    /// What stands on the deploy branch, though nobody pushes anything: `check`.
    Branch {
        /// The commit.
        commit: Option<&'a Revision>,
    },
    /// One deployment that somebody wants to try again: `retry`. The reasons that it came with
    /// count again.
    Retry {
        /// The deploy branch's tip.
        tip: Option<&'a Revision>,
        /// The deployment.
        deployment: &'a Deployment,
    },
}

impl<'a> Subject<'a> {
    /// The range of the deploy branch; what stands on it is a range from nothing.
    #[must_use]
    pub fn range(&self) -> (Option<&'a Revision>, Option<&'a Revision>) {
        match *self {
            Self::Push { old, new, .. } | Self::Moved { old, new, .. } => (old, new),
            Self::Branch { commit } => (None, commit),
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
