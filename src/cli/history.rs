//! `log` and `show`: the recorded deployments.

use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use crate::id::{DeploymentId, Revision};
use crate::policy::Exception;
use crate::report::{Colour, DeploymentRow, Table, colour, outcome_line, to_json, who_cell};
use crate::store::Filter;
use crate::text;
use crate::verbs;

/// `log [ENV[/APP]] [-n N]`: the deployments, the newest first.
pub(super) fn log(
    context: &Context,
    filter: &Filter,
    number: u32,
    json: bool,
) -> Result<Exit, Error> {
    let (deploy, mut store) = context.look()?;
    let record = store.read()?;
    verbs::names(&deploy, &record)?.check_filter(filter)?;

    let deployments = record.history(filter, number)?;
    if json {
        let rows = deployments
            .iter()
            .map(|deployment| DeploymentRow::new(deployment, &record));
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        context.output.line(&to_json(&rows))?;
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
    let plain = |text: String| (text, Colour::Plain);
    for deployment in &deployments {
        table.row(vec![
            plain(deployment.id.to_string()),
            plain(deployment.queued_at.minute()),
            plain(deployment.target.to_string()),
            plain(deployment.revision.short().to_owned()),
            (deployment.status.to_string(), colour(deployment.status)),
            plain(who_cell(deployment.pusher.as_ref())),
        ]);
    }

    if table.is_empty() {
        context.output.line("nothing was deployed yet")?;
    } else {
        context.output.table(&table)?;
    }
    Ok(Exit::Done)
}

/// `show ID`: everything about one deployment.
pub(super) fn show(context: &Context, id: DeploymentId, json: bool) -> Result<Exit, Error> {
    let (_, mut store) = context.look()?;
    let record = store.read()?;
    let deployment = verbs::find(&record, id)?;
    let row = DeploymentRow::new(&deployment, &record)?;
    if json {
        context.output.line(&to_json(&row))?;
        return Ok(Exit::Done);
    }

    let escaped = |text: &Option<String>| text.as_ref().map(|text| text::escape(text, 256));
    let hash = |revision: &Option<Revision>| revision.as_ref().map(ToString::to_string);
    let outcome = text::escape(outcome_line(&deployment), 300);
    let status = context.output.paint(colour(deployment.status), &outcome);
    let time = |time: Option<crate::time::Timestamp>| time.map(|time| time.to_string());
    let exit_status = deployment.exit_status.map(|status| status.to_string());

    let lines: [(&str, Option<String>); 17] = [
        ("deployment", Some(deployment.id.to_string())),
        ("rollout", Some(deployment.rollout.to_string())),
        ("application", Some(deployment.target.to_string())),
        ("revision", Some(deployment.revision.to_string())),
        ("previous", hash(&deployment.previous_revision)),
        ("rolled back", hash(&deployment.rolled_back)),
        ("status", Some(status)),
        ("exit status", exit_status),
        ("pusher", escaped(&row.pusher)),
        ("known by", row.pusher_known_by.map(|by| by.to_string())),
        ("author", escaped(&deployment.author)),
        ("deploy commit", hash(&deployment.deploy_commit)),
        ("retry of", deployment.retry_of.map(|id| id.to_string())),
        ("queued", Some(deployment.queued_at.to_string())),
        ("started", time(deployment.started_at)),
        ("finished", time(deployment.finished_at)),
        ("log", row.log.map(|path| text::escape(path, 300))),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            context.output.line(&format!("{name:<14} {value}"))?;
        }
    }

    for Exception { kind, reason } in row.exceptions {
        let (kind, reason) = (kind.as_str(), text::escape(reason, 500));
        context.output.line(&format!("{kind:<14} {reason}"))?;
    }
    Ok(Exit::Done)
}
