//! The matrix: each application in each environment.

use std::collections::{BTreeMap, BTreeSet};

use deploy_by_code::id::{Application, Environment};
use deploy_by_code::report::{Standing, StatusRow};
use deploy_by_code::status::Status;
use deploy_by_code::store::Filter;
use deploy_by_code::verbs::Overview;
use maud::{Markup, html};

use super::cells;
use super::layout::{Page, nothing, reply};
use super::links::Links;
use crate::fault::Fault;
use crate::reply::Reply;
use crate::site::Repository;
use crate::view::View;

/// The page with everything. `word`: only applications with this in their names.
pub(crate) fn matrix(repository: &Repository, links: &Links, word: &str) -> Result<Reply, Fault> {
    let overview = repository.look(View::overview)?;
    let is_shown = |row: &&StatusRow| {
        let name = row.application.as_str().to_ascii_lowercase();
        name.contains(&word.to_ascii_lowercase())
    };
    let mut rows: BTreeMap<&Application, BTreeMap<&Environment, &StatusRow>> = BTreeMap::new();
    for row in overview.rows.iter().filter(is_shown) {
        let of = rows.entry(&row.application).or_default();
        of.insert(&row.environment, row);
    }
    let environments: BTreeSet<&Environment> =
        overview.rows.iter().map(|row| &row.environment).collect();
    let content = html! {
        div id="notices" data-live {
            p class="tally" { (cells::tally(&overview.rows)) }
            (notices(&overview, &Filter::default()))
        }
        form class="filter" {
            label for="filter" { "Show applications with this in their names: " }
            input id="filter" name="q" type="search" value=(word) autocomplete="off";
            button { "Show" }
            span id="count" role="status" { (rows.len()) " shown" }
        }
        div id="matrix" class="scroll" role="region" aria-label="Matrix" tabindex="0" data-live {
            @if overview.rows.is_empty() {
                (nothing(match overview.names.wanted {
                    Some(_) => "Nothing is wanted or deployed yet.",
                    None => "Nothing is deployed yet. It is not known what is wanted.",
                }))
            } @else {
                table class="matrix" {
                    (head(&overview, links, &environments))
                    tbody {
                        @for (application, of) in &rows {
                            tr data-name=(application) {
                                th scope="row" {
                                    a href=(links.application(application)) { (application) }
                                }
                                @for environment in &environments {
                                    @match of.get(environment) {
                                        Some(row) => (cell(links, row)),
                                        None => td class="empty" { "–" },
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    let title = "What is where";
    Ok(reply(links, Page::new(title, content)))
}

/// The environments, with what keeps them from going on.
fn head(overview: &Overview, links: &Links, environments: &BTreeSet<&Environment>) -> Markup {
    html! {
        thead { tr {
            th scope="col" { "Application" }
            @for environment in environments {
                th scope="col" {
                    a href=(links.environment(environment)) { (environment) }
                    @if let Some(freeze) = overview.frozen.get(*environment) {
                        " " span class="chip wait" title=(freeze.describe()) {
                            i aria-hidden="true" { "❄\u{fe0e}" } "frozen"
                        }
                    }
                }
            }
        } }
    }
}

/// What can't go on of what a filter lets through, in sentences.
pub(super) fn notices(overview: &Overview, filter: &Filter) -> Markup {
    let is_about = |name: &Environment| filter.environment.as_ref().is_none_or(|of| of == name);
    let frozen = overview.frozen.iter().filter(|(name, _)| is_about(name));
    let unwatched = overview.unwatched.iter();
    let unwatched = unwatched.filter(|left| is_about(&left.deployment.target.environment));
    let branch = overview.missing_branch.as_ref().map(ToString::to_string);
    let branch = overview.not_as_installed.clone().or(branch);
    html! {
        @if let Some(branch) = branch { p class="notice bad" { (branch) } }
        @if !overview.hooks.is_empty() {
            p class="notice bad" { "git does not run all hooks of this repository." }
        }
        @for (environment, freeze) in frozen {
            p class="notice wait" { strong { (environment) } ": " (freeze.describe()) }
        }
        @for left in unwatched {
            @let environment = &left.deployment.target.environment;
            p class="notice bad" {
                strong { (environment) } ": "
                @match left.is_alive {
                    Ok(false) => { "the runner of " (left.deployment.id) " died" },
                    _ => { "held by what " (left.deployment.id) " left running" },
                }
            }
        }
        @for problem in overview.problems_of(filter) {
            p class="notice bad" {
                strong { (problem.refusal.shown_path()) } ": "
                (cells::long_text(&problem.refusal.message))
            }
        }
        @for untold in &overview.untold {
            @for remark in untold.remarks() {
                p class="notice wait" { strong { (untold.name) } ": " (cells::long_text(&remark)) }
            }
        }
    }
}

/// One application in one environment.
fn cell(links: &Links, row: &StatusRow) -> Markup {
    html! {
        td class=(cells::attention(row)) {
            div class="top" {
                span {
                    @match &row.deployed {
                        Some(deployed) => (cells::hash(links, &row.application, deployed)),
                        None => "–",
                    }
                    @if row.is_due() != Some(false) {
                        span class="wanted" {
                            i aria-hidden="true" { " → " } span class="hidden" { " wanted: " }
                            (cells::wanted(links, row))
                        }
                    }
                }
                @if let Some(standing) = row.status {
                    @match row.deployment {
                        Some(id) => a class="status" href=(links.deployment(id)) {
                            (cells::standing(standing)) " " (id)
                        },
                        None => (cells::standing(standing)),
                    }
                }
            }
            (small(row))
        }
    }
}

/// Since when, by whom, and what people should know.
fn small(row: &StatusRow) -> Markup {
    let succeeded = Some(Standing::Deployment(Status::Succeeded));
    html! {
        div class="small" {
            @if let Some(since) = row.since { (cells::ago(since)) }
            @if let Some(pusher) = &row.pusher { " by " (cells::person(Some(pusher))) }
        }
        @if !row.holds.is_empty() {
            div class="small" {
                span class="chip wait" { i aria-hidden="true" { "↶" } "held back" }
            }
        }
        @if let Some(id) = row.held_by {
            div class="small" { "held by what " (id) " left running" }
        }
        @if let Some(problem) = &row.problem {
            div class="small" { (cells::text(&problem.message)) }
        } @else if let Some(remark) = row.remark.as_ref().filter(|_| row.status != succeeded) {
            div class="small" { (cells::text(remark)) }
        }
    }
}
