//! Telling of events. Whoever tells reads the events of the state, from a position of its own.

mod syslog;

pub use syslog::to_syslog;
