//! `log` and `show`.

use super::follow::find;
use super::status::{self, check_filter};
use super::{Context, Exit};
use crate::id::{DeploymentId, Revision};
use crate::report::{Colour, DeploymentRow, ExceptionRow, Table, outcome_line, to_json};
use crate::status::Status;
use crate::store::{Deployment, Filter};
use crate::text;

/// The widest reason in a listing, in characters.
pub(super) const REASON_MAX: usize = 60;

pub(super) fn colour(status: Status) -> Colour {
    match status {
        Status::Succeeded => Colour::Good,
        Status::Failed | Status::Interrupted => Colour::Bad,
        Status::Queued | Status::Running | Status::Skipped | Status::Cancelled => Colour::Attention,
        Status::Superseded => Colour::Plain,
    }
}

/// A name that somebody else chose, for a cell of a table.
pub(super) fn name_cell(name: Option<&str>) -> String {
    name.map_or_else(|| "-".to_owned(), |name| text::escape(name, 24))
}

/// Who pushed a deployment, and how that is known.
fn who_cell(deployment: &Deployment) -> String {
    let name = name_cell(deployment.pusher.as_deref());
    match deployment.pusher_known_by.as_deref() {
        None | Some("") => name,
        Some(known_by) => format!("{name} ({})", text::escape(known_by, 12)),
    }
}

pub(super) fn log(
    context: &Context,
    filter: &Filter,
    number: u32,
    json: bool,
) -> anyhow::Result<Exit> {
    let (deploy, store) = context.look()?;
    let wanted = status::wanted(&deploy).unwrap_or_default();
    check_filter(filter, store.read().newest()?.keys().chain(wanted.keys()))?;
    let deployments = store.read().history(filter, usize::try_from(number)?)?;
    if json {
        let rows = deployments
            .iter()
            .map(|deployment| DeploymentRow::new(deployment, &store));
        context
            .output
            .line(&to_json(&rows.collect::<Result<Vec<_>, _>>()?))?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[
        "ID",
        "WHEN (UTC)",
        "APPLICATION",
        "REVISION",
        "STATUS",
        "BY",
    ]);
    for deployment in &deployments {
        let plain = |text: String| (text, Colour::Plain);
        table.row(vec![
            plain(deployment.id.to_string()),
            plain(deployment.queued_at.minute()),
            plain(deployment.target.to_string()),
            plain(deployment.revision.short().to_owned()),
            (deployment.status.to_string(), colour(deployment.status)),
            plain(who_cell(deployment)),
        ]);
    }
    if table.is_empty() {
        context.output.line("nothing was deployed yet")?;
    } else {
        context.output.table(&table)?;
    }
    Ok(Exit::Done)
}

pub(super) fn show(context: &Context, id: DeploymentId, json: bool) -> anyhow::Result<Exit> {
    let (_, store) = context.look()?;
    let deployment = find(&store, id)?;
    let row = DeploymentRow::new(&deployment, &store)?;
    if json {
        context.output.line(&to_json(&row))?;
        return Ok(Exit::Done);
    }
    let escaped = |text: &Option<String>| text.as_ref().map(|text| text::escape(text, 256));
    let hash = |revision: &Option<Revision>| revision.as_ref().map(ToString::to_string);
    let status = context.output.paint(
        colour(deployment.status),
        &text::escape(outcome_line(&deployment), 300),
    );
    let lines: [(&str, Option<String>); 17] = [
        ("deployment", Some(deployment.id.to_string())),
        ("rollout", Some(deployment.rollout.to_string())),
        ("application", Some(deployment.target.to_string())),
        ("revision", Some(deployment.revision.to_string())),
        ("previous", hash(&deployment.previous_revision)),
        ("rolled back", hash(&deployment.rolled_back)),
        ("status", Some(status)),
        (
            "exit status",
            deployment.exit_status.map(|status| status.to_string()),
        ),
        ("pusher", escaped(&deployment.pusher)),
        ("known by", escaped(&deployment.pusher_known_by)),
        ("author", escaped(&deployment.author)),
        ("deploy commit", hash(&deployment.deploy_commit)),
        ("retry of", deployment.retry_of.map(|id| id.to_string())),
        ("queued", Some(deployment.queued_at.to_string())),
        (
            "started",
            deployment.started_at.map(|time| time.to_string()),
        ),
        (
            "finished",
            deployment.finished_at.map(|time| time.to_string()),
        ),
        ("log", row.log.map(|path| text::escape(path, 300))),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            context.output.line(&format!("{name:<14} {value}"))?;
        }
    }
    for ExceptionRow { kind, reason } in row.exceptions {
        context
            .output
            .line(&format!("{kind:<14} {}", text::escape(reason, 500)))?;
    }
    Ok(Exit::Done)
}
