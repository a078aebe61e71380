//! What was planned of a push by processes that did not know who pushed it.
//!
//! The pusher's own hook records the pusher afterwards. What this person may override counts then,
//! as if the hook had planned it. It counts once, at the moment in which the pusher becomes known,
//! so that a later freeze stays what it is, whoever looks at the push again.

use std::collections::BTreeSet;

use super::own_range::Overrides;
use super::planned::{Planned, PlannedByOthers, Push, QueuedByOther};
use super::push_effect::PushEffect;
use crate::id::DeploymentId;
use crate::identity::Identity;
use crate::store::{self, Deployment, Reader, Transaction};
use crate::sys::clock;

/// Adds to what was planned in this transaction what other processes had planned of a push. The
/// pusher is recorded where nobody knew who pushed it.
pub(super) fn add_others(
    transaction: &Transaction<'_>,
    effect: &PushEffect,
    push: &Push,
    overrides: &Overrides,
    planned: &mut Planned,
) -> Result<(), store::Error> {
    let retired = match effect {
        PushEffect::Deletion => transaction.retirements_of(None)?,
        PushEffect::Commits(commits) => transaction.retirements_of(Some(commits))?,
        PushEffect::Range { .. } => Vec::new(),
    };

    if let Some(pusher) = &push.pusher {
        let overridden = claim(transaction, effect, pusher, overrides, planned)?;
        // What the plan says of these is out of date.
        planned
            .queued
            .retain(|queued| !overridden.contains(&queued.id));
        // What a deletion of the branch retired has no commit that says by which deletion.
        if let PushEffect::Commits(_) = effect {
            transaction.claim_retirements(&retired, pusher)?;
        }
        transaction.claim_faults((push.old.as_ref(), push.new.as_ref()), pusher)?;
    }

    let problems = match &push.new {
        Some(new) => transaction.problems_of(new)?,
        None => Vec::new(),
    };
    let mut others = PlannedByOthers {
        queued: queued_by_others(transaction, effect)?,
        retired,
        problems,
    };
    planned.remove_own(&mut others);
    planned.others = others;
    Ok(())
}

/// Records the pusher of the deployments of a push, and what this person overrides. Returns what
/// does not wait for the thaw any more.
fn claim(
    transaction: &Transaction<'_>,
    effect: &PushEffect,
    pusher: &Identity,
    overrides: &Overrides,
    planned: &Planned,
) -> Result<BTreeSet<DeploymentId>, store::Error> {
    let deployments = effect.deployments(transaction)?;
    let ids: Vec<_> = deployments.iter().map(|deployment| deployment.id).collect();
    let claimed = transaction.claim(&ids, pusher)?;

    // What this run planned of the push has its pusher already.
    let is_own = |deployment: &Deployment| {
        let mut queued = planned.queued.iter();
        queued.any(|queued| queued.id == deployment.id)
            && deployment.pusher.as_ref() == Some(pusher)
    };
    let mut overridden = BTreeSet::new();
    for deployment in &deployments {
        let is_known_now = claimed.contains(&deployment.id) || is_own(deployment);
        if is_known_now
            && let Some(exception) = overrides.exception(deployment)
            && transaction.override_freeze(deployment.id, exception, clock::now())?
        {
            overridden.insert(deployment.id);
        }
    }
    Ok(overridden)
}

/// The deployments of a push, as they are on record.
fn queued_by_others(
    reader: &Reader<'_>,
    effect: &PushEffect,
) -> Result<Vec<QueuedByOther>, store::Error> {
    let deployments = effect.deployments(reader)?.into_iter();
    deployments
        .map(|deployment| {
            Ok(QueuedByOther {
                exceptions: reader.exceptions(deployment.id)?,
                approvals: reader.approvals(deployment.id)?,
                deployment,
            })
        })
        .collect()
}
