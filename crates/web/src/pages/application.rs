//! One application: its environments side by side, what one has and another one lacks, and its
//! history.

use std::collections::BTreeMap;

use deploy_by_code::id::{Application, DeploymentId, Environment};
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
    compared: Compared,
    asked: Vec<Asked>,
    /// The deployments whose commits are asked for, each by what it gained and what it lost.
    steps: Vec<DeploymentId>,
}

/// Which environments are compared.
#[derive(Default)]
struct Compared {
    /// In how many of them something is deployed.
    deployed: usize,
    /// Of which one has what another one may lack: who has it, who may lack it. Commits are asked
    /// for each of them.
    pairs: Vec<(Environment, Environment)>,
    /// For which no repository is configured, so that nobody can be asked what they have.
    without_repository: Vec<Environment>,
}

/// One environment.
struct StatusCell {
    environment: Environment,
    class: &'static str,
    deployed: Markup,
    wanted: Markup,
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
    let pairs = known.compared.pairs.iter();
    let lacks: Vec<_> = pairs.zip(answers.by_ref()).collect();
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
                        @for cell in &known.rows { (row(links, cell)) }
                    }
                }
            }
        }
        section id="differences" data-live {
            h2 { "What one has and another one lacks" }
            @let lacking = lacks.iter().filter(|(_, commits)| commits.count != Some(0));
            @let lacking: Vec<_> = lacking.collect();
            (remarks(&known.compared, lacking.is_empty()))
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
                            (in_words(gained, "gained"))
                            @if lost.count != Some(0) { ", " (in_words(lost, "lost")) }
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

    let (mut asked, mut compared) = (Vec::new(), Compared::default());
    let deployed = own
        .clone()
        .filter_map(|row| Some((row, row.deployed.as_ref()?)));
    let deployed: Vec<_> = deployed.collect();
    compared.deployed = deployed.len();
    let first = || deployed.iter().take(COMPARED_MAX);
    for (one, has) in first() {
        for (other, lacks) in first().filter(|(_, lacks)| lacks != has) {
            let Some(question) = view.question(&one.target(), lacks, has) else {
                compared.without_repository.push(one.environment.clone());
                break;
            };
            asked.push(question);
            let pair = (one.environment.clone(), other.environment.clone());
            compared.pairs.push(pair);
        }
    }
    let mut steps = Vec::new();
    for one in past.iter().take(STEPS_SHOWN) {
        if let Some(from) = &one.previous_revision
            && let Some(gained) = view.question(&one.target, from, &one.revision)
            && let Some(lost) = view.question(&one.target, &one.revision, from)
        {
            asked.extend([gained, lost]);
            steps.push(one.id);
        }
    }

    let cell = |row: &StatusRow| {
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
        let deployed = html! {
            @match &row.deployed {
                Some(deployed) => (cells::hash(links, name, deployed)),
                None => "–",
            }
        };
        StatusCell {
            environment: row.environment.clone(),
            class: cells::attention(row),
            deployed,
            wanted: cells::wanted(links, row),
            content,
        }
    };
    Ok(Known {
        rows: own.map(cell).collect(),
        past,
        compared,
        asked,
        steps,
    })
}

/// What is to be said of what was compared, and of what was not. `is_equal`: nothing was found that
/// one has and another one lacks, and no answer is missing.
fn remarks(compared: &Compared, is_equal: bool) -> Markup {
    let without = &compared.without_repository;
    let is_cut = compared.deployed > COMPARED_MAX;
    html! {
        @if compared.deployed < 2 {
            p class="none" { "It is deployed in fewer than two environments." }
        } @else if is_equal && without.is_empty() {
            p class="none" {
                @match is_cut {
                    true => { "Of the first " (COMPARED_MAX) " environments, none lacks" },
                    false => { "No environment lacks" },
                }
                " what another one has."
            }
        }
        @if !without.is_empty() {
            p class="notice wait" {
                "It is not known what others lack of "
                @for (index, name) in without.iter().enumerate() {
                    @if index > 0 { ", " } (name)
                }
                ": no repository is configured for the application there."
            }
        }
        @if is_cut {
            p class="notice wait" {
                "Only the first " (COMPARED_MAX) " of " (compared.deployed)
                " environments are compared."
            }
        }
    }
}

/// How many commits were gained or lost, where `what` says which of the two.
fn in_words(commits: &CommitsRow, what: &str) -> String {
    let words = commits.in_words(what);
    words.unwrap_or_else(|| format!("it is not known which commits were {what}"))
}

fn row(links: &Links, cell: &StatusCell) -> Markup {
    html! {
        tr class=(cell.class) {
            th scope="row" { a href=(links.environment(&cell.environment)) { (cell.environment) } }
            td { (cell.deployed) }
            td class="wanted" { (cell.wanted) }
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
