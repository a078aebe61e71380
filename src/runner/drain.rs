//! Running deployments until nothing is queued.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use super::error::Error;
use super::execute::execute;
use super::job::Job;
use super::patience::Patience;
use super::schedule::{NextStep, Turn, decide};
use super::this_runner::Runner;
use crate::deploy_repository::DeployRepository;
use crate::id::{Application, DeploymentId, Target};
use crate::order::After;
use crate::policy::freeze_of;
use crate::publish::Audience;
use crate::status::Status;
use crate::store::{self, Deployment, Outcome, Reader, Store};
use crate::sys::clock;

/// How often to look whether a frozen environment was thawed, the configuration was fixed, or a
/// thread can be started.
const LOOK: Duration = Duration::from_secs(1);

/// How many deployments of a rollout are looked at first. Usually the first one may begin. More are
/// only looked at where all of these wait for others.
const FIRST_LOOK: usize = 16;

/// A message of a deployment's thread: that it has ended, and its connection for the next one.
struct Ended {
    id: DeploymentId,
    result: Executed,
    store: Store,
}

/// How often a deployment was tried, if it is still queued.
type Executed = Result<Option<Patience>, Error>;

/// Runs what is queued in an environment until nothing is queued any more.
///
/// # Errors
/// The state can't be read or changed.
pub(super) fn drain(
    runner: &Runner,
    deploy: &mut DeployRepository,
    store: &mut Store,
) -> Result<(), Error> {
    let (sender, ended) = mpsc::channel::<Ended>();
    let mut drain = Drain {
        runner,
        deploy,
        store,
        running: BTreeMap::new(),
        idle: Vec::new(),
        tried: BTreeMap::new(),
        has_reported: false,
    };

    thread::scope(|scope| {
        loop {
            match drain.next() {
                Ok(NextStep::Leave) if drain.running.is_empty() => return Ok(()),
                Ok(NextStep::Begin(id)) => {
                    drain.begin(id, scope, &sender)?;
                    continue;
                }
                Ok(NextStep::Skip(id, reason)) => {
                    drain.skip(id, reason)?;
                    continue;
                }
                Ok(NextStep::Thaw) if drain.running.is_empty() => {
                    drain.wait_for_thaw();
                    continue;
                }
                Err(error) if drain.running.is_empty() => return Err(error),
                Ok(NextStep::Wait | NextStep::Leave | NextStep::Thaw) | Err(_) => {}
            }

            // Every thread sends a message when it ends, so this waits no longer than needed.
            let Ok(ended) = ended.recv() else {
                return Ok(());
            };
            drain.running.remove(&ended.id);
            drain.idle.push(ended.store);
            drain.note(ended.id, ended.result)?;
        }
    })
}

/// What the loop works with.
struct Drain<'r> {
    runner: &'r Runner,
    deploy: &'r mut DeployRepository,
    store: &'r mut Store,
    /// The deployments that have a thread.
    running: BTreeMap<DeploymentId, Turn>,
    /// The connections of threads that have ended.
    idle: Vec<Store>,
    /// The deployments whose beginning a fault of the server prevented, and how often.
    tried: BTreeMap<DeploymentId, Patience>,
    /// Whether it was reported why nothing can begin.
    has_reported: bool,
}

