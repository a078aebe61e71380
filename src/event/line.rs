//! Events as lines for syslog: a word and `key=value` pairs.

use std::path::Path;

use super::kinds::Event;
use crate::id::{DeploymentId, Environment, Revision, Target};
use crate::identity::Identity;
use crate::policy::{Approval, Exception};
use crate::text;

/// The longest value of one key, in bytes and without its quotes. It keeps a line below 1 kB, which
/// every syslog daemon accepts.
const VALUE_MAX: usize = 200;

impl Event {
    /// The line for syslog of what happened in a deploy repository, without the time and the name
    /// of the program. Every value is escaped and has a limited length.
    #[must_use]
    pub fn line(&self, repository: &Path) -> String {
        let line = match self {
            Self::Planned {
                deployment,
                target,
                revision,
                pusher,
                exceptions,
                approvals,
                retry_of,
            } => Line::new("queued")
                .deployment(*deployment, target, revision)
                .pusher(pusher.as_ref().filter(|_| retry_of.is_none()))
                .optional("exception", in_one_line(exceptions).as_deref())
                .optional("approved_by", approved_by(approvals).as_deref())
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
            Self::Retired {
                target,
                pusher,
                exceptions,
                approvals,
            } => Line::new("retired")
                .target(target)
                .pusher(pusher.as_ref())
                .optional("exception", in_one_line(exceptions).as_deref())
                .optional("approved_by", approved_by(approvals).as_deref()),
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
        line.repository(repository).0
    }
}

/// The line for syslog when a hook or runner could not do its work. It is not an event, because
/// the state itself can be what failed.
#[must_use]
pub fn failure_line(repository: &Path, what: &str, message: &str) -> String {
    Line::new("failure")
        .value("in", what)
        .value("message", message)
        .repository(repository)
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

/// Who approved a deployment, in one line; `None`: nobody did.
fn approved_by(approvals: &[Approval]) -> Option<String> {
    let names: Vec<&str> = approvals
        .iter()
        .map(|approval| approval.by.as_str())
        .collect();
    (!names.is_empty()).then(|| names.join("; "))
}

/// The reasons by which a deployment got past rules, in one line; `None`: there are none.
fn in_one_line(exceptions: &[Exception]) -> Option<String> {
    let each: Vec<String> = exceptions
        .iter()
        .map(|exception| {
            let (kind, reason) = (exception.kind.as_str(), &exception.reason);
            match &exception.signed_by {
                Some(by) => format!("{kind}: {reason} (signed by {by})"),
                None => format!("{kind}: {reason}"),
            }
        })
        .collect();
    Some(each.join("; ")).filter(|all| !all.is_empty())
}

/// A line that grows by one `key=value` pair at a time.
struct Line(String);

impl Line {
    fn new(word: &str) -> Self {
        Self(word.to_owned())
    }

    fn value(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        let value = text::escape_quoted(value, VALUE_MAX);
        let is_special = |c: char| c.is_whitespace() || matches!(c, '"' | '=' | '\\');
        let is_plain = !value.is_empty() && !value.contains(is_special);

        self.0.push_str(&if is_plain {
            format!(" {key}={value}")
        } else {
            format!(" {key}=\"{value}\"")
        });
        self
    }

    fn repository(self, repository: &Path) -> Self {
        self.value("repository", repository.as_os_str().as_encoded_bytes())
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
        self.value("id", id.0.to_string())
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
    use crate::time::Timestamp;

    const HASH: &str = "60375125abec57111e2eaeac7081f8f45bdfe28b";
    const DEPLOYMENT: &str = "id=42 environment=production application=app \
                              revision=60375125abec57111e2eaeac7081f8f45bdfe28b";

    fn repository() -> &'static Path {
        Path::new("/srv/git/deploy.git")
    }

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
            approvals: Vec::new(),
            retry_of,
        }
    }

    #[test]
    fn line_has_a_word_and_the_values_of_its_event() {
        let rollback = Exception::new(ExceptionKind::Rollback, "alarms".to_owned());
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
            let line = format!("{line} repository=/srv/git/deploy.git");
            assert_eq!(
                (event.severity(), event.line(repository())),
                (severity, line)
            );
        }
    }

    #[test]
    fn hostile_value_stays_inside_its_quotes() {
        for (message, shown) in [
            ("say \"x\" id=2", r#""say \"x\" id=2""#),
            (r#"a\" id=2"#, r#""a\\\" id=2""#),
            (r"a\", r#""a\\""#),
            (r"C:\", r#""C:\\""#),
            ("id=2", r#""id=2""#),
            ("a\u{2003}b", "\"a\u{2003}b\""),
            ("a\nfailed id=1", r#""a\nfailed id=1""#),
            ("", r#""""#),
            ("é", "é"),
        ] {
            let problem = Event::Problem {
                path: "a\nfailed id=1".to_owned(),
                message: message.to_owned(),
            };
            assert_eq!(
                problem.line(Path::new("/srv/a b\"c.git")),
                format!(
                    r#"problem path="a\nfailed id=1" message={shown} repository="/srv/a b\"c.git""#
                )
            );
        }
    }

    #[test]
    fn failure_names_the_repository() {
        assert_eq!(
            failure_line(repository(), "run", "the disk is full"),
            "failure in=run message=\"the disk is full\" repository=/srv/git/deploy.git"
        );
    }

    #[test]
    fn line_of_the_longest_values_is_below_1_kb() {
        // What a daemon puts before a line has about 50 bytes.
        const MOST: usize = 1024 - 64;

        for filler in ["x", "\"", "\\", "\n", "\u{202e}", "é", "\u{1f600}"] {
            let long = filler.repeat(5000);
            let name = "n".repeat(64);
            let target = Target {
                environment: Environment::new(&name).unwrap(),
                application: Application::new(&name).unwrap(),
            };
            let by = Identity::new(long.clone(), Evidence::SshKey);
            let revision = Revision::new("6".repeat(64)).unwrap();
            let exception = Exception::new(ExceptionKind::Override, long.clone());

            let events = [
                Event::Planned {
                    deployment: DeploymentId(i64::MAX),
                    target: target.clone(),
                    revision: revision.clone(),
                    pusher: Some(by.clone()),
                    exceptions: vec![exception],
                    approvals: Vec::new(),
                    retry_of: Some(DeploymentId(i64::MAX)),
                },
                Event::Became {
                    deployment: DeploymentId(i64::MAX),
                    target: target.clone(),
                    revision,
                    status: Status::Interrupted,
                    reason: Some(long.clone()),
                    by: None,
                },
                Event::Refused {
                    path: long.clone(),
                    message: long.clone(),
                    pusher: Some(by.clone()),
                },
                Event::Frozen {
                    environment: target.environment,
                    by,
                    reason: long.clone(),
                    until: Some(Timestamp::from_ms(0)),
                },
            ];
            for event in events {
                let line = event.line(Path::new(&long));
                assert!(line.len() < MOST, "{} bytes: {line}", line.len());
            }
            assert!(failure_line(Path::new(&long), &long, &long).len() < MOST);
        }
    }
}
