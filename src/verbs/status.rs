//! `status`: what is deployed, what is wanted, and what is in the way.

use std::collections::BTreeMap;

use super::error::Error;
use super::frozen::frozen;
use super::names::names;
use crate::deploy_repository::{DeployRepository, MissingBranch};
use crate::id::Environment;
use crate::policy::Freeze;
use crate::report::{StatusRow, status_rows};
use crate::runner::{Unwatched, unwatched};
use crate::store::{Filter, Problem, Store};
use crate::sys::clock;

/// Everything that `status` shows, as it was at one moment.
#[derive(Debug)]
pub struct Overview {
    /// Each application in each environment.
    pub rows: Vec<StatusRow>,
    /// The environments that are frozen.
    pub frozen: BTreeMap<Environment, Freeze>,
    /// What is recorded as running although its runner is dead.
    pub unwatched: Vec<Unwatched>,
    /// The deploy branch, if it does not exist though other branches do.
    pub missing_branch: Option<MissingBranch>,
    /// What is on the deploy branch and can't be deployed.
    pub problems: Vec<Problem>,
}

/// Collects everything that a filter lets through.
///
/// # Errors
/// The filter lets nothing through, or the deploy branch or the state can't be read.
pub fn overview(
    deploy: &DeployRepository,
    store: &mut Store,
    filter: &Filter,
) -> Result<Overview, Error> {
    let record = store.read()?;
    let names = names(deploy, &record)?;
    names.check_filter(filter)?;

    let mut frozen = frozen(deploy, &record, &names, clock::now())?;
    let rows = status_rows(&record, &names.wanted, &frozen, filter)?;

    frozen.retain(|name, _| filter.environment.as_ref().is_none_or(|of| of == name));
    Ok(Overview {
        rows,
        frozen,
        unwatched: unwatched(&record, filter)?,
        missing_branch: deploy.missing_branch()?,
        problems: record.problems()?,
    })
}
