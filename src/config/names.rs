//! Which names of environments and applications the configuration knows.

use super::sections::Config;
use crate::id::{Application, Environment, Target};
use crate::text;

/// A name that the configuration does not know, although it has to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    /// What is wrong, as a sentence without a point.
    pub message: String,
    /// What to do.
    pub hint: String,
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
}

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
