//! What may begin now: rollouts one after the other, in a rollout `after` first, `parallel` at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;

use super::execute::{Job, execute};
use super::{Error, Runner, finish, tell};
use crate::deploy_repository::DeployRepository;
use crate::id::{Application, DeploymentId, Target};
use crate::status::Status;
use crate::store::{Deployment, Outcome, Store};
use crate::waves::After;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Begin(DeploymentId),
    Skip(DeploymentId, String),
    /// Something has to end first.
    Wait,
    /// Nothing is open.
    Leave,
}

/// Runs what is queued until nothing is.
pub(super) fn drain(runner: &Runner, deploy: &mut DeployRepository, store: &mut Store) -> Result<(), Error> {
    let (sender, ended) = mpsc::channel();
    let mut running: BTreeSet<DeploymentId> = BTreeSet::new();
    std::thread::scope(|scope| {
        loop {
            let step = next(runner, deploy, store, &running);
            match step {
                Ok(Step::Leave) if running.is_empty() => return Ok(()),
                Ok(Step::Begin(id)) => {
                    deploy.reload_config()?;
                    let Some(deployment) = store.read().deployment(id)? else { continue };
                    let job = Job::new(runner, deploy, store, deployment)?;
                    let sender = sender.clone();
                    running.insert(id);
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
                Err(error) if running.is_empty() => return Err(error),
                Ok(Step::Wait | Step::Leave) | Err(_) => {}
            }
            // Every ending is a message, so this waits no longer than needed.
            let Ok((id, result)) = ended.recv() else { return Ok(()) };
            running.remove(&id);
            result?;
        }
    })
}

fn next(
    runner: &Runner,
    deploy: &DeployRepository,
    store: &Store,
    running: &BTreeSet<DeploymentId>,
) -> Result<Step, Error> {
    let open = store.read().open_deployments(&runner.environment)?;
    let Some(first) = open.first() else { return Ok(Step::Leave) };
    let parallel = deploy.config.environment(&runner.environment).parallel;
    let members = store.read().rollout(first.rollout, &runner.environment)?;
    let applications: Vec<Application> = members.iter().map(|member| member.target.application.clone()).collect();
    let after = deploy.config.after(&runner.environment, &applications);
    let retired: BTreeSet<Target> = store.read().retirements()?.into_iter().map(|retired| retired.target).collect();
    Ok(decide(&members, &after, &retired, running, parallel))
}

/// Judges one rollout, pure. `running`: those that have a thread; the first moments of a thread pass before its deployment is `running` on record.
fn decide(
    members: &[Deployment],
    after: &After,
    retired: &BTreeSet<Target>,
    running: &BTreeSet<DeploymentId>,
    parallel: usize,
) -> Step {
    // A rollout can hold two of one application, where a waiting one moved into it: the newer one decides for those that wait.
    let newest: BTreeMap<&Application, &Deployment> =
        members.iter().map(|member| (&member.target.application, member)).collect();
    let is_queued = |member: &&Deployment| member.status == Status::Queued && !running.contains(&member.id);
    let queued: Vec<&Deployment> = members.iter().filter(is_queued).collect();
    for deployment in &queued {
        let own = &deployment.target.application;
        let earlier = members.iter().filter(|other| other.target.application == *own && other.id < deployment.id);
        if earlier.into_iter().any(|earlier| !earlier.status.has_ended()) {
            continue;
        }
        let before = after.get(own).into_iter().flatten().filter_map(|name| newest.get(name));
        let before: Vec<&&Deployment> = before.filter(|before| !retired.contains(&before.target)).collect();
        let failed = before.iter().find(|before| before.status.has_ended() && before.status != Status::Succeeded);
        if let Some(failed) = failed {
            let reason = format!("{} {} {}", failed.id, failed.target.application, failed.status);
            return Step::Skip(deployment.id, reason);
        }
        if running.len() < parallel && before.iter().all(|before| before.status == Status::Succeeded) {
            return Step::Begin(deployment.id);
        }
    }
    match queued.first() {
        // Everybody waits for somebody who waits: the configuration got a cycle after the hook looked.
        Some(first) if running.is_empty() => Step::Skip(first.id, "after makes a cycle".to_owned()),
        Some(_) => Step::Wait,
        None if members.iter().all(|member| member.status.has_ended()) => Step::Leave,
        None => Step::Wait,
    }
}

/// Tells syslog that a deployment began.
pub(super) fn tell_running(deployment: &Deployment) {
    tell(deployment, Status::Running, None);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Environment, Revision, RolloutId};
    use crate::time::Timestamp;

    fn app(name: &str) -> Application {
        Application::new(name).unwrap()
    }

    fn member(id: i64, name: &str, status: Status) -> Deployment {
        Deployment {
            id: DeploymentId(id),
            rollout: RolloutId(1),
            target: Target { environment: Environment::new("e").unwrap(), application: app(name) },
            revision: Revision::new("1".repeat(40)).unwrap(),
            previous_revision: None,
            status,
            reason: None,
            deploy_commit: None,
            pusher: None,
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
        }
    }

    #[test]
    fn steps() {
        use Status::*;
        let after: After = [(app("a"), BTreeSet::from([app("b"), app("elsewhere")]))].into();
        let cycle: After = [(app("a"), BTreeSet::from([app("b")])), (app("b"), BTreeSet::from([app("a")]))].into();
        let begin = |id| Step::Begin(DeploymentId(id));
        let skip = |id, why: &str| Step::Skip(DeploymentId(id), why.to_owned());
        let table: [(Vec<Deployment>, &[i64], usize, Step); 9] = [
            (vec![member(1, "a", Queued), member(2, "b", Queued)], &[], 1, begin(2)),
            (vec![member(1, "a", Queued), member(2, "b", Queued)], &[2], 9, Step::Wait),
            (vec![member(1, "a", Queued), member(2, "b", Running)], &[2], 9, Step::Wait),
            (vec![member(1, "a", Queued), member(2, "b", Succeeded)], &[], 1, begin(1)),
            (vec![member(1, "a", Queued), member(2, "b", Failed)], &[], 1, skip(1, "#2 b failed")),
            (
                vec![member(1, "a", Queued), member(2, "b", Skipped), member(3, "c", Running)],
                &[3],
                1,
                skip(1, "#2 b skipped"),
            ),
            (vec![member(1, "c", Queued), member(2, "d", Queued)], &[1], 1, Step::Wait),
            (vec![member(1, "c", Running), member(2, "c", Queued), member(3, "d", Queued)], &[1], 2, begin(3)),
            (vec![member(1, "c", Succeeded)], &[], 1, Step::Leave),
        ];
        let ids = |ids: &[i64]| ids.iter().copied().map(DeploymentId).collect::<BTreeSet<_>>();
        for (members, running, parallel, expect) in table {
            let step = decide(&members, &after, &BTreeSet::new(), &ids(running), parallel);
            assert_eq!(step, expect, "{members:?}");
        }
        let members = [member(1, "a", Queued), member(2, "b", Queued)];
        assert_eq!(decide(&members, &cycle, &BTreeSet::new(), &ids(&[]), 1), skip(1, "after makes a cycle"));
        let members = [member(1, "a", Queued), member(2, "b", Cancelled)];
        let retired = BTreeSet::from([members[1].target.clone()]);
        assert_eq!(decide(&members, &after, &retired, &ids(&[]), 1), begin(1));
    }
}
