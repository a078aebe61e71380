//! What a person does about a deployment: `retry`, `cancel`, `release`.

use super::follow::find;
use super::{Context, Exit, Refusal, status};
use crate::deploy_repository::DeployRepository;
use crate::event::Event;
use crate::facts::{self, Question};
use crate::git::DeepScan;
use crate::hook::wake;
use crate::id::{DeploymentId, Environment};
use crate::plan;
use crate::policy::{Exception, ExceptionKind, Stage};
use crate::report::unwatched;
use crate::status::Status;
use crate::store::{self, Deployment, Filter, Outcome, Store};
use crate::sys::{clock, syslog};

fn tell(deployment: &Deployment, id: DeploymentId, status: Status, reason: &str) {
    let (target, revision) = (&deployment.target, &deployment.revision);
    syslog::log([Event::Became {
        id,
        target,
        revision,
        status,
        reason: Some(reason),
    }]);
}

pub(super) fn retry(context: &Context, id: DeploymentId, stale: bool) -> anyhow::Result<Exit> {
    let (deploy, mut store) = context.deploy_and_store()?;
    let deployment = find(&store, id)?;
    let target = deployment.target.clone();
    if !deployment.status.may_be_retried() {
        let message = format!("{id} {target} is {}", deployment.status);
        let hint = "only failed, interrupted, cancelled and skipped deployments are tried again; to deploy the same revision again, repeat its entry in the deploy file";
        return Err(Refusal::error(message, hint));
    }
    let wanted = status::wanted(&deploy)?.remove(&target);
    if !stale && wanted.as_ref() != Some(&deployment.revision) {
        let wanted = wanted.as_ref().map_or("nothing", |wanted| wanted.short());
        let message = format!(
            "{id} asks for {}, but {wanted} is wanted for {target} now",
            deployment.revision.short()
        );
        return Err(Refusal::error(
            message,
            format!(
                "deploy-by-code retry --stale {} deploys it all the same",
                id.0
            ),
        ));
    }
    if !stale {
        judge_again(&deploy, &store, &deployment)?;
    }
    let person = context.person().clone();
    let by = &person.name;
    let retried = store.transaction(|transaction| {
        let open = transaction.open_deployments(&target.environment)?;
        match open
            .into_iter()
            .find(|open| open.target == target && open.revision == deployment.revision)
        {
            Some(open) => Ok::<_, store::Error>(Err(open.id)),
            None => {
                let new = transaction.retry(&deployment, Some(&person), clock::now())?;
                if stale {
                    // This can go back; whoever finds it later is told who wanted that.
                    let reason = format!("retry --stale of {id} by {by}");
                    transaction.add_exception(
                        new,
                        &Exception {
                            kind: ExceptionKind::Stale,
                            reason,
                        },
                    )?;
                }
                Ok(Ok(new))
            }
        }
    })?;
    match retried {
        Err(open) => Err(Refusal::error(
            format!(
                "{target} {} is under way already, as {open}",
                deployment.revision.short()
            ),
            format!("deploy-by-code logs -f {} follows it", open.0),
        )),
        Ok(new) => {
            tell(
                &deployment,
                new,
                Status::Queued,
                &format!("retry of {id} by {by}"),
            );
            wake::runner(&deploy, &target.environment)?;
            context.output.line(&format!(
                "{new} {target} {} queued, a retry of {id}",
                deployment.revision.short()
            ))?;
            Ok(Exit::Done)
        }
    }
}

