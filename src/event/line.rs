//! Events as lines for syslog: a word and `key=value` pairs.

use super::kinds::Event;
use crate::id::{DeploymentId, Environment, Revision, Target};
use crate::identity::Identity;
use crate::policy::Exception;
use crate::text;

/// The longest value of one key, in characters. It keeps a line below 1 kB, which every syslog
/// daemon accepts.
const VALUE_MAX: usize = 200;

impl Event {
    /// The line for syslog, without the time and the name of the program. Every value is escaped
    /// and has a limited length.
    #[must_use]
    pub fn line(&self) -> String {
        let line = match self {
            Self::Planned {
                deployment,
                target,
                revision,
                pusher,
                exceptions,
                retry_of,
            } => Line::new("queued")
                .deployment(*deployment, target, revision)
                .pusher(pusher.as_ref().filter(|_| retry_of.is_none()))
                .optional("exception", in_one_line(exceptions).as_deref())
                .optional("reason", retry(*retry_of, pusher.as_ref()).as_deref()),
            Self::Became {
                deployment,
                target,
                revision,
                status,
                reason,
                // The reason names the person.
                by: _,
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
                .environment(environment)
                .value("by", &by.name)
                .value("reason", reason)
                .optional("until", until.map(|until| until.to_string()).as_deref()),
            Self::Thawed { environment, by } => Line::new("thawed")
                .environment(environment)
                .value("by", &by.name),
            Self::Released { environment, by } => Line::new("released")
                .environment(environment)
                .value("by", &by.name),
        };
        line.0
    }
}

/// The line for syslog when a hook or runner could not do its work. It is not an event, because
/// the state itself can be what failed.
#[must_use]
pub fn failure_line(what: &str, message: &str) -> String {
    Line::new("failure")
        .value("in", what)
        .value("message", message)
        .0
}

/// What a retry retries, and who asked for it; `None`: it is not a retry.
fn retry(of: Option<DeploymentId>, by: Option<&Identity>) -> Option<String> {
    let of = of?;
    Some(match by {
        Some(by) => format!("retry of {of} by {}", by.name),
        None => format!("retry of {of}"),
    })
}

/// The reasons by which a deployment got past rules, in one line; `None`: there are none.
fn in_one_line(exceptions: &[Exception]) -> Option<String> {
    let each: Vec<String> = exceptions
        .iter()
        .map(|exception| format!("{}: {}", exception.kind.as_str(), exception.reason))
        .collect();
    Some(each.join("; ")).filter(|all| !all.is_empty())
}

/// A line that grows by one `key=value` pair at a time.
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

    fn environment(self, environment: &Environment) -> Self {
        self.value("environment", environment.as_str())
    }

    fn target(self, target: &Target) -> Self {
        self.environment(&target.environment)
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
    use super::super::Severity;
    use super::*;
    use crate::id::Application;
    use crate::identity::Evidence;
    use crate::policy::ExceptionKind;
    use crate::status::Status;

    const HASH: &str = "60375125abec57111e2eaeac7081f8f45bdfe28b";
    const DEPLOYMENT: &str = "id=42 environment=production application=app \
                              revision=60375125abec57111e2eaeac7081f8f45bdfe28b";

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
    fn line_has_a_word_and_the_values_of_its_event() {
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
            by: None,
        };

        let table = [
            (
                planned(Vec::new(), None),
                Severity::Info,
                format!("queued {DEPLOYMENT} pusher=alice"),
            ),
            (
                planned(vec![rollback], None),
                Severity::Warning,
                format!("queued {DEPLOYMENT} pusher=alice exception=\"rollback: alarms\""),
            ),
            (
                planned(Vec::new(), Some(DeploymentId(7))),
                Severity::Info,
                format!("queued {DEPLOYMENT} reason=\"retry of #7 by alice\""),
            ),
            (
                failed,
                Severity::Error,
                format!("failed {DEPLOYMENT} reason=\"exit status 7\""),
            ),
        ];
        for (event, severity, line) in table {
            assert_eq!((event.severity(), event.line()), (severity, line));
        }
    }

    #[test]
    fn hostile_value_stays_inside_its_quotes() {
        let refused = Event::Refused {
            path: "a\nfailed id=1".to_owned(),
            message: "say \"x\" id=2".to_owned(),
            pusher: Some(Identity::new("", Evidence::Http)),
        };
        assert_eq!(
            refused.line(),
            "refused path=\"a\\nfailed id=1\" message=\"say \\\"x\\\" id=2\" pusher=\"\""
        );
    }

    #[test]
    fn long_values_are_cut() {
        let long = "x".repeat(5000);
        let problem = Event::Problem {
            path: long.clone(),
            message: long,
        };
        assert!(problem.line().chars().count() < 500);
    }
}
