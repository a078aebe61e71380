//! What the published status says about deployments that have ended, for a state that is made anew.
//! Pure.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::published_row::{PublishedDeployment, PublishedState};
use crate::id::{Application, DeploymentId, Environment, Revision, RolloutId, Target};
use crate::status::Status;
use crate::time::Timestamp;

/// What is known from the published status.
#[derive(Debug, Default)]
pub struct PublishedHistory {
    /// Deployments that have ended, in the order of their ends: what is deployed, and the last
    /// ones.
    pub deployments: Vec<PublishedDeployment>,
    /// The highest number of any deployment.
    pub highest: Option<DeploymentId>,
    /// What was retired, and not later than when.
    pub retired: Vec<(Target, Timestamp)>,
}

/// The part of status.json that is read.
#[derive(Deserialize)]
struct ReadStatus {
    at: Timestamp,
    applications: Vec<ReadRow>,
}

#[derive(Deserialize)]
struct ReadRow {
    environment: Environment,
    application: Application,
    deployed: Option<Revision>,
    deployment: Option<DeploymentId>,
    rollout: Option<RolloutId>,
    since: Option<Timestamp>,
    by: Option<String>,
    newest: DeploymentId,
    state: String,
}

impl PublishedHistory {
    /// Reads the content of status.json and of log.json.
    ///
    /// # Errors
    /// They have another form.
    pub fn read(status: &[u8], log: &[u8]) -> Result<Self, serde_json::Error> {
        let status: ReadStatus = serde_json::from_slice(status)?;
        let mut log: Vec<PublishedDeployment> = serde_json::from_slice(log)?;
        log.retain(|deployment| deployment.status.has_ended());
        log.reverse();

        let known: BTreeSet<DeploymentId> = log.iter().map(|deployment| deployment.id).collect();
        let newest = status.applications.iter().map(|row| row.newest);
        let highest = known.iter().copied().chain(newest).max();
        let is_retired = |row: &&ReadRow| row.state == PublishedState::Retired.as_str();
        let retired = status.applications.iter().filter(is_retired);
        let retired = retired.map(|row| (row.target(), status.at)).collect();

        // What is not in the log ended before all that is.
        let rows = status.applications.into_iter();
        let mut deployments: Vec<PublishedDeployment> = rows
            .filter_map(ReadRow::deployed)
            .filter(|deployment| !known.contains(&deployment.id))
            .collect();
        deployments.sort_by_key(|deployment| deployment.finished_at);
        deployments.extend(log);
        Ok(Self {
            deployments,
            highest,
            retired,
        })
    }
}

impl ReadRow {
    fn target(&self) -> Target {
        Target {
            environment: self.environment.clone(),
            application: self.application.clone(),
        }
    }

    /// The deployment of what is deployed; `None`: nothing is.
    fn deployed(self) -> Option<PublishedDeployment> {
        Some(PublishedDeployment {
            id: self.deployment?,
            rollout: self.rollout?,
            revision: self.deployed?,
            queued_at: self.since?,
            finished_at: self.since,
            environment: self.environment,
            application: self.application,
            pusher: self.by,
            status: Status::Succeeded,
            pusher_known_by: None,
            previous_revision: None,
            summary: None,
            reason: None,
            deploy_commit: None,
            author: None,
            started_at: None,
            exit_status: None,
            rolled_back: None,
            exceptions: Vec::new(),
            approvals: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deployed_and_what_ended_last_is_known() {
        let hash = "6".repeat(40);
        let row = |application: &str, deployment: i64, newest: i64, state: &str| {
            format!(
                "{{\"environment\":\"e\",\"application\":\"{application}\",\
                 \"deployed\":\"{hash}\",\"deployment\":{deployment},\"rollout\":1,\
                 \"since\":\"2026-01-01T00:00:00.000Z\",\"by\":\"alice\",\"more\":0,\
                 \"newest\":{newest},\"state\":\"{state}\"}}"
            )
        };
        let status = format!(
            "{{\"at\":\"2026-01-02T00:00:00.000Z\",\"applications\":[{},{},{}]}}",
            row("a", 5, 9, "pending"),
            row("b", 7, 7, "succeeded"),
            row("c", 3, 3, "retired")
        );
        let log = format!(
            "[{{\"id\":8,\"rollout\":2,\"environment\":\"e\",\"application\":\"a\",\
             \"revision\":\"{hash}\",\"status\":\"failed\",\
             \"queued_at\":\"2026-01-01T00:00:00.000Z\",\"exceptions\":[],\"approvals\":[]}},\
             {{\"id\":7,\"rollout\":2,\"environment\":\"e\",\"application\":\"b\",\
             \"revision\":\"{hash}\",\"status\":\"succeeded\",\
             \"queued_at\":\"2026-01-01T00:00:00.000Z\",\"exceptions\":[],\"approvals\":[]}}]"
        );

        let found = PublishedHistory::read(status.as_bytes(), log.as_bytes()).unwrap();
        let ids: Vec<i64> = found.deployments.iter().map(|one| one.id.0).collect();
        assert_eq!(ids, [5, 3, 7, 8]);
        assert_eq!(found.highest, Some(DeploymentId(9)));
        assert_eq!(found.retired[0].0.application.as_str(), "c");
        assert!(PublishedHistory::read(b"[]", log.as_bytes()).is_err());
        assert!(PublishedHistory::read(status.as_bytes(), b"{}").is_err());
    }
}
