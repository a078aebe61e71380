//! One application in one environment, as the table of `status` shows it: from the state, or as far
//! as it is published.

use std::time::Duration;

use super::deployment_row::{duration, remark};
use super::published_row::{PublishedDeployment, PublishedRow, PublishedState};
use super::status_rows::{Standing, StatusRow};
use crate::id::{DeploymentId, Revision, Target};
use crate::policy::{Approval, Exception};
use crate::store::Deployment;
use crate::time::Timestamp;

/// One application in one environment. Text of others is not escaped.
#[derive(Debug)]
pub struct StatusLine {
    /// The application, and the environment.
    pub target: Target,
    /// The revision that is deployed.
    pub deployed: Option<Revision>,
    /// The revision that is wanted.
    pub wanted: Option<Revision>,
    /// Whether the wanted revision is not the deployed one; `None`: it is not known what is wanted.
    pub is_due: Option<bool>,
    /// Its status; `None`: there was never a deployment.
    pub standing: Option<Standing>,
    /// The newest deployment.
    pub deployment: Option<DeploymentId>,
    /// Since when it has that status; `None`: that is not known.
    pub since: Option<Timestamp>,
    /// Who pushed it.
    pub pusher: Option<String>,
    /// How long it lasted.
    pub took: Option<Duration>,
    /// What it deploys, in one line.
    pub summary: Option<String>,
    /// What people should know in addition.
    pub remark: Option<String>,
    /// Whether the newest deployment has not ended.
    pub waits: bool,
    /// The reasons for which rules made exceptions for the newest deployment.
    pub exceptions: Vec<Exception>,
    /// Who approved it.
    pub approvals: Vec<Approval>,
}

impl StatusLine {
    /// The line of a row.
    #[must_use]
    pub fn of(row: &StatusRow) -> Self {
        let newest = row.newest.as_ref();
        Self {
            target: row.target(),
            deployed: row.deployed.clone(),
            wanted: row.wanted.clone(),
            is_due: row.is_due(),
            standing: row.status,
            deployment: row.deployment,
            since: row.since,
            pusher: row.pusher.clone(),
            took: newest.and_then(duration),
            summary: row.summary.clone(),
            remark: row.remark.clone(),
            waits: !newest.is_none_or(|newest| newest.status.has_ended()),
            exceptions: row.exceptions.clone(),
            approvals: row.approvals.clone(),
        }
    }

    /// The line of what is published. `newest` is the newest deployment, if that is published.
    #[must_use]
    pub fn published(row: &PublishedRow, newest: Option<&PublishedDeployment>) -> Self {
        let target = Target {
            environment: row.environment.clone(),
            application: row.application.clone(),
        };
        let standing = match row.state {
            PublishedState::Pending => Standing::Pending,
            PublishedState::Ended(status) => Standing::Deployment(status),
            PublishedState::Retired => Standing::Retired,
        };
        // When somebody retired it, and who did, is not published.
        let newest = newest.filter(|_| row.state != PublishedState::Retired);
        let recorded: Option<Deployment> = newest.map(PublishedDeployment::as_recorded);
        let recorded = recorded.as_ref();
        let is_deployed = row.deployment == Some(row.newest) && standing != Standing::Retired;
        let deployed = is_deployed.then_some(row);

        Self {
            target,
            deployed: row.deployed.clone(),
            wanted: row.wanted.clone(),
            is_due: Some(row.wanted.is_some() && row.wanted != row.deployed),
            standing: Some(standing),
            deployment: Some(row.newest),
            since: recorded
                .and_then(|newest| newest.finished_at)
                .or(deployed.and_then(|row| row.since)),
            pusher: newest
                .and_then(|newest| newest.pusher.clone())
                .or(deployed.and_then(|row| row.by.clone())),
            took: recorded.and_then(duration),
            summary: newest.and_then(|newest| newest.summary.clone()),
            remark: recorded.and_then(remark).or_else(|| row.reason.clone()),
            waits: row.state == PublishedState::Pending,
            exceptions: newest.map_or_else(Vec::new, |newest| newest.exceptions.clone()),
            approvals: newest.map_or_else(Vec::new, |newest| newest.approvals.clone()),
        }
    }
}
