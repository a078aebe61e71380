//! The names of environments and applications, and the nearest one to a name that is misspelt.

use std::collections::{BTreeMap, BTreeSet};

use super::deploy_branch::{DeployBranch, at_one_moment};
use super::error::Error;
use crate::deploy_repository::DeployRepository;
use crate::id::{Application, Environment, Revision, Target};
use crate::judging::unreadable_tip;
use crate::policy::Refusal;
use crate::store::{Filter, Reader, Store};
use crate::sys::clock;
use crate::text;

/// What to do where no known name is near.
const SEE_STATUS: &str = "to see the known names: deploy-by-code status";

/// The names that a deploy repository knows.
#[derive(Debug)]
pub struct Names {
    /// The revision that each deploy file at the deploy branch's tip asks for. `None`: that is not
    /// known, because the tip is damaged, or because there is no such branch though there are
    /// others.
    pub wanted: Option<BTreeMap<Target, Revision>>,
    /// The problem of a tip that is damaged. Then no deploy file is known.
    pub unreadable: Option<Refusal>,
    /// What has a deploy file, also one that asks for nothing, or is in the record.
    targets: BTreeSet<Target>,
    /// The environments that the configuration has a section for, and those that are frozen.
    environments: BTreeSet<Environment>,
}

/// Collects the names of deploy files, of the record and of the configuration.
///
/// # Errors
/// The deploy branch or the state can't be read.
pub fn names(deploy: &DeployRepository, store: &mut Store) -> Result<Names, Error> {
    at_one_moment(deploy, store, |branch, record| {
        names_with(deploy, branch, record, record.deployed_targets()?)
    })
}

/// The same, where it is known what the branch says and what the record has deployments of.
pub(super) fn names_with(
    deploy: &DeployRepository,
    branch: &DeployBranch,
    record: &Reader<'_>,
    recorded: impl IntoIterator<Item = Target>,
) -> Result<Names, Error> {
    let unreadable = match (&branch.files, &branch.tip) {
        (Err(error), Some(tip)) => {
            let cursor = record.cursor()?;
            let planned = cursor.and_then(|cursor| cursor.commit);
            Some(unreadable_tip(&deploy.branch, tip, planned.as_ref(), error))
        }
        _ => None,
    };
    let files = branch.files.as_ref().ok();
    let asked = |(target, revision): (&Target, &Option<Revision>)| {
        Some((target.clone(), revision.clone()?))
    };
    let wanted = files.filter(|_| branch.missing.is_none());
    let wanted = wanted.map(|files| files.iter().filter_map(asked).collect());

    let retired = record.retirements()?.into_iter();
    let retired = retired.map(|retired| retired.target);
    let mut environments: BTreeSet<Environment> =
        record.freezes(clock::now())?.into_keys().collect();
    let configured = deploy.config.environments();
    environments.extend(configured.map(|(name, _)| name.clone()));
    let files = files.into_iter().flat_map(BTreeMap::keys).cloned();
    Ok(Names {
        targets: files.chain(recorded).chain(retired).collect(),
        environments,
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
            .chain(&self.environments)
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
        let hint = match text::nearest(environment.as_str(), names) {
            Some(near) => format!("did you mean {near}?"),
            None => SEE_STATUS.to_owned(),
        };
        let message = format!("there is no environment {environment}");
        Err(Error::refused(message, hint))
    }

    /// Whether what a filter names is known.
    #[must_use]
    pub fn knows(&self, filter: &Filter) -> bool {
        match (&filter.environment, &filter.application) {
            (None, _) => true,
            (Some(_), Some(_)) => self.targets().any(|target| filter.lets_through(target)),
            (Some(environment), None) => self.environments().contains(environment),
        }
    }

    /// Forgets the names that are not let through.
    pub fn retain(
        &mut self,
        target: impl Fn(&Target) -> bool,
        environment: impl Fn(&Environment) -> bool,
    ) {
        self.targets.retain(&target);
        self.environments.retain(environment);
        if let Some(wanted) = &mut self.wanted {
            wanted.retain(|of, _| target(of));
        }
    }

    /// Checks that a filter names something that is known. Otherwise a name in it is misspelt.
    ///
    /// # Errors
    /// It does not. The error offers what is nearest, as it would have to be written.
    pub fn check_filter(&self, filter: &Filter) -> Result<(), Error> {
        let Some(environment) = &filter.environment else {
            return Ok(());
        };
        if self.knows(filter) {
            return Ok(());
        }

        let (message, near) = match &filter.application {
            Some(application) => (
                format!(
                    "there is no deployment and no deploy file for {environment}/{application}"
                ),
                self.nearest_target(environment, application),
            ),
            None => (
                format!(
                    "there is no deployment and no deploy file for the environment {environment}"
                ),
                self.nearest_filter(environment.as_str()),
            ),
        };
        let hint = match near {
            Some(near) => format!("did you mean {near}?"),
            None => SEE_STATUS.to_owned(),
        };
        Err(Error::refused(message, hint))
    }

    /// What may be meant by one word: an environment, or an application, which has to be written
    /// with its environment.
    fn nearest_filter(&self, word: &str) -> Option<String> {
        let applications = self.targets().map(|target| target.application.as_str());
        let environments = self.environments();
        let environments = environments.iter().map(|name| name.as_str());
        let near = text::nearest(word, applications.chain(environments))?;

        let mut targets = self.targets();
        let of_application = targets.find(|target| target.application.as_str() == near);
        Some(of_application.map_or_else(|| near.to_owned(), Target::to_string))
    }

    /// The known target that is written most like this.
    fn nearest_target(
        &self,
        environment: &Environment,
        application: &Application,
    ) -> Option<String> {
        let own = |target: &&Target| target.environment == *environment;
        let own = self
            .targets()
            .filter(own)
            .map(|target| target.application.as_str());
        if let Some(near) = text::nearest(application.as_str(), own) {
            return Some(format!("{environment}/{near}"));
        }

        let known: Vec<String> = self.targets().map(Target::to_string).collect();
        let written = format!("{environment}/{application}");
        text::nearest(&written, known.iter().map(String::as_str)).map(str::to_owned)
    }
}
