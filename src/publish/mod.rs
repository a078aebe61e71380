//! Notifies others of events. Each notifier reads the events of the state, from a position of its
//! own.

mod audience;
mod mark_refs;
mod mark_work;
mod marks;
mod syslog;
mod tell;

pub use audience::{Audience, MARKS, METRICS, STATUS, publishers, reader_of, recorded_as, wants};
pub use marks::mark_all;
pub use tell::{AGE_MAX, PAUSE_MAX, PAUSE_MIN, Recipient, Told, tell_all};
