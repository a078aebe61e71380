//! One deployment: everything that is recorded of it, its commits, and its output as it grows.

use std::time::Duration;

use deploy_by_code::id::{Application, DeploymentId, Revision};
use deploy_by_code::report::{CommitsRow, DeploymentRow, NotificationRow};
use deploy_by_code::store::{Deployment, NotificationStatus};
use deploy_by_code::text::with_causes;
use deploy_by_code::time::{Timestamp, show_duration};
use maud::{Markup, html};

use super::application::commits_list;
use super::cells;
use super::layout::{Page, reply};
use super::links::Links;
use crate::commits::Asked;
use crate::fault::Fault;
use crate::log_page::LogEnd;
use crate::reply::Reply;
use crate::site::Repository;
use crate::view::View;

/// The page of a deployment.
pub(crate) fn deployment(
    repository: &Repository,
    links: &Links,
    id: DeploymentId,
) -> Result<Reply, Fault> {
    let (deployment, row, told, entry, log, comparison) = repository.look(|view| {
        let deployment = view.deployment(id)?;
        let row = view.row(&deployment)?;
        let told = view.notifications_of(&deployment)?;
        let entry = view.entry(&deployment);
        let comparison = Comparison::of(view, &deployment);
        let log = view.log_file(id).ok();
        Ok((deployment, row, told, entry, log, comparison))
    })?;
    // The repository is asked when nobody waits for this look any more.
    let comparison = match comparison {
        Comparison::Possible(asked) => {
            let commits = repository.commits.between(asked.into());
            Comparison::Possible(<[CommitsRow; 2]>::try_from(commits).map_err(|_| Fault::Broken)?)
        }
        Comparison::First => Comparison::First,
        Comparison::NoRepository => Comparison::NoRepository,
    };
    let log = log.map(|file| LogEnd::read(file, row.status.has_ended()));

    let application = &row.application;
    let content = html! {
        div id="facts" data-live {
            p class="what" {
                a href=(links.environment(&row.environment)) { (row.environment) } " / "
                a href=(links.application(application)) { (application) } " "
                (cells::status(row.status))
                @if let Some(summary) = &row.summary { " " (cells::text(summary)) }
            }
            @if let Some(reason) = &row.reason {
                p class={ "notice " (cells::class(row.status)) } { (cells::long_text(reason)) }
            }
            (facts(links, &row, &deployment))
            (phases(&row))
            (rules(&row))
        }
        section id="commits" {
            h2 { "Commits" }
            @match &entry {
                Ok(lines) if lines.is_empty() => {},
                Ok(lines) => blockquote { @for line in lines { (cells::text(line)) br; } },
                Err(error) => p class="notice bad" {
                    "It can't be read what the deploy file says: "
                    (cells::long_text(&with_causes(error)))
                },
            }
            (changes(links, application, &comparison))
        }
        section id="told" data-live {
            @if !told.is_empty() { h2 { "Notifications" } (notifications(&told)) }
        }
        section id="output" {
            h2 { "Output" }
            @match &log {
                None => p class="none" { "This page does not show the output of deployments." },
                Some(log) => (output(links, id, log, row.status.has_ended())),
            }
        }
    };
    let title = format!("Deployment {id}");
    let title = title.as_str();
    let feed = Some(format!("{}/feed.atom", links.application(application)));
    Ok(reply(
        links,
        Page {
            title,
            kind: "",
            feed,
            content,
        },
    ))
}

/// Whether it can be known which commits a deployment gained and which it lost, in this order: the
/// questions, or the answers.
enum Comparison<T> {
    /// Nothing was deployed before it.
    First,
    /// No repository is configured for the application.
    NoRepository,
    /// The repository can be asked.
    Possible([T; 2]),
}

impl Comparison<Asked> {
    fn of(view: &View, deployment: &Deployment) -> Self {
        let (target, to) = (&deployment.target, &deployment.revision);
        let Some(from) = &deployment.previous_revision else {
            return Self::First;
        };
        let gained = view.question(target, from, to);
        let lost = view.question(target, to, from);
        match gained.zip(lost) {
            Some((gained, lost)) => Self::Possible([gained, lost]),
            None => Self::NoRepository,
        }
    }
}

