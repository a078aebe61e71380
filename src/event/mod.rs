//! What happened, as data. Pure.
//!
//! Events are rows of the state. The transaction that changes something also writes its event, and
//! everything that notifies somebody reads these rows. [`Event::line`] is the form for syslog: a
//! word and `key=value` pairs.

mod kinds;
mod line;

pub use kinds::{Event, Severity};
pub use line::failure_line;
