//! What happened, as the one line that syslog gets for it: `key=value` pairs after a word.

use crate::id::{DeploymentId, Environment, Revision, Target};
use crate::status::Status;
use crate::text;

/// The longest value of one key, in characters; keeps a line below the 1 kB that every syslog
/// daemon takes whole.
const VALUE_MAX: usize = 200;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// A deployment was recorded.
    Queued {
        /// Its number.
        id: DeploymentId,
        /// What goes where.
        target: &'a Target,
        /// To which revision.
        revision: &'a Revision,
        /// Who pushed it.
        pusher: Option<&'a str>,
        /// What it was allowed for although a rule stands against it: kinds and reasons.
        exception: Option<&'a str>,
    },
    /// A deployment's status changed otherwise.
    Became {
        /// Its number.
        id: DeploymentId,
        /// What goes where.
        target: &'a Target,
        /// To which revision.
        revision: &'a Revision,
        /// What it is now.
        status: Status,
        /// Why, where there is something to say.
        reason: Option<&'a str>,
    },
    /// An application is no longer wanted somewhere.
    Retired {
        /// What and where.
        target: &'a Target,
        /// Who pushed it.
        pusher: Option<&'a str>,
    },
    /// Something was refused before it happened.
    Refused {
        /// The path or ref.
        path: &'a [u8],
        /// Why.
        message: &'a str,
        /// Who pushed it.
        pusher: Option<&'a str>,
    },
    /// Something on the deploy branch can't be deployed.
    Problem {
        /// The path or ref.
        path: &'a [u8],
        /// Why.
        message: &'a str,
    },
    /// Nothing is to change in an environment any more.
    Frozen {
        /// Where.
        environment: &'a Environment,
        /// Who decided that.
        by: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// An environment may change again.
    Thawed {
        /// Where.
        environment: &'a Environment,
        /// Who decided that.
        by: &'a str,
    },
    /// A hook or runner could not do its work.
    Failure {
        /// Which.
        what: &'a str,
        /// Why.
        message: &'a str,
    },
}

impl Event<'_> {
    /// How urgent it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Queued {
                exception: Some(_), ..
            }
            | Self::Frozen { .. }
            | Self::Thawed { .. } => Severity::Warning,
            Self::Queued { .. } | Self::Retired { .. } => Severity::Info,
            Self::Became { status, .. } => match status {
                Status::Failed | Status::Interrupted => Severity::Error,
                Status::Cancelled | Status::Skipped => Severity::Warning,
                Status::Queued | Status::Running | Status::Succeeded | Status::Superseded => {
                    Severity::Info
                }
            },
            Self::Refused { .. } | Self::Problem { .. } => Severity::Warning,
            Self::Failure { .. } => Severity::Error,
        }
    }

    /// The line, without time and ident; every value escaped and bounded.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::Queued {
                id,
                target,
                revision,
                pusher,
                exception,
            } => line(
                "queued",
                &[("id", &id.0.to_string())],
                Some(target),
                Some(revision),
                &[("pusher", *pusher), ("exception", *exception)],
            ),
            Self::Frozen {
                environment,
                by,
                reason,
            } => line(
                "frozen",
                &[
                    ("environment", environment.as_str()),
                    ("by", by),
                    ("reason", reason),
                ],
                None,
                None,
                &[],
            ),
            Self::Thawed { environment, by } => line(
                "thawed",
                &[("environment", environment.as_str()), ("by", by)],
                None,
                None,
                &[],
            ),
            Self::Became {
                id,
                target,
                revision,
                status,
                reason,
            } => line(
                status.as_str(),
                &[("id", &id.0.to_string())],
                Some(target),
                Some(revision),
                &[("reason", *reason)],
            ),
            Self::Retired { target, pusher } => {
                line("retired", &[], Some(target), None, &[("pusher", *pusher)])
            }
            Self::Refused {
                path,
                message,
                pusher,
            } => {
                let path = text::escape(path, VALUE_MAX);
                line(
                    "refused",
                    &[("path", &path), ("message", message)],
                    None,
                    None,
                    &[("pusher", *pusher)],
                )
            }
            Self::Problem { path, message } => {
                let path = text::escape(path, VALUE_MAX);
                line(
                    "problem",
                    &[("path", &path), ("message", message)],
                    None,
                    None,
                    &[],
                )
            }
            Self::Failure { what, message } => line(
                "failure",
                &[("in", what), ("message", message)],
                None,
                None,
                &[],
            ),
        }
    }
}

fn line(
    word: &str,
    first: &[(&str, &str)],
    target: Option<&Target>,
    revision: Option<&Revision>,
    last: &[(&str, Option<&str>)],
) -> String {
    let mut line = word.to_owned();
    let mut put = |key: &str, value: &str| {
        let value = text::escape(value, VALUE_MAX);
        let plain = !value.is_empty() && !value.contains([' ', '"', '=', '\\']);
        line.push_str(&if plain {
            format!(" {key}={value}")
        } else {
            format!(" {key}={}", quoted(&value))
        });
    };
    first.iter().for_each(|(key, value)| put(key, value));
    if let Some(target) = target {
        put("environment", target.environment.as_str());
        put("application", target.application.as_str());
    }
    if let Some(revision) = revision {
        put("revision", revision.as_str());
    }
    last.iter()
        .filter_map(|(key, value)| Some((key, (*value)?)))
        .for_each(|(key, value)| put(key, value));
    line
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Application;

    #[test]
    fn lines() {
        let target = Target {
            environment: Environment::new("production").unwrap(),
            application: Application::new("app").unwrap(),
        };
        let revision = Revision::new("60375125abec57111e2eaeac7081f8f45bdfe28b").unwrap();
        let id = DeploymentId(42);
        let queued = Event::Queued {
            id,
            target: &target,
            revision: &revision,
            pusher: Some("alice"),
            exception: None,
        };
        assert_eq!(
            queued.line(),
            "queued id=42 environment=production application=app revision=60375125abec57111e2eaeac7081f8f45bdfe28b pusher=alice"
        );
        let failed = Event::Became {
            id,
            target: &target,
            revision: &revision,
            status: Status::Failed,
            reason: Some("exit status 7"),
        };
        assert!(failed.line().ends_with(" reason=\"exit status 7\""));
        assert_eq!(failed.severity(), Severity::Error);
    }

    #[test]
    fn hostile_values_stay_in_their_place() {
        let refused = Event::Refused {
            path: b"a\nfailed id=1",
            message: "say \"x\" id=2",
            pusher: Some(""),
        };
        assert_eq!(
            refused.line(),
            "refused path=\"a\\nfailed id=1\" message=\"say \\\"x\\\" id=2\" pusher=\"\""
        );
        let long = "x".repeat(5000);
        assert!(
            Event::Problem {
                path: long.as_bytes(),
                message: &long
            }
            .line()
            .chars()
            .count()
                < 500
        );
    }
}
