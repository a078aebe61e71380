//! Notifies others of events. Each notifier reads the events of the state, from a position of its
//! own.

mod audience;
mod backlog;
mod mark_refs;
mod mark_work;
mod mark_writers;
mod marks;
mod syslog;
mod target_faults;
mod tell;

pub use audience::{
    Audience, MARKS, METRICS, STATUS, forget_gone, publishers, reader_of, target_of, wants,
};
pub use backlog::{Backlog, backlog};
pub use marks::mark_all;
pub use target_faults::{TargetFault, target_faults};
pub use tell::{AGE_MAX, PAUSE_MAX, PAUSE_MIN, Recipient, Told, tell_all};
