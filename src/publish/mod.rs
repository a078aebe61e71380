//! Notifies others of events. Each notifier reads the events of the state, from a position of its
//! own.

mod audience;
mod backlog;
mod gone;
mod mark_refs;
mod mark_work;
mod mark_writers;
mod marks;
mod recipient;
mod syslog;
mod target_faults;
mod tell;
#[cfg(test)]
mod tell_tests;

pub use audience::{Audience, MARKS, METRICS, STATUS, publishers, reader_of, target_of, wants};
pub use backlog::{Backlog, backlog};
pub use gone::give_up_gone;
pub use marks::mark_all;
pub use recipient::{Recipient, Told};
pub use target_faults::{TargetFault, target_faults};
pub use tell::{AGE_MAX, PAUSE_MAX, PAUSE_MIN, tell_all};
