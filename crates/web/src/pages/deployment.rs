//! One deployment: everything that is recorded of it, its commits, and its output as it grows.

use std::time::Duration;

use deploy_by_code::id::{Application, DeploymentId, Revision};
use deploy_by_code::report::{CommitsRow, DeploymentRow, NotificationRow, entry_lines};
use deploy_by_code::store::{Deployment, NotificationStatus};
use deploy_by_code::time::{Timestamp, show_duration};
use deploy_by_code::verbs;
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

/// The page of a deployment.
pub(crate) fn deployment(
    repository: &Repository,
    links: &Links,
    id: DeploymentId,
) -> Result<Reply, Fault> {
    let (deployment, row, told, why, log, asked) = repository.look(|view| {
        let deployment = view.deployment(id)?;
        let row = view.row(&deployment)?;
        let told = verbs::notifications_of(&view.deploy, &*view.store.read()?, &deployment)?;
        let entry = |commit| entry_lines(&view.deploy, commit, &deployment);
        let why = deployment
            .deploy_commit
            .as_ref()
            .map(entry)
            .unwrap_or_default();
        let path = view.deploy.application_repository(&deployment.target);
        let asked = path.zip(deployment.previous_revision.clone());
        let folder = view.deploy.subdirectory(&deployment.target);
        let asked = asked.map(|(path, from)| commits(path, folder, &deployment, from));
        Ok((deployment, row, told, why, view.log_file(id).ok(), asked))
    })?;
    let mut answers = repository
        .commits
        .between(asked.into_iter().flatten().collect());
    let lost = answers.pop();
    let gained = answers.pop();
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
            @if !why.is_empty() {
                blockquote { @for line in &why { (cells::text(line)) br; } }
            }
            (changes(links, application, gained.as_ref(), lost.as_ref()))
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

/// What the application's repository is asked: the commits that were gained, and those lost.
fn commits(
    path: std::path::PathBuf,
    folder: Option<String>,
    deployment: &Deployment,
    from: Revision,
) -> [Asked; 2] {
    let to = deployment.revision.clone();
    let asked = |without: &Revision, to: &Revision| Asked {
        path: path.clone(),
        folder: folder.clone(),
        without: without.clone(),
        to: to.clone(),
    };
    [asked(&from, &to), asked(&to, &from)]
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

fn changes(
    links: &Links,
    application: &Application,
    gained: Option<&CommitsRow>,
    lost: Option<&CommitsRow>,
) -> Markup {
    html! {
        @match gained {
            None => p class="none" { "Nothing to compare with." },
            Some(gained) => {
                h3 { "Gained" } (commits_list(links, application, gained))
            },
        }
        @if let Some(lost) = lost.filter(|lost| lost.count != Some(0) && lost.unknown.is_none()) {
            h3 { "Lost" } (commits_list(links, application, lost))
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