impl Drain<'_> {
    /// Begins a deployment. Where the configuration can't be used or no thread can be started, it
    /// stays queued, and is tried again a moment later.
    fn begin<'scope>(
        &mut self,
        id: DeploymentId,
        scope: &'scope thread::Scope<'scope, '_>,
        sender: &Sender<Ended>,
    ) -> Result<(), Error> {
        if let Err(error) = self.deploy.reload_config() {
            self.wait_because(id, &error.to_string());
            return Ok(());
        }
        let record = self.store.read()?;
        let Some(deployment) = record.deployment(id)? else {
            return Ok(());
        };
        let previous = record.deployed(&deployment.target)?;
        drop(record);

        let turn = Turn::of(&deployment);
        let previous = previous.map(|deployed| deployed.revision);
        let patience = self.tried.remove(&id).unwrap_or_default();
        let job = Job::prepare(self.runner, self.deploy, deployment, previous, patience);

        let section = self.deploy.config.environment(&self.runner.environment);
        if section.parallel == 1 && self.running.is_empty() {
            // Nothing else may begin meanwhile, so no thread and no second connection is needed.
            self.has_reported = false;
            let result = execute(job(self.store));
            return self.note(id, result);
        }

        let mut store = match self.idle.pop() {
            Some(idle) => idle,
            None => match Store::open(self.store.folder()) {
                Ok(store) => store,
                Err(error) => {
                    self.wait_because(id, &error.to_string());
                    return Ok(());
                }
            },
        };
        let sender = sender.clone();
        let work = move || {
            let result = execute(job(&mut store));
            let _ = sender.send(Ended { id, result, store });
        };
        match thread::Builder::new().spawn_scoped(scope, work) {
            Ok(_) => {
                self.running.insert(id, turn);
                self.has_reported = false;
            }
            Err(error) => self.wait_because(id, &format!("no thread can be started: {error}")),
        }
        Ok(())
    }

    /// Notes what came of a deployment.
    fn note(&mut self, id: DeploymentId, result: Executed) -> Result<(), Error> {
        if let Some(patience) = result? {
            self.tried.insert(id, patience);
        }
        Ok(())
    }

    /// Reports once why a deployment can't begin, and waits a moment.
    fn wait_because(&mut self, id: DeploymentId, why: &str) {
        let reason = format!("waits until this is fixed: {why}");
        if !std::mem::replace(&mut self.has_reported, true) {
            Audience::of(self.deploy).report_failure("run", &reason);
        }
        // Where this can't be recorded, the system log has it.
        let _ = self
            .store
            .transaction(|transaction| transaction.set_reason(id, &reason));
        clock::sleep(LOOK);
    }

    /// Records that a deployment is not carried out.
    fn skip(&mut self, id: DeploymentId, reason: String) -> Result<(), Error> {
        let outcome = Outcome::new(Status::Skipped, reason);
        // A user may have cancelled it meanwhile.
        let _ = self
            .store
            .transaction(|transaction| transaction.finish(id, &outcome, clock::now()))?;
        Audience::of(self.deploy).tell(self.store);
        Ok(())
    }

    /// Waits a moment while the environment is frozen.
    fn wait_for_thaw(&mut self) {
        clock::sleep(LOOK);
        // Where the new configuration can't be used, the last one stays in force. All that it can
        // do here is to go on waiting.
        let _ = self.deploy.reload_config();
    }

    /// What to do next, according to the record as it is now.
    fn next(&mut self) -> Result<NextStep, Error> {
        let environment = &self.runner.environment;
        let section = self.deploy.config.environment(environment);
        if self.running.len() >= section.parallel {
            return Ok(NextStep::Wait);
        }

        let record = self.store.read()?;
        let now = clock::now();
        let freeze = freeze_of(&section, record.freezes(now)?.get(environment), now);
        let step = next_by(
            self.runner,
            self.deploy,
            &record,
            &self.running,
            freeze.is_some(),
        )?;
        drop(record);

        if let (NextStep::Thaw, Some(freeze)) = (&step, freeze) {
            let reason = freeze.describe();
            self.store
                .transaction(|transaction| transaction.set_waiting(environment, &reason))?;
        }
        Ok(step)
    }
}

/// What to do next in an environment, according to a snapshot of the record.
fn next_by(
    runner: &Runner,
    deploy: &DeployRepository,
    record: &Reader<'_>,
    running: &BTreeMap<DeploymentId, Turn>,
    is_frozen: bool,
) -> Result<NextStep, Error> {
    let environment = &runner.environment;
    let ids: BTreeSet<DeploymentId> = running.keys().copied().collect();
    let mut most = FIRST_LOOK + running.len();

    loop {
        let members = record.current_rollout(environment, is_frozen, most)?;
        let turn = members.first().map(Turn::of);
        if turn.is_some_and(|turn| running.values().any(|running| *running != turn)) {
            return Ok(NextStep::Wait);
        }

        let after = after(runner, deploy, record, &members)?;
        let before = before(runner, record, &members, &after)?;
        let is_all = members.len() < most;
        match decide(&members, is_all, &after, &before, &ids) {
            NextStep::Wait if !is_all => most *= 2,
            NextStep::Leave if is_frozen && !record.open_deployments(environment)?.is_empty() => {
                return Ok(NextStep::Thaw);
            }
            step => return Ok(step),
        }
    }
}

/// Which applications some deployments go after: by the configuration, and by what their commits
/// declare.
fn after(
    runner: &Runner,
    deploy: &DeployRepository,
    record: &Reader<'_>,
    members: &[Deployment],
) -> Result<After, store::Error> {
    let names = members.iter().map(|member| &member.target.application);
    let mut after = deploy.config.after(&runner.environment, names);
    for member in members {
        after
            .entry(member.target.application.clone())
            .or_default()
            .extend(record.goes_after(member.id)?);
    }
    Ok(after)
}

/// For each application that another one goes after: its newest deployment in the same rollout. A
/// retired application is left out, so that nothing waits for it.
fn before(
    runner: &Runner,
    record: &Reader<'_>,
    members: &[Deployment],
    after: &After,
) -> Result<BTreeMap<Application, Deployment>, store::Error> {
    let mut before = BTreeMap::new();
    let Some(rollout) = members.first().map(|member| member.rollout) else {
        return Ok(before);
    };

    for name in after.values().flatten() {
        let target = Target {
            environment: runner.environment.clone(),
            application: name.clone(),
        };
        if let Some(found) = record.member(rollout, &target)?
            && !record.is_retired(&target)?
        {
            before.insert(name.clone(), found);
        }
    }
    Ok(before)
}
