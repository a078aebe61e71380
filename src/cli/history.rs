//! `log`: the recorded deployments, newest first.

use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use crate::report::{
    Colour, DeploymentRow, Table, colour, duration, duration_cell, summary_cell, to_json, who_cell,
};
use crate::store::{Deployment, Filter};
use crate::verbs;

/// `log [ENV[/APP]] [-n N]`.
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
            .map(|deployment| DeploymentRow::new(&deploy, deployment, &record));
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        context.output.line(&to_json(&rows))?;
        return Ok(Exit::Done);
    }

    let mut table = Table::with_details(&HEADING, 2);
    deployments.iter().for_each(|row| table.row(cells(row)));
    if table.is_empty() {
        context.output.line("nothing was deployed yet")?;
    } else {
        context.output.table(&table)?;
    }
    Ok(Exit::Done)
}

const HEADING: [&str; 8] = [
    "ID",
    "WHEN (UTC)",
    "APPLICATION",
    "REVISION",
    "STATUS",
    "BY",
    "TOOK",
    "SUMMARY",
];

/// The cells of a deployment.
fn cells(deployment: &Deployment) -> Vec<(String, Colour)> {
    let plain = |text: String| (text, Colour::Plain);
    vec![
        plain(deployment.id.to_string()),
        plain(deployment.queued_at.minute()),
        plain(deployment.target.to_string()),
        plain(deployment.revision.short().to_owned()),
        (deployment.status.to_string(), colour(deployment.status)),
        plain(who_cell(deployment.pusher.as_ref())),
        plain(duration_cell(duration(deployment))),
        plain(summary_cell(deployment.summary.as_deref())),
    ]
}
