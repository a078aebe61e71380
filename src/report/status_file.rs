//! The content of `status.json`: what is deployed where, as it is written and as it is read. Pure.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::published_row::{PublishedRow, PublishedState};
use crate::id::{Environment, Target};
use crate::time::Timestamp;

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
    fn content_that_can_not_be_trusted_is_an_error() {
        for bad in [
            String::new(),
            "[".repeat(100_000),
            content("../x", REVISION, "succeeded"),
            content("production", "main", "succeeded"),
            content("production", REVISION, "fine"),
        ] {
            assert!(StatusFile::read(bad.as_bytes()).is_err(), "{bad:.80}");
        }
    }
}
