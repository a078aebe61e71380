//! The published status, as a clone of the deploy repository has it.

use super::clone_status::{clone_log, clone_status};
use super::error::Error;
use crate::clone::{Chosen, DeployClone};
use crate::id::Target;
use crate::report::{PublishedDeployment, StatusFile};
use crate::store::Filter;
use crate::text::{escape, nearest};

/// What is published.
pub struct PublishedInClone {
    /// The content of status.json.
    pub status: StatusFile<'static>,
    /// The content of log.json: the deployments that ended last, newest first.
    pub log: Vec<PublishedDeployment>,
    /// Where it is published, for a message.
    pub shown_place: String,
}

/// Fetches and reads what is published.
///
/// # Errors
/// Nothing is published, or it can't be fetched or understood.
pub fn published_in_clone(chosen: &Chosen) -> Result<PublishedInClone, Error> {
    let deploy = DeployClone::open(chosen)?;
    let (remote, full_name) = (escape(&deploy.remote, 80), escape(&deploy.status_ref, 200));
    let missing = || {
        let known = match chosen.is_offline {
            true => format!("no status of {remote} was fetched from {full_name}"),
            false => format!("{remote} publishes no status at {full_name}"),
        };
        Error::refused(
            known,
            format!(
                "whoever looks after the server can set publish = \"{full_name}\" in its \
                 configuration; if it is published at another ref: --status-ref REF"
            ),
        )
    };
    let status = clone_status(&deploy)?.ok_or_else(missing)?;
    let log = clone_log(&deploy)?.ok_or_else(missing)?;
    Ok(PublishedInClone {
        status,
        log,
        shown_place: format!("{full_name} of {remote}"),
    })
}

impl PublishedInClone {
    /// Leaves out what is not asked for.
    ///
    /// # Errors
    /// Nothing is published about what is asked for.
    pub fn keep(&mut self, filter: &Filter) -> Result<(), Error> {
        let all: Vec<Target> = self.targets().collect();
        let applications = self.status.applications.to_mut();
        applications.retain(|row| {
            filter.lets_through(&Target {
                environment: row.environment.clone(),
                application: row.application.clone(),
            })
        });
        self.status.frozen.retain(|freeze| {
            let mut asked = filter.environment.iter();
            asked.all(|environment| *environment == freeze.environment)
        });
        self.log.retain(|row| {
            filter.lets_through(&Target {
                environment: row.environment.clone(),
                application: row.application.clone(),
            })
        });

        let is_empty = self.status.applications.is_empty() && self.log.is_empty();
        let Some(environment) = filter.environment.as_ref().filter(|_| is_empty) else {
            return Ok(());
        };
        let asked = match &filter.application {
            Some(application) => format!("{environment}/{application}"),
            None => environment.to_string(),
        };
        let near = match &filter.application {
            Some(_) => {
                let names: Vec<String> = all.iter().map(ToString::to_string).collect();
                nearest(&asked, names.iter().map(String::as_str)).map(str::to_owned)
            }
            None => {
                let names = all.iter().map(|target| target.environment.as_str());
                nearest(&asked, names).map(str::to_owned)
            }
        };
        let hint = "without a name, all that is published is listed";
        Err(Error::refused(
            format!("nothing is published about {asked}"),
            match near {
                Some(near) => format!("did you mean {near}? {hint}"),
                None => hint.to_owned(),
            },
        ))
    }

    /// The applications in their environments about which something is published.
    fn targets(&self) -> impl Iterator<Item = Target> {
        let deployed = self.status.applications.iter();
        let deployed = deployed.map(|row| (&row.environment, &row.application));
        let log = self.log.iter();
        let log = log.map(|row| (&row.environment, &row.application));
        deployed
            .chain(log)
            .map(|(environment, application)| Target {
                environment: environment.clone(),
                application: application.clone(),
            })
    }
}
