//! Deployments that are running on record, and whether a runner supervises them.

use crate::id::Environment;
use crate::status::Status;
use crate::store::{self, Deployment, Filter, Reader};
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

/// The deployments that are running on record, though no runner is known to supervise them.
///
/// # Errors
/// The state can't be read.
pub fn unwatched(record: &Reader<'_>, filter: &Filter) -> Result<Vec<Unwatched>, store::Error> {
    let mut running = Vec::new();
    for environment in record.busy_environments()? {
        running.extend(record.open_deployments(&environment)?);
    }
    running.retain(|open| open.status == Status::Running && filter.lets_through(&open.target));

    let look = |deployment: Deployment| {
        let is_alive = match has_runner_here(&deployment) {
            Ok(true) => return None,
            Ok(false) => is_tree_alive(&deployment, record),
            // A runner that can't be seen from here holds the lock as long as it lives.
            Err(unseen) => match is_taken(&record.lock_file(&deployment.target.environment)) {
                Ok(true) => return None,
                Ok(false) | Err(_) => Err(unseen),
            },
        };
        Some(Unwatched {
            deployment,
            is_alive,
        })
    };
    Ok(running.into_iter().filter_map(look).collect())
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

fn is_tree_alive(deployment: &Deployment, record: &Reader<'_>) -> Result<bool, Unseen> {
    let Some(run) = &deployment.run else {
        return Ok(false);
    };
    match run.tree(deployment.id, record.folder(), &ProcessSpace::own()?)? {
        Some(tree) => tree.is_alive(),
        None => Ok(false),
    }
}
