//! What happened, as data: rows of the state, which everything that tells somebody reads. Pure.
//!
//! An event is written by the transaction that makes it so. [`Event::line`] is the form that syslog
//! gets: a word and `key=value` pairs.

use serde::{Deserialize, Serialize};

use crate::id::{DeploymentId, Environment, Revision, Target};
use crate::identity::Identity;
use crate::policy::{Exception, Refusal};
use crate::status::Status;
use crate::text;
use crate::time::Timestamp;

/// The longest value of one key, in characters; keeps a line below the 1 kB that every syslog
/// daemon takes whole.
const VALUE_MAX: usize = 200;

/// The longest message of a refusal that is kept, in characters.
const MESSAGE_MAX: usize = 2000;

/// How urgent an event is, as syslog(3) names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Everyday.
    Info,
    /// Worth a look.
    Warning,
    /// Something did not work.
    Error,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A deployment was recorded, and waits for its turn.
    Planned {
        /// Its number.
        deployment: DeploymentId,
        /// What goes where.
        target: Target,
        /// To which revision.
        revision: Revision,
        /// Who pushed it, or asked for the retry, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pusher: Option<Identity>,
        /// The reasons by which it got past rules.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        exceptions: Vec<Exception>,
        /// The deployment that it tries again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_of: Option<DeploymentId>,
    },
    /// A deployment's status changed otherwise: it began or ended.
    Became {
        /// Its number.
        deployment: DeploymentId,
        /// What goes where.
        target: Target,
        /// To which revision.
        revision: Revision,
        /// What it is now.
        status: Status,
        /// Why, where there is something to say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// An application is no longer wanted somewhere.
    Retired {
        /// What and where.
        target: Target,
        /// Who pushed the deletion, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pusher: Option<Identity>,
    },
    /// A push was refused before anything had changed.
    Refused {
        /// The path or ref.
        path: String,
        /// Why.
        message: String,
        /// Who pushed it, where that is known.
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
    /// Nothing is to change in an environment any more.
    Frozen {
        /// Where.
        environment: Environment,
        /// Who decided that.
        by: Identity,
        /// Why.
        reason: String,
        /// Until when; `None`: until somebody thaws it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// An environment may change again.
    Thawed {
        /// Where.
        environment: Environment,
        /// Who decided that.
        by: Identity,
    },
    /// Nobody waits any more for what dead runners left running in an environment.
    Released {
        /// Where.
        environment: Environment,
        /// Who decided that.
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

    /// The word for what happened: `planned`, `started`, an end of a deployment, `retired`,
    /// `refused`, `problem`, `frozen`, `thawed` or `released`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Planned { .. } => "planned",
            Self::Became { status, .. } => match status {
                Status::Queued => "planned",
                Status::Running => "started",
                ended => ended.as_str(),
            },
            Self::Retired { .. } => "retired",
            Self::Refused { .. } => "refused",
            Self::Problem { .. } => "problem",
            Self::Frozen { .. } => "frozen",
            Self::Thawed { .. } => "thawed",
            Self::Released { .. } => "released",
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

    /// The line for syslog, without time and ident. Every value is escaped and bounded.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::Planned {
                deployment,
                target,
                revision,
                pusher,
                exceptions,
                retry_of,
            } => {
                let of = retry_of.map(|of| match pusher {
                    Some(by) => format!("retry of {of} by {}", by.name),
                    None => format!("retry of {of}"),
                });
                let pusher = pusher.as_ref().filter(|_| retry_of.is_none());

                Line::new("queued")
                    .deployment(*deployment, target, revision)
                    .optional("pusher", pusher.map(|pusher| pusher.name.as_str()))
                    .optional("exception", in_one_line(exceptions).as_deref())
                    .optional("reason", of.as_deref())
            }
            Self::Became {
                deployment,
                target,
                revision,
                status,
                reason,
            } => Line::new(status.as_str())
                .deployment(*deployment, target, revision)
                .optional("reason", reason.as_deref()),
            Self::Retired { target, pusher } => {
                Line::new("retired").target(target).pusher(pusher.as_ref())
            }
            Self::Refused {
                path,
                message,
                pusher,
            } => Line::new("refused")
                .value("path", path)
                .value("message", message)
                .pusher(pusher.as_ref()),
            Self::Problem { path, message } => Line::new("problem")
                .value("path", path)
                .value("message", message),
            Self::Frozen {
                environment,
                by,
                reason,
                until,
            } => Line::new("frozen")
                .value("environment", environment.as_str())
                .value("by", &by.name)
                .value("reason", reason)
                .optional("until", until.map(|until| until.to_string()).as_deref()),
            Self::Thawed { environment, by } => Line::new("thawed")
                .value("environment", environment.as_str())
                .value("by", &by.name),
            Self::Released { environment, by } => Line::new("released")
                .value("environment", environment.as_str())
                .value("by", &by.name),
        }
        .0
    }
}

