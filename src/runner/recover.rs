//! What becomes of the deployments of a dead runner.
//!
//! They are `running` on record, though no runner supervises them. A command that still runs holds
//! the environment: the next deployment begins when the command's whole process tree has ended, or
//! when a user released it. Nobody knows how the command ended, so the deployment is `interrupted`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Display;
use std::time::Duration;

use super::error::Error;
use super::execute::complete_going_back;
use super::job::{Job, checkout_elsewhere};
use super::patience::Patience;
use super::this_runner::Runner;
use crate::config::OnInterrupt;
use crate::deploy_repository::DeployRepository;
use crate::id::DeploymentId;
use crate::phase::Phase;
use crate::publish::Audience;
use crate::status::Status;
use crate::store::{self, Deployment, Outcome, Reader, RecordedPhase, Run, Store, Transaction};
use crate::sys::cgroup;
use crate::sys::clock::{self, Deadline};
use crate::sys::tree::Tree;
use crate::sys::unseen::Unseen;
use crate::text;
use crate::time::Timestamp;

/// How often to look whether what was left running has ended.
const LOOK: Duration = Duration::from_millis(250);

/// How many times in a row a deployment is retried without being asked for. Without a limit, a
/// deployment that takes the machine down would do so for ever.
const RETRIES_MAX: usize = 3;

/// How often it is tried to go back after a deployment. What is activated again may take the
/// machine down.
const GO_BACK_MAX: usize = 3;

/// What came of looking after what dead runners left.
pub(super) enum Recovered {
    /// Nothing is left of it.
    All,
    /// It can't be seen from here whether it has ended: why.
    Unseen(String),
}

/// Waits for what dead runners left running, and records that it was interrupted. It is called with
/// the environment's lock held, so every run on record is that of a dead runner.
///
/// # Errors
/// The state can't be read or changed.
pub(super) fn recover(
    runner: &Runner,
    deploy: &DeployRepository,
    store: &mut Store,
) -> Result<Recovered, Error> {
    // The cancelled ones that were asked to end, and when they are killed.
    let mut ending: BTreeMap<DeploymentId, Deadline> = BTreeMap::new();
    loop {
        let open = store.read()?.open_deployments(&runner.environment)?;
        let left: Vec<Deployment> = open
            .into_iter()
            .filter(|deployment| deployment.status == Status::Running)
            .collect();
        if left.is_empty() {
            say_it_goes_on(runner, store)?;
            cgroup::sweep();
            return Ok(Recovered::All);
        }

        let mut is_held = false;
        let mut unseen = None;
        for deployment in &left {
            match fate(store, runner, deployment) {
                Ok(Fate::Ended(end)) => settle(runner, deploy, store, deployment, &end)?,
                Ok(Fate::Alive(tree)) => {
                    is_held = true;
                    if deployment.cancelled_by.is_some() {
                        let kill_after = deploy.config.settings(&deployment.target).kill_after;
                        end(&tree, ending.entry(deployment.id), kill_after);
                    }
                }
                Err(why) => {
                    let id = deployment.id;
                    unseen = Some(format!(
                        "held by what {id} left running; it can't be seen whether that has \
                         ended: {why}"
                    ));
                }
            }
        }

        if let Some(why) = unseen {
            return Ok(Recovered::Unseen(why));
        }
        if is_held {
            say_it_goes_on(runner, store)?;
            clock::sleep(LOOK);
        }
    }
}

/// Removes the reasons for which no runner could go on before.
fn say_it_goes_on(runner: &Runner, store: &mut Store) -> Result<(), store::Error> {
    // Nothing is written in the usual case.
    if !store.read()?.is_stuck(&runner.environment)? {
        return Ok(());
    }
    store.transaction(|transaction| transaction.set_stuck(&runner.environment, None))
}

/// What became of a dead runner's deployment.
enum Fate {
    /// It need not be waited for any more.
    Ended(Interruption),
    /// Something that it started still runs.
    Alive(Tree),
}

/// Why a deployment was interrupted.
struct Interruption {
    /// What happened, for a sentence that can go on with when it happened.
    what: &'static str,
    /// The user who released it, if one did.
    released_by: Option<String>,
}

fn fate(store: &Store, runner: &Runner, deployment: &Deployment) -> Result<Fate, Unseen> {
    let released_by = deployment.released_by.as_ref().map(|by| by.name.clone());
    let is_released = released_by.is_some();
    let ended = |what| Ok(Fate::Ended(Interruption { what, released_by }));
    if is_released {
        return ended("the runner died");
    }
    let Some(run) = &deployment.run else {
        return ended("the runner died");
    };
    let Some(tree) = run.tree(deployment.id, store.folder(), &runner.space)? else {
        return ended("the machine restarted");
    };

    if tree.is_alive()? {
        return Ok(Fate::Alive(tree));
    }
    if let Some(cgroup) = &run.cgroup {
        cgroup::remove(cgroup);
    }
    ended("the runner died")
}

