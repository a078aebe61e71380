//! What programs read: the same JSON as the commands print, the figures, badges.

use std::sync::Arc;

use axum::http::StatusCode;
use deploy_by_code::id::{DeploymentId, Target};
use deploy_by_code::report::{Badge, DeploymentRow, StatusLine, StatusRow, to_json};
use deploy_by_code::store::Filter;
use deploy_by_code::text::with_causes;

use crate::fault::Fault;
use crate::reply::{Reply, TextKind};
use crate::site::Repository;
use crate::view::View;

/// How many deployments `log` has where nobody says how many.
const LOG_NUMBER: usize = 20;

/// The most that it has at once.
const LOG_MAX: usize = 1000;

/// What `status --json` prints.
pub(crate) fn status(repository: &Repository, filter: &Filter) -> Result<Reply, Fault> {
    let overview = repository.look(|view| view.overview_with(filter))?;
    let rows = overview.rows.iter();
    let rows: Vec<&StatusRow> = rows
        .filter(|row| filter.lets_through(&row.target()))
        .collect();
    Ok(Reply::ok(TextKind::Json, to_json(&rows) + "\n"))
}

/// What `log --json` prints. `number`: at most so many.
pub(crate) fn log(
    repository: &Repository,
    filter: &Filter,
    number: Option<&str>,
    before: Option<DeploymentId>,
) -> Result<Reply, Fault> {
    let number = match number.map(str::parse) {
        None => LOG_NUMBER,
        Some(Ok(number @ 1..=LOG_MAX)) => number,
        Some(_) => {
            let message = format!("n has to be a number from 1 to {LOG_MAX}");
            return Err(Fault::Query(message));
        }
    };
    let rows: Vec<DeploymentRow> = repository.look(|view| {
        let rows = view.history(filter, before, number)?;
        if rows.is_empty() {
            view.overview_with(filter)?;
        }
        rows.iter().map(|one| view.row(one)).collect()
    })?;
    Ok(Reply::ok(TextKind::Json, to_json(&rows) + "\n"))
}

/// What `show --json` prints.
pub(crate) fn deployment(repository: &Repository, id: DeploymentId) -> Result<Reply, Fault> {
    let row = repository.look(|view| {
        let deployment = view.deployment(id)?;
        view.row(&deployment)
    })?;
    Ok(Reply::ok(TextKind::Json, to_json(&row) + "\n"))
}

/// What `metrics` prints, without the figures of what is hidden.
pub(crate) fn metrics(repository: &Repository) -> Result<Reply, Fault> {
    let text = repository.look(View::metrics)?;
    Ok(Reply::ok(TextKind::Figures, text))
}

/// Whether all of some repositories can be looked at.
pub(crate) fn health(repositories: &[Arc<Repository>]) -> Reply {
    let mut text = String::new();
    for repository in repositories {
        let looked = repository.look(View::check);
        if let Err(fault) = looked {
            text.push_str(&format!("{}: {}\n", repository.name, with_causes(&fault)));
        }
    }
    match text.is_empty() {
        true => Reply::ok(TextKind::Plain, "ok\n"),
        false => Reply::new(StatusCode::SERVICE_UNAVAILABLE, TextKind::Plain, text),
    }
}

/// The badge of an application. One that is not known has one too, because a broken picture says
/// less.
pub(crate) fn badge(repository: &Repository, target: &Target) -> Result<Reply, Fault> {
    let overview = repository.look(View::overview)?;
    let row = overview.rows.iter().find(|row| row.target() == *target);
    let badge = match row {
        Some(row) => Badge::of(&StatusLine::of(row)),
        None => Badge::unknown(target.to_string()),
    };
    Ok(Reply::ok(TextKind::Svg, badge.svg()))
}
