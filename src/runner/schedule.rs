//! What may begin now: rollouts one after the other, in a rollout `after` first, `parallel` at a
//! time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;
use std::time::Duration;

use super::execute::{Job, execute};
use super::{Error, Runner, finish, tell};
use crate::deploy_repository::DeployRepository;
use crate::event::Event;
use crate::id::{Application, DeploymentId, RolloutId, Target};
use crate::policy::freeze_of;
use crate::status::Status;
use crate::store::{Deployment, Outcome, Store};
use crate::sys::{clock, syslog};
use crate::waves::After;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Begin(DeploymentId),
    Skip(DeploymentId, String),
    /// Something has to end first.
    Wait,
    /// The environment is frozen, and all that is left waits for the thaw.
    Thaw,
    /// Nothing is open.
    Leave,
}

/// How often it is looked whether a frozen environment was thawed, or the configuration changed.
const LOOK: Duration = Duration::from_secs(1);

/// Runs what is queued until nothing is.
pub(super) fn drain(
    runner: &Runner,
    deploy: &mut DeployRepository,
    store: &mut Store,
) -> Result<(), Error> {
    let (sender, ended) = mpsc::channel();
    let mut running: BTreeMap<DeploymentId, Turn> = BTreeMap::new();
    let mut has_told = false;
    std::thread::scope(|scope| {
        loop {
            let step = next(runner, deploy, store, &running);
            match step {
                Ok(Step::Leave) if running.is_empty() => return Ok(()),
                Ok(Step::Begin(id)) => {
                    // Nothing begins by a configuration that can't be used, and nothing that waits
                    // is forgotten for it.
                    if let Err(error) = deploy.reload_config() {
                        if !std::mem::replace(&mut has_told, true) {
                            let message = format!("waiting until it is mended: {error}");
                            syslog::log([Event::Failure {
                                what: "run",
                                message: &message,
                            }]);
                        }
                        clock::sleep(LOOK);
                        continue;
                    }
                    has_told = false;
                    let Some(deployment) = store.read().deployment(id)? else {
                        continue;
                    };
                    let job = Job::new(runner, deploy, store, deployment)?;
                    let sender = sender.clone();
                    running.insert(id, Turn::of(job.deployment()));
                    scope.spawn(move || {
                        let result = execute(job);
                        let _ = sender.send((id, result));
                    });
                    continue;
                }
                Ok(Step::Skip(id, reason)) => {
                    if let Some(deployment) = store.read().deployment(id)? {
                        finish(store, &deployment, &Outcome::new(Status::Skipped, reason))?;
                    }
                    continue;
                }
                Ok(Step::Thaw) if running.is_empty() => {
                    clock::sleep(LOOK);
                    // One that can't be used now leaves the last one in force, which can only make
                    // wait.
                    let _ = deploy.reload_config();
                    continue;
                }
                Err(error) if running.is_empty() => return Err(error),
                Ok(Step::Wait | Step::Leave | Step::Thaw) | Err(_) => {}
            }
            // Every ending is a message, so this waits no longer than needed.
            let Ok((id, result)) = ended.recv() else {
                return Ok(());
            };
            running.remove(&id);
            result?;
        }
    })
}

/// How many of a rollout are looked at first. Usually the first one may begin; only where all of
/// these wait for others are more looked at.
const FIRST_LOOK: usize = 16;

/// What runs side by side: deployments of one rollout, its rollbacks before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    rollout: RolloutId,
    is_rollback: bool,
}

impl Turn {
    fn of(deployment: &Deployment) -> Self {
        Self {
            rollout: deployment.rollout,
            is_rollback: deployment.rolled_back.is_some(),
        }
    }
}

