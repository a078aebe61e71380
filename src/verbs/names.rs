//! The names of environments and applications, and the nearest one to a name that is misspelt.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use crate::deploy_repository::DeployRepository;
use crate::id::{Environment, Revision, Target};
use crate::judging::{unreadable_tip, wanted};
use crate::policy::Refusal;
use crate::store::{Filter, Reader};
use crate::text;

/// What to do where no known name is near.
const SEE_STATUS: &str = "to see the known names: deploy-by-code status";

/// The names that a deploy repository knows.
#[derive(Debug)]
pub struct Names {
    /// The revision that each deploy file at the deploy branch's tip asks for.
    pub wanted: BTreeMap<Target, Revision>,
    /// The problem of a tip that is damaged. Then no deploy file is known.
    pub unreadable: Option<Refusal>,
    /// What has a deploy file or a recorded deployment.
    targets: BTreeSet<Target>,
    /// The environments that the configuration has a section for.
    configured: BTreeSet<Environment>,
}

/// Collects the names of deploy files, of the record and of the configuration.
///
/// # Errors
/// The deploy branch or the state can't be read.
pub fn names(deploy: &DeployRepository, record: &Reader<'_>) -> Result<Names, Error> {
    let tip = deploy.repository.branch_tip(&deploy.branch)?;
    let (wanted, unreadable) = match (wanted(deploy, tip.as_ref()), tip) {
        // What is recorded is shown also while the branch is damaged.
        (Err(error), Some(tip)) if error.is_damage() => {
            let cursor = record.cursor()?;
            let planned = cursor.and_then(|cursor| cursor.commit);
            let problem = unreadable_tip(&deploy.branch, &tip, planned.as_ref(), &error);
            (BTreeMap::new(), Some(problem))
        }
        (wanted, _) => (wanted?, None),
    };

    let recorded = record.newest()?.into_keys();
    let configured = deploy.config.environments();
    Ok(Names {
        targets: wanted.keys().cloned().chain(recorded).collect(),
        configured: configured.map(|(name, _)| name.clone()).collect(),
        wanted,
        unreadable,
    })
}

impl Names {
    /// The applications in their environments, as far as deploy files and the record know them.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter()
    }

    /// The environments of deploy files, of the record and of the configuration.
    #[must_use]
    pub fn environments(&self) -> BTreeSet<&Environment> {
        self.targets
            .iter()
            .map(|target| &target.environment)
            .chain(&self.configured)
            .collect()
    }

    /// Checks that there is such an environment. Otherwise a misspelt name would be frozen, and the
    /// environment that was meant would not.
    ///
    /// # Errors
    /// There is no such environment. The error offers the nearest name.
    pub fn check_environment(&self, environment: &Environment) -> Result<(), Error> {
        let known = self.environments();
        if known.contains(environment) {
            return Ok(());
        }
        let names = known.iter().map(|name| name.as_str());
        Err(Error::refused(
            format!("there is no environment {environment}"),
            nearest(environment.as_str(), names),
        ))
    }

    /// Checks that a filter lets something through. Otherwise a name in it is misspelt.
    ///
    /// # Errors
    /// It lets nothing through. The error offers the nearest name.
    pub fn check_filter(&self, filter: &Filter) -> Result<(), Error> {
        let Some(environment) = &filter.environment else {
            return Ok(());
        };
        if self.targets().any(|target| filter.lets_through(target)) {
            return Ok(());
        }

        let own: Vec<&Target> = self
            .targets()
            .filter(|target| target.environment == *environment)
            .collect();
        Err(match &filter.application {
            Some(application) if !own.is_empty() => {
                let names = own.iter().map(|target| target.application.as_str());
                Error::refused(
                    format!(
                        "there is no deployment and no deploy file for {environment}/{application}"
                    ),
                    nearest(application.as_str(), names),
                )
            }
            _ => {
                let names = self.targets().map(|target| target.environment.as_str());
                Error::refused(
                    format!(
                        "there is no deployment and no deploy file for the environment \
                         {environment}"
                    ),
                    nearest(environment.as_str(), names),
                )
            }
        })
    }
}

/// The hint that offers the nearest of some names.
fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    match text::nearest(name, names) {
        Some(near) => format!("did you mean {near}?"),
        None => SEE_STATUS.to_owned(),
    }
}
