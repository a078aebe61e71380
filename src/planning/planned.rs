//! The input of the planner, and what it recorded.

use std::collections::BTreeSet;

use crate::id::{DeploymentId, Environment, Revision, Target};
use crate::identity::Identity;
use crate::plan;
use crate::policy::{Approval, Exception, Refusal};
use crate::status::Status;
use crate::store::Deployment;

/// A push to the deploy branch, as far as a hook knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Push {
    /// The old tip of the branch; `None`: the branch did not exist, or git did not name the tip.
    pub old: Option<Revision>,
    /// Whether git named the old tip. It does not if a transaction of refs did not ask for the old
    /// value.
    pub old_is_told: bool,
    /// The new tip of the branch; `None`: the branch was deleted.
    pub new: Option<Revision>,
    /// Who pushed.
    pub pusher: Option<Identity>,
}

/// A deployment that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Its number.
    pub id: DeploymentId,
    /// What the plan says about it.
    pub planned: plan::PlannedDeployment,
}

/// A deployment of a push that another process recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedByOther {
    /// The deployment, as it is now.
    pub deployment: Deployment,
    /// The reasons for which rules made exceptions.
    pub exceptions: Vec<Exception>,
    /// Who approved it.
    pub approvals: Vec<Approval>,
}

/// What one run of the planner recorded.
#[derive(Debug, Clone, Default)]
pub struct Planned {
    /// Whether there was anything to plan or to judge again.
    pub had_work: bool,
    /// The deployments.
    pub queued: Vec<Queued>,
    /// The applications that were retired.
    pub retired: Vec<Target>,
    /// What can't be deployed.
    pub problems: Vec<Refusal>,
    /// What other processes had planned of the push, and what of it does not wait for the thaw any
    /// more now that its pusher is known.
    pub others: PlannedByOthers,
}

/// What other processes planned of a push. The pusher is notified of it, but it is not recorded
/// again.
#[derive(Debug, Clone, Default)]
pub struct PlannedByOthers {
    /// The deployments.
    pub queued: Vec<QueuedByOther>,
    /// The applications that were retired.
    pub retired: Vec<Target>,
    /// What can't be deployed.
    pub problems: Vec<Refusal>,
}

impl Planned {
    /// The environments that have something new to deploy, or something that does not wait for the
    /// thaw any more.
    #[must_use]
    pub fn environments(&self) -> BTreeSet<&Environment> {
        let new = self.queued.iter().map(|queued| queued.planned.target());
        let others = self.others.queued.iter().map(|other| &other.deployment);
        let overriding =
            others.filter(|other| other.status == Status::Queued && other.overrides_freeze);
        let targets = new.chain(overriding.map(|other| &other.target));
        targets.map(|target| &target.environment).collect()
    }

    /// Removes from `others` what this run recorded itself.
    pub(super) fn remove_own(&self, others: &mut PlannedByOthers) {
        others.queued.retain(|other| {
            let mut own = self.queued.iter();
            own.all(|queued| queued.id != other.deployment.id)
        });
        others
            .retired
            .retain(|target| !self.retired.contains(target));
        others.problems.retain(|other| {
            let mut own = self.problems.iter();
            own.all(|problem| problem.path != other.path)
        });
    }
}
