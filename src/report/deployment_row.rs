//! One deployment, for people and for programs.

use std::time::Duration;

use serde::Serialize;

use super::hold_row::HoldRow;
use crate::deploy_repository::DeployRepository;
use crate::id::{Application, DeploymentId, Environment, Revision, RolloutId};
use crate::identity::{Evidence, Identity};
use crate::phase::Phase;
use crate::policy::{Approval, Exception, Note};
use crate::status::Status;
use crate::store::{self, Deployment, Details, Reader, RecordedPhase};
use crate::time::{Timestamp, show_duration};

/// A deployment for programs. The keys are stable.
#[derive(Debug, Serialize)]
pub struct DeploymentRow {
    /// Its number.
    pub id: DeploymentId,
    /// The path of the deploy repository.
    pub repository: String,
    /// Its rollout's number.
    pub rollout: RolloutId,
    /// The environment.
    pub environment: Environment,
    /// The application.
    pub application: Application,
    /// What is deployed, in one line: what the entry of the deploy file says, or else the title of
    /// the revision.
    pub summary: Option<String>,
    /// The revision to deploy.
    pub revision: Revision,
    /// The revision that was deployed before.
    pub previous_revision: Option<Revision>,
    /// Its status.
    pub status: Status,
    /// Why it has this status, or a remark.
    pub reason: Option<String>,
    /// What people should know in addition to the status, in words.
    pub remark: Option<String>,
    /// The commit of the deploy branch.
    pub deploy_commit: Option<Revision>,
    /// Who pushed.
    pub pusher: Option<String>,
    /// How the pusher is known, where that was recorded.
    pub pusher_known_by: Option<Evidence>,
    /// Who wrote the commit, as the commit claims.
    pub author: Option<String>,
    /// The deployment that it retries.
    pub retry_of: Option<DeploymentId>,
    /// The deployment that took its place before it began.
    pub superseded_by: Option<DeploymentId>,
    /// Who asked for it to end.
    pub cancelled_by: Option<String>,
    /// How that person is known, where that was recorded.
    pub cancelled_known_by: Option<Evidence>,
    /// Who asked not to wait any more for what it left running.
    pub released_by: Option<String>,
    /// How that person is known, where that was recorded.
    pub released_known_by: Option<Evidence>,
    /// When it was recorded.
    pub queued_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// From when it was recorded until it began, in milliseconds.
    pub waited_ms: Option<u64>,
    /// From when it began until it ended, in milliseconds.
    pub duration_ms: Option<u64>,
    /// The command's exit status.
    pub exit_status: Option<i32>,
    /// The log file, once there is one.
    pub log: Option<String>,
    /// For a rollback, the revision that it went back from.
    pub rolled_back: Option<Revision>,
    /// For a rollback, what it took away and still holds back.
    pub holds: Vec<HoldRow>,
    /// The reasons for which rules made exceptions.
    pub exceptions: Vec<Exception>,
    /// Who approved it.
    pub approvals: Vec<Approval>,
    /// What the rules said that allowed it.
    pub notes: Vec<Note>,
    /// The phases that it came to, in their order.
    pub phases: Vec<PhaseRow>,
}

/// A phase of a deployment, for programs. The keys are stable.
#[derive(Debug, Serialize)]
pub struct PhaseRow {
    /// Which one it is.
    pub phase: Phase,
    /// `running`, or how it ended.
    pub status: Status,
    /// Why it ended like this, or a remark.
    pub reason: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
}

impl From<RecordedPhase> for PhaseRow {
    fn from(recorded: RecordedPhase) -> Self {
        let finished = recorded.finished_at;
        let lasted = finished.map(|finished| finished.since(recorded.started_at));
        Self {
            phase: recorded.phase,
            status: recorded.status,
            reason: recorded.reason,
            started_at: recorded.started_at,
            finished_at: finished,
            duration_ms: lasted.map(ms),
        }
    }
}

