//! `status`: the table, and below it the remarks that do not fit into the table.

use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use super::output::Output;
use crate::id::Revision;
use crate::policy::ExceptionKind;
use crate::report::{
    Colour, Standing, StatusLine, StatusRow, Table, colour, duration_cell, name_cell,
    refusal_lines, summary_cell, to_json,
};
use crate::runner::Unwatched;
use crate::store::Filter;
use crate::sys::clock;
use crate::text;
use crate::time::show_ago;
use crate::verbs::{self, Overview, Untold};

/// The longest remark about a deployment that has ended, in characters.
const REMARK_MAX: usize = 60;

/// The longest remark about a deployment that waits, in characters. What it waits for is more
/// important.
const WAITING_MAX: usize = 300;

/// `status [ENV[/APP]]`.
pub(super) fn status(context: &Context, filter: &Filter, json: bool) -> Result<Exit, Error> {
    let (deploy, mut store, is_usable) = context.look_at_all()?;
    let overview = verbs::overview(&deploy, &mut store, filter, is_usable)?;
    if json {
        context.output.line(&to_json(&overview.rows))?;
        return Ok(Exit::Done);
    }

    let lines: Vec<StatusLine> = overview.rows.iter().map(StatusLine::of).collect();
    table(&context.output, &lines)?;
    for hook in &overview.hooks {
        let line = context.output.paint(Colour::Bad, &hook.to_string());
        let hint = "to see how to fix it: deploy-by-code doctor";
        context.output.line(&format!("{line}\n  hint: {hint}"))?;
    }
    in_the_way(context, &overview)?;
    untold(context, &overview.untold)?;
    for (row, line) in overview.rows.iter().zip(&lines) {
        remarks(&context.output, line)?;
        holds(context, row)?;
    }
    for problem in &overview.problems {
        let lines = refusal_lines("problem", &problem.refusal);
        let (first, rest) = lines.split_once('\n').unwrap_or((&lines, ""));
        let first = context.output.paint(Colour::Bad, first);
        context.output.print(&format!("{first}\n{rest}"))?;
    }
    Ok(Exit::Done)
}

const HEADING: [&str; 8] = [
    "APPLICATION",
    "DEPLOYED",
    "WANTED",
    "STATUS",
    "SINCE",
    "BY",
    "TOOK",
    "SUMMARY",
];

/// Prints for whom events wait, and of what somebody was not told.
fn untold(context: &Context, untold: &[Untold]) -> Result<(), Error> {
    for untold in untold {
        let name = &untold.name;
        for what in untold.remarks() {
            let line = format!("{name}: {}", text::escape(what, WAITING_MAX));
            let line = context.output.paint(Colour::Attention, &line);
            context.output.line(&line)?;
        }
    }
    if !untold.is_empty() {
        let hint = "to see more: deploy-by-code notifications";
        context.output.line(&format!("  hint: {hint}"))?;
    }
    Ok(())
}

/// Prints the table of applications.
pub(super) fn table(output: &Output, lines: &[StatusLine]) -> Result<(), Error> {
    let mut table = Table::with_details(&HEADING, 2);
    for line in lines {
        table.row(cells(line));
    }

    if table.is_empty() {
        output.line("nothing is wanted or deployed yet")?;
    } else {
        output.table(&table)?;
    }
    if lines.iter().any(|line| line.is_due == Some(true)) {
        output.line("* wanted, but not deployed")?;
    }
    Ok(())
}

