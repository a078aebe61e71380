//! What becomes of the deployments of a dead runner.
//!
//! They are `running` on record, though no runner supervises them. A command that still runs holds
//! the environment: the next deployment begins when the command's whole process tree has ended, or
//! when a user released it. Nobody knows how the command ended, so the deployment is `interrupted`.

use std::time::Duration;

use super::error::Error;
use super::this_runner::Runner;
use crate::config::OnInterrupt;
use crate::deploy_repository::DeployRepository;
use crate::id::DeploymentId;
use crate::publish;
use crate::status::Status;
use crate::store::{self, Deployment, Outcome, Reader, Store, Transaction};
use crate::sys::cgroup;
use crate::sys::clock;
use crate::time::Timestamp;

/// How often to look whether what was left running has ended.
const LOOK: Duration = Duration::from_millis(250);

/// How many times in a row a deployment is retried without being asked for. Without a limit, a
/// deployment that takes the machine down would do so for ever.
const RETRIES_MAX: usize = 3;

/// Waits for what dead runners left running, and records that it was interrupted. It is called with
/// the environment's lock held, so every run on record is that of a dead runner.
///
/// # Errors
/// The state can't be read or changed.
pub(super) fn recover(
    runner: &Runner,
    deploy: &DeployRepository,
    store: &mut Store,
) -> Result<(), Error> {
    loop {
        let open = store.read()?.open_deployments(&runner.environment)?;
        let left: Vec<Deployment> = open
            .into_iter()
            .filter(|deployment| deployment.status == Status::Running)
            .collect();
        if left.is_empty() {
            cgroup::sweep();
            return Ok(());
        }

        let mut is_held = false;
        for deployment in &left {
            match ended(store, &runner.boot_id, deployment) {
                Some(reason) => interrupt(deploy, store, deployment, &reason)?,
                None => is_held = true,
            }
        }
        if is_held {
            clock::sleep(LOOK);
        }
    }
}

/// Why a dead runner's deployment need not be waited for any more. `None`: something that it
/// started still runs.
fn ended(store: &Store, boot_id: &str, deployment: &Deployment) -> Option<String> {
    if let Some(by) = &deployment.released_by {
        return Some(format!("the runner died; released by {}", by.name));
    }
    let Some(run) = deployment.run.as_ref().filter(|run| run.boot_id == boot_id) else {
        return Some("the machine restarted".to_owned());
    };

    let tree = run.tree(deployment.id, store.folder());
    if tree.is_alive() {
        if deployment.cancelled_by.is_some() {
            tree.kill();
        }
        return None;
    }

    if let Some(cgroup) = &run.cgroup {
        cgroup::remove(cgroup);
    }
    Some("the runner died".to_owned())
}

/// Records that a deployment was interrupted, and retries it where the configuration says so. Both
/// is one transaction: nobody looks at a deployment that has ended again, so a retry that was not
/// recorded with the end would be lost if this runner died.
fn interrupt(
    deploy: &DeployRepository,
    store: &mut Store,
    deployment: &Deployment,
    reason: &str,
) -> Result<(), Error> {
    let outcome = Outcome::new(Status::Interrupted, reason);
    let on_interrupt = deploy.config.settings(&deployment.target).on_interrupt;

    store.transaction(|transaction| {
        let now = clock::now();
        // If an end is recorded already, the process that recorded it knew more.
        if transaction.finish(deployment.id, &outcome, now)?.is_err() {
            return Ok(());
        }
        if on_interrupt == OnInterrupt::Retry {
            retry_if_wanted(transaction, deployment.id, now)?;
        }
        Ok::<_, store::Error>(())
    })?;
    publish::to_syslog(store);
    Ok(())
}

/// Queues an interrupted deployment again, if that may be done without being asked for.
fn retry_if_wanted(
    transaction: &Transaction<'_>,
    id: DeploymentId,
    now: Timestamp,
) -> Result<(), store::Error> {
    // It is read once more, because somebody may have cancelled it after this runner's look.
    if let Some(deployment) = transaction.deployment(id)?
        && may_retry(transaction, &deployment)?
    {
        let pusher = deployment.pusher.as_ref();
        transaction.retry(&deployment, pusher, None, now)?;
    }
    Ok(())
}

/// Whether an interrupted deployment may be retried without being asked for.
fn may_retry(record: &Reader<'_>, deployment: &Deployment) -> Result<bool, store::Error> {
    // Somebody wanted it to end.
    if deployment.cancelled_by.is_some() || deployment.released_by.is_some() {
        return Ok(false);
    }

    // A newer deployment is what is wanted now, however that one ended.
    let newest = record.newest_of(&deployment.target)?;
    let has_newer = newest.is_some_and(|newest| newest.id != deployment.id);
    if has_newer || record.is_retired(&deployment.target)? {
        return Ok(false);
    }

    let mut tries = 0;
    let mut earlier = deployment.retry_of;
    while let Some(id) = earlier.filter(|_| tries < RETRIES_MAX) {
        tries += 1;
        let found = record.deployment(id)?;
        earlier = found.and_then(|deployment| deployment.retry_of);
    }
    Ok(tries < RETRIES_MAX)
}
