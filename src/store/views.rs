//! The history of deployments, and the last one of each application.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::params;

use super::error::Error;
use super::reader::Reader;
use super::rows::Deployment;
use crate::id::{Application, Environment, Revision, Target};

/// Which deployments of the history are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those of this environment.
    pub environment: Option<Environment>,
    /// Only those of this application. It is only given together with an environment.
    pub application: Option<Application>,
}

impl Filter {
    /// Whether it lets a target through.
    #[must_use]
    pub fn lets_through(&self, target: &Target) -> bool {
        let is_environment = |name: &Environment| *name == target.environment;
        let is_application = |name: &Application| *name == target.application;
        self.environment.as_ref().is_none_or(is_environment)
            && self.application.as_ref().is_none_or(is_application)
    }
}

impl Reader<'_> {
    /// The newest deployments that a filter lets through, newest first, at most `most`.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn history(&self, filter: &Filter, most: u32) -> Result<Vec<Deployment>, Error> {
        let newest = "ORDER BY id DESC LIMIT ?";
        match (&filter.environment, &filter.application) {
            (None, _) => self.select(newest, [most]),
            (Some(environment), None) => self.select(
                &format!("WHERE environment = ? {newest}"),
                params![environment.as_str(), most],
            ),
            (Some(environment), Some(application)) => self.select(
                &format!("WHERE environment = ? AND application = ? {newest}"),
                params![environment.as_str(), application.as_str(), most],
            ),
        }
    }

    /// The deployments that have ended, those that ended last first, at most `most`.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn ended(&self, most: u32) -> Result<Vec<Deployment>, Error> {
        self.select(
            "WHERE finish_order IS NOT NULL ORDER BY finish_order DESC LIMIT ?",
            [most],
        )
    }

    /// The newest deployment of each application in each environment.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn newest(&self) -> Result<BTreeMap<Target, Deployment>, Error> {
        let rows = self.select(
            "WHERE id IN (SELECT MAX(id) FROM deployments GROUP BY environment, application)",
            [],
        )?;
        let by_target = rows
            .into_iter()
            .map(|deployment| (deployment.target.clone(), deployment));
        Ok(by_target.collect())
    }

    /// The revision that was last planned for each application in each environment, but for retired
    /// ones. It is what the deploy branch said at the cursor, as far as a deployment was recorded:
    /// for when that commit is gone.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn last_planned(&self) -> Result<BTreeMap<Target, Revision>, Error> {
        let rows = self.select(
            "WHERE id IN (SELECT MAX(id) FROM deployments WHERE retry_of IS NULL
                 GROUP BY environment, application)",
            [],
        )?;
        let retired = self.retirements()?;
        let retired: BTreeSet<Target> = retired.into_iter().map(|retired| retired.target).collect();

        let wanted = rows
            .into_iter()
            .filter(|deployment| !retired.contains(&deployment.target));
        Ok(wanted
            .map(|deployment| (deployment.target, deployment.revision))
            .collect())
    }
}
