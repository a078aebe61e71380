//! The content of `status.json`: what is deployed where, as it is written and as it is read. Pure.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::published_row::{PublishedRow, PublishedState};
use crate::config::Config;
use crate::deploy_repository::DeployRepository;
use crate::id::{Environment, Target};
use crate::identity::{Evidence, Identity};
use crate::policy::Freeze;
use crate::text;
use crate::time::Timestamp;

/// How many approvers are shown.
const APPROVERS_SHOWN: usize = 10;

/// The content of status.json. The keys are stable.
///
/// Whoever reads it has it from a remote: names, revisions and times are what they should be, and
/// all other text must be escaped where it is shown.
#[derive(Debug, Serialize, Deserialize)]
pub struct StatusFile<'p> {
    /// The event after which it was like this, with the state's own id.
    pub event: String,
    /// When that happened.
    pub at: Timestamp,
    /// The environments that somebody froze.
    pub frozen: Vec<PublishedFreeze>,
    /// What a change needs in the environments of these applications, and in those that have a
    /// section of the configuration. A server of an earlier version does not publish it.
    #[serde(default)]
    pub environments: Cow<'p, [PublishedEnvironment]>,
    /// Each application in each environment, in the order of their names.
    pub applications: Cow<'p, [PublishedRow]>,
    /// How many more there are.
    pub left_out: usize,
}

/// An environment that somebody froze. The keys are stable.
#[derive(Debug, Serialize, Deserialize)]
pub struct PublishedFreeze {
    /// The environment.
    pub environment: Environment,
    /// Who froze it.
    pub by: Option<String>,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Until when; null: until somebody thaws it.
    pub until: Option<Timestamp>,
}

/// What a change needs in an environment, as the configuration said when this was published. The
/// keys are stable.
///
/// Who is in a group is not published, and neither is anybody where no approval is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedEnvironment {
    /// The environment.
    pub environment: Environment,
    /// How many people must have approved a change, not counting those who made it.
    pub approvals: usize,
    /// The people and groups whose approval counts, as the configuration names them; null:
    /// everybody whose signature counts.
    pub approvers: Option<Vec<String>>,
}

impl PublishedEnvironment {
    /// What the configuration says of an environment.
    #[must_use]
    pub fn of(config: &Config, environment: &Environment) -> Self {
        let section = config.environment(environment);
        let approvers = section.approvers.filter(|_| section.approvals > 0);
        Self {
            environment: environment.clone(),
            approvals: section.approvals,
            approvers,
        }
    }

    /// What the configuration says of the environments that it has a section for, and of those of
    /// some applications: the first change of an environment needs its approvals too.
    #[must_use]
    pub fn all(config: &Config, rows: &[PublishedRow]) -> Vec<Self> {
        let own = config.environments().map(|(environment, _)| environment);
        let names: BTreeSet<&Environment> =
            own.chain(rows.iter().map(|row| &row.environment)).collect();
        names
            .into_iter()
            .map(|name| Self::of(config, name))
            .collect()
    }

    /// The same, in words that are safe to show.
    #[must_use]
    pub fn in_words(&self) -> String {
        let environment = &self.environment;
        let needs = match self.approvals {
            0 => return format!("{environment} needs no approval"),
            1 => format!("{environment} needs 1 approval"),
            count => format!("{environment} needs {count} approvals"),
        };
        let Some(approvers) = &self.approvers else {
            return format!("{needs} by people whose signatures the server knows");
        };
        let named = approvers.iter().take(APPROVERS_SHOWN);
        let mut named: Vec<String> = named.map(|name| text::escape(name, 100)).collect();
        let more = approvers.len() - named.len();
        if more > 0 {
            named.push(format!("{more} more"));
        }
        match named.is_empty() {
            true => format!("{needs}, and nobody may give one"),
            false => format!("{needs} out of: {}", named.join(", ")),
        }
    }
}

impl PublishedFreeze {
    /// The freeze, as far as it is published.
    #[must_use]
    pub fn as_recorded(&self) -> Freeze {
        let by = self.by.as_ref();
        Freeze {
            by: by.map(|name| Identity::new(name, Evidence::Unrecorded)),
            reason: self.reason.clone(),
            since: self.since,
            until: self.until,
        }
    }
}

