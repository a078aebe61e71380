//! What a dead runner left.
//!
//! Its deployments are `running` on record, though nobody watches them. A command that lives on
//! still holds the environment: the next one begins when its whole process tree has ended, or when
//! somebody released it. What became of it nobody knows, so it is `interrupted`.

use std::time::Duration;

use super::error::Error;
use super::this_runner::Runner;
use crate::config::OnInterrupt;
use crate::deploy_repository::DeployRepository;
use crate::publish;
use crate::status::Status;
use crate::store::{Deployment, Outcome, Store};
use crate::sys::cgroup;
use crate::sys::clock;

/// How often it is looked whether what was left running has ended.
const LOOK: Duration = Duration::from_millis(250);

/// How many times in a row a deployment is tried again by itself: one that takes the machine down
/// would do so for ever.
const RETRIES_MAX: usize = 3;

/// Waits for what dead runners left, and marks it interrupted. Called with the environment's lock
/// held, so every run on record is a dead one's.
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

/// Why nobody need wait for a dead runner's deployment any more; `None`: something of it runs.
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

fn interrupt(
    deploy: &DeployRepository,
    store: &mut Store,
    deployment: &Deployment,
    reason: &str,
) -> Result<(), Error> {
    let outcome = Outcome::new(Status::Interrupted, reason);
    // Whoever recorded an end before this one knew more.
    let _ = store
        .transaction(|transaction| transaction.finish(deployment.id, &outcome, clock::now()))?;
    publish::to_syslog(store);
    if deploy.config.settings(&deployment.target).on_interrupt == OnInterrupt::Stop {
        return Ok(());
    }
    let retried = store.transaction(|transaction| {
        // What came after it is what is wanted now, however that ended, and what is retired is not;
        // one that somebody wants to end is not tried again.
        let newest = transaction.newest_of(&deployment.target)?;
        let has_newer = newest.is_some_and(|newest| newest.id != deployment.id)
            || transaction.is_retired(&deployment.target)?;
        let mut tries = 0;
        let mut earlier = deployment.retry_of;
        while let Some(id) = earlier.filter(|_| tries < RETRIES_MAX) {
            tries += 1;
            earlier = transaction
                .deployment(id)?
                .and_then(|deployment| deployment.retry_of);
        }
        if has_newer
            || tries >= RETRIES_MAX
            || deployment.cancelled_by.is_some()
            || deployment.released_by.is_some()
        {
            return Ok::<_, crate::store::Error>(None);
        }
        transaction
            .retry(deployment, deployment.pusher.as_ref(), clock::now())
            .map(Some)
    })?;
    if retried.is_some() {
        publish::to_syslog(store);
    }
    Ok(())
}