fn next(
    runner: &Runner,
    deploy: &DeployRepository,
    store: &mut Store,
    running: &BTreeMap<DeploymentId, Turn>,
) -> Result<Step, Error> {
    if running.len() >= deploy.config.environment(&runner.environment).parallel {
        return Ok(Step::Wait);
    }
    let section = deploy.config.environment(&runner.environment);
    let now = clock::now();
    let freeze = freeze_of(
        &section,
        store.read().freezes(now)?.get(&runner.environment),
        now,
    );
    let mut look = FIRST_LOOK + running.len();
    let running_ids: BTreeSet<DeploymentId> = running.keys().copied().collect();
    loop {
        let state = store.read();
        let members = state.current_rollout(&runner.environment, freeze.is_some(), look)?;
        let turn = members.first().map(Turn::of);
        if turn.is_some_and(|turn| running.values().any(|running| *running != turn)) {
            return Ok(Step::Wait);
        }
        let mut after = deploy.config.after(
            &runner.environment,
            members.iter().map(|member| &member.target.application),
        );
        for member in &members {
            // By the commits' own word; that of the configuration stands there already.
            after
                .entry(member.target.application.clone())
                .or_default()
                .extend(state.goes_after(member.id)?);
        }
        let mut before = BTreeMap::new();
        for name in after.values().flatten() {
            let target = Target {
                environment: runner.environment.clone(),
                application: name.clone(),
            };
            let rollout = members.first().map(|member| member.rollout);
            if let Some(found) = rollout
                .map(|rollout| state.member(rollout, &target))
                .transpose()?
                .flatten()
                && !state.is_retired(&target)?
            {
                before.insert(name.clone(), found);
            }
        }
        let is_all = members.len() < look;
        match decide(&members, is_all, &after, &before, &running_ids) {
            Step::Wait if !is_all => look *= 2,
            Step::Leave
                if freeze.is_some() && !state.open_deployments(&runner.environment)?.is_empty() =>
            {
                break;
            }
            step => return Ok(step),
        }
    }
    let reason = freeze.map(|freeze| freeze.describe()).unwrap_or_default();
    store.transaction(|transaction| transaction.set_waiting(&runner.environment, &reason))?;
    Ok(Step::Thaw)
}

/// Judges the open deployments of one rollout, in their order, or the first of them, pure.
/// `before`: the newest of each application that one of them waits for. `running`: those that have
/// a thread; the first moments of a thread pass before its deployment is `running` on record.
fn decide(
    members: &[Deployment],
    is_all: bool,
    after: &After,
    before: &BTreeMap<Application, Deployment>,
    running: &BTreeSet<DeploymentId>,
) -> Step {
    let is_queued =
        |member: &&Deployment| member.status == Status::Queued && !running.contains(&member.id);
    let queued: Vec<&Deployment> = members.iter().filter(is_queued).collect();
    for deployment in &queued {
        let own = &deployment.target.application;
        // A rollout can hold two of one application, where a waiting one moved into it; they go one
        // after the other.
        if members
            .iter()
            .any(|other| other.target.application == *own && other.id < deployment.id)
        {
            continue;
        }
        let before: Vec<&Deployment> = after
            .get(own)
            .into_iter()
            .flatten()
            .filter_map(|name| before.get(name))
            .collect();
        let failed = before
            .iter()
            .find(|before| before.status.has_ended() && before.status != Status::Succeeded);
        if let Some(failed) = failed {
            let reason = format!(
                "{} {} {}",
                failed.id, failed.target.application, failed.status
            );
            return Step::Skip(deployment.id, reason);
        }
        if before
            .iter()
            .all(|before| before.status == Status::Succeeded)
        {
            return Step::Begin(deployment.id);
        }
    }
    match queued.first() {
        // Everybody waits for somebody who waits: the configuration got a cycle after the hook
        // looked.
        Some(first) if is_all && running.is_empty() => {
            Step::Skip(first.id, "after makes a cycle".to_owned())
        }
        None if members.is_empty() => Step::Leave,
        _ => Step::Wait,
    }
}

