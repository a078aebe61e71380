//! What a push changed on the deploy branch.

use super::planned::Push;
use crate::deploy_repository::DeployRepository;
use crate::git;
use crate::id::Revision;
use crate::policy::BranchMove;
use crate::store::{self, Deployment, Reader};

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
    /// # Errors
    /// The history can't be read now. A history that is damaged is no error.
    pub(super) fn of(deploy: &DeployRepository, push: &Push) -> Result<Self, git::Error> {
        let Some(new) = &push.new else {
            return Ok(Self::Deletion);
        };

        let is_forward = match deploy.repository.branch_move(push.old.as_ref(), Some(new)) {
            Ok(branch_move) => push.old.is_some() && branch_move == BranchMove::Forward,
            Err(error) if error.is_damage() => false,
            Err(error) => return Err(error),
        };
        Ok(if is_forward {
            Self::Commits(push_commits(deploy, push.old.as_ref(), new)?)
        } else {
            Self::Range {
                old: push.old.clone(),
                new: new.clone(),
            }
        })
    }

    /// The deployments of the push, by the record. After a deletion of the branch there are none.
    ///
    /// # Errors
    /// The state can't be read.
    pub(super) fn deployments(&self, reader: &Reader<'_>) -> Result<Vec<Deployment>, store::Error> {
        match self {
            Self::Deletion => Ok(Vec::new()),
            Self::Commits(commits) => reader.deployments_of(commits),
            Self::Range { old, new } => reader.deployments_of_range(old.as_ref(), new),
        }
    }
}

/// The commits that a push added to the branch. If they are damaged: only its tip.
///
/// # Errors
/// They can't be read now.
pub(super) fn push_commits(
    deploy: &DeployRepository,
    old: Option<&Revision>,
    new: &Revision,
) -> Result<Vec<Revision>, git::Error> {
    match git::first_parents(&deploy.repository, old, new) {
        Err(error) if error.is_damage() => Ok(vec![new.clone()]),
        read => read,
    }
}
