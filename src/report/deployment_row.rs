//! One deployment, for people and for programs.

use serde::Serialize;

use crate::id::{Application, DeploymentId, Environment, Revision, RolloutId};
use crate::identity::Evidence;
use crate::policy::Exception;
use crate::status::Status;
use crate::store::{self, Deployment, Reader};
use crate::time::{Timestamp, show_duration};

/// A deployment for programs. The keys are stable.
#[derive(Debug, Serialize)]
pub struct DeploymentRow {
    /// Its number.
    pub id: DeploymentId,
    /// Its rollout's number.
    pub rollout: RolloutId,
    /// The environment.
    pub environment: Environment,
    /// The application.
    pub application: Application,
    /// The revision to deploy.
    pub revision: Revision,
    /// The revision that was deployed before.
    pub previous_revision: Option<Revision>,
    /// Its status.
    pub status: Status,
    /// Why it has this status, or a remark.
    pub reason: Option<String>,
    /// The commit of the deploy branch.
    pub deploy_commit: Option<Revision>,
    /// Who pushed.
    pub pusher: Option<String>,
    /// How the pusher is known, where that was recorded.
    pub pusher_known_by: Option<Evidence>,
    /// Who wrote the commit, as the commit claims.
    pub author: Option<String>,
    /// When it was recorded.
    pub queued_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The command's exit status.
    pub exit_status: Option<i32>,
    /// The log file, once there is one.
    pub log: Option<String>,
    /// For a rollback, the revision that it went back from.
    pub rolled_back: Option<Revision>,
    /// The reasons for which rules made exceptions.
    pub exceptions: Vec<Exception>,
}

impl DeploymentRow {
    /// Makes the row of a recorded deployment.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn new(deployment: &Deployment, record: &Reader<'_>) -> Result<Self, store::Error> {
        let log = record.log_file(deployment.id);
        let pusher = deployment.pusher.clone();
        let evidence = pusher.as_ref().map(|pusher| pusher.evidence);

        Ok(Self {
            id: deployment.id,
            rollout: deployment.rollout,
            environment: deployment.target.environment.clone(),
            application: deployment.target.application.clone(),
            revision: deployment.revision.clone(),
            previous_revision: deployment.previous_revision.clone(),
            status: deployment.status,
            reason: deployment.reason.clone(),
            deploy_commit: deployment.deploy_commit.clone(),
            pusher: pusher.map(|pusher| pusher.name),
            pusher_known_by: evidence.filter(|evidence| *evidence != Evidence::Unrecorded),
            author: deployment.author.clone(),
            queued_at: deployment.queued_at,
            started_at: deployment.started_at,
            finished_at: deployment.finished_at,
            exit_status: deployment.exit_status,
            log: log.exists().then(|| log.to_string_lossy().into_owned()),
            rolled_back: deployment.rolled_back.clone(),
            exceptions: record.exceptions(deployment.id)?,
        })
    }
}

/// How a deployment ended, in words: `succeeded in 3 s`, `failed: exit status 7`. The reason in it
/// can be somebody else's words; escape it where it is shown.
#[must_use]
pub fn outcome_line(deployment: &Deployment) -> String {
    let lasted = deployment
        .started_at
        .zip(deployment.finished_at)
        .map(|(start, end)| show_duration(end.since(start)));
    match (deployment.status, &deployment.reason, lasted) {
        (Status::Succeeded, None, Some(lasted)) => format!("succeeded in {lasted}"),
        (Status::Succeeded, Some(remark), Some(lasted)) => {
            format!("succeeded in {lasted}: {remark}")
        }
        (status, Some(reason), _) => format!("{status}: {reason}"),
        (status, None, _) => status.to_string(),
    }
}

/// What people should know in addition to the status; `None`: nothing.
#[must_use]
pub fn remark(newest: &Deployment) -> Option<String> {
    match newest.status {
        Status::Succeeded => newest.reason.clone(),
        Status::Failed | Status::Skipped | Status::Cancelled | Status::Interrupted => {
            Some(outcome_line(newest))
        }
        status @ (Status::Queued | Status::Running) => {
            let reason = newest.reason.as_ref();
            reason.map(|reason| format!("{status}: {reason}"))
        }
        Status::Superseded => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Target;

    fn deployment(status: Status, reason: Option<&str>) -> Deployment {
        Deployment {
            id: DeploymentId(42),
            rollout: RolloutId(7),
            target: Target {
                environment: Environment::new("production").unwrap(),
                application: Application::new("web").unwrap(),
            },
            revision: Revision::new("6".repeat(40)).unwrap(),
            previous_revision: None,
            status,
            reason: reason.map(str::to_owned),
            deploy_commit: None,
            pusher: None,
            author: None,
            retry_of: None,
            superseded_by: None,
            queued_at: Timestamp::from_ms(0),
            started_at: Some(Timestamp::from_ms(1_000)),
            finished_at: Some(Timestamp::from_ms(4_000)),
            exit_status: None,
            run: None,
            cancelled_by: None,
            released_by: None,
            rolled_back: None,
            overrides_freeze: false,
            summary: None,
        }
    }

    #[test]
    fn outcome_and_remark_say_what_the_status_leaves_open() {
        let table = [
            (Status::Succeeded, None, "succeeded in 3 s", None),
            (
                Status::Succeeded,
                Some("output was cut"),
                "succeeded in 3 s: output was cut",
                Some("output was cut"),
            ),
            (
                Status::Failed,
                Some("exit status 7"),
                "failed: exit status 7",
                Some("failed: exit status 7"),
            ),
            (Status::Skipped, None, "skipped", Some("skipped")),
            (
                Status::Queued,
                Some("the environment is frozen"),
                "queued: the environment is frozen",
                Some("queued: the environment is frozen"),
            ),
            (Status::Queued, None, "queued", None),
            (Status::Running, None, "running", None),
        ];

        for (status, reason, outcome, expected) in table {
            let deployment = deployment(status, reason);
            assert_eq!(outcome_line(&deployment), outcome);
            assert_eq!(remark(&deployment).as_deref(), expected, "{outcome}");
        }
    }
}
