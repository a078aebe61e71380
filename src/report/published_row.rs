//! What is published: what is deployed, and what came before it.
//!
//! A page that is renewed only when something happens can't say what goes on at the moment. So a
//! deployment that has not ended is `pending`, whether it waits or runs. All that is published
//! changes with an event, and the page is renewed with each of them.

use serde::{Deserialize, Serialize, Serializer};

use crate::config::Subdirectory;
use crate::deploy_repository::DeployRepository;
use crate::id::{Application, DeploymentId, Environment, Revision, RolloutId, Target};
use crate::identity::{Evidence, Identity};
use crate::policy::{Approval, Exception};
use crate::status::{Status, UnknownStatus};
use crate::store::{self, Deployment, Reader};
use crate::time::Timestamp;

/// The longest text of others that is published in one place, in characters.
const TEXT_MAX: usize = 500;

/// What became of the newest deployment of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum PublishedState {
    /// It has not ended.
    Pending,
    /// It ended like this.
    Ended(Status),
    /// The deploy file was deleted since.
    Retired,
}

impl PublishedState {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ended(status) => status.as_str(),
            Self::Retired => "retired",
        }
    }
}

impl TryFrom<String> for PublishedState {
    type Error = UnknownStatus;

    fn try_from(word: String) -> Result<Self, UnknownStatus> {
        let special = [Self::Pending, Self::Retired];
        let mut special = special.into_iter();
        match special.find(|state| state.as_str() == word) {
            Some(state) => Ok(state),
            None => word.parse().map(Self::Ended),
        }
    }
}

impl Serialize for PublishedState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One application in one environment, as it is published. The keys are stable.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PublishedRow {
    /// The environment.
    pub environment: Environment,
    /// The application.
    pub application: Application,
    /// The revision of the last deployment that succeeded.
    pub deployed: Option<Revision>,
    /// That deployment.
    pub deployment: Option<DeploymentId>,
    /// Its rollout.
    pub rollout: Option<RolloutId>,
    /// When it ended.
    pub since: Option<Timestamp>,
    /// Who pushed it.
    pub by: Option<String>,
    /// The revision of the newest deployment; null if the application is retired.
    pub wanted: Option<Revision>,
    /// The newest deployment.
    pub newest: DeploymentId,
    /// What became of it.
    pub state: PublishedState,
    /// Why it did not succeed.
    pub reason: Option<String>,
    /// The revision that the last rollback went back from and that is held back until somebody
    /// releases it.
    pub rolled_back: Option<Revision>,
    /// The folder of the repository that is deployed, by the configuration; null: it is all of it,
    /// or a server of an earlier version has published this.
    pub subdirectory: Option<Subdirectory>,
}

impl PublishedRow {
    /// Makes the row of an application from its newest deployment.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn new(
        newest: Deployment,
        is_retired: bool,
        deploy: &DeployRepository,
        record: &Reader<'_>,
    ) -> Result<Self, store::Error> {
        let deployed = record.deployed(&newest.target)?;
        let holds = record.holds(&newest.target)?;
        let state = match newest.status {
            _ if is_retired => PublishedState::Retired,
            status if status.has_ended() => PublishedState::Ended(status),
            _ => PublishedState::Pending,
        };
        // The reason of a deployment that has not ended changes without an event.
        let has_reason =
            matches!(state, PublishedState::Ended(status) if status != Status::Succeeded);
        let reason = newest.reason.as_deref().filter(|_| has_reason);

        Ok(Self {
            deployment: deployed.as_ref().map(|deployed| deployed.id),
            rollout: deployed.as_ref().map(|deployed| deployed.rollout),
            since: deployed.as_ref().and_then(|deployed| deployed.finished_at),
            by: deployed.as_ref().and_then(pusher),
            deployed: deployed.map(|deployed| deployed.revision),
            reason: reason.map(bounded),
            wanted: (!is_retired).then_some(newest.revision),
            newest: newest.id,
            state,
            rolled_back: holds.into_iter().next().map(|(_, revision, _)| revision),
            subdirectory: subdirectory(deploy, &newest.target),
            environment: newest.target.environment,
            application: newest.target.application,
        })
    }

    /// Whether it says what the configuration says of the application.
    pub(super) fn is_as_configured(&self, deploy: &DeployRepository) -> bool {
        let target = Target {
            environment: self.environment.clone(),
            application: self.application.clone(),
        };
        self.subdirectory == subdirectory(deploy, &target)
    }

    /// What has become of the newest deployment, if that is not what is deployed: `6037512 failed`.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        let is_good = self.state == PublishedState::Ended(Status::Succeeded);
        let state = self.state.as_str();
        match &self.wanted {
            None => Some(state.to_owned()),
            Some(_) if is_good && self.wanted == self.deployed => None,
            Some(wanted) => Some(format!("{} {state}", wanted.short())),
        }
    }
}

