//! Deployments that are running on record, and whether a runner supervises them.

use crate::id::Environment;
use crate::status::Status;
use crate::store::{self, Deployment, Filter, Reader};
use crate::sys::process::boot_id;

/// A deployment that is running on record, though no runner supervises it.
#[derive(Debug, Clone)]
pub struct Unwatched {
    /// The deployment.
    pub deployment: Deployment,
    /// Whether something that its command started still runs. If so, it holds the environment.
    pub is_alive: bool,
}

/// The deployments that are running on record, though no runner supervises them.
///
/// # Errors
/// The state can't be read.
pub fn unwatched(record: &Reader<'_>, filter: &Filter) -> Result<Vec<Unwatched>, store::Error> {
    let boot_id = boot_id().unwrap_or_default();
    let mut running = Vec::new();
    for environment in record.busy_environments()? {
        running.extend(record.open_deployments(&environment)?);
    }
    running.retain(|deployment| {
        deployment.status == Status::Running
            && filter.lets_through(&deployment.target)
            && !is_supervised(deployment, &boot_id)
    });

    let look = |deployment: Deployment| {
        let run = deployment.run.as_ref().filter(|run| run.boot_id == boot_id);
        let is_alive = run.is_some_and(|run| run.tree(deployment.id, record.folder()).is_alive());
        Unwatched {
            deployment,
            is_alive,
        }
    };
    Ok(running.into_iter().map(look).collect())
}

/// Whether a runner supervises a deployment in an environment.
///
/// # Errors
/// The state can't be read.
pub fn has_runner(record: &Reader<'_>, environment: &Environment) -> Result<bool, store::Error> {
    let boot_id = boot_id().unwrap_or_default();
    Ok(record
        .open_deployments(environment)?
        .iter()
        .any(|deployment| is_supervised(deployment, &boot_id)))
}

/// Whether the runner that carries a deployment out is still alive.
fn is_supervised(deployment: &Deployment, boot_id: &str) -> bool {
    deployment
        .run
        .as_ref()
        .is_some_and(|run| run.boot_id == boot_id && run.runner.is_alive())
}
