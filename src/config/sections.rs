//! The configuration and its sections, and the question which of them decides.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::application_repository::RepositorySetting;
use super::calendar::{OnFreeze, Window};
use super::environment_key::EnvironmentPattern;
use super::notify::NotifySection;
use super::people::People;
use super::settings::{self, PartialSettings, RunnerKind, Settings};
use super::template::Template;
use super::web::WebSection;
use crate::id::{Application, Environment, NotifyName, Target};
use crate::order::After;

/// The settings of one environment that its applications share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentSection {
    /// How many applications of one rollout may deploy at the same time; at least 1.
    pub parallel: usize,
    /// Where a revision must have succeeded before it may be deployed here.
    pub promotes_from: Option<Environment>,
    /// How long ago it must have succeeded there.
    pub soak: Option<Duration>,
    /// Whether a deploy file's old content must stay below its new entry.
    pub prepend_only: bool,
    /// The windows in which the calendar freezes it.
    pub frozen: Vec<Window>,
    /// What happens to a push to it while it is frozen.
    pub on_freeze: OnFreeze,
    /// Who may deploy while it is frozen: pushers, by the names under which the host authenticates
    /// them, and people who sign. The latter may also deploy without approvals.
    pub override_by: Vec<String>,
    /// How many people must have approved a change, not counting those who made it; 0: nobody needs
    /// to.
    pub approvals: usize,
    /// The people and groups whose approval counts; `None`: everybody whose signature counts.
    pub approvers: Option<Vec<String>>,
    /// Groups of applications that change in the same push.
    pub together: Vec<Vec<Application>>,
    pub(super) settings: PartialSettings,
    pub(super) applications: BTreeMap<Application, PartialSettings>,
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
            approvals: 0,
            approvers: None,
            together: Vec::new(),
            settings: PartialSettings::default(),
            applications: BTreeMap::new(),
        }
    }
}

impl EnvironmentSection {
    /// Whether it says for any application what goes first.
    pub(super) fn has_after(&self) -> bool {
        let mut settings = self.applications.values().chain([&self.settings]);
        settings.any(|settings| settings.after.is_some())
    }
}

/// The content of a configuration file. The default is that of an empty file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// The deploy branch without `refs/heads/`; `None`: the branch that HEAD names.
    pub branch: Option<String>,
    /// The folder above the environment folders, without slashes at its ends; empty: the top.
    pub root: String,
    /// Whether the deploy branch may be rewound or deleted.
    pub allow_rewind: bool,
    /// Who starts runners.
    pub runner: RunnerKind,
    /// Whether the system log gets no lines.
    pub without_syslog: bool,
    /// Where the state is; `None`: `deploy-by-code` in the deploy repository.
    pub state_dir: Option<PathBuf>,
    /// The ref at which the status is published, by its full name; `None`: nowhere.
    pub publish: Option<String>,
    /// The folder in which the figures are written for Prometheus; `None`: nowhere.
    pub metrics_textfile: Option<PathBuf>,
    /// Whose signatures count.
    pub people: People,
    /// What the page shows.
    pub web: WebSection,
    /// Who is told of what happens.
    pub notify: BTreeMap<NotifyName, NotifySection>,
    pub(super) defaults: PartialSettings,
    pub(super) environments: BTreeMap<Environment, EnvironmentSection>,
    /// The sections of patterns. No name matches more than one of them.
    pub(super) patterns: Vec<(EnvironmentPattern, EnvironmentSection)>,
    pub(super) applications: BTreeMap<Application, PartialSettings>,
}

impl Config {
    /// The settings of one application in one environment. Of the sections that name a setting
    /// the most specific one decides: that of the application in the environment, of the
    /// application, of the environment, `defaults`.
    #[must_use]
    pub fn settings(&self, target: &Target) -> Settings {
        let section = self.section(&target.environment);
        settings::resolve(self.levels(section, &target.application).into_iter())
    }

    /// The folder of the revision that is deployed; empty: the whole revision. Hooks ask for this
    /// alone, so the other settings are not resolved.
    #[must_use]
    pub fn subdirectory(&self, target: &Target) -> Option<&Template> {
        self.first(target, |level| level.subdirectory.as_ref())
    }

    /// The application repository, as the settings have it. Hooks ask several times for this alone.
    #[must_use]
    pub fn repository(&self, target: &Target) -> Option<&RepositorySetting> {
        self.first(target, |level| level.repository.as_ref())
    }

    /// One setting of a target; `None`: no section names it.
    fn first<'c, T>(
        &'c self,
        target: &Target,
        setting: impl FnMut(&'c PartialSettings) -> Option<T>,
    ) -> Option<T> {
        let section = self.section(&target.environment);
        let levels = self.levels(section, &target.application);
        levels.into_iter().find_map(setting)
    }

