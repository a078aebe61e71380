//! What the server's administrator decided: the configuration file, read and resolved.
//!
//! Reading returns the configuration *and* all its problems, so that one look shows everything
//! there is to mend. A configuration with problems is never used to deploy.

mod calendar;
mod levels;
mod parse;
mod template;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::id::{Application, Environment, Target};
use crate::order::After;

pub use calendar::{OnFreeze, Window, Zones};
pub use levels::{Level, OnInterrupt, Queue, RunnerKind, Settings};
pub use parse::{ENVIRONMENT_KEYS, SETTING_KEYS, TOP_KEYS};
pub use template::{Template, Values};

/// Something wrong in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1; 0 where the whole file is meant.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong with which key, escaped.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        f.write_str(&self.message)
    }
}

/// The settings of one environment that its applications share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentSection {
    /// How many applications of one rollout may deploy at the same time; at least 1.
    pub parallel: usize,
    /// Where a revision must have succeeded before it may come here.
    pub promotes_from: Option<Environment>,
    /// How long ago it must have succeeded there.
    pub soak: Option<std::time::Duration>,
    /// Whether a deploy file's old content must stay below its new entry.
    pub prepend_only: bool,
    /// When the calendar freezes it.
    pub frozen: Vec<Window>,
    /// What happens to a push to it while it is frozen.
    pub on_freeze: OnFreeze,
    /// Whom the host authenticates as one of these may deploy while it is frozen.
    pub override_by: Vec<String>,
    /// Groups of applications that change in the same push.
    pub together: Vec<Vec<Application>>,
    level: Level,
    applications: BTreeMap<Application, Level>,
}

impl Default for EnvironmentSection {
    fn default() -> Self {
        Self {
            parallel: 1,
            promotes_from: None,
            soak: None,
            prepend_only: false,
            frozen: Vec::new(),
            on_freeze: OnFreeze::Refuse,
            override_by: Vec::new(),
            together: Vec::new(),
            level: Level::default(),
            applications: BTreeMap::new(),
        }
    }
}

/// A configuration file's content. The default is that of an empty file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// The deploy branch without `refs/heads/`; `None`: the one that HEAD names.
    pub branch: Option<String>,
    /// The folder above the environment folders, without slashes at its ends; empty: the top.
    pub root: String,
    /// Whether the deploy branch may be rewound or deleted.
    pub allow_rewind: bool,
    /// Who starts runners.
    pub runner: RunnerKind,
    /// Where the state lies; `None`: `deploy-by-code` in the deploy repository.
    pub state_dir: Option<PathBuf>,
    defaults: Level,
    environments: BTreeMap<Environment, EnvironmentSection>,
    applications: BTreeMap<Application, Level>,
}

impl Config {
    /// Reads a configuration file's text; an empty list of problems means that the configuration
    /// may be used.
    #[must_use]
    pub fn parse(text: &str, zones: Zones<'_>) -> (Self, Vec<Problem>) {
        parse::parse(text, zones)
    }

    /// The settings of one application in one environment, the most specific level first:
    /// environment and application, application, environment, defaults.
    #[must_use]
    pub fn settings(&self, target: &Target) -> Settings {
        let section = self.environments.get(&target.environment);
        let levels = [
            section.and_then(|section| section.applications.get(&target.application)),
            self.applications.get(&target.application),
            section.map(|section| &section.level),
            Some(&self.defaults),
        ];
        levels::resolve(levels.into_iter().flatten())
    }

    /// The settings of one environment; those of an empty section where the file has none.
    #[must_use]
    pub fn environment(&self, environment: &Environment) -> EnvironmentSection {
        self.environments
            .get(environment)
            .cloned()
            .unwrap_or_default()
    }

    /// The environments that have a section of their own.
    pub fn environments(&self) -> impl Iterator<Item = (&Environment, &EnvironmentSection)> {
        self.environments.iter()
    }

    /// The applications that have a section of their own, each in every environment that has one.
    #[must_use]
    pub fn named_targets(&self) -> Vec<Target> {
        let mut targets = Vec::new();
        for environment in self.environments.keys() {
            let named = self
                .named_applications(environment)
                .cloned()
                .collect::<std::collections::BTreeSet<_>>();
            targets.extend(named.into_iter().map(|application| Target {
                environment: environment.clone(),
                application,
            }));
        }
        targets
    }

    /// What `after` says about some applications of one environment.
    #[must_use]
    pub fn after<'a>(
        &self,
        environment: &Environment,
        applications: impl IntoIterator<Item = &'a Application>,
    ) -> After {
        let after = |application: &Application| {
            let target = Target {
                environment: environment.clone(),
                application: application.clone(),
            };
            self.settings(&target).after.into_iter().collect()
        };
        applications
            .into_iter()
            .map(|application| (application.clone(), after(application)))
            .collect()
    }

    /// The applications that some section names, for an environment: what the file itself can say
    /// about cycles.
    fn named_applications(&self, environment: &Environment) -> impl Iterator<Item = &Application> {
        let own = self
            .environments
            .get(environment)
            .into_iter()
            .flat_map(|section| section.applications.keys());
        self.applications.keys().chain(own)
    }
}
