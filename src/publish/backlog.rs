//! What waits for one reader of events.

use crate::event::Event;
use crate::store::{self, Notification, Reader, RecordedEvent};

/// How many events are looked at to count those that wait.
const LOOKED_AT_MAX: u32 = 1000;

/// What waits for a reader of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// The event that is told next.
    pub event: RecordedEvent,
    /// Its notification; `None`: it was not tried yet.
    pub notification: Option<Notification>,
    /// How many more wait, among the next 1,000 events.
    pub behind: usize,
}

/// What waits for a reader of events; `None`: nothing does. `wants` says which events it is told
/// of.
///
/// # Errors
/// The state can't be read.
pub fn backlog(
    record: &Reader<'_>,
    reader: &str,
    wants: impl Fn(&Event) -> bool,
) -> Result<Option<Backlog>, store::Error> {
    let mut untold = Vec::new();
    if let Some(position) = record.known_position(reader)? {
        untold = record.events_after(position, LOOKED_AT_MAX)?;
        untold.retain(|event| wants(&event.event));
    }

    if let Some(notification) = record.next_waiting(reader)?
        && let Some(event) = record.event(notification.event)?
    {
        return Ok(Some(Backlog {
            event,
            notification: Some(notification),
            behind: untold.len(),
        }));
    }
    let behind = untold.len().saturating_sub(1);
    let first = untold.into_iter().next();
    Ok(first.map(|event| Backlog {
        event,
        notification: None,
        behind,
    }))
}
