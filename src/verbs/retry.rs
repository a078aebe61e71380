//! `retry`: queues a deployment again.

use super::error::Error;
use super::follow::find;
use super::place::Place;
use super::start::start_runner;
use crate::deploy_repository::DeployRepository;
use crate::id::DeploymentId;
use crate::identity::Identity;
use crate::judging::{self, Subject};
use crate::policy::{Exception, ExceptionKind};
use crate::publish;
use crate::store::{self, Deployment, Reader};
use crate::sys::clock;

/// Queues a failed, interrupted, cancelled or skipped deployment again, and returns the number of
/// the new deployment and the deployment that it retries. With `stale`, also one that the deploy
/// file no longer asks for.
///
/// # Errors
/// A deployment with this status is not retried, something newer is wanted, a rule refuses it, or
/// the state can't be changed.
pub fn retry(
    place: &Place,
    id: DeploymentId,
    stale: bool,
    by: &Identity,
) -> Result<(DeploymentId, Deployment), Error> {
    let (deploy, mut store) = place.deploy_and_store()?;
    let record = store.read()?;
    let deployment = find(&record, id)?;
    check_status(&deployment)?;
    if !stale {
        check_wanted(&deploy, &deployment)?;
        check_newest(&record, &deployment)?;
        judge_again(&deploy, &record, &deployment)?;
    }
    drop(record);

    let target = &deployment.target;
    let retried = store.transaction(|transaction| {
        let open = transaction.open_deployments(&target.environment)?;
        let is_same =
            |open: &Deployment| open.target == *target && open.revision == deployment.revision;
        if let Some(open) = open.into_iter().find(is_same) {
            return Ok::<_, store::Error>(Err(open.id));
        }

        // This can take an application back to an older revision, so the record says who wanted
        // that.
        let exception = stale.then(|| Exception {
            kind: ExceptionKind::Stale,
            reason: format!("retry --stale of {id} by {}", by.name),
        });
        let new = transaction.retry(&deployment, Some(by), exception.as_ref(), clock::now())?;
        Ok(Ok(new))
    })?;
    publish::to_syslog(&mut store);

    let new = retried.map_err(|open| {
        let short = deployment.revision.short();
        Error::refused(
            format!("{target} {short} is already queued or running, as {open}"),
            format!("to follow it: deploy-by-code logs -f {}", open.0),
        )
    })?;
    start_runner(&deploy, &target.environment)?;
    Ok((new, deployment))
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

/// Checks that the deploy file still asks for the deployment's revision.
fn check_wanted(deploy: &DeployRepository, deployment: &Deployment) -> Result<(), Error> {
    let tip = deploy.repository.branch_tip(&deploy.branch)?;
    let wanted = judging::wanted(deploy, tip.as_ref())?.remove(&deployment.target);
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

/// Checks that no rule refuses it now. The reasons that the deployment came with count again.
fn judge_again(
    deploy: &DeployRepository,
    record: &Reader<'_>,
    deployment: &Deployment,
) -> Result<(), Error> {
    let tip = deploy.repository.branch_tip(&deploy.branch)?;
    let subject = Subject::Retry {
        tip: tip.as_ref(),
        deployment,
    };
    let (_, judged) = judging::judge(deploy, &subject, Some(record))?;

    let (id, target) = (deployment.id, &deployment.target);
    match judged.plan.refusals.first() {
        None => Ok(()),
        Some(first) => Err(Error::refused(
            format!("{id} {target}: {}", first.message),
            format!("{}; {}", first.hint, deploy_anyway(id)),
        )),
    }
}
