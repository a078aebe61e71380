//! What the server's administrator decided: the configuration file, read and resolved.
//!
//! Reading returns the configuration *and* all its problems, so that one look shows everything there is to mend. A configuration with
//! problems is never used to deploy.

mod levels;
mod parse;
mod template;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::id::{Application, Environment, Target};
use crate::waves::After;

pub use levels::{Level, OnInterrupt, Queue, Settings};
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
    /// Where the state lies; `None`: `deploy-by-code` in the deploy repository.
    pub state_dir: Option<PathBuf>,
    defaults: Level,
    environments: BTreeMap<Environment, EnvironmentSection>,
    applications: BTreeMap<Application, Level>,
}

impl Config {
    /// Reads a configuration file's text; an empty list of problems means that the configuration may be used.
    #[must_use]
    pub fn parse(text: &str) -> (Self, Vec<Problem>) {
        parse::parse(text)
    }

    /// The settings of one application in one environment, the most specific level first: environment and application, application,
    /// environment, defaults.
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
        self.environments.get(environment).cloned().unwrap_or_default()
    }

    /// The environments that have a section of their own.
    pub fn environments(&self) -> impl Iterator<Item = (&Environment, &EnvironmentSection)> {
        self.environments.iter()
    }

    /// What `after` says about some applications of one environment.
    #[must_use]
    pub fn after<'a>(
        &self,
        environment: &Environment,
        applications: impl IntoIterator<Item = &'a Application>,
    ) -> After {
        let after = |application: &Application| {
            let target = Target { environment: environment.clone(), application: application.clone() };
            self.settings(&target).after.into_iter().collect()
        };
        applications.into_iter().map(|application| (application.clone(), after(application))).collect()
    }

    /// The applications that some section names, for an environment: what the file itself can say about cycles.
    fn named_applications(&self, environment: &Environment) -> impl Iterator<Item = &Application> {
        let own = self.environments.get(environment).into_iter().flat_map(|section| section.applications.keys());
        self.applications.keys().chain(own)
    }

    /// The keys of safeguards that this version reads but does not enforce yet, each as written.
    #[must_use]
    pub fn not_enforced(&self) -> Vec<String> {
        let mut keys = Vec::new();
        for (name, section) in &self.environments {
            let set = [
                ("promotes_from", section.promotes_from.is_some()),
                ("soak", section.soak.is_some()),
                ("prepend_only", section.prepend_only),
            ];
            keys.extend(set.iter().filter(|(_, set)| *set).map(|(key, _)| format!("environments.{name}.{key}")));
        }
        let sections = self.environments.values();
        let levels = sections.flat_map(|section| [&section.level].into_iter().chain(section.applications.values()));
        let mut levels = levels.chain([&self.defaults]).chain(self.applications.values());
        if levels.any(|level| level.allowed_refs.is_some()) {
            keys.push("allowed_refs".to_owned());
        }
        keys
    }
}
