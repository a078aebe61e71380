//! `retry`: queues a deployment again.

use super::error::Error;
use super::find::find;
use super::place::Place;
use super::start::start_runner;
use crate::deploy_repository::DeployRepository;
use crate::id::{Application, DeploymentId, Revision};
use crate::identity::Identity;
use crate::judging::{self, ApplicationRepositories, Subject};
use crate::plan::Judgement;
use crate::planning;
use crate::policy::{Exception, ExceptionKind, Note};
use crate::publish::Audience;
use crate::store::{self, Deployment, Reader};
use crate::sys::clock;

/// How many times everything is looked at again because other processes changed the state.
const TRIES_MAX: usize = 100;

/// Queues a failed, interrupted, cancelled or skipped deployment again, and returns the number of
/// the new deployment and the deployment that it retries. With `stale`, also one that the deploy
/// file no longer asks for. `fetching` gets to know whose repository is fetched from another host.
///
/// # Errors
/// A deployment with this status is not retried, something newer is wanted, a rule refuses it, or
/// the state can't be changed.
pub fn retry(
    place: &Place,
    id: DeploymentId,
    stale: bool,
    by: &Identity,
    fetching: impl FnMut(&Application),
) -> Result<(DeploymentId, Deployment), Error> {
    let (deploy, mut store) = place.deploy_and_store()?;
    let mut repositories = ApplicationRepositories::fetching(fetching);

    for _ in 0..TRIES_MAX {
        let record = store.read()?;
        let last_event = record.last_event()?;
        let deployment = find(&record, id)?;
        check_status(&deployment)?;
        let notes = if stale {
            Vec::new()
        } else {
            let tip = deploy.repository.branch_tip(&deploy.branch)?;
            check_wanted(&deploy, tip.as_ref(), &deployment)?;
            check_newest(&record, &deployment)?;
            let subject = (tip.as_ref(), &deployment);
            judge_again(&deploy, &record, subject, &mut repositories)?
        };
        check_not_open(&record, &deployment)?;
        drop(record);

        let queued = store.transaction(|transaction| {
            // Whatever changes the state is an event. While there is no newer one, all that was
            // checked above is still so.
            if transaction.last_event()? != last_event {
                return Ok::<_, store::Error>(None);
            }
            // This can take an application back to an older revision, so the record says who
            // wanted that.
            let exception = stale.then(|| {
                Exception::new(
                    ExceptionKind::Stale,
                    format!("retry --stale of {id} by {}", by.name),
                )
            });
            let now = clock::now();
            let exception = exception.as_ref();
            let new = transaction.retry(&deployment, Some(by), exception, &notes, now)?;
            Ok(Some(new))
        })?;

        if let Some(new) = queued {
            Audience::of(&deploy).tell(&mut store);
            start_runner(place, &deploy, &deployment.target.environment)?;
            return Ok((new, deployment));
        }
    }
    Err(planning::Error::Overtaken(TRIES_MAX).into())
}

fn check_status(deployment: &Deployment) -> Result<(), Error> {
    if deployment.status.may_be_retried() {
        return Ok(());
    }
    let Deployment {
        id, target, status, ..
    } = deployment;
    Err(Error::refused(
        format!("the status of {id} {target} is {status}"),
        "only failed, interrupted, cancelled and skipped deployments are retried; to deploy the \
         same revision again, repeat its entry in the deploy file",
    ))
}

/// Checks that the revision is not queued or running already.
fn check_not_open(record: &Reader<'_>, deployment: &Deployment) -> Result<(), Error> {
    let Deployment {
        target, revision, ..
    } = deployment;
    let open = record.open_deployments(&target.environment)?;
    let is_same = |open: &Deployment| open.target == *target && open.revision == *revision;

    match open.into_iter().find(is_same) {
        None => Ok(()),
        Some(Deployment { id, .. }) => Err(Error::refused(
            format!(
                "{target} {} is already queued or running, as {id}",
                revision.short()
            ),
            format!("to follow it: deploy-by-code logs -f {}", id.0),
        )),
    }
}

/// Checks that the deploy file still asks for the deployment's revision.
fn check_wanted(
    deploy: &DeployRepository,
    tip: Option<&Revision>,
    deployment: &Deployment,
) -> Result<(), Error> {
    let wanted = judging::wanted(deploy, tip)?.remove(&deployment.target);
    if wanted.as_ref() == Some(&deployment.revision) {
        return Ok(());
    }

    let (id, target) = (deployment.id, &deployment.target);
    let own = deployment.revision.short();
    let message = match &wanted {
        Some(wanted) => {
            let wanted = wanted.short();
            format!("{id} is about {own}, but the deploy file of {target} now asks for {wanted}")
        }
        None => format!("{id} is about {own}, but {target} has no deploy file now"),
    };
    Err(Error::refused(message, deploy_anyway(id)))
}

/// What to do where the deployment is wanted nevertheless.
fn deploy_anyway(id: DeploymentId) -> String {
    format!(
        "to deploy it anyway, which is recorded: deploy-by-code retry --stale {}",
        id.0
    )
}

/// Checks that the application has no newer deployment. To retry an older one would take the
/// application back to an older revision without a reason.
fn check_newest(record: &Reader<'_>, deployment: &Deployment) -> Result<(), Error> {
    let (id, target) = (deployment.id, &deployment.target);
    let newest = record.newest_of(target)?.filter(|newest| newest.id != id);
    let Some(newest) = newest else {
        return Ok(());
    };

    let is_same = newest.revision == deployment.revision;
    let hint = if is_same && newest.status.may_be_retried() {
        format!("deploy-by-code retry {}", newest.id.0)
    } else {
        deploy_anyway(id)
    };
    Err(Error::refused(
        format!(
            "{id} is no longer the newest deployment of {target}: {} is {}",
            newest.id, newest.status
        ),
        hint,
    ))
}

/// Checks that no rule refuses it now, and returns what the rules say. The reasons that the
/// deployment came with count again.
fn judge_again(
    deploy: &DeployRepository,
    record: &Reader<'_>,
    (tip, deployment): (Option<&Revision>, &Deployment),
    repositories: &mut ApplicationRepositories<'_>,
) -> Result<Vec<Note>, Error> {
    let subject = Subject::Retry { tip, deployment };
    let prepared = judging::prepare(deploy, &subject, Some(record))?;
    let judged = prepared.judge(deploy, &subject, Some(record), repositories)?;

    let (id, target) = (deployment.id, &deployment.target);
    match judged.plan.refusals.first() {
        None => {
            let mut judgements = judged.plan.judgements.iter();
            let own = judgements.find(|judgement| judgement.target.as_ref() == Some(target));
            Ok(own.map(Judgement::notes).unwrap_or_default())
        }
        Some(first) => Err(Error::refused(
            format!("{id} {target}: {}", first.message),
            format!("{}; {}", first.hint, deploy_anyway(id)),
        )),
    }
}