/// Whether a deployment may be tried again: it is the newest of its application, and no rule stands
/// against it now.
fn judge_again(
    deploy: &DeployRepository,
    store: &Store,
    deployment: &Deployment,
) -> anyhow::Result<()> {
    let (id, target) = (deployment.id, &deployment.target);
    let stale = format!(
        "deploy-by-code retry --stale {} deploys it all the same, on record",
        id.0
    );
    let state = store.read();
    if let Some(newest) = state.newest_of(target)?.filter(|newest| newest.id != id) {
        let message = format!(
            "{id} {target} is not the newest any more: {} is {}",
            newest.id, newest.status
        );
        let hint = if newest.revision == deployment.revision && newest.status.may_be_retried() {
            format!("deploy-by-code retry {}", newest.id.0)
        } else {
            stale
        };
        return Err(Refusal::error(message, hint));
    }
    let tip = deploy.repository.branch_tip(&deploy.branch)?;
    let changes = deploy.repository.changes(
        &deploy.config.root,
        None,
        tip.as_ref(),
        DeepScan::EnvironmentFolders,
    )?;
    let mut candidates = plan::candidates(changes);
    candidates.retain(|candidate| candidate.target.as_ref() == Some(target));
    let mut facts = facts::gather(&Question {
        deploy,
        candidates: &candidates,
        state: Some(&state),
        range: (None, tip.as_ref()),
        stage: Stage::Look,
        pusher: None,
        faults: &[],
    })?;
    // The reasons by which it came count for the second try too.
    let reasons = state.exceptions(id)?;
    let reason = |kind| {
        reasons
            .iter()
            .find(|exception| exception.kind == kind)
            .map(|exception| exception.reason.clone())
    };
    if let Some(known) = facts.targets.get_mut(target) {
        known.trailers.alone = reason(ExceptionKind::Alone);
        known.trailers.release = reason(ExceptionKind::Release);
    }
    let refusals = plan::decide(&deploy.config, &candidates, &facts).refusals;
    let Some(first) = refusals.first() else {
        return Ok(());
    };
    Err(Refusal::error(
        format!("{id} {target}: {}", first.message),
        format!("{}; {stale}", first.hint),
    ))
}

pub(super) fn cancel(context: &Context, id: DeploymentId) -> anyhow::Result<Exit> {
    let (deploy, mut store) = context.deploy_and_store()?;
    let deployment = find(&store, id)?;
    let by = context.person().name.clone();
    let reason = format!("by {by}");
    let now = store.transaction(|transaction| {
        let status = transaction
            .deployment(id)?
            .map_or(deployment.status, |deployment| deployment.status);
        match status {
            Status::Queued => {
                let outcome = Outcome::new(Status::Cancelled, &reason);
                // In this transaction nobody can be faster.
                let _ = transaction.finish(id, &outcome, clock::now())?;
            }
            Status::Running => transaction.ask_to_cancel(id, &by)?,
            _ => {}
        }
        Ok::<_, store::Error>(status)
    })?;
    let target = &deployment.target;
    match now {
        Status::Queued => {
            tell(&deployment, id, Status::Cancelled, &reason);
            context
                .output
                .line(&format!("{id} {target} cancelled before it began"))?;
        }
        Status::Running => {
            context.output.line(&format!(
                "{id} {target} is told to end; deploy-by-code wait {} waits for it",
                id.0
            ))?;
        }
        ended => {
            return Err(Refusal::error(
                format!("{id} {target} has ended: {ended}"),
                "there is nothing to cancel",
            ));
        }
    }
    // Those that waited for it are to be skipped, and a dead runner's command to be ended.
    wake::runner(&deploy, &target.environment)?;
    Ok(Exit::Done)
}

pub(super) fn release(context: &Context, environment: &Environment) -> anyhow::Result<Exit> {
    let (deploy, mut store) = context.deploy_and_store()?;
    let filter = Filter {
        environment: Some(environment.clone()),
        application: None,
    };
    let wanted = status::wanted(&deploy).unwrap_or_default();
    status::check_filter(&filter, store.read().newest()?.keys().chain(wanted.keys()))?;
    let open = store.read().open_deployments(environment)?;
    let left: Vec<Deployment> = unwatched(&store, &filter)?
        .into_iter()
        .map(|left| left.deployment)
        .collect();
    let is_watched = |open: &&Deployment| {
        open.status == Status::Running && left.iter().all(|left| left.id != open.id)
    };
    let watched = open.iter().find(is_watched);
    if let Some(deployment) = watched {
        let message = format!(
            "{environment} is not held: {} {} runs under a runner",
            deployment.id, deployment.target
        );
        return Err(Refusal::error(
            message,
            format!("to end it: deploy-by-code cancel {}", deployment.id.0),
        ));
    }
    if left.is_empty() {
        return Err(Refusal::error(
            format!("{environment} is not held by anything"),
            "deploy-by-code status shows what waits",
        ));
    }
    let by = context.person().name.clone();
    store.transaction(|transaction| transaction.ask_to_release(environment, &by))?;
    for deployment in &left {
        context.output.line(&format!(
            "{} {}: not waited for any more",
            deployment.id, deployment.target
        ))?;
    }
    wake::runner(&deploy, environment)?;
    Ok(Exit::Done)
}