/// The reasons by which a deployment got past rules, in one line; `None`: there are none.
fn in_one_line(exceptions: &[Exception]) -> Option<String> {
    let each = exceptions
        .iter()
        .map(|exception| format!("{}: {}", exception.kind.as_str(), exception.reason));
    Some(each.collect::<Vec<_>>().join("; ")).filter(|all| !all.is_empty())
}

/// The line for syslog when a hook or runner could not do its work. This is no event of the state:
/// the state itself may be what failed.
#[must_use]
pub fn failure_line(what: &str, message: &str) -> String {
    Line::new("failure")
        .value("in", what)
        .value("message", message)
        .0
}

/// A line for syslog under construction.
struct Line(String);

impl Line {
    fn new(word: &str) -> Self {
        Self(word.to_owned())
    }

    fn value(mut self, key: &str, value: &str) -> Self {
        let value = text::escape(value, VALUE_MAX);
        let is_plain = !value.is_empty() && !value.contains([' ', '"', '=', '\\']);

        self.0.push_str(&if is_plain {
            format!(" {key}={value}")
        } else {
            format!(" {key}=\"{}\"", value.replace('"', "\\\""))
        });
        self
    }

    fn optional(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.value(key, value),
            None => self,
        }
    }

    fn target(self, target: &Target) -> Self {
        self.value("environment", target.environment.as_str())
            .value("application", target.application.as_str())
    }

    fn deployment(self, id: DeploymentId, target: &Target, revision: &Revision) -> Self {
        self.value("id", &id.0.to_string())
            .target(target)
            .value("revision", revision.as_str())
    }

    fn pusher(self, pusher: Option<&Identity>) -> Self {
        self.optional("pusher", pusher.map(|pusher| pusher.name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Application;
    use crate::identity::Evidence;
    use crate::policy::ExceptionKind;

    const HASH: &str = "60375125abec57111e2eaeac7081f8f45bdfe28b";

    fn target() -> Target {
        Target {
            environment: Environment::new("production").unwrap(),
            application: Application::new("app").unwrap(),
        }
    }

    fn planned(exceptions: Vec<Exception>, retry_of: Option<DeploymentId>) -> Event {
        Event::Planned {
            deployment: DeploymentId(42),
            target: target(),
            revision: Revision::new(HASH).unwrap(),
            pusher: Some(Identity::new("alice", Evidence::SshKey)),
            exceptions,
            retry_of,
        }
    }

    #[test]
    fn lines_for_syslog() {
        let deployment = format!("id=42 environment=production application=app revision={HASH}");
        let rollback = Exception {
            kind: ExceptionKind::Rollback,
            reason: "alarms".to_owned(),
        };
        let failed = Event::Became {
            deployment: DeploymentId(42),
            target: target(),
            revision: Revision::new(HASH).unwrap(),
            status: Status::Failed,
            reason: Some("exit status 7".to_owned()),
        };

        let table = [
            (
                planned(Vec::new(), None),
                Severity::Info,
                format!("queued {deployment} pusher=alice"),
            ),
            (
                planned(vec![rollback], None),
                Severity::Warning,
                format!("queued {deployment} pusher=alice exception=\"rollback: alarms\""),
            ),
            (
                planned(Vec::new(), Some(DeploymentId(7))),
                Severity::Info,
                format!("queued {deployment} reason=\"retry of #7 by alice\""),
            ),
            (
                failed,
                Severity::Error,
                format!("failed {deployment} reason=\"exit status 7\""),
            ),
        ];

        for (event, severity, line) in table {
            assert_eq!((event.severity(), event.line()), (severity, line));
        }
    }

    #[test]
    fn hostile_values_stay_in_their_place() {
        let refused = Event::Refused {
            path: "a\nfailed id=1".to_owned(),
            message: "say \"x\" id=2".to_owned(),
            pusher: Some(Identity::new("", Evidence::Http)),
        };
        assert_eq!(
            refused.line(),
            "refused path=\"a\\nfailed id=1\" message=\"say \\\"x\\\" id=2\" pusher=\"\""
        );

        let long = "x".repeat(5000);
        let problem = Event::Problem {
            path: long.clone(),
            message: long,
        };
        assert!(problem.line().chars().count() < 500);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let events = [
            planned(Vec::new(), None),
            Event::Frozen {
                environment: target().environment,
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