/// The folder that a target is deployed from. What no revision can have is not published: whoever
/// reads it would refuse it.
fn subdirectory(deploy: &DeployRepository, target: &Target) -> Option<Subdirectory> {
    let folder = deploy.subdirectory(target)?;
    Subdirectory::try_from(folder).ok()
}

/// A deployment that has ended, as it is published. The keys are stable. A state that is made anew
/// is made of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedDeployment {
    /// Its number.
    pub id: DeploymentId,
    /// Its rollout's number.
    pub rollout: RolloutId,
    /// The environment.
    pub environment: Environment,
    /// The application.
    pub application: Application,
    /// The revision.
    pub revision: Revision,
    /// The revision that was deployed before.
    pub previous_revision: Option<Revision>,
    /// What it brings, in one line.
    #[serde(default)]
    pub summary: Option<String>,
    /// The status in which it ended.
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
    /// For a rollback, the revision that it went back from.
    pub rolled_back: Option<Revision>,
    /// The reasons for which rules made exceptions.
    pub exceptions: Vec<Exception>,
    /// Who approved it.
    #[serde(default)]
    pub approvals: Vec<Approval>,
}

impl PublishedDeployment {
    /// Makes the row of a recorded deployment.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn new(deployment: Deployment, record: &Reader<'_>) -> Result<Self, store::Error> {
        Ok(Self {
            exceptions: record.exceptions(deployment.id)?,
            approvals: record.approvals(deployment.id)?,
            pusher: pusher(&deployment),
            pusher_known_by: deployment.pusher.map(|pusher| pusher.evidence),
            id: deployment.id,
            rollout: deployment.rollout,
            environment: deployment.target.environment,
            application: deployment.target.application,
            revision: deployment.revision,
            previous_revision: deployment.previous_revision,
            summary: deployment.summary,
            status: deployment.status,
            reason: deployment.reason.as_deref().map(bounded),
            deploy_commit: deployment.deploy_commit,
            author: deployment.author.as_deref().map(bounded),
            queued_at: deployment.queued_at,
            started_at: deployment.started_at,
            finished_at: deployment.finished_at,
            exit_status: deployment.exit_status,
            rolled_back: deployment.rolled_back,
        })
    }

    /// The deployment, as far as it is published.
    #[must_use]
    pub fn as_recorded(&self) -> Deployment {
        let evidence = self.pusher_known_by.unwrap_or(Evidence::Unrecorded);
        let pusher = self.pusher.as_ref();
        Deployment {
            id: self.id,
            rollout: self.rollout,
            target: Target {
                environment: self.environment.clone(),
                application: self.application.clone(),
            },
            revision: self.revision.clone(),
            previous_revision: self.previous_revision.clone(),
            status: self.status,
            reason: self.reason.clone(),
            deploy_commit: self.deploy_commit.clone(),
            pusher: pusher.map(|name| Identity::new(name, evidence)),
            author: self.author.clone(),
            retry_of: None,
            superseded_by: None,
            queued_at: self.queued_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            exit_status: self.exit_status,
            run: None,
            cancelled_by: None,
            released_by: None,
            rolled_back: self.rolled_back.clone(),
            overrides_freeze: false,
            summary: self.summary.clone(),
        }
    }
}

fn pusher(deployment: &Deployment) -> Option<String> {
    let pusher = deployment.pusher.as_ref();
    pusher.map(|pusher| bounded(&pusher.name))
}

fn bounded(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}
