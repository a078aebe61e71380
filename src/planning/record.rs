//! Records a plan.

use std::collections::{BTreeMap, BTreeSet};

use super::attribution::Attribution;
use super::error::Error;
use super::planned::{Planned, Queued};
use crate::deploy_repository::DeployRepository;
use crate::id::{Application, Environment, Revision, RolloutId, Target};
use crate::order;
use crate::plan::{self, Plan};
use crate::policy::Refusal;
use crate::store::{self, Enqueued, Superseded, Transaction};
use crate::time::Timestamp;

/// Records the plan for the range from `old` to `new`. `touched` are the paths that the range
/// itself changes.
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
    for retirement in plan.retirements {
        let source = attribution.source(&retirement.path);
        let commit = source.as_ref().map(|source| &source.deploy_commit);
        let pusher = match &source {
            Some(source) => source.pusher.as_ref(),
            None => attribution.pusher_of_all(),
        };
        transaction.retire(&retirement, commit, pusher, now)?;
        planned.retired.push(retirement.target);
    }

    for path in plan.settled {
        transaction.clear_problem(&path)?;
    }
    for refusal in one_for_each_path(plan.refusals) {
        let is_touched = touched.contains(&refusal.path);
        let pusher = attribution.pusher_of_all().filter(|_| is_touched);
        // A problem that is found again and again is reported the first time, and to everybody who
        // touches its path.
        if transaction.set_problem(&refusal, (old, new), pusher, is_touched, now)? {
            planned.problems.push(refusal);
        }
    }
    Ok(planned)
}

/// Records the deployments of a plan, in one rollout.
fn enqueue(
    deploy: &DeployRepository,
    transaction: &Transaction<'_>,
    rollout: RolloutId,
    deployments: Vec<plan::PlannedDeployment>,
    attribution: &Attribution,
    now: Timestamp,
) -> Result<Vec<Queued>, Error> {
    let mut queued = Vec::new();
    let mut superseded = Vec::new();

    for planned in deployments {
        // If one deployment can't be recorded, none is: the error undoes the transaction.
        let no_commit = || store::Error::Damaged("a deployment that no commit asks for".to_owned());
        let source = attribution.source(planned.path()).ok_or_else(no_commit)?;

        let Enqueued {
            id,
            superseded: earlier,
        } = transaction.enqueue(rollout, &planned, &source, now)?;
        superseded.extend(earlier);
        queued.push(Queued { id, planned });
    }

    move_dependants(deploy, transaction, rollout, &superseded)?;
    Ok(queued)
}

/// All refusals of a path, as one.
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

/// Moves waiting deployments into the new rollout, if a deployment that they wait for (`after`) was
/// superseded. So they wait for the deployment that took its place.
fn move_dependants(
    deploy: &DeployRepository,
    transaction: &Transaction<'_>,
    into: RolloutId,
    superseded: &[Superseded],
) -> Result<(), Error> {
    let mut by_rollout: BTreeMap<(Environment, RolloutId), BTreeSet<Application>> = BTreeMap::new();
    for deployment in superseded {
        let Target {
            environment,
            application,
        } = deployment.target.clone();
        by_rollout
            .entry((environment, deployment.rollout))
            .or_default()
            .insert(application);
    }

    for ((environment, rollout), superseded) in by_rollout {
        let waiting = transaction.queued_in(rollout, &environment)?;
        let members = waiting
            .iter()
            .map(|(_, application)| application.clone())
            .collect();

        let after = deploy.config.after(&environment, &members);
        let moving = order::dependants(&after, &superseded, &members);
        for (id, application) in waiting {
            if moving.contains(&application) {
                transaction.move_to_rollout(id, into)?;
            }
        }
    }
    Ok(())
}
