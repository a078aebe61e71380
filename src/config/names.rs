//! Which names of environments and applications the configuration knows.

use std::collections::BTreeSet;
use std::ptr;

use super::environment_key::EnvironmentKey;
use super::named::{applications_tables, named_references};
use super::notify::NotifySection;
use super::sections::Config;
use crate::id::{Application, Environment, NotifyName, Target};
use crate::text;

/// A name that the configuration does not know, although it has to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    /// What is wrong, as a sentence without a point.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// A section of an application that sets a safeguard, and whose name is like that of another
/// application. That one has no section in the same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearSection {
    /// The section's heading, without brackets.
    pub heading: String,
    /// The application that it names.
    pub named: Application,
    /// The safeguard that it sets.
    pub setting: &'static str,
}

impl Config {
    /// Checks that a folder of the deploy repository may be an environment. As soon as one
    /// environment has a section, each one needs a section: otherwise a misspelt folder would have
    /// none of the safeguards.
    ///
    /// # Errors
    /// The configuration does not know the environment.
    pub fn check_environment(&self, environment: &Environment) -> Result<(), UnknownName> {
        let twin = twin(
            environment.as_str(),
            self.environments.keys().map(Environment::as_str),
        );
        let has_sections = self.environment_sections().next().is_some();
        if !has_sections || twin.is_none() && self.section(environment).is_some() {
            return Ok(());
        }

        let known = || self.environment_sections().map(|(name, _)| name);
        let new = format!(
            "a new environment needs [environments.{environment}] in the server's configuration"
        );
        let hint = match twin.or_else(|| text::nearest(environment.as_str(), known())) {
            Some(near) => format!("did you mean {near}? {new}"),
            None => {
                let known: Vec<&str> = known().take(KNOWN_MAX).collect();
                format!("known here: {}; {new}", known.join(", "))
            }
        };
        Err(UnknownName {
            message: format!("the configuration has no environment {environment}"),
            hint,
        })
    }

    /// Checks that an application's name is not, except for upper and lower case, one that the
    /// configuration names. Otherwise the settings of that one would not count.
    ///
    /// # Errors
    /// It is. The error names the other application.
    pub fn check_application(&self, target: &Target) -> Result<(), UnknownName> {
        let section = self.section(&target.environment);
        let named = self.named_applications(section).map(Application::as_str);
        let Some(twin) = twin(target.application.as_str(), named) else {
            return Ok(());
        };
        Err(UnknownName {
            message: format!(
                "{} differs from {twin}, which the configuration names, only in upper and lower \
                 case",
                target.application
            ),
            hint: format!("did you mean {twin}?"),
        })
    }

    /// The names in the configuration of which nothing is known: no deploy file and no deployment,
    /// and for the names in settings no section either. At most 20. They may be misspelt, or wait
    /// for their first deploy file.
    #[must_use]
    pub fn unknown_names(&self, known: &BTreeSet<Target>) -> Vec<UnknownName> {
        let environments: BTreeSet<&str> = known
            .iter()
            .map(|target| target.environment.as_str())
            .collect();
        let applications: BTreeSet<&str> = known
            .iter()
            .map(|target| target.application.as_str())
            .collect();
        let tables = applications_tables(self);
        let named = tables.iter().flat_map(|(_, table)| table.keys());
        let named: BTreeSet<&str> = named.map(Application::as_str).collect();

        let mut unknown = Vec::new();
        for (name, section) in self.environment_sections() {
            // A new environment has no deploy file yet, so only a slip is worth a word.
            let slip = environments.iter().find(|known| text::is_slip(name, known));
            if let Some(slip) = slip.filter(|_| !environments.contains(name)) {
                let key = format!("environments.{name}");
                unknown.push(UnknownName::nothing_known(&key, name, Some(slip)));
            }
            if let Some(from) = &section.promotes_from
                && self.check_environment(from).is_err()
                && !environments.contains(from.as_str())
            {
                let key = format!("environments.{name}.promotes_from");
                let near = text::nearest(from.as_str(), environments.iter().copied());
                unknown.push(UnknownName::nothing_known(&key, from.as_str(), near));
            }
        }

        let mut application = |path: &[&str], name: &str| {
            let key = path.join(".");
            let near = text::nearest(name, applications.iter().copied());
            unknown.push(UnknownName::nothing_known(&key, name, near));
        };
        for (path, table) in &tables {
            let names = table.keys().map(Application::as_str);
            for name in names.filter(|name| !applications.contains(name)) {
                application(&[path, &[name][..]].concat(), name);
            }
        }
        for (path, names) in named_references(self) {
            let is_unknown = |name: &&str| !applications.contains(name) && !named.contains(name);
            for name in names.iter().map(Application::as_str).filter(is_unknown) {
                application(&path, name);
            }
        }
        for (name, section) in &self.notify {
            unknown.extend(self.unknown_in(name, section, &environments, &applications, &named));
        }
        unknown.extend(self.unknown_hidden(&environments, &applications));
        unknown.truncate(REPORTED_MAX);
        unknown
    }

