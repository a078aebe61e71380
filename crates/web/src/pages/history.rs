//! A table of deployments.

use deploy_by_code::report::duration;
use deploy_by_code::store::Deployment;
use maud::{Markup, html};

use super::cells;
use super::layout::nothing;
use super::links::Links;

/// How many deployments are on one page.
pub(super) const SHOWN: usize = 50;

/// Deployments, with a link to the older ones. `path`: that of the page; `None`: there are no
/// others.
pub(super) fn history(links: &Links, rows: &[Deployment], path: Option<&str>) -> Markup {
    let oldest = rows
        .last()
        .filter(|_| rows.len() >= SHOWN)
        .map(|last| last.id.0);
    html! {
        @if rows.is_empty() {
            (nothing("No deployment."))
        } @else {
            div class="scroll" role="region" aria-label="History" tabindex="0" {
                table {
                    thead { tr {
                        th scope="col" { "Number" } th scope="col" { "Status" }
                        th scope="col" { "Application" } th scope="col" { "Revision" }
                        th scope="col" { "Queued" } th scope="col" { "By" }
                        th scope="col" { "Took" } th scope="col" { "Summary" }
                    } }
                    tbody { @for row in rows { (one(links, row)) } }
                }
            }
        }
        @if let (Some(oldest), Some(path)) = (oldest, path) {
            p { a href={ (path) "?before=" (oldest) } { "Older deployments" } }
        }
    }
}

fn one(links: &Links, row: &Deployment) -> Markup {
    let target = &row.target;
    let pusher = row.pusher.as_ref().map(|pusher| pusher.name.as_str());
    html! {
        tr {
            td { (cells::deployment(links, row.id)) }
            td { (cells::status(row.status)) @if row.overrides_freeze { " override" } }
            td {
                a href=(links.environment(&target.environment)) { (target.environment) } "/"
                a href=(links.application(&target.application)) { (target.application) }
            }
            td { (cells::hash(links, &target.application, &row.revision)) }
            td { (cells::ago(row.queued_at)) }
            td { (cells::person(pusher)) }
            td { (cells::lasted(duration(row))) }
            td class="wide" { (cells::text(row.summary.as_deref().unwrap_or_default())) }
        }
    }
}
