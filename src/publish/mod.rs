//! Notifies others of events. Each notifier reads the events of the state, from a position of its
//! own.

mod syslog;

pub use syslog::to_syslog;
