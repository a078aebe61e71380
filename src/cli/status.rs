//! `status`.

use std::collections::BTreeMap;

use super::history::{colour, name_cell, short_reason};
use super::{Context, Exit, Refusal};
use crate::deploy_repository::DeployRepository;
use crate::git::DeepScan;
use crate::id::{Revision, Target};
use crate::plan;
use crate::report::{Colour, StatusRow, Table, left_running, status_rows, to_json};
use crate::status::Status;
use crate::store::Filter;
use crate::sys::clock;
use crate::text;
use crate::time::show_ago;

/// The revision that each deploy file at the deploy branch's tip asks for; files that ask for none are left out.
pub(super) fn wanted(deploy: &DeployRepository) -> anyhow::Result<BTreeMap<Target, Revision>> {
    let tip = deploy.repository.branch_tip(&deploy.branch)?;
    let changes = deploy.repository.changes(&deploy.config.root, None, tip.as_ref(), DeepScan::EnvironmentFolders)?;
    let candidates = plan::candidates(changes);
    let wanted = candidates.into_iter().filter_map(|candidate| {
        let revision = candidate.revision()?.clone();
        Some((candidate.target?, revision))
    });
    Ok(wanted.collect())
}

/// For a filter that lets nothing through: that it names something nobody knows, and the nearest name that somebody does.
pub(super) fn check_filter<'a>(filter: &Filter, known: impl Iterator<Item = &'a Target> + Clone) -> anyhow::Result<()> {
    let Some(environment) = &filter.environment else { return Ok(()) };
    let (what, name, names): (_, _, Vec<&str>) = match &filter.application {
        _ if known.clone().any(|target| filter.lets_through(target)) => return Ok(()),
        Some(application) if known.clone().any(|target| target.environment == *environment) => {
            let own = known.filter(|target| target.environment == *environment);
            ("application", application.as_str(), own.map(|target| target.application.as_str()).collect())
        }
        _ => ("environment", environment.as_str(), known.map(|target| target.environment.as_str()).collect()),
    };
    let hint = match text::nearest(name, names) {
        Some(near) => format!("did you mean {near}?"),
        None => "deploy-by-code status shows what there is".to_owned(),
    };
    Err(Refusal::error(format!("nothing was deployed to or is wanted for {what} {name}"), hint))
}

pub(super) fn status(context: &Context, filter: &Filter, json: bool) -> anyhow::Result<Exit> {
    let (deploy, store) = context.look()?;
    let wanted = wanted(&deploy)?;
    let newest = store.read().newest()?;
    check_filter(filter, wanted.keys().chain(newest.keys()))?;
    let rows = status_rows(&store, &wanted, filter)?;
    if json {
        context.output.line(&to_json(&rows))?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["APPLICATION", "DEPLOYED", "WANTED", "STATUS", "SINCE", "BY"]);
    let mut remarks = Vec::new();
    let mut differs = false;
    for row in &rows {
        let is_due = row.wanted.is_some() && row.wanted != row.deployed;
        differs |= is_due;
        table.row(cells(row, is_due));
        if let Some(remark) = &row.remark {
            remarks.push(format!("{}/{}: {}", row.environment, row.application, short_reason(remark)));
        }
    }
    if table.is_empty() {
        context.output.line("nothing is wanted or deployed yet")?;
    } else {
        context.output.table(&table)?;
    }
    if differs {
        context.output.line("* wanted, but not what is deployed")?;
    }
    for left in left_running(&store, filter)? {
        let environment = &left.target.environment;
        let held = format!("{environment}: held by what {} left running", left.id);
        let held = context.output.paint(Colour::Bad, &held);
        context
            .output
            .line(&format!("{held}\n  hint: to stop waiting for it: deploy-by-code release {environment}"))?;
    }
    for remark in remarks {
        context.output.line(&remark)?;
    }
    for problem in store.read().problems()? {
        let path = text::escape(&problem.path, 200);
        let line = context.output.paint(Colour::Bad, &format!("problem {path}: {}", problem.message));
        context.output.line(&format!("{line}\n  hint: {}", problem.hint))?;
    }
    Ok(Exit::Done)
}

fn cells(row: &StatusRow, is_due: bool) -> Vec<(String, Colour)> {
    let hash = |hash: &Option<String>| hash.as_ref().map_or_else(|| "-".to_owned(), |hash| hash[..7].to_owned());
    let wanted = format!("{}{}", hash(&row.wanted), if is_due { "*" } else { "" });
    let word = row.status.unwrap_or("-");
    let status_colour = match word.parse::<Status>() {
        Ok(status) => colour(status),
        Err(()) if word == "problem" => Colour::Bad,
        Err(()) => Colour::Plain,
    };
    let status = match row.deployment {
        Some(id) if word != "retired" => format!("{word} #{id}"),
        _ => word.to_owned(),
    };
    let since = row.since.map_or_else(|| "-".to_owned(), |since| show_ago(clock::now().since(since)));
    vec![
        (format!("{}/{}", row.environment, row.application), Colour::Plain),
        (hash(&row.deployed), Colour::Plain),
        (wanted, if is_due { Colour::Attention } else { Colour::Plain }),
        (status, status_colour),
        (since, Colour::Plain),
        (name_cell(row.pusher.as_deref()), Colour::Plain),
    ]
}
