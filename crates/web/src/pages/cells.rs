//! Parts that several pages have: a status, a time, a hash, a person.

use std::collections::BTreeMap;
use std::time::Duration;

use deploy_by_code::id::{Application, DeploymentId, Revision};
use deploy_by_code::report::{Colour, Standing, StatusRow, colour};
use deploy_by_code::status::Status;
use deploy_by_code::sys::clock;
use deploy_by_code::text::escape;
use deploy_by_code::time::{Timestamp, show_ago, show_duration};
use maud::{Markup, html};

use super::links::Links;

/// The longest name or reason in a table, in characters.
const CELL_MAX: usize = 200;

/// How a status is shown: the class that colours it, its shape, and its word.
type Look = (&'static str, &'static str, &'static str);

fn look(standing: Standing) -> Look {
    let status = match standing {
        Standing::Deployment(status) => status,
        Standing::Retired => return ("plain", "–", "retired"),
        Standing::Problem => return ("bad", "!", "problem"),
        Standing::Pending => return ("wait", "○", "pending"),
    };
    let class = match colour(status) {
        Colour::Good => "good",
        Colour::Bad => "bad",
        Colour::Attention if status == Status::Running => "busy",
        Colour::Attention => "wait",
        Colour::Plain => "plain",
    };
    let shape = match status {
        Status::Queued => "○",
        Status::Running => "▶",
        Status::Succeeded => "●",
        Status::Failed => "✖",
        Status::Cancelled => "■",
        Status::Superseded => "◇",
        Status::Skipped => "»",
        Status::Interrupted => "▲",
    };
    (class, shape, status.as_str())
}

/// A status by colour, shape and word.
pub(super) fn standing(standing: Standing) -> Markup {
    let (class, shape, word) = look(standing);
    html! { span class={ "chip " (class) } { i aria-hidden="true" { (shape) } (word) } }
}

/// The status of a deployment.
pub(super) fn status(status: Status) -> Markup {
    standing(Standing::Deployment(status))
}

/// The class that colours what belongs to a deployment.
pub(super) fn class(status: Status) -> &'static str {
    look(Standing::Deployment(status)).0
}

/// How many have each status; first what is not as it should be.
pub(super) fn tally(rows: &[StatusRow]) -> Markup {
    let mut counts: BTreeMap<(usize, Look), usize> = BTreeMap::new();
    for one in rows.iter().filter_map(|row| row.status).map(look) {
        let order = ["bad", "busy", "wait", "plain", "good"];
        let place = order.iter().position(|class| *class == one.0);
        *counts.entry((place.unwrap_or_default(), one)).or_default() += 1;
    }
    html! {
        @for ((_, (class, shape, word)), count) in counts {
            span class={ "chip " (class) } { i aria-hidden="true" { (shape) } (count) " " (word) }
            " "
        }
    }
}

/// The class of what shows an application in an environment: whether it stands out, and why.
pub(super) fn attention(row: &StatusRow) -> &'static str {
    // What is not known to be as wanted stands out too.
    let is_due = row.is_due() != Some(false);
    match row.status.map(|standing| look(standing).0) {
        Some("bad") if is_due || row.problem.is_some() => "due bad",
        Some("busy") if is_due => "due busy",
        _ if is_due => "due",
        _ => "",
    }
}

/// The revision that is wanted, or a dash.
pub(super) fn wanted(links: &Links, row: &StatusRow) -> Markup {
    html! {
        @match &row.wanted {
            Some(wanted) => (hash(links, &row.application, wanted)),
            None if row.is_wanted_known => "–",
            None => span class="small" { "not known" },
        }
    }
}

/// A point in time: how long ago it was, and the time itself on hover.
pub(super) fn ago(time: Timestamp) -> Markup {
    let ago = show_ago(clock::now().since(time));
    html! { time datetime=(time) title={ (time.minute()) " UTC" } { (ago) } }
}

/// A point in time itself.
pub(super) fn at(time: Timestamp) -> Markup {
    html! { time datetime=(time) { (time.minute()) } }
}

/// A length of time.
pub(super) fn lasted(length: Option<Duration>) -> Markup {
    html! { @if let Some(length) = length { (show_duration(length)) } @else { "–" } }
}

/// A short hash that leads to the commit on the forge, if that is known.
pub(super) fn hash(links: &Links, application: &Application, revision: &Revision) -> Markup {
    let short = html! { code title=(revision.as_str()) { (revision.short()) } };
    match links.commit(application, revision) {
        Some(url) => html! { a href=(url) { (short) } },
        None => short,
    }
}

/// A deployment by its number.
pub(super) fn deployment(links: &Links, id: DeploymentId) -> Markup {
    html! { a href=(links.deployment(id)) { (id) } }
}

/// Text that somebody else wrote, on one line.
pub(super) fn text(text: &str) -> String {
    escape(text, CELL_MAX)
}

/// The same, longer.
pub(super) fn long_text(text: &str) -> String {
    escape(text, 2000)
}

/// A person, or a dash.
pub(super) fn person(name: Option<&str>) -> String {
    name.map_or_else(|| "–".to_owned(), |name| escape(name, 64))
}
