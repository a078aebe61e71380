//! `notifications`: what was told to whom, what waits and what failed.

use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use super::intervene_commands::NotificationsArguments;
use crate::report::{Colour, NotificationRow, Table, to_json};
use crate::store::NotificationStatus;
use crate::text;
use crate::time::Timestamp;
use crate::verbs;

/// The longest event and the longest answer in the table, in characters.
const CELL_MAX: usize = 60;

/// `notifications [NAME]`, `--test NAME` or `--again ID`. Refused if the test event is not taken.
pub(super) fn notifications(
    context: &Context,
    arguments: NotificationsArguments,
) -> Result<Exit, Error> {
    if let Some(name) = arguments.test {
        // The program that sends it prints the answer.
        return Ok(Exit::of(verbs::try_target(&context.place, &name)?));
    }
    if let Some(id) = arguments.again {
        let target = verbs::notify_again(&context.place, id)?;
        let line = format!("{id} is told to {target} again");
        context.output.line(&line)?;
        return Ok(Exit::Done);
    }

    let (deploy, mut store) = context.look()?;
    let name = arguments.name.as_ref();
    let rows = verbs::notifications(&deploy, &mut store, name, arguments.number)?;
    if arguments.json {
        context.output.line(&to_json(&rows))?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        context.output.line("nobody was told of anything yet")?;
        return Ok(Exit::Done);
    }

    let mut table = Table::new(&[
        "ID",
        "WHEN (UTC)",
        "TARGET",
        "EVENT",
        "STATUS",
        "TRIES",
        "NEXT TRY",
        "ANSWER",
    ]);
    for row in &rows {
        table.row(cells(row));
    }
    context.output.table(&table)?;
    for row in &rows {
        remark(context, row)?;
    }
    Ok(Exit::Done)
}

/// The cells of a notification.
fn cells(row: &NotificationRow) -> Vec<(String, Colour)> {
    let plain = |text: String| (text, Colour::Plain);
    let dash = || "-".to_owned();
    let colour = match row.status {
        NotificationStatus::Delivered => Colour::Good,
        NotificationStatus::Waiting | NotificationStatus::Partial => Colour::Attention,
        NotificationStatus::Refused | NotificationStatus::GivenUp => Colour::Bad,
    };
    let next = row.next_attempt.map(Timestamp::minute);
    let answer = row.answer.as_deref().unwrap_or_default();

    vec![
        plain(row.id.map_or_else(dash, |id| id.to_string())),
        plain(row.at.minute()),
        plain(row.target.to_string()),
        plain(text::escape(&row.event, CELL_MAX)),
        (row.status.to_string(), colour),
        plain(row.attempts.to_string()),
        plain(next.unwrap_or_else(dash)),
        plain(text::escape(answer, CELL_MAX)),
    ]
}

/// Prints how much waits behind a notification, and whether anybody will be told of it.
fn remark(context: &Context, row: &NotificationRow) -> Result<(), Error> {
    let target = &row.target;
    let line = match (row.status, row.configured, row.behind) {
        (NotificationStatus::Waiting | NotificationStatus::Partial, false, _) => format!(
            "{target}: the configuration does not name it any more, so nobody tells it what waits"
        ),
        (_, _, Some(1)) => format!("{target}: 1 later event waits behind that"),
        (_, _, Some(behind)) if behind > 1 => {
            format!("{target}: {behind} later events wait behind that")
        }
        _ => return Ok(()),
    };
    context
        .output
        .line(&context.output.paint(Colour::Attention, &line))
}