impl StatusFile<'static> {
    /// Reads the content of status.json.
    ///
    /// # Errors
    /// It has another form.
    pub fn read(content: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(content)
    }
}

impl StatusFile<'_> {
    /// What is published about an application in an environment; `None`: nothing is. A retired one
    /// is left out.
    #[must_use]
    pub fn of(&self, target: &Target) -> Option<&PublishedRow> {
        self.applications.iter().find(|row| {
            row.environment == target.environment
                && row.application == target.application
                && row.state != PublishedState::Retired
        })
    }

    /// Whether it says what the configuration says of the environments and the applications.
    #[must_use]
    pub fn is_as_configured(&self, deploy: &DeployRepository) -> bool {
        let environments = PublishedEnvironment::all(&deploy.config, &self.applications);
        let mut rows = self.applications.iter();
        environments == *self.environments && rows.all(|row| row.is_as_configured(deploy))
    }

    /// What a change needs in an environment; `None`: that is not published.
    #[must_use]
    pub fn environment(&self, environment: &Environment) -> Option<&PublishedEnvironment> {
        let mut environments = self.environments.iter();
        environments.find(|published| published.environment == *environment)
    }

    /// The freeze of an environment; `None`: nobody froze it.
    #[must_use]
    pub fn freeze(&self, environment: &Environment) -> Option<&PublishedFreeze> {
        let mut frozen = self.frozen.iter();
        frozen.find(|freeze| freeze.environment == *environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Application;
    use crate::report::to_json;

    const REVISION: &str = "60375125abec57111e2eaeac7081f8f45bdfe28b";

    fn content(environment: &str, revision: &str, state: &str) -> String {
        format!(
            r#"{{"event": "x-1", "at": "2026-01-02T03:04:05Z", "frozen": [], "left_out": 0,
            "applications": [{{"environment": "{environment}", "application": "web",
            "deployed": "{revision}", "deployment": 1, "rollout": 1, "since": null, "by": null,
            "wanted": null, "newest": 1, "state": "{state}", "reason": null,
            "rolled_back": null, "later": [{{}}]}}]}}"#
        )
    }

    #[test]
    fn what_is_written_is_read_back() {
        let content = content("production", REVISION, "succeeded");
        let status = StatusFile::read(content.as_bytes()).unwrap();
        let again = StatusFile::read(to_json(&status).as_bytes()).unwrap();
        let target = |application| Target {
            environment: Environment::new("production").unwrap(),
            application: Application::new(application).unwrap(),
        };
        let deployed = again.of(&target("web")).unwrap().deployed.clone();
        assert_eq!(deployed.unwrap().as_str(), REVISION);
        assert!(again.of(&target("other")).is_none());
    }

    #[test]
    fn what_an_environment_needs_is_said_in_words() {
        let table: [(usize, Option<&[&str]>, &str); 5] = [
            (0, Some(&["a"]), "production needs no approval"),
            (
                1,
                None,
                "production needs 1 approval by people whose signatures the server knows",
            ),
            (
                2,
                Some(&["a", "b\n"]),
                "production needs 2 approvals out of: a, b\\n",
            ),
            (
                1,
                Some(&[]),
                "production needs 1 approval, and nobody may give one",
            ),
            (
                1,
                Some(&["x"; 12]),
                "production needs 1 approval out of: x, x, x, x, x, x, x, x, x, x, 2 more",
            ),
        ];
        for (approvals, approvers, expected) in table {
            let published = PublishedEnvironment {
                environment: Environment::new("production").unwrap(),
                approvals,
                approvers: approvers.map(|names| names.iter().map(ToString::to_string).collect()),
            };
            assert_eq!(published.in_words(), expected);
        }
    }

    #[test]
    fn content_that_can_not_be_trusted_is_an_error() {
        for bad in [
            String::new(),
            "[".repeat(100_000),
            content("../x", REVISION, "succeeded"),
            content("production", "main", "succeeded"),
            content("production", REVISION, "fine"),
            content("production", REVISION, "failed")
                .replace("[{}]", r#"[], "subdirectory": "..""#),
            content("production", REVISION, "failed").replace("[{}]", r#"[], "subdirectory": """#),
            content("production", REVISION, "failed").replace("[{}]", r#"[], "subdirectory": 7"#),
        ] {
            assert!(StatusFile::read(bad.as_bytes()).is_err(), "{bad:.80}");
        }
    }
}