    /// The settings of one application, or of all that have no section, in the environments that a
    /// section is about; `None`: those without a section.
    pub(super) fn settings_in(
        &self,
        section: Option<&EnvironmentSection>,
        application: Option<&Application>,
    ) -> Settings {
        let levels = match application {
            Some(application) => self.levels(section, application),
            None => {
                let section = section.map(|section| &section.settings);
                section.into_iter().chain([&self.defaults]).collect()
            }
        };
        settings::resolve(levels.into_iter())
    }

    /// The settings of one environment; those of an empty section where the file has none.
    #[must_use]
    pub fn environment(&self, environment: &Environment) -> EnvironmentSection {
        self.section(environment).cloned().unwrap_or_default()
    }

    /// The section of an environment: that of its name, or else that of the pattern which it
    /// matches.
    pub(super) fn section(&self, environment: &Environment) -> Option<&EnvironmentSection> {
        let by_pattern = || {
            let mut patterns = self.patterns.iter();
            let found = patterns.find(|(pattern, _)| pattern.matches(environment))?;
            Some(&found.1)
        };
        self.environments.get(environment).or_else(by_pattern)
    }

    /// The people whose approval counts in an environment; `None`: everybody whose signature
    /// counts.
    #[must_use]
    pub fn approvers(&self, section: &EnvironmentSection) -> Option<BTreeSet<String>> {
        let names = section.approvers.as_ref()?;
        Some(self.people.named(names))
    }

    /// The people whose signature below a `Deploy-Override` counts in an environment.
    #[must_use]
    pub fn override_signers(&self, section: &EnvironmentSection) -> BTreeSet<String> {
        self.people.named(&section.override_by)
    }

    /// Whether any section sets `marks`.
    #[must_use]
    pub fn has_marks(&self) -> bool {
        let of_applications = |table: &BTreeMap<Application, PartialSettings>| {
            table.values().any(|settings| settings.marks == Some(true))
        };
        let in_section = |section: &EnvironmentSection| {
            section.settings.marks == Some(true) || of_applications(&section.applications)
        };
        self.defaults.marks == Some(true)
            || of_applications(&self.applications)
            || self
                .environment_sections()
                .any(|(_, section)| in_section(section))
    }

    /// The environments that have a section of their own.
    pub fn environments(&self) -> impl Iterator<Item = (&Environment, &EnvironmentSection)> {
        self.environments.iter()
    }

    /// Every section of `environments`, with its name or pattern.
    pub fn environment_sections(&self) -> impl Iterator<Item = (&str, &EnvironmentSection)> {
        let named = self.environments.iter();
        let named = named.map(|(name, section)| (name.as_str(), section));
        let patterns = self.patterns.iter();
        named.chain(patterns.map(|(pattern, section)| (pattern.as_str(), section)))
    }

    /// The applications that have a section of their own, each in every environment that has one.
    #[must_use]
    pub fn named_targets(&self) -> Vec<Target> {
        let mut targets = Vec::new();

        for (environment, section) in &self.environments {
            let named: BTreeSet<_> = self.named_applications(Some(section)).cloned().collect();
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
        self.after_in(self.section(environment), applications)
    }

    /// The same for the environments that a section is about; `None`: those without a section.
    pub(super) fn after_in<'a>(
        &self,
        section: Option<&EnvironmentSection>,
        applications: impl IntoIterator<Item = &'a Application>,
    ) -> After {
        let after = |application: &Application| {
            let sections = self.levels(section, application);
            let mut after = sections.iter().filter_map(|level| level.after.as_ref());
            after.next().into_iter().flatten().cloned().collect()
        };

        applications
            .into_iter()
            .map(|application| (application.clone(), after(application)))
            .collect()
    }

    /// The applications that a section names, for the environments that a section is about. Only
    /// of these can the file alone tell whether they go after one another in a circle.
    pub(super) fn named_applications<'a>(
        &'a self,
        section: Option<&'a EnvironmentSection>,
    ) -> impl Iterator<Item = &'a Application> {
        let own = section.map(|section| section.applications.keys());
        self.applications.keys().chain(own.into_iter().flatten())
    }

    /// The sections that have settings of an application, the most specific one first.
    fn levels<'a>(
        &'a self,
        section: Option<&'a EnvironmentSection>,
        application: &Application,
    ) -> Vec<&'a PartialSettings> {
        let levels = [
            section.and_then(|section| section.applications.get(application)),
            self.applications.get(application),
            section.map(|section| &section.settings),
            Some(&self.defaults),
        ];
        levels.into_iter().flatten().collect()
    }
}
