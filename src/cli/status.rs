//! `status`.

use std::collections::{BTreeMap, BTreeSet};

use super::history::{REASON_MAX, colour, name_cell};
use super::{Context, Exit, Refusal, output};
use crate::deploy_repository::DeployRepository;
use crate::facts;
use crate::id::{Environment, Revision, Target};
use crate::policy::{self, Freeze, freeze_of};
use crate::report::{Colour, StatusRow, Table, Unwatched, status_rows, to_json, unwatched};
use crate::status::Status;
use crate::store::{Filter, Problem, Store};
use crate::sys::clock;
use crate::text;
use crate::time::show_ago;

/// The revision that each deploy file at the deploy branch's tip asks for.
pub(super) fn wanted(deploy: &DeployRepository) -> anyhow::Result<BTreeMap<Target, Revision>> {
    let tip = deploy.repository.branch_tip(&deploy.branch)?;
    Ok(facts::wanted(deploy, tip.as_ref())?)
}

/// For a filter that lets nothing through: that it names something nobody knows, and the nearest
/// name that somebody does.
pub(super) fn check_filter<'a>(
    filter: &Filter,
    known: impl Iterator<Item = &'a Target> + Clone,
) -> anyhow::Result<()> {
    let Some(environment) = &filter.environment else {
        return Ok(());
    };
    let (what, name, names): (_, _, Vec<&str>) = match &filter.application {
        _ if known.clone().any(|target| filter.lets_through(target)) => return Ok(()),
        Some(application)
            if known
                .clone()
                .any(|target| target.environment == *environment) =>
        {
            let own = known.filter(|target| target.environment == *environment);
            (
                "application",
                application.as_str(),
                own.map(|target| target.application.as_str()).collect(),
            )
        }
        _ => (
            "environment",
            environment.as_str(),
            known.map(|target| target.environment.as_str()).collect(),
        ),
    };
    let hint = match text::nearest(name, names) {
        Some(near) => format!("did you mean {near}?"),
        None => "deploy-by-code status shows what there is".to_owned(),
    };
    Err(Refusal::error(
        format!("nothing was deployed to or is wanted for {what} {name}"),
        hint,
    ))
}

/// Which environments are frozen: of those that somebody named anywhere.
pub(super) fn freezes<'a>(
    deploy: &DeployRepository,
    store: &Store,
    known: impl Iterator<Item = &'a Target>,
) -> anyhow::Result<BTreeMap<Environment, Freeze>> {
    let now = clock::now();
    let by_hand = store.read().freezes(now)?;
    let configured = deploy.config.environments().map(|(name, _)| name);
    let names: BTreeSet<&Environment> = known
        .map(|target| &target.environment)
        .chain(configured)
        .chain(by_hand.keys())
        .collect();
    let freeze =
        |name: &Environment| freeze_of(&deploy.config.environment(name), by_hand.get(name), now);
    Ok(names
        .into_iter()
        .filter_map(|name| Some((name.clone(), freeze(name)?)))
        .collect())
}

pub(super) fn status(context: &Context, filter: &Filter, json: bool) -> anyhow::Result<Exit> {
    let (deploy, store) = context.look()?;
    let wanted = wanted(&deploy)?;
    let newest = store.read().newest()?;
    check_filter(filter, wanted.keys().chain(newest.keys()))?;
    let freezes = freezes(&deploy, &store, wanted.keys().chain(newest.keys()))?;
    let shown: BTreeMap<_, _> = freezes
        .iter()
        .map(|(name, freeze)| (name.clone(), freeze.describe()))
        .collect();
    let rows = status_rows(&store, &wanted, &shown, filter)?;
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
        let target = format!("{}/{}", row.environment, row.application);
        if let Some(remark) = &row.remark {
            // Why something waits is worth its whole line.
            let most = if row.status == Some("queued") {
                300
            } else {
                REASON_MAX
            };
            remarks.push(format!("{target}: {}", text::escape(remark, most)));
        }
        for hold in &row.holds {
            let hold = format!("{target}: held back: {}", text::escape(hold, 300));
            remarks.push(context.output.paint(Colour::Attention, &hold));
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
    for (environment, freeze) in shown
        .iter()
        .filter(|(name, _)| filter.environment.as_ref().is_none_or(|of| of == *name))
    {
        let line = format!("{environment}: {freeze}");
        context
            .output
            .line(&context.output.paint(Colour::Attention, &line))?;
    }
    for Unwatched {
        deployment,
        is_alive,
    } in unwatched(&store, filter)?
    {
        let (id, environment) = (deployment.id, &deployment.target.environment);
        let (what, hint) = if is_alive {
            let hint = format!("to stop waiting for it: deploy-by-code release {environment}");
            (
                format!("{environment}: held by what {id} left running"),
                hint,
            )
        } else {
            let what = format!("{environment}: the runner of {id} died");
            (
                what,
                "to find out what became of it and go on: deploy-by-code reconcile".to_owned(),
            )
        };
        context.output.line(&format!(
            "{}\n  hint: {hint}",
            context.output.paint(Colour::Bad, &what)
        ))?;
    }
    for remark in remarks {
        context.output.line(&remark)?;
    }
    for Problem {
        path,
        message,
        hint,
        ..
    } in store.read().problems()?
    {
        let lines = output::refusal_lines(
            "problem",
            &policy::Refusal {
                path,
                message,
                hint,
                is_fault: false,
            },
        );
        let (first, rest) = lines.split_once('\n').unwrap_or((&lines, ""));
        context.output.print(&format!(
            "{}\n{rest}",
            context.output.paint(Colour::Bad, first)
        ))?;
    }
    Ok(Exit::Done)
}

fn cells(row: &StatusRow, is_due: bool) -> Vec<(String, Colour)> {
    let hash = |hash: &Option<String>| {
        hash.as_ref()
            .map_or_else(|| "-".to_owned(), |hash| hash[..7].to_owned())
    };
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
    let since = row.since.map_or_else(
        || "-".to_owned(),
        |since| show_ago(clock::now().since(since)),
    );
    vec![
        (
            format!("{}/{}", row.environment, row.application),
            Colour::Plain,
        ),
        (hash(&row.deployed), Colour::Plain),
        (
            wanted,
            if is_due {
                Colour::Attention
            } else {
                Colour::Plain
            },
        ),
        (status, status_colour),
        (since, Colour::Plain),
        (name_cell(row.pusher.as_deref()), Colour::Plain),
    ]
}
