//! `status`: what is deployed, what is wanted, and what is in the way.

use std::collections::BTreeMap;

use super::error::Error;
use super::frozen::frozen;
use super::hook_faults::{FaultyHook, visible_hook_faults};
use super::names::names;
use crate::deploy_repository::DeployRepository;
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
    /// What is on the deploy branch and can't be deployed.
    pub problems: Vec<Problem>,
    /// The hooks that git does not run.
    pub hooks: Vec<FaultyHook>,
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
        problems: record.problems()?,
        hooks: visible_hook_faults(deploy)?,
    })
}