    /// The names in a section `[notify.NAME]` that neither a section nor the record knows. A
    /// pattern may wait for its first environment.
    fn unknown_in(
        &self,
        name: &NotifyName,
        section: &NotifySection,
        environments: &BTreeSet<&str>,
        applications: &BTreeSet<&str>,
        named: &BTreeSet<&str>,
    ) -> Vec<UnknownName> {
        let mut unknown = Vec::new();
        for key in &section.environments {
            if let EnvironmentKey::Name(environment) = key
                && self.section(environment).is_none()
                && !environments.contains(environment.as_str())
            {
                let sections = self.environment_sections().map(|(name, _)| name);
                let known = environments.iter().copied().chain(sections);
                let near = text::nearest(environment.as_str(), known);
                let key = format!("notify.{name}.environments");
                unknown.push(UnknownName::nothing_known(&key, environment.as_str(), near));
            }
        }
        for application in &section.applications {
            let application = application.as_str();
            if !applications.contains(application) && !named.contains(application) {
                let known = applications.iter().chain(named).copied();
                let near = text::nearest(application, known);
                let key = format!("notify.{name}.applications");
                unknown.push(UnknownName::nothing_known(&key, application, near));
            }
        }
        unknown
    }

    /// The names in `web.hide` of which nothing is known: what they were meant to hide is shown.
    fn unknown_hidden(
        &self,
        environments: &BTreeSet<&str>,
        applications: &BTreeSet<&str>,
    ) -> Vec<UnknownName> {
        let unknown = |name: &str, known: &BTreeSet<&str>| {
            let near = || text::nearest(name, known.iter().copied());
            (!known.contains(name)).then(|| UnknownName::nothing_known("web.hide", name, near()))
        };
        let hidden = self.web.hidden.iter().flat_map(|hidden| {
            let environment = match &hidden.environment {
                EnvironmentKey::Name(name) => unknown(name.as_str(), environments),
                // It may wait for its first environment.
                EnvironmentKey::Pattern(_) => None,
            };
            let application = hidden.application.as_ref();
            let application = application.and_then(|name| unknown(name.as_str(), applications));
            [environment, application]
        });
        hidden.flatten().collect()
    }

    /// The sections that would protect a target if their names were not slips for its own.
    #[must_use]
    pub fn near_sections(&self, target: &Target) -> Vec<NearSection> {
        let own = self.section(&target.environment);
        let own = own.map(|section| &section.applications);
        let of_target = [Some(&self.applications), own];

        let mut near = Vec::new();
        for (path, table) in applications_tables(self) {
            let counts = of_target.iter().flatten().any(|of| ptr::eq(*of, table));
            if !counts || table.contains_key(&target.application) {
                continue;
            }
            for (named, settings) in table {
                if let Some(setting) = settings.safeguard()
                    && text::is_slip(named.as_str(), target.application.as_str())
                {
                    near.push(NearSection {
                        heading: [&path[..], &[named.as_str()]].concat().join("."),
                        named: named.clone(),
                        setting,
                    });
                }
            }
        }
        near
    }

    /// The applications that `after` and `together` name for a target and that no section names.
    #[must_use]
    pub fn unnamed_others(&self, target: &Target) -> Vec<Application> {
        let mut after = self.after(&target.environment, [&target.application]);
        let mut others = after.remove(&target.application).unwrap_or_default();
        let section = self.section(&target.environment);
        let groups = section.into_iter().flat_map(|section| &section.together);
        let groups = groups.filter(|group| group.contains(&target.application));
        others.extend(groups.flatten().cloned());
        others.remove(&target.application);
        if others.is_empty() {
            return Vec::new();
        }

        let tables = applications_tables(self);
        let is_named =
            |name: &Application| tables.iter().any(|(_, table)| table.contains_key(name));
        others.into_iter().filter(|name| !is_named(name)).collect()
    }
}

impl UnknownName {
    /// A name in a setting or heading of which nothing is known.
    fn nothing_known(key: &str, name: &str, near: Option<&str>) -> Self {
        Self {
            message: format!("{key}: no deploy file and no deployment is known of \"{name}\""),
            hint: match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "correct it, unless its first deploy file is still to come".to_owned(),
            },
        }
    }
}

/// How many names without a meaning are reported.
const REPORTED_MAX: usize = 20;

/// How many known names a hint lists.
const KNOWN_MAX: usize = 10;

/// The known name that differs from a name in upper and lower case alone. A name that is known
/// itself has none.
pub(super) fn twin<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut twin = None;
    for known in known {
        if known == name {
            return None;
        }
        if known.eq_ignore_ascii_case(name) {
            twin = Some(known);
        }
    }
    twin
}
