//! One application: its environments side by side, what one has and another one lacks, and its
//! history.

use std::collections::BTreeMap;

use deploy_by_code::id::{Application, DeploymentId, Environment, Revision, Target};
use deploy_by_code::report::{CommitsRow, StatusRow};
use deploy_by_code::store::Deployment;
use maud::{Markup, html};

use super::cells;
use super::history::{SHOWN, history};
use super::layout::{Page, reply};
use super::links::Links;
use crate::commits::Asked;
use crate::fault::Fault;
use crate::reply::Reply;
use crate::site::Repository;
use crate::view::View;

/// How many environments are compared with each other.
const COMPARED_MAX: usize = 6;

/// How many deployments are shown with what they gained and lost.
const STEPS_SHOWN: usize = 10;

/// What a page shows of an application.
struct Known {
    rows: Vec<StatusCell>,
    past: Vec<Deployment>,
    /// The environments of which one has what another one lacks: who has it, who lacks it.
    pairs: Vec<(Environment, Environment)>,
    asked: Vec<Asked>,
    /// The deployments whose commits are asked for, each by what it gained and what it lost.
    steps: Vec<DeploymentId>,
}

/// One environment.
struct StatusCell {
    environment: Environment,
    deployed: Option<Revision>,
    wanted: Option<Revision>,
    class: &'static str,
    content: Markup,
}

/// The page of an application. `before`: only its deployments with lower numbers.
pub(crate) fn application(
    repository: &Repository,
    links: &Links,
    name: &Application,
    before: Option<DeploymentId>,
) -> Result<Reply, Fault> {
    let known = repository.look(|view| look(view, links, name, before))?;
    // The repositories are asked when nobody waits for this look any more.
    let mut answers = repository.commits.between(known.asked).into_iter();
    let lacks: Vec<_> = known.pairs.into_iter().zip(answers.by_ref()).collect();
    let mut steps = BTreeMap::new();
    for id in known.steps {
        steps.insert(id, (answers.next(), answers.next()));
    }

    let path = links.application(name);
    let content = html! {
        section id="environments" data-live {
            h2 { "Environments" }
            div class="scroll" role="region" aria-label="Environments" tabindex="0" {
                table {
                    thead { tr {
                        th scope="col" { "Environment" } th scope="col" { "Deployed" }
                        th scope="col" { "Wanted" } th scope="col" { "Status" }
                    } }
                    tbody {
                        @for cell in &known.rows { (row(links, name, cell)) }
                    }
                }
            }
        }
        section id="differences" data-live {
            h2 { "What one has and another one lacks" }
            @let lacking = lacks.iter().filter(|(_, commits)| commits.count != Some(0));
            @let lacking: Vec<_> = lacking.collect();
            @if lacking.is_empty() {
                p class="none" { "No environment lacks what another one has." }
            }
            @for ((has, without), commits) in lacking {
                h3 { (has) " has, " (without) " lacks" }
                (commits_list(links, name, commits))
            }
        }
        section id="history" data-live {
            h2 { "History" }
            (history(links, &known.past, Some(&path)))
            @for one in known.past.iter().filter(|one| steps.contains_key(&one.id)) {
                @if let Some((Some(gained), Some(lost))) = steps.get(&one.id) {
                    details {
                        summary {
                            (one.id) " " (one.target.environment) ": "
                            (gained.in_words("gained").unwrap_or_default())
                            @if lost.count != Some(0) {
                                ", " (lost.in_words("lost").unwrap_or_default())
                            }
                        }
                        (commits_list(links, name, gained))
                        @if lost.count != Some(0) {
                            p class="notice bad" { "Lost:" }
                            (commits_list(links, name, lost))
                        }
                    }
                }
            }
        }
    };
    let title = name.as_str();
    let feed = Some(format!("{path}/feed.atom"));
    Ok(reply(
        links,
        Page {
            title,
            kind: "Application",
            feed,
            content,
        },
    ))
}

/// Collects what the page shows, and what it has to ask.
fn look(
    view: &mut View,
    links: &Links,
    name: &Application,
    before: Option<DeploymentId>,
) -> Result<Known, Fault> {
    let overview = view.overview_with_application(name)?;
    let past = view.history_of(name, &overview, before, SHOWN)?;
    let own = overview.rows.iter().filter(|row| row.application == *name);
    let own: Vec<&StatusRow> = own.collect();

    let mut asked = Vec::new();
    let mut pairs = Vec::new();
    let mut ask = |target: &Target, without: &Revision, to: &Revision| {
        asked.push(view.question(target, without, to)?);
        Some(())
    };
    let compared = own
        .iter()
        .filter_map(|row| Some((*row, row.deployed.as_ref()?)));
    let compared: Vec<_> = compared.take(COMPARED_MAX).collect();
    for (one, has) in &compared {
        for (other, lacks) in &compared {
            if has != lacks && ask(&one.target(), lacks, has).is_some() {
                pairs.push((one.environment.clone(), other.environment.clone()));
            }
        }
    }
    let mut steps = Vec::new();
    for one in past.iter().take(STEPS_SHOWN) {
        if let Some(from) = &one.previous_revision
            && ask(&one.target, from, &one.revision).is_some()
            && ask(&one.target, &one.revision, from).is_some()
        {
            steps.push(one.id);
        }
    }

    let cell = |row: &&StatusRow| {
        let content = html! {
            @if let Some(standing) = row.status { (cells::standing(standing)) " " }
            @if let Some(id) = row.deployment { (cells::deployment(links, id)) " " }
            @if let Some(since) = row.since { (cells::ago(since)) }
            @if let Some(pusher) = &row.pusher { " by " (cells::person(Some(pusher))) }
            @if let Some(remark) = &row.remark { " – " (cells::text(remark)) }
            @for hold in &row.holds {
                div class="small" {
                    "held back: " code { (hold.revision.short()) } ", rolled back by " (hold.by)
                    ": " (cells::text(&hold.reason))
                }
            }
        };
        StatusCell {
            environment: row.environment.clone(),
            deployed: row.deployed.clone(),
            wanted: row.wanted.clone(),
            class: cells::attention(row),
            content,
        }
    };
    Ok(Known {
        rows: own.iter().map(cell).collect(),
        past,
        pairs,
        asked,
        steps,
    })
}

fn row(links: &Links, name: &Application, cell: &StatusCell) -> Markup {
    let hash = |revision: &Option<Revision>| {
        html! {
            @match revision {
                Some(revision) => (cells::hash(links, name, revision)),
                None => "–",
            }
        }
    };
    html! {
        tr class=(cell.class) {
            th scope="row" { a href=(links.environment(&cell.environment)) { (cell.environment) } }
            td { (hash(&cell.deployed)) }
            td class="wanted" { (hash(&cell.wanted)) }
            td class="wide" { (cell.content) }
        }
    }
}

/// Commits, newest first.
pub(super) fn commits_list(links: &Links, name: &Application, commits: &CommitsRow) -> Markup {
    html! {
        @if let Some(why) = &commits.unknown {
            p class="none" { "The repository can't tell: " (cells::text(why)) }
        } @else {
            p { (commits.in_words("").unwrap_or_default()) }
            ul class="commits" {
                @for commit in &commits.newest {
                    li {
                        (cells::hash(links, name, &commit.id)) " " (cells::text(&commit.subject))
                        span class="small" {
                            " " (cells::person(Some(&commit.author))) ", "
                            (cells::ago(commit.committed_at))
                        }
                    }
                }
            }
            @let more = commits.listed().saturating_sub(commits.newest.len() as u64);
            @if more > 0 { p class="small" { (more) " more" } }
        }
    }
}
