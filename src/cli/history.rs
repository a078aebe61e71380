//! `log`: the recorded deployments, newest first.

use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use super::look_commands::LogArguments;
use super::output::{Buffered, Output};
use crate::report::{
    Colour, Table, colour, duration_cell, lasted, summary_cell, to_json_line, who_cell,
    write_json_array,
};
use crate::store::{Filter, LoggedDeployment};
use crate::sys::clock;
use crate::verbs::{self, History};

/// How many deployments are shown where nobody says how many.
pub(super) const NUMBER: u32 = 20;

/// `log [ENV[/APP]] [-n N] [--since TIME] [--until TIME]`.
pub(super) fn log(context: &Context, arguments: LogArguments) -> Result<Exit, Error> {
    let (since, until) = (arguments.since.as_deref(), arguments.until.as_deref());
    let period = verbs::period(since, until, clock::now())?;
    let filter = arguments.filter.unwrap_or_default().0;
    // Whoever asks for a period, or exports, must not get a part of it without a word.
    let is_whole = since.or(until).is_some() || arguments.json_lines;
    let all = if is_whole { u32::MAX } else { NUMBER };
    let number = arguments.number.unwrap_or(all);

    let (deploy, mut store) = context.look()?;
    if filter != Filter::default() {
        verbs::names(&deploy, &mut store)?.check_filter(&filter)?;
    }
    let mut history = History::new(&deploy, &mut store, filter, period, number);
    if arguments.json_lines {
        return lines(context, history);
    }
    if arguments.json {
        let next = || history.next_rows().map_err(Error::from);
        let written = |output: &mut Buffered| write_json_array(output, next, Error::Output);
        context.output.write(written)?;
        return Ok(Exit::Done);
    }

    let mut table = empty_table();
    loop {
        let piece = history.next_piece()?;
        if piece.is_empty() {
            break;
        }
        piece.iter().for_each(|row| table.row(cells(row)));
    }
    match (table.is_empty(), since.or(until)) {
        (true, Some(_)) => context.output.line("nothing was deployed in this period")?,
        _ => print(&context.output, &table)?,
    }
    Ok(Exit::Done)
}

/// Prints the table of deployments.
pub(super) fn table(
    output: &Output,
    deployments: impl Iterator<Item = LoggedDeployment>,
) -> Result<(), Error> {
    let mut table = empty_table();
    deployments.for_each(|row| table.row(cells(&row)));
    print(output, &table)
}

fn empty_table() -> Table {
    Table::with_details(&HEADING, 2)
}

fn print(output: &Output, table: &Table) -> Result<(), Error> {
    if table.is_empty() {
        return output.line("nothing was deployed yet");
    }
    output.table(table)
}

/// Prints each deployment as JSON in a line of its own.
fn lines(context: &Context, mut history: History<'_>) -> Result<Exit, Error> {
    loop {
        let piece = history.next_rows()?;
        if piece.is_empty() {
            return Ok(Exit::Done);
        }
        let lines = piece.iter().map(|row| to_json_line(row) + "\n");
        context.output.print(&lines.collect::<String>())?;
    }
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
fn cells(deployment: &LoggedDeployment) -> Vec<(String, Colour)> {
    let plain = |text: String| (text, Colour::Plain);
    let status = match deployment.overrides_freeze {
        true => format!("{} (override)", deployment.status),
        false => deployment.status.to_string(),
    };
    let took = lasted(deployment.started_at, deployment.finished_at);
    vec![
        plain(deployment.id.to_string()),
        plain(deployment.queued_at.minute()),
        plain(deployment.target.to_string()),
        plain(deployment.revision.short().to_owned()),
        (status, colour(deployment.status)),
        plain(who_cell(deployment.pusher.as_ref())),
        plain(duration_cell(took)),
        plain(summary_cell(deployment.summary.as_deref())),
    ]
}
