//! What the planner is told, and what it recorded.

use std::collections::BTreeSet;

use crate::id::{DeploymentId, Environment, Revision, Target};
use crate::identity::Identity;
use crate::plan;
use crate::policy::Refusal;
use crate::store::Deployment;

/// A push to the deploy branch, as far as a hook knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Push {
    /// Where the branch was; `None`: it did not exist, or that was not told.
    pub old: Option<Revision>,
    /// Whether it was told where the branch was: a transaction of refs that did not ask for the old
    /// value tells none.
    pub old_is_told: bool,
    /// Where the branch went; `None`: it was deleted.
    pub new: Option<Revision>,
    /// Who pushed.
    pub pusher: Option<Identity>,
}

/// A deployment that was recorded, with what the plan says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Its number.
    pub id: DeploymentId,
    /// What the plan says.
    pub planned: plan::Deployment,
}

/// What one run of the planner recorded.
#[derive(Debug, Clone, Default)]
pub struct Planned {
    /// Whether there was anything between cursor and tip, or to be judged again.
    pub had_work: bool,
    /// Deployments.
    pub queued: Vec<Queued>,
    /// Applications retired.
    pub retired: Vec<Target>,
    /// What can't be deployed.
    pub problems: Vec<Refusal>,
    /// What the push asked for and somebody else planned.
    pub others: Others,
}

/// What a push asked for and somebody else planned: it is told again, but it did not happen again.
#[derive(Debug, Clone, Default)]
pub struct Others {
    /// Deployments.
    pub queued: Vec<Deployment>,
    /// Applications retired.
    pub retired: Vec<Target>,
    /// What can't be deployed.
    pub problems: Vec<Refusal>,
}

impl Planned {
    /// The environments that got something to do.
    #[must_use]
    pub fn environments(&self) -> BTreeSet<&Environment> {
        self.queued
            .iter()
            .map(|queued| &queued.planned.target().environment)
            .collect()
    }

    /// Leaves out of [`Others`] what this run recorded itself.
    pub(super) fn keep_only_others(&self, others: &mut Others) {
        others
            .queued
            .retain(|other| self.queued.iter().all(|queued| queued.id != other.id));
        others
            .retired
            .retain(|target| !self.retired.contains(target));
        others.problems.retain(|other| {
            self.problems
                .iter()
                .all(|problem| problem.path != other.path)
        });
    }
}