/// Tells syslog that a deployment began.
pub(super) fn tell_running(deployment: &Deployment) {
    tell(deployment, Status::Running, None);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Environment, Revision};
    use crate::time::Timestamp;

    fn app(name: &str) -> Application {
        Application::new(name).unwrap()
    }

    fn member(id: i64, name: &str, status: Status) -> Deployment {
        Deployment {
            id: DeploymentId(id),
            rollout: RolloutId(1),
            target: Target {
                environment: Environment::new("e").unwrap(),
                application: app(name),
            },
            revision: Revision::new("1".repeat(40)).unwrap(),
            previous_revision: None,
            status,
            reason: None,
            deploy_commit: None,
            pusher: None,
            pusher_known_by: None,
            author: None,
            retry_of: None,
            superseded_by: None,
            queued_at: Timestamp::from_ms(0),
            started_at: None,
            finished_at: None,
            exit_status: None,
            run: None,
            cancelled_by: None,
            released_by: None,
            rolled_back: None,
            overrides_freeze: false,
        }
    }

    /// What is done next with `open`, with those of the ids `running`, after the `others` of the
    /// same rollout.
    fn check(open: &[Deployment], others: &[Deployment], running: &[i64], expect: Step) {
        let after: After = [(app("a"), BTreeSet::from([app("b"), app("elsewhere")]))].into();
        let before = open
            .iter()
            .chain(others)
            .map(|member| (member.target.application.clone(), member.clone()))
            .collect();
        let running = running.iter().copied().map(DeploymentId).collect();
        assert_eq!(
            decide(open, true, &after, &before, &running),
            expect,
            "{open:?} {others:?}"
        );
    }

    #[test]
    fn steps() {
        use Status::*;
        let begin = |id| Step::Begin(DeploymentId(id));
        let skip = |id, why: &str| Step::Skip(DeploymentId(id), why.to_owned());
        check(
            &[member(1, "a", Queued), member(2, "b", Queued)],
            &[],
            &[],
            begin(2),
        );
        check(
            &[member(1, "a", Queued), member(2, "b", Queued)],
            &[],
            &[2],
            Step::Wait,
        );
        check(
            &[member(1, "a", Queued), member(2, "b", Running)],
            &[],
            &[2],
            Step::Wait,
        );
        check(
            &[member(1, "a", Queued)],
            &[member(2, "b", Succeeded)],
            &[],
            begin(1),
        );
        check(
            &[member(1, "a", Queued)],
            &[member(2, "b", Failed)],
            &[],
            skip(1, "#2 b failed"),
        );
        check(
            &[member(1, "a", Queued)],
            &[member(2, "b", Skipped)],
            &[],
            skip(1, "#2 b skipped"),
        );
        check(&[member(1, "a", Queued)], &[], &[], begin(1));
        check(
            &[member(1, "c", Queued), member(2, "d", Queued)],
            &[],
            &[1],
            begin(2),
        );
        check(
            &[
                member(1, "c", Running),
                member(2, "c", Queued),
                member(3, "d", Queued),
            ],
            &[],
            &[1],
            begin(3),
        );
        check(&[member(1, "c", Running)], &[], &[1], Step::Wait);
        check(&[], &[], &[], Step::Leave);
    }

    #[test]
    fn a_cycle_that_came_later_ends() {
        let cycle: After = [
            (app("a"), BTreeSet::from([app("b")])),
            (app("b"), BTreeSet::from([app("a")])),
        ]
        .into();
        let open = [
            member(1, "a", Status::Queued),
            member(2, "b", Status::Queued),
        ];
        let before = open
            .iter()
            .map(|member| (member.target.application.clone(), member.clone()))
            .collect();
        let step = |is_all| decide(&open, is_all, &cycle, &before, &BTreeSet::new());
        assert_eq!(
            step(true),
            Step::Skip(DeploymentId(1), "after makes a cycle".to_owned())
        );
        // Whether these wait for one that is not among the first of the rollout is not known yet.
        assert_eq!(step(false), Step::Wait);
    }
}
