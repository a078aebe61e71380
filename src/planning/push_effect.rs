//! What a push changed on the deploy branch.

use super::planned::Push;
use crate::deploy_repository::DeployRepository;
use crate::git;
use crate::id::Revision;
use crate::policy::BranchMove;

/// What a push changed on the deploy branch. With it, one finds what other processes planned of the
/// push.
#[derive(Debug)]
pub(super) enum PushEffect {
    /// The branch went forward by these commits.
    Commits(Vec<Revision>),
    /// The branch was created or rewound. The commits of this range may have been deployed long
    /// ago.
    Range {
        old: Option<Revision>,
        new: Revision,
    },
    /// The branch was deleted.
    Deletion,
}

impl PushEffect {
    pub(super) fn of(deploy: &DeployRepository, push: &Push) -> Self {
        let Some(new) = &push.new else {
            return Self::Deletion;
        };

        let branch_move = deploy.repository.branch_move(push.old.as_ref(), Some(new));
        let is_forward = branch_move.is_ok_and(|how| how == BranchMove::Forward);
        if push.old.is_some() && is_forward {
            Self::Commits(push_commits(deploy, push.old.as_ref(), new))
        } else {
            Self::Range {
                old: push.old.clone(),
                new: new.clone(),
            }
        }
    }
}

/// The commits that a push added to the branch. If they can't be read: only its tip.
pub(super) fn push_commits(
    deploy: &DeployRepository,
    old: Option<&Revision>,
    new: &Revision,
) -> Vec<Revision> {
    git::first_parents(&deploy.repository, old, new).unwrap_or_else(|_| vec![new.clone()])
}
