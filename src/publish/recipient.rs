//! Somebody who is told of events, and what a try comes to.

use std::ops::ControlFlow;

use crate::deploy_repository::ConfigError;
use crate::event::Event;
use crate::id::EventId;
use crate::store::{self, Addressees, RecordedEvent, Store};

/// What became of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The other side took it. Its answer, which may be empty.
    Delivered(String),
    /// It may work later. Why it did not work.
    Later(String),
    /// It will never work. Why.
    Refused(String),
    /// It goes to several people. Some are put off, and for the others nothing is left to try.
    Partly {
        /// Who does not have it, and why.
        why: String,
        /// Whether it counts as delivered if those who are put off never get it.
        is_enough: bool,
    },
}

/// Somebody who is told of events.
pub trait Recipient {
    /// Looks at the configuration once more. `Break`: this recipient is not told any more.
    ///
    /// # Errors
    /// The configuration can't be used. The one from before stays in force.
    fn refresh(&mut self) -> Result<ControlFlow<()>, ConfigError>;

    /// Whether it is told of an event.
    fn wants(&self, event: &Event) -> bool;

    /// Up to which event a recipient that was never told of anything counts as told.
    ///
    /// # Errors
    /// The state can't be read.
    fn begins_after(&self, store: &mut Store) -> Result<EventId, store::Error>;

    /// Why this process can't tell it anything, though a process of another user can. `None`:
    /// nothing of that kind is known.
    fn obstacle(&self) -> Option<String> {
        None
    }

    /// Sends a line about a failure to the system log.
    fn report_failure(&self, message: &str);

    /// Tells it of an event. `settled` has those of several people for whom nothing is left to try,
    /// and those are added to it for whom that is so now.
    fn tell(&mut self, store: &mut Store, event: &RecordedEvent, settled: &mut Addressees) -> Told;
}
