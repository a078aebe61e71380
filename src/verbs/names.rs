//! The names that there are, and the nearest one to a slip of the fingers.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use crate::deploy_repository::DeployRepository;
use crate::id::{Environment, Revision, Target};
use crate::judging::wanted;
use crate::store::{Filter, Reader};
use crate::text;

const SEE_STATUS: &str = "deploy-by-code status shows what there is";

/// What is known of a deploy repository by name.
#[derive(Debug)]
pub struct Names {
    /// The revision that each deploy file at the deploy branch's tip asks for.
    pub wanted: BTreeMap<Target, Revision>,
    targets: BTreeSet<Target>,
    configured: BTreeSet<Environment>,
}

/// Collects the names of deploy files, of the record and of the configuration.
///
/// # Errors
/// The deploy branch or the state can't be read.
pub fn names(deploy: &DeployRepository, record: &Reader<'_>) -> Result<Names, Error> {
    let tip = deploy.repository.branch_tip(&deploy.branch)?;
    let wanted = wanted(deploy, tip.as_ref())?;
    Ok(Names {
        targets: wanted
            .keys()
            .cloned()
            .chain(record.newest()?.into_keys())
            .collect(),
        configured: deploy
            .config
            .environments()
            .map(|(name, _)| name.clone())
            .collect(),
        wanted,
    })
}

impl Names {
    /// The applications in their environments.
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

    /// An environment that nobody knows is a slip of the fingers: freezing it would freeze nothing.
    ///
    /// # Errors
    /// Nobody knows it; the nearest name is offered.
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

    /// A filter that lets nothing through names something that nobody knows.
    ///
    /// # Errors
    /// It does; the nearest name is offered.
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
        let (what, name, names): (_, _, Vec<&str>) = match &filter.application {
            Some(application) if !own.is_empty() => {
                let names = own.iter().map(|target| target.application.as_str());
                ("application", application.as_str(), names.collect())
            }
            _ => {
                let names = self.targets().map(|target| target.environment.as_str());
                ("environment", environment.as_str(), names.collect())
            }
        };
        Err(Error::refused(
            format!("nothing was deployed to or is wanted for {what} {name}"),
            nearest(name, names),
        ))
    }
}

fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    match text::nearest(name, names) {
        Some(near) => format!("did you mean {near}?"),
        None => SEE_STATUS.to_owned(),
    }
}
