//! Deployments that are running on record, and whether a runner supervises them.

use std::path::Path;

use crate::id::Environment;
use crate::status::Status;
use crate::store::{self, Deployment, Filter, Reader, Store};
use crate::sys::lock::is_taken;
use crate::sys::process::ProcessSpace;
use crate::sys::unseen::Unseen;

/// A deployment that is running on record, though no runner is known to supervise it.
#[derive(Debug)]
pub struct Unwatched {
    /// The deployment.
    pub deployment: Deployment,
    /// Whether something that its command started still runs. If so, it holds the environment. An
    /// error: this can't be seen from here, and it holds the environment too.
    pub is_alive: Result<bool, Unseen>,
}

/// The deployments that are running on record, as far as a filter lets them through.
///
/// # Errors
/// The state can't be read.
pub fn running(record: &Reader<'_>, filter: &Filter) -> Result<Vec<Deployment>, store::Error> {
    let mut running = Vec::new();
    for environment in record.busy_environments()? {
        running.extend(record.open_deployments(&environment)?);
    }
    running.retain(|open| open.status == Status::Running && filter.lets_through(&open.target));
    Ok(running)
}

/// Those of some [`running`] deployments that no runner is known to supervise. What has ended since
/// they were read is left out.
///
/// # Errors
/// The state can't be read.
pub fn unwatched(
    store: &mut Store,
    running: Vec<Deployment>,
) -> Result<Vec<Unwatched>, store::Error> {
    let look = |deployment: Deployment| {
        let is_alive = match has_runner_here(&deployment) {
            Ok(true) => return None,
            Ok(false) => is_tree_alive(&deployment, store.folder()),
            // A runner that can't be seen from here holds the lock as long as it lives.
            Err(unseen) => match is_taken(&store.lock_file(&deployment.target.environment)) {
                Ok(true) => return None,
                Ok(false) | Err(_) => Err(unseen),
            },
        };
        Some(Unwatched {
            deployment,
            is_alive,
        })
    };
    let mut found: Vec<Unwatched> = running.into_iter().filter_map(look).collect();
    if !found.is_empty() {
        let record = store.read()?;
        let mut open = Vec::new();
        for left in &found {
            let now = record.deployment(left.deployment.id)?;
            let is_same = |now: &Deployment| now.run == left.deployment.run;
            open.push(now.is_some_and(|now| now.status == Status::Running && is_same(&now)));
        }
        let mut open = open.into_iter();
        found.retain(|_| open.next() == Some(true));
    }
    Ok(found)
}

/// Whether a runner is known to supervise a deployment in an environment.
///
/// # Errors
/// The state can't be read.
pub fn has_runner(record: &Reader<'_>, environment: &Environment) -> Result<bool, store::Error> {
    let open = record.open_deployments(environment)?;
    // Where it can't be seen, another runner does no harm: it finds the lock taken, and ends.
    Ok(open
        .iter()
        .any(|open| matches!(has_runner_here(open), Ok(true))))
}

fn has_runner_here(deployment: &Deployment) -> Result<bool, Unseen> {
    match &deployment.run {
        Some(run) => run.has_runner(&ProcessSpace::own()?),
        // No runner began it.
        None => Ok(false),
    }
}

/// `folder`: the state directory.
fn is_tree_alive(deployment: &Deployment, folder: &Path) -> Result<bool, Unseen> {
    let Some(run) = &deployment.run else {
        return Ok(false);
    };
    match run.tree(deployment.id, folder, &ProcessSpace::own()?)? {
        Some(tree) => tree.is_alive(),
        None => Ok(false),
    }
}
