//! Cells of tables that several listings have.

use std::time::Duration;

use super::table::Colour;
use crate::identity::{Evidence, Identity};
use crate::status::Status;
use crate::text;
use crate::time::show_duration;

/// The longest summary that is shown, in characters.
const SUMMARY_MAX: usize = 200;

/// The colour of a status.
#[must_use]
pub fn colour(status: Status) -> Colour {
    match status {
        Status::Succeeded => Colour::Good,
        Status::Failed | Status::Interrupted => Colour::Bad,
        Status::Queued | Status::Running | Status::Skipped | Status::Cancelled => Colour::Attention,
        Status::Superseded => Colour::Plain,
    }
}

/// A name, which somebody else chose, made safe to show; `-` for none.
#[must_use]
pub fn name_cell(name: Option<&str>) -> String {
    name.map_or_else(|| "-".to_owned(), |name| text::escape(name, 24))
}

/// What is deployed, in words that somebody else wrote, made safe to show; nothing for none.
#[must_use]
pub fn summary_cell(summary: Option<&str>) -> String {
    text::escape(summary.unwrap_or_default(), SUMMARY_MAX)
}

/// How long something took; `-` where that is not known.
#[must_use]
pub fn duration_cell(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "-".to_owned(), show_duration)
}

/// The name of the person who acted, and how it is known.
#[must_use]
pub fn who_cell(who: Option<&Identity>) -> String {
    let name = name_cell(who.map(|who| who.name.as_str()));
    match who.map(|who| who.evidence) {
        None | Some(Evidence::Unrecorded) => name,
        Some(evidence) => format!("{name} ({evidence})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_acted_is_shown_with_the_evidence() {
        let who = |name: &str, evidence| who_cell(Some(&Identity::new(name, evidence)));
        assert_eq!(who_cell(None), "-");
        assert_eq!(who("alice", Evidence::SshKey), "alice (ssh key)");
        assert_eq!(who("alice", Evidence::Unrecorded), "alice");
        assert_eq!(who("a\nb", Evidence::Unix), "a\\nb (unix)");
    }
}
