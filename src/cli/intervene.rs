//! What a person does about deployments and environments: `retry`, `cancel`, `release`, `freeze`
//! and `thaw`.

use super::announce::fetching;
use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use super::output::print_error;
use crate::id::{Application, DeploymentId, Environment, Revision};
use crate::status::Status;
use crate::store::Deployment;
use crate::text;
use crate::verbs::{self, Cancelled, Frozen, Thawed};

/// `retry [--stale] ID`.
pub(super) fn retry(context: &Context, id: DeploymentId, stale: bool) -> Result<Exit, Error> {
    let say = |application: &Application| print_error(&fetching(application));
    let (new, of) = verbs::retry(&context.place, id, stale, context.person(), say)?;
    context.output.line(&format!(
        "{new} {} {} queued, a retry of {id}",
        of.target,
        of.revision.short()
    ))?;
    Ok(Exit::Done)
}

/// `cancel ID`.
pub(super) fn cancel(context: &Context, id: DeploymentId) -> Result<Exit, Error> {
    let line = match verbs::cancel(&context.place, id, context.person())? {
        Cancelled::BeforeItBegan(deployment) => {
            format!("{id} {} was cancelled before it began", deployment.target)
        }
        Cancelled::Asked(deployment) => format!(
            "{id} {} was asked to stop; to wait for its end: deploy-by-code wait {}",
            deployment.target, id.0
        ),
    };
    context.output.line(&line)?;
    Ok(Exit::Done)
}

/// `release ENV`: names each deployment whose processes are no longer waited for.
pub(super) fn release(context: &Context, environment: &Environment) -> Result<Exit, Error> {
    for deployment in verbs::release(&context.place, environment, context.person())? {
        let (id, target) = (deployment.id, deployment.target);
        let line = format!("stopped waiting for what {id} {target} left running");
        context.output.line(&line)?;
    }
    Ok(Exit::Done)
}

/// `freeze ENV`: shows the freeze, and what is queued or running there.
pub(super) fn freeze(
    context: &Context,
    environment: &Environment,
    reason: &str,
    until: Option<&str>,
) -> Result<Exit, Error> {
    let person = context.person();
    let Frozen { freeze, open } =
        verbs::freeze(&context.place, environment, reason, until, person)?;

    context
        .output
        .line(&format!("{environment}: {}", freeze.describe()))?;

    for open in open {
        let what = if open.status == Status::Running {
            "continues"
        } else {
            "waits for the thaw"
        };
        let (id, target, status) = (open.id, open.target, open.status);
        let line = format!("{id} {target} is {status} and {what}");
        context.output.line(&line)?;
    }
    Ok(Exit::Done)
}

/// `thaw [--dry-run] ENV`: shows what waits there and can now begin.
pub(super) fn thaw(
    context: &Context,
    environment: &Environment,
    dry_run: bool,
) -> Result<Exit, Error> {
    let person = context.person();
    let Thawed { waiting, still } = verbs::thaw(&context.place, environment, dry_run, person)?;

    let word = if dry_run { "would" } else { "will" };
    for deployment in &waiting {
        let line = format!("{word} deploy {}", waiting_line(deployment));
        context.output.line(&line)?;
    }
    if waiting.is_empty() {
        let line = format!("nothing waits in {environment}");
        context.output.line(&line)?;
    }

    if !dry_run {
        context.output.line(&format!("{environment} is thawed"))?;
    }
    if let Some(freeze) = still {
        context
            .output
            .line(&format!("but it is still {}", freeze.describe()))?;
    }
    Ok(Exit::Done)
}

/// A deployment that waits: what changes, and who pushed it.
fn waiting_line(deployment: &Deployment) -> String {
    let (id, target, revision) = (
        deployment.id,
        &deployment.target,
        deployment.revision.short(),
    );
    let previous = deployment.previous_revision.as_ref();
    let from = previous.map_or("new", Revision::short);
    let pusher = deployment.pusher.as_ref();
    let by = pusher.map_or_else(|| "-".to_owned(), |by| text::escape(&by.name, 64));
    format!("{id} {target} {from} -> {revision} by {by}")
}
