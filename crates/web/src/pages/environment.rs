//! One environment: what waits, what runs, and its history.

use deploy_by_code::id::{DeploymentId, Environment};
use deploy_by_code::status::Status;
use deploy_by_code::store::{Deployment, Filter};
use maud::html;

use super::cells;
use super::history::{SHOWN, history};
use super::layout::{Page, nothing, reply};
use super::links::Links;
use super::matrix::notices;
use crate::fault::Fault;
use crate::reply::Reply;
use crate::site::Repository;

/// How many waiting deployments are shown.
const WAITING_SHOWN: usize = 200;

/// The page of an environment. `before`: only its deployments with lower numbers.
pub(crate) fn environment(
    repository: &Repository,
    links: &Links,
    name: &Environment,
    before: Option<DeploymentId>,
) -> Result<Reply, Fault> {
    let filter = Filter {
        environment: Some(name.clone()),
        application: None,
    };
    let (overview, mut open, past) = repository.look(|view| {
        let overview = view.overview_with(&filter)?;
        let open = view.open_deployments(name)?;
        Ok((overview, open, view.history(&filter, before, SHOWN)?))
    })?;
    let waiting = open.len();
    open.truncate(WAITING_SHOWN);

    let path = links.environment(name);
    let line = |one: &Deployment| {
        html! {
            li {
                (cells::deployment(links, one.id)) " "
                a href=(links.application(&one.target.application)) { (one.target.application) } " "
                (cells::hash(links, &one.target.application, &one.revision)) " "
                (cells::status(one.status)) " "
                @match one.status {
                    Status::Running => @if let Some(at) = one.started_at { (cells::ago(at)) },
                    _ => (cells::ago(one.queued_at)),
                }
                @if let Some(reason) = &one.reason { " " (cells::text(reason)) }
            }
        }
    };
    let content = html! {
        div id="notices" data-live { (notices(&overview, &filter)) }
        section id="open" data-live {
            h2 { "Running and waiting" }
            @if open.is_empty() { (nothing("Nothing runs, and nothing waits.")) }
            @else {
                ul class="queue" { @for one in &open { (line(one)) } }
                @if waiting > open.len() { p { (waiting - open.len()) " more wait." } }
            }
        }
        section id="history" data-live {
            h2 { "History" }
            (history(links, &past, Some(&path)))
        }
    };
    let title = name.as_str();
    let feed = Some(format!("{path}/feed.atom"));
    Ok(reply(
        links,
        Page {
            title,
            kind: "Environment",
            feed,
            content,
        },
    ))
}
