//! `retry`: queues a deployment again.

use super::error::Error;
use super::follow::find;
use super::place::Place;
use crate::deploy_repository::DeployRepository;
use crate::id::DeploymentId;
use crate::identity::Identity;
use crate::judging::{self, Subject};
use crate::policy::{Exception, ExceptionKind};
use crate::publish;
use crate::store::{self, Deployment, Reader};
use crate::sys::clock;
use crate::wake;

/// Queues a failed, interrupted, cancelled or skipped deployment again, and says under which
/// number. With `stale` also one that the deploy file does not ask for any more.
///
/// # Errors
/// It is not the kind that is tried again, something newer is wanted, a rule stands against it, or
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

        let new = transaction.retry(&deployment, Some(by), clock::now())?;
        if stale {
            // This can go back; whoever finds it later is told who wanted that.
            let exception = Exception {
                kind: ExceptionKind::Stale,
                reason: format!("retry --stale of {id} by {}", by.name),
            };
            transaction.add_exception(new, &exception)?;
        }
        Ok(Ok(new))
    })?;
    publish::to_syslog(&mut store);

    let new = retried.map_err(|open| {
        let short = deployment.revision.short();
        Error::refused(
            format!("{target} {short} is under way already, as {open}"),
            format!("deploy-by-code logs -f {} follows it", open.0),
        )
    })?;
    wake::runner(&deploy, &target.environment)?;
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
        format!("{id} {target} is {status}"),
        "only failed, interrupted, cancelled and skipped deployments are tried again; to deploy \
         the same revision again, repeat its entry in the deploy file",
    ))
}

/// What the deploy file asks for now is what the deployment carries out.
fn check_wanted(deploy: &DeployRepository, deployment: &Deployment) -> Result<(), Error> {
    let tip = deploy.repository.branch_tip(&deploy.branch)?;
    let wanted = judging::wanted(deploy, tip.as_ref())?.remove(&deployment.target);
    if wanted.as_ref() == Some(&deployment.revision) {
        return Ok(());
    }

    let (id, target) = (deployment.id, &deployment.target);
    let asked = deployment.revision.short();
    let wanted = wanted.as_ref().map_or("nothing", |wanted| wanted.short());
    Err(Error::refused(
        format!("{id} asks for {asked}, but {wanted} is wanted for {target} now"),
        format!(
            "deploy-by-code retry --stale {} deploys it all the same",
            id.0
        ),
    ))
}

fn on_record(id: DeploymentId) -> String {
    format!(
        "deploy-by-code retry --stale {} deploys it all the same, on record",
        id.0
    )
}

/// An older deployment would go back without a word.
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
        on_record(id)
    };
    Err(Error::refused(
        format!(
            "{id} {target} is not the newest any more: {} is {}",
            newest.id, newest.status
        ),
        hint,
    ))
}

/// No rule stands against it now. The reasons by which it came count for the second try too.
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
            format!("{}; {}", first.hint, on_record(id)),
        )),
    }
}