/// The cells of an application.
fn cells(row: &StatusLine) -> Vec<(String, Colour)> {
    let hash = |hash: &Option<Revision>| hash.as_ref().map_or("-", Revision::short).to_owned();
    let plain = |text: String| (text, Colour::Plain);

    let wanted = if row.is_due == Some(true) {
        (format!("{}*", hash(&row.wanted)), Colour::Attention)
    } else {
        plain(hash(&row.wanted))
    };
    let status = match (row.standing, row.deployment) {
        (None, _) => plain("-".to_owned()),
        (Some(Standing::Retired), _) => plain("retired".to_owned()),
        (Some(standing), id) => {
            let colour = match standing {
                Standing::Deployment(status) => colour(status),
                Standing::Pending => Colour::Attention,
                _ => Colour::Bad,
            };
            let text = match id {
                Some(id) => format!("{standing} {id}"),
                None => standing.to_string(),
            };
            (text, colour)
        }
    };
    let since = row.since.map(|since| show_ago(clock::now().since(since)));

    vec![
        plain(row.target.to_string()),
        plain(hash(&row.deployed)),
        wanted,
        status,
        plain(since.unwrap_or_else(|| "-".to_owned())),
        plain(name_cell(row.pusher.as_deref())),
        plain(duration_cell(row.took)),
        plain(summary_cell(row.summary.as_deref())),
    ]
}

/// Prints what keeps environments from continuing: a deploy branch that is missing or for which the
/// hooks were not installed, freezes, and what dead runners left.
fn in_the_way(context: &Context, overview: &Overview) -> Result<(), Error> {
    if let Some(differs) = &overview.not_as_installed {
        let what = context.output.paint(Colour::Bad, differs);
        context.output.line(&what)?;
    } else if let Some(missing) = &overview.missing_branch {
        let what = context.output.paint(Colour::Bad, &missing.to_string());
        let hint = missing.hint();
        context.output.line(&format!("{what}\n  hint: {hint}"))?;
    }
    for (environment, freeze) in &overview.frozen {
        let line = format!("{environment}: {}", freeze.describe());
        let line = context.output.paint(Colour::Attention, &line);
        context.output.line(&line)?;
    }

    for unwatched in &overview.unwatched {
        let Unwatched {
            deployment,
            is_alive,
        } = unwatched;
        let (id, environment) = (deployment.id, &deployment.target.environment);
        let release = |what: &str| format!("to {what}: deploy-by-code release {environment}");
        let (what, hint) = match is_alive {
            Ok(true) => (
                format!("{environment}: held by what {id} left running"),
                release("stop waiting for it"),
            ),
            Ok(false) => (
                format!("{environment}: the runner of {id} died"),
                "to mark it as interrupted and to continue: deploy-by-code reconcile".to_owned(),
            ),
            Err(why) => (
                format!(
                    "{environment}: held by what {id} left running; it can't be seen from here \
                     whether that has ended: {why}"
                ),
                release("go on if you know that it has ended"),
            ),
        };

        let what = context.output.paint(Colour::Bad, &what);
        context.output.line(&format!("{what}\n  hint: {hint}"))?;
    }
    Ok(())
}

/// Prints why the newest deployment has its status, and who made or approved an exception.
pub(super) fn remarks(output: &Output, line: &StatusLine) -> Result<(), Error> {
    let target = &line.target;
    if let Some(remark) = &line.remark {
        let most = if line.waits { WAITING_MAX } else { REMARK_MAX };
        output.line(&format!("{target}: {}", text::escape(remark, most)))?;
    }

    for exception in &line.exceptions {
        if exception.kind == ExceptionKind::Override {
            let line = format!("{target}: override: {}", exception.shown(200));
            output.line(&output.paint(Colour::Attention, &line))?;
        }
    }
    if !line.approvals.is_empty() {
        let approvals = line.approvals.iter();
        let names: Vec<String> = approvals
            .map(|approval| text::escape(&approval.by, 200))
            .collect();
        output.line(&format!("{target}: approved by {}", names.join(", ")))?;
    }
    Ok(())
}

/// Prints what rollbacks hold back.
fn holds(context: &Context, row: &StatusRow) -> Result<(), Error> {
    let target = row.target();
    for hold in &row.holds {
        let hold = format!(
            "{} was rolled back by {}: {}",
            hold.revision.short(),
            hold.by,
            hold.reason
        );
        let line = format!("{target}: held back: {}", text::escape(&hold, 300));
        let line = context.output.paint(Colour::Attention, &line);
        context.output.line(&line)?;
    }
    Ok(())
}
