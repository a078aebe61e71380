//! Parts that several pages have: a status, a time, a hash, a person.

use std::time::Duration;

use deploy_by_code::id::{Application, DeploymentId, Revision};
use deploy_by_code::report::{Colour, Standing, colour};
use deploy_by_code::status::Status;
use deploy_by_code::sys::clock;
use deploy_by_code::text::escape;
use deploy_by_code::time::{Timestamp, show_ago, show_duration};
use maud::{Markup, html};

use super::links::Links;

/// The longest name or reason in a table, in characters.
const CELL_MAX: usize = 200;

/// A status by colour, shape and word.
pub(super) fn standing(standing: Standing) -> Markup {
    match standing {
        Standing::Deployment(status) => self::status(status),
        Standing::Retired => chip("plain", "–", "retired"),
        Standing::Problem => chip("bad", "!", "problem"),
        Standing::Pending => chip("wait", "○", "pending"),
    }
}

/// The status of a deployment.
pub(super) fn status(status: Status) -> Markup {
    let class = match colour(status) {
        Colour::Good => "good",
        Colour::Bad => "bad",
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
    chip(class, shape, status.as_str())
}

fn chip(class: &str, shape: &str, word: &str) -> Markup {
    html! { span class={ "chip " (class) } { i aria-hidden="true" { (shape) } (word) } }
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
