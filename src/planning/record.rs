//! Writing a plan down.

use std::collections::{BTreeMap, BTreeSet};

use super::attribution::Attribution;
use super::error::Error;
use super::planned::{Planned, Queued};
use crate::deploy_repository::DeployRepository;
use crate::id::{Application, Environment, Revision, RolloutId, Target};
use crate::order;
use crate::plan::{self, Plan, Retirement};
use crate::policy::Refusal;
use crate::store::{self, Deployment, Enqueued, Transaction};
use crate::time::Timestamp;

/// Writes down what a range comes to. `touched`: the paths that the range itself changes.
pub(super) fn record(
    deploy: &DeployRepository,
    transaction: &Transaction<'_>,
    (old, new): (Option<&Revision>, Option<&Revision>),
    plan: Plan,
    attribution: &Attribution,
    touched: &BTreeSet<Vec<u8>>,
    now: Timestamp,
) -> Result<Planned, Error> {
    let mut planned = Planned {
        had_work: true,
        ..Planned::default()
    };

    if !plan.deployments.is_empty() {
        let rollout = transaction.begin_rollout(old, new, now)?;
        planned.queued = enqueue(
            deploy,
            transaction,
            rollout,
            plan.deployments,
            attribution,
            now,
        )?;
    }
    for Retirement { path, target } in plan.retirements {
        let source = attribution.source(&path);
        let commit = source.as_ref().map(|source| &source.deploy_commit);
        let pusher = match &source {
            Some(source) => source.pusher.as_ref(),
            None => attribution.pusher_of_all(),
        };
        transaction.retire(&target, commit, pusher, now)?;
        planned.retired.push(target);
    }

    for path in plan.settled {
        transaction.clear_problem(&path)?;
    }
    for refusal in one_for_each_path(plan.refusals) {
        let pusher = attribution.pusher_of_all();
        let is_touched = touched.contains(&refusal.path);
        // What is judged again and again is news once, and to whoever touches it.
        if transaction.set_problem(&refusal, (old, new), pusher, is_touched, now)? {
            planned.problems.push(refusal);
        }
    }
    Ok(planned)
}

fn enqueue(
    deploy: &DeployRepository,
    transaction: &Transaction<'_>,
    rollout: RolloutId,
    deployments: Vec<plan::Deployment>,
    attribution: &Attribution,
    now: Timestamp,
) -> Result<Vec<Queued>, Error> {
    let mut queued = Vec::new();
    let mut superseded = Vec::new();

    for planned in deployments {
        // All that is decided is recorded, or nothing.
        let unsourced = || store::Error::Damaged("a deployment that no commit asks for".to_owned());
        let source = attribution.source(planned.path()).ok_or_else(unsourced)?;
        let enqueued = transaction.enqueue(rollout, &planned, &source, now)?;
        let Enqueued {
            id,
            superseded: earlier,
        } = enqueued;
        superseded.extend(earlier);
        queued.push(Queued { id, planned });
    }

    take_dependants_along(deploy, transaction, rollout, &superseded)?;
    Ok(queued)
}

/// All that is wrong with a path, as one problem.
fn one_for_each_path(refusals: Vec<Refusal>) -> Vec<Refusal> {
    let mut joined: Vec<Refusal> = Vec::new();
    for refusal in refusals {
        let same_path = joined
            .iter_mut()
            .find(|earlier| earlier.path == refusal.path);
        match same_path {
            Some(earlier) => {
                earlier.message = format!("{}\n{}", earlier.message, refusal.message);
                earlier.hint = format!("{}; {}", earlier.hint, refusal.hint);
                earlier.is_fault |= refusal.is_fault;
            }
            None => joined.push(refusal),
        }
    }
    joined
}

/// A waiting deployment whose predecessor (`after`) was superseded waits for the one that took its
/// place: it moves into the new rollout.
fn take_dependants_along(
    deploy: &DeployRepository,
    transaction: &Transaction<'_>,
    into: RolloutId,
    superseded: &[Deployment],
) -> Result<(), Error> {
    let mut left: BTreeMap<(Environment, RolloutId), BTreeSet<Application>> = BTreeMap::new();
    for deployment in superseded {
        let Target {
            environment,
            application,
        } = deployment.target.clone();
        left.entry((environment, deployment.rollout))
            .or_default()
            .insert(application);
    }

    for ((environment, rollout), superseded) in left {
        let mut waiting = transaction.open_deployments(&environment)?;
        waiting.retain(|waiting| waiting.rollout == rollout && waiting.run.is_none());
        let members = waiting
            .iter()
            .map(|deployment| deployment.target.application.clone())
            .collect();

        let after = deploy.config.after(&environment, &members);
        let moving = order::dependants(&after, &superseded, &members);
        for deployment in waiting {
            if moving.contains(&deployment.target.application) {
                transaction.move_to_rollout(deployment.id, into)?;
            }
        }
    }
    Ok(())
}
