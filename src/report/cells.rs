//! Cells that listings share.

use super::table::Colour;
use crate::identity::{Evidence, Identity};
use crate::status::Status;
use crate::text;

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

/// A name that somebody else chose.
#[must_use]
pub fn name_cell(name: Option<&str>) -> String {
    name.map_or_else(|| "-".to_owned(), |name| text::escape(name, 24))
}

/// Who acted, and how that is known.
#[must_use]
pub fn who_cell(who: Option<&Identity>) -> String {
    let name = name_cell(who.map(|who| who.name.as_str()));
    match who.map(|who| who.evidence) {
        None | Some(Evidence::Unrecorded) => name,
        Some(evidence) => format!("{name} ({evidence})"),
    }
}