impl DeploymentRow {
    /// Makes the row of a deployment that is recorded in the state of a deploy repository.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn new(
        deploy: &DeployRepository,
        deployment: &Deployment,
        record: &Reader<'_>,
    ) -> Result<Self, store::Error> {
        let details = record.details(deployment.id)?;
        let has_log = record.log_file(deployment.id).exists();
        Self::with_details(deploy, deployment.clone(), details, has_log, record)
    }

    /// The same, where it is known what is recorded along with the deployment, and whether it has a
    /// log.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn with_details(
        deploy: &DeployRepository,
        deployment: Deployment,
        details: Details,
        has_log: bool,
        record: &Reader<'_>,
    ) -> Result<Self, store::Error> {
        let log = has_log.then(|| record.log_file(deployment.id));
        let (remark, waited) = (remark(&deployment), waited(&deployment));
        let duration = duration(&deployment);
        let (pusher, pusher_known_by) = who(deployment.pusher);
        let (cancelled_by, cancelled_known_by) = who(deployment.cancelled_by);
        let (released_by, released_known_by) = who(deployment.released_by);
        let mut holds = Vec::new();
        if deployment.rolled_back.is_some() {
            holds = record.holds(&deployment.target)?;
            holds.retain(|(by, ..)| *by == deployment.id);
        }

        Ok(Self {
            id: deployment.id,
            repository: deploy.repository.path().to_string_lossy().into_owned(),
            rollout: deployment.rollout,
            environment: deployment.target.environment,
            application: deployment.target.application,
            summary: deployment.summary,
            revision: deployment.revision,
            previous_revision: deployment.previous_revision,
            status: deployment.status,
            reason: deployment.reason,
            remark,
            deploy_commit: deployment.deploy_commit,
            pusher,
            pusher_known_by,
            author: deployment.author,
            retry_of: deployment.retry_of,
            superseded_by: deployment.superseded_by,
            cancelled_by,
            cancelled_known_by,
            released_by,
            released_known_by,
            queued_at: deployment.queued_at,
            started_at: deployment.started_at,
            finished_at: deployment.finished_at,
            waited_ms: waited.map(ms),
            duration_ms: duration.map(ms),
            exit_status: deployment.exit_status,
            log: log.map(|log| log.to_string_lossy().into_owned()),
            rolled_back: deployment.rolled_back,
            holds: HoldRow::all(holds),
            exceptions: details.exceptions,
            approvals: details.approvals,
            notes: details.notes,
            phases: details.phases.into_iter().map(PhaseRow::from).collect(),
        })
    }
}

/// The name of a person, and how it is known, where that was recorded.
fn who(person: Option<Identity>) -> (Option<String>, Option<Evidence>) {
    let Some(Identity { name, evidence }) = person else {
        return (None, None);
    };
    let recorded = (evidence != Evidence::Unrecorded).then_some(evidence);
    (Some(name), recorded)
}

/// How long a deployment waited from when it was recorded until it began. `None`: it has not begun.
#[must_use]
pub fn waited(deployment: &Deployment) -> Option<Duration> {
    let begun = deployment.started_at;
    begun.map(|begun| begun.since(deployment.queued_at))
}

/// How long a deployment lasted from its beginning to its end. `None`: it has not begun, or not
/// ended.
#[must_use]
pub fn duration(deployment: &Deployment) -> Option<Duration> {
    lasted(deployment.started_at, deployment.finished_at)
}

/// The time from one moment to another one; `None`: one of them is not known.
#[must_use]
pub fn lasted(begun: Option<Timestamp>, ended: Option<Timestamp>) -> Option<Duration> {
    begun.zip(ended).map(|(begun, ended)| ended.since(begun))
}

/// A length of time in milliseconds.
pub(super) fn ms(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// How a deployment ended, in words: `succeeded in 3 s`, `failed: exit status 7`. The reason in it
/// can be somebody else's words; escape it where it is shown.
#[must_use]
pub fn outcome_line(deployment: &Deployment) -> String {
    let lasted = duration(deployment).map(show_duration);
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
    use crate::store::testing::recorded;

    fn deployment(status: Status, reason: Option<&str>) -> Deployment {
        Deployment {
            reason: reason.map(str::to_owned),
            started_at: Some(Timestamp::from_ms(1_000)),
            finished_at: Some(Timestamp::from_ms(4_000)),
            ..recorded(42, "web", status)
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