/// What is recorded, as a list of names and values.
fn facts(links: &Links, row: &DeploymentRow, deployment: &Deployment) -> Markup {
    let application = &row.application;
    let hash = |revision: &Revision| cells::hash(links, application, revision);
    let number = |id: DeploymentId| cells::deployment(links, id);
    let known_by = |by: Option<deploy_by_code::identity::Evidence>| {
        by.map_or_else(String::new, |by| format!(" ({by})"))
    };
    let length = |ms: Option<u64>| ms.map(Duration::from_millis).map(show_duration);
    let time = |name: &'static str, at: Option<Timestamp>| {
        html! {
            @if let Some(at) = at { dt { (name) } dd { (cells::at(at)) ", " (cells::ago(at)) } }
        }
    };
    html! {
        dl {
            dt { "Revision" } dd { (hash(&row.revision)) " " span class="small" { (row.revision) } }
            @if let Some(from) = &row.previous_revision { dt { "Before it" } dd { (hash(from)) } }
            @if let Some(back) = &row.rolled_back { dt { "Rolled back" } dd { (hash(back)) } }
            @if let Some(commit) = &row.deploy_commit {
                dt { "Deploy commit" } dd { code { (commit) } }
            }
            dt { "Pushed by" }
            dd { (cells::person(row.pusher.as_deref())) (known_by(row.pusher_known_by)) }
            @if let Some(author) = &row.author { dt { "Author" } dd { (cells::text(author)) } }
            @for approval in &row.approvals {
                dt { "Approved by" }
                dd { (cells::text(&approval.by)) " in " code { (approval.commit.short()) } }
            }
            @for exception in &row.exceptions {
                dt { "Exception: " (exception.kind.as_str()) } dd { (exception.shown(500)) }
            }
            @for hold in &row.holds { dt { "Holds back" } dd { code { (hold.revision.short()) } } }
            @if let Some(by) = &row.cancelled_by {
                dt { "Cancelled by" }
                dd { (cells::person(Some(by))) (known_by(row.cancelled_known_by)) }
            }
            @if let Some(by) = &row.released_by {
                dt { "Released by" }
                dd { (cells::person(Some(by))) (known_by(row.released_known_by)) }
            }
            @if let Some(of) = row.retry_of { dt { "Retry of" } dd { (number(of)) } }
            @if let Some(by) = row.superseded_by { dt { "Superseded by" } dd { (number(by)) } }
            dt { "Rollout" } dd { (row.rollout) }
            (time("Queued", Some(row.queued_at)))
            (time("Started", row.started_at))
            (time("Finished", row.finished_at))
            @if let Some(waited) = length(row.waited_ms) { dt { "Waited" } dd { (waited) } }
            @if let Some(took) = length(row.duration_ms) { dt { "Took" } dd { (took) } }
            @if let Some(status) = deployment.exit_status { dt { "Exit status" } dd { (status) } }
        }
    }
}

/// The phases, if there is more than the deployment itself.
fn phases(row: &DeploymentRow) -> Markup {
    html! {
        @if row.phases.len() > 1 {
            h2 { "Phases" }
            ul class="queue" {
                @for phase in &row.phases {
                    li {
                        strong { (phase.phase) } " " (cells::status(phase.status)) " "
                        @if let Some(ms) = phase.duration_ms {
                            (show_duration(Duration::from_millis(ms)))
                        }
                        @if let Some(reason) = &phase.reason { " " (cells::text(reason)) }
                    }
                }
            }
        }
    }
}

/// What the rules said when it was planned.
fn rules(row: &DeploymentRow) -> Markup {
    html! {
        @if !row.notes.is_empty() {
            h2 { "Rules" }
            ul class="queue" {
                @for note in &row.notes {
                    li {
                        strong { (cells::text(&note.rule)) } " " (cells::long_text(&note.message))
                    }
                }
            }
        }
    }
}

/// The commits that a deployment gained, and those that it lost.
fn changes(
    links: &Links,
    application: &Application,
    comparison: &Comparison<CommitsRow>,
) -> Markup {
    html! {
        @match comparison {
            Comparison::First => p class="none" {
                "Nothing was deployed before it, so there is nothing to compare it with."
            },
            Comparison::NoRepository => p class="none" {
                "It is not known which commits were gained and lost: no repository is configured \
                 for this application."
            },
            Comparison::Possible([gained, lost]) => {
                h3 { "Gained" } (commits_list(links, application, gained))
                h3 { "Lost" }
                @match lost.count {
                    Some(0) => p class="none" { "No commit was lost." },
                    _ => (commits_list(links, application, lost)),
                }
            },
        }
    }
}

fn notifications(told: &[NotificationRow]) -> Markup {
    html! {
        ul class="queue" {
            @for row in told {
                @let class = match row.status {
                    NotificationStatus::Delivered => "good",
                    NotificationStatus::Waiting | NotificationStatus::Partial => "wait",
                    _ => "bad",
                };
                li {
                    strong { (row.target) } " " (cells::text(&row.event)) " "
                    span class={ "chip " (class) } { (row.status) }
                    @if let Some(at) = row.last_attempt { " " (cells::ago(at)) }
                }
            }
        }
    }
}

/// The end of the output, and where all of it is.
fn output(links: &Links, id: DeploymentId, log: &LogEnd, has_ended: bool) -> Markup {
    let path = links.deployment(id);
    html! {
        @match log {
            LogEnd::Missing if has_ended => p class="none" { "There is no output." },
            LogEnd::Unreadable => p class="notice bad" { "The output can't be read." },
            LogEnd::Missing | LogEnd::Text { .. } => {
                @if log.is_cut() {
                    p { "This is the end of it. " a href={ (path) "/log" } { "All of the output" } }
                } @else {
                    p { a href={ (path) "/log" } { "Download" } }
                }
                pre id="log" tabindex="0" role="log" aria-label="Output" aria-live="off"
                    data-follow=[(!has_ended).then(|| format!("{path}/events"))]
                    data-from=(log.end()) {
                    @for span in log.spans() {
                        @let classes = span.style.classes();
                        @if classes.is_empty() { (span.text) }
                        @else { span class=(classes) { (span.text) } }
                    }
                }
            },
        }
    }
}
