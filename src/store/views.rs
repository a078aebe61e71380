//! What is shown.

use std::collections::BTreeMap;

use rusqlite::params;

use super::error::Error;
use super::reader::Reader;
use super::rows::{COLUMNS, Deployment, read};
use crate::id::{Application, Environment, Revision, Target};

/// What of the history is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// One environment.
    pub environment: Option<Environment>,
    /// One application of it.
    pub application: Option<Application>,
}

impl Filter {
    /// Whether it lets a target through.
    #[must_use]
    pub fn lets_through(&self, target: &Target) -> bool {
        self.environment
            .as_ref()
            .is_none_or(|environment| *environment == target.environment)
            && self
                .application
                .as_ref()
                .is_none_or(|application| *application == target.application)
    }
}

impl Reader<'_> {
    /// The newest deployments, newest first.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn history(&self, filter: &Filter, most: u32) -> Result<Vec<Deployment>, Error> {
        let rows = |condition: &str| {
            format!("SELECT {COLUMNS} FROM deployments {condition} ORDER BY id DESC LIMIT ?")
        };
        match (&filter.environment, &filter.application) {
            (None, _) => self.query(&rows(""), [most], read),
            (Some(environment), None) => self.query(
                &rows("WHERE environment = ?"),
                params![environment.as_str(), most],
                read,
            ),
            (Some(environment), Some(application)) => {
                let sql = rows("WHERE environment = ? AND application = ?");
                self.query(
                    &sql,
                    params![environment.as_str(), application.as_str(), most],
                    read,
                )
            }
        }
    }

    /// The newest deployment of each application in each environment.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn newest(&self) -> Result<BTreeMap<Target, Deployment>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM deployments WHERE id IN (SELECT MAX(id) FROM deployments GROUP BY environment, application)"
        );
        let rows = self.query(&sql, [], read)?;
        Ok(rows
            .into_iter()
            .map(|deployment| (deployment.target.clone(), deployment))
            .collect())
    }

    /// The revision that the planner last wanted for each application in each environment, as far
    /// as it recorded one: what the deploy branch said at the cursor, for when that commit is gone.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn last_planned(&self) -> Result<BTreeMap<Target, Revision>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM deployments WHERE id IN
                 (SELECT MAX(id) FROM deployments WHERE retry_of IS NULL GROUP BY environment, application)"
        );
        let rows = self.query(&sql, [], read)?;
        let retired: Vec<Target> = self
            .retirements()?
            .into_iter()
            .map(|retired| retired.target)
            .collect();
        let wanted = rows
            .into_iter()
            .filter(|deployment| !retired.contains(&deployment.target));
        Ok(wanted
            .map(|deployment| (deployment.target, deployment.revision))
            .collect())
    }
}
