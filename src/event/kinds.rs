//! The kinds of events.

use serde::{Deserialize, Serialize};

use crate::deploy_path::{environment_of, target_of};
use crate::event_kind::EventKind;
use crate::id::{Application, DeploymentId, Environment, Revision, Target};
use crate::identity::Identity;
use crate::policy::{Approval, Exception, ExceptionKind, Refusal};
use crate::status::Status;
use crate::time::Timestamp;

/// The longest message of a refusal that an event keeps, in characters.
const MESSAGE_MAX: usize = 2000;

/// How urgent an event is, as syslog(3) names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing special.
    Info,
    /// Somebody should know about it.
    Warning,
    /// Something did not work.
    Error,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A deployment was recorded and waits for its turn.
    Planned {
        /// Its number.
        deployment: DeploymentId,
        /// Which application is deployed, and in which environment.
        target: Target,
        /// The revision to deploy.
        revision: Revision,
        /// Who pushed it or asked for the retry, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pusher: Option<Identity>,
        /// The reasons by which it got past rules.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        exceptions: Vec<Exception>,
        /// Who approved it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        approvals: Vec<Approval>,
        /// For a retry: the deployment that is retried.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_of: Option<DeploymentId>,
    },
    /// A deployment began or ended.
    Became {
        /// Its number.
        deployment: DeploymentId,
        /// Which application is deployed, and in which environment.
        target: Target,
        /// The revision to deploy.
        revision: Revision,
        /// Its new status.
        status: Status,
        /// Why, if there is something to say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Who cancelled it, if a person did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Identity>,
    },
    /// An application is no longer wanted in an environment.
    Retired {
        /// The application and the environment.
        target: Target,
        /// Who pushed the deletion, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pusher: Option<Identity>,
        /// The reasons by which it got past rules.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        exceptions: Vec<Exception>,
        /// Who approved it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        approvals: Vec<Approval>,
    },
    /// A push was refused before anything had changed.
    Refused {
        /// The path or ref.
        path: String,
        /// Why.
        message: String,
        /// Who pushed it, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pusher: Option<Identity>,
    },
    /// Something on the deploy branch can't be deployed.
    Problem {
        /// The path or ref.
        path: String,
        /// Why.
        message: String,
    },
    /// Somebody froze an environment.
    Frozen {
        /// The environment.
        environment: Environment,
        /// Who froze it.
        by: Identity,
        /// Why.
        reason: String,
        /// Until when; `None`: until somebody thaws it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Somebody thawed an environment.
    Thawed {
        /// The environment.
        environment: Environment,
        /// Who thawed it.
        by: Identity,
    },
    /// Somebody decided that an environment does not wait any more for processes that dead runners
    /// left behind.
    Released {
        /// The environment.
        environment: Environment,
        /// Who decided it.
        by: Identity,
    },
}

impl Event {
    /// The event of a refusal.
    #[must_use]
    pub fn refused(refusal: &Refusal, pusher: Option<&Identity>) -> Self {
        Self::Refused {
            path: String::from_utf8_lossy(&refusal.path).into_owned(),
            message: refusal.message.chars().take(MESSAGE_MAX).collect(),
            pusher: pusher.cloned(),
        }
    }

    /// What kind of thing happened.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Planned { .. } => EventKind::Planned,
            Self::Became { status, .. } => match status {
                Status::Queued => EventKind::Planned,
                Status::Running => EventKind::Started,
                Status::Succeeded => EventKind::Succeeded,
                Status::Failed => EventKind::Failed,
                Status::Cancelled => EventKind::Cancelled,
                Status::Superseded => EventKind::Superseded,
                Status::Skipped => EventKind::Skipped,
                Status::Interrupted => EventKind::Interrupted,
            },
            Self::Retired { .. } => EventKind::Retired,
            Self::Refused { .. } => EventKind::Refused,
            Self::Problem { .. } => EventKind::Problem,
            Self::Frozen { .. } => EventKind::Frozen,
            Self::Thawed { .. } => EventKind::Thawed,
            Self::Released { .. } => EventKind::Released,
        }
    }

    /// Every kind that those who are told may have asked for.
    #[must_use]
    pub fn all_kinds(&self) -> Vec<EventKind> {
        let is_override = |exception: &Exception| exception.kind == ExceptionKind::Override;
        let exceptions = match self {
            Self::Planned { exceptions, .. } | Self::Retired { exceptions, .. } => {
                exceptions.as_slice()
            }
            _ => &[],
        };
        let mut kinds = vec![self.kind()];
        if exceptions.iter().any(is_override) {
            kinds.push(EventKind::Override);
        }
        kinds
    }

    /// The deployment that it is about, if it is about one.
    #[must_use]
    pub fn deployment(&self) -> Option<DeploymentId> {
        match self {
            Self::Planned { deployment, .. } | Self::Became { deployment, .. } => Some(*deployment),
            _ => None,
        }
    }

    /// The environment that it is about. `root` is the folder above the environments' folders.
    /// `None`: it names none.
    #[must_use]
    pub fn environment(&self, root: &str) -> Option<Environment> {
        match self {
            Self::Planned { target, .. }
            | Self::Became { target, .. }
            | Self::Retired { target, .. } => Some(target.environment.clone()),
            Self::Frozen { environment, .. }
            | Self::Thawed { environment, .. }
            | Self::Released { environment, .. } => Some(environment.clone()),
            Self::Refused { path, .. } | Self::Problem { path, .. } => {
                environment_of(root, path.as_bytes())
            }
        }
    }

    /// The application that it is about, as [`Event::environment`].
    #[must_use]
    pub fn application(&self, root: &str) -> Option<Application> {
        match self {
            Self::Planned { target, .. }
            | Self::Became { target, .. }
            | Self::Retired { target, .. } => Some(target.application.clone()),
            Self::Frozen { .. } | Self::Thawed { .. } | Self::Released { .. } => None,
            Self::Refused { path, .. } | Self::Problem { path, .. } => {
                Some(target_of(root, path.as_bytes())?.application)
            }
        }
    }

    /// How urgent it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Planned { exceptions, .. } if exceptions.is_empty() => Severity::Info,
            Self::Became { status, .. } => match status {
                Status::Failed | Status::Interrupted => Severity::Error,
                Status::Cancelled | Status::Skipped => Severity::Warning,
                Status::Queued | Status::Running | Status::Succeeded | Status::Superseded => {
                    Severity::Info
                }
            },
            Self::Retired { .. } => Severity::Info,
            Self::Planned { .. }
            | Self::Refused { .. }
            | Self::Problem { .. }
            | Self::Frozen { .. }
            | Self::Thawed { .. }
            | Self::Released { .. } => Severity::Warning,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Evidence;

    #[test]
    fn stored_event_is_read_back() {
        let production = Environment::new("production").unwrap();
        let target = Target {
            environment: production.clone(),
            application: Application::new("app").unwrap(),
        };
        let events = [
            Event::Planned {
                deployment: DeploymentId(42),
                target,
                revision: Revision::new("60375125abec57111e2eaeac7081f8f45bdfe28b").unwrap(),
                pusher: Some(Identity::new("alice", Evidence::SshKey)),
                exceptions: Vec::new(),
                approvals: Vec::new(),
                retry_of: None,
            },
            Event::Frozen {
                environment: production,
                by: Identity::new("bob", Evidence::Unix),
                reason: "incident 7".to_owned(),
                until: Some(Timestamp::from_ms(90_000)),
            },
        ];

        for event in events {
            let json = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
        }
    }
}