/// Ends what a cancelled deployment left running, as its runner would have done: it is asked first,
/// and killed after a while.
fn end(tree: &Tree, ending: Entry<'_, DeploymentId, Deadline>, kill_after: Duration) {
    match ending {
        Entry::Vacant(vacant) => {
            tree.terminate();
            vacant.insert(Deadline::after(kill_after));
        }
        Entry::Occupied(kill_at) if kill_at.get().is_over() => tree.kill(),
        Entry::Occupied(_) => {}
    }
}

/// Records the end of a deployment of which nothing runs any more. If it was going back when its
/// runner died, that is completed first.
fn settle(
    runner: &Runner,
    deploy: &DeployRepository,
    store: &mut Store,
    deployment: &Deployment,
    end: &Interruption,
) -> Result<(), Error> {
    let phases = store.read()?.phases(deployment.id)?;
    let goes_back = phases.last().map(|last| last.phase) == Some(Phase::GoBack);
    let times = phases
        .iter()
        .filter(|phase| phase.phase == Phase::GoBack)
        .count();
    if goes_back && times < GO_BACK_MAX && end.released_by.is_none() {
        let failed = phases.iter().rfind(|phase| phase.phase != Phase::GoBack);
        if let (Some(failed), Some(dead)) = (failed, &deployment.run) {
            return complete(runner, deploy, store, deployment, failed, dead);
        }
    }
    let reason = end.describe(deployment, &phases, &current_of(deploy, deployment));
    interrupt(deploy, store, deployment, &reason)
}

/// What to call the link of a deployment's checkout: its path, if the configuration names another
/// checkout now.
fn current_of(deploy: &DeployRepository, deployment: &Deployment) -> String {
    let settings = deploy.config.settings(&deployment.target);
    let run = deployment.run.as_ref();
    match run.and_then(|run| checkout_elsewhere(run, &settings, &deployment.target)) {
        Some(folder) => format!("{}/current", text::escape(folder, 200)),
        None => "current".to_owned(),
    }
}

impl Interruption {
    /// It in words, with the phase in which it came where the deployment had several. `current`:
    /// what to call the link of its checkout.
    fn describe(&self, deployment: &Deployment, phases: &[RecordedPhase], current: &str) -> String {
        let released = self.released_by.as_ref();
        let released = released.map(|by| format!("released by {by}"));
        let revision = deployment.revision.short();
        let (when, leads_to) = match phases.last().map(|last| last.phase) {
            None => (String::new(), None),
            Some(Phase::Command) if phases.len() == 1 => (String::new(), None),
            Some(phase) => {
                let leads_to = where_current(phase, &revision);
                let leads_to = leads_to.map(|leads_to| format!("{current} {leads_to}"));
                (format!(" during {phase}"), leads_to)
            }
        };

        let happened = format!("{}{when}", self.what);
        let parts = [Some(happened), leads_to, released];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        parts.join("; ")
    }
}

/// Where `current` leads after a phase was interrupted; `None`: it did not move.
fn where_current(phase: Phase, revision: &impl Display) -> Option<String> {
    match phase {
        Phase::Fetch | Phase::Export | Phase::Command => None,
        Phase::Activate => Some(format!("may lead to {revision} already")),
        Phase::Verify => Some(format!(
            "leads to {revision}, and nobody knows whether that works"
        )),
        Phase::GoBack => Some(format!("may still lead to {revision}")),
    }
}

/// Lets this runner complete what a dead one had begun: to go back. `failed` is the phase that
/// failed before.
fn complete(
    runner: &Runner,
    deploy: &DeployRepository,
    store: &mut Store,
    deployment: &Deployment,
    failed: &RecordedPhase,
    dead: &Run,
) -> Result<(), Error> {
    let previous = store.read()?.deployed(&deployment.target)?;
    let previous = previous.map(|deployed| deployed.revision);
    let (deployment, patience) = (deployment.clone(), Patience::default());
    let mut job = Job::prepare(runner, deploy, deployment, previous, patience)(store);
    job.goes_back_for(dead, failed);
    if job.take_over(dead)?.is_ok() {
        let outcome = Outcome {
            status: failed.status,
            reason: failed.reason.clone(),
            exit_status: None,
        };
        complete_going_back(job, &outcome);
    }
    Ok(())
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
    Audience::of(deploy).tell(store);
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
        transaction.retry(&deployment, pusher, None, &[], now)?;
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
