//! Telling one reader of events what happened, for as long as anything waits.
//!
//! Protocol: one process at a time tells a reader: it holds the reader's lock. It takes what waits
//! for another try, and then the events after the reader's position, one after the other, so that
//! their order is kept. After each try, one transaction records what became of it and moves the
//! position. If the process dies between the try and the record, the event is told once more, under
//! the same number. What could not be told is tried again with growing pauses ([`PAUSE_MIN`] to
//! [`PAUSE_MAX`]), until the event is older than [`AGE_MAX`]. The process ends when nothing waits:
//! it releases the lock, and then looks once more, as a runner does.
//!
//! It does not promise that an event is told only once.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::event::Event;
use crate::id::{EventId, NotificationId};
use crate::store::{self, Attempt, NotificationStatus, RecordedEvent, Store};
use crate::sys::clock;
use crate::sys::lock::try_lock;
use crate::time::Timestamp;

/// The first pause before something is tried again. Each further pause is twice as long.
pub const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest pause.
pub const PAUSE_MAX: Duration = Duration::from_secs(10 * 60);

/// How old an event becomes while it is tried, 24 hours. Then it is given up.
pub const AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How often a waiting process looks whether something has changed meanwhile.
const LOOK: Duration = Duration::from_secs(1);

/// How many events are read at once.
const BATCH: u32 = 200;

/// The longest answer that is recorded, in characters.
pub(super) const ANSWER_MAX: usize = 300;

/// What became of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The other side took it. Its answer, which may be empty.
    Delivered(String),
    /// It may work later. Why it did not work.
    Later(String),
    /// It will never work. Why.
    Refused(String),
}

/// Somebody who is told of events.
pub trait Recipient {
    /// Looks at the configuration once more. `Break`: this recipient is not told any more.
    fn refresh(&mut self) -> ControlFlow<()>;

    /// Whether it is told of an event.
    fn wants(&self, event: &Event) -> bool;

    /// Up to which event a recipient that was never told of anything counts as told.
    ///
    /// # Errors
    /// The state can't be read.
    fn begins_after(&self, store: &mut Store) -> Result<EventId, store::Error>;

    /// Tells it of an event.
    fn tell(&mut self, store: &mut Store, event: &RecordedEvent) -> Told;
}

/// What is told next.
struct Next {
    event: RecordedEvent,
    /// The notification, if it was tried before or somebody asked for it.
    known: Option<(NotificationId, u32)>,
    due: Option<Timestamp>,
}

/// Tells a recipient everything that waits for it, unless another process does so already. `name`
/// is that of its notifications, `reader` that of its position.
///
/// # Errors
/// The lock can't be had, or the state can't be read or changed. What was not told waits.
pub fn tell_all(
    store: &mut Store,
    name: &str,
    reader: &str,
    recipient: &mut dyn Recipient,
) -> Result<(), store::Error> {
    let path = store.reader_lock_file(name);
    loop {
        let taken = try_lock(&path, store.sharing());
        let taken = taken.map_err(|error| store::Error::Io(path.clone(), error))?;
        let Some(lock) = taken else {
            return Ok(());
        };
        let left = drain(store, name, reader, recipient)?;
        drop(lock);

        // Somebody may have written an event while the lock was held, and left it to this process.
        if left.is_break() || find_next(store, name, reader, recipient)?.is_none() {
            return Ok(());
        }
    }
}

/// Tells a recipient until nothing waits. `Break`: it is not told any more.
fn drain(
    store: &mut Store,
    name: &str,
    reader: &str,
    recipient: &mut dyn Recipient,
) -> Result<ControlFlow<()>, store::Error> {
    if store.read()?.known_position(reader)?.is_none() {
        let begin = recipient.begins_after(store)?;
        store.transaction(|transaction| transaction.move_position(reader, begin))?;
    }

    let mut is_down = false;
    loop {
        if recipient.refresh().is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let Some(next) = find_next(store, name, reader, recipient)? else {
            return Ok(ControlFlow::Continue(()));
        };
        if next.due.is_some_and(|due| due > clock::now()) {
            wait_for_change(store, next.due)?;
            continue;
        }

        let is_old = |now: Timestamp| now.since(next.event.at) > AGE_MAX;
        let told = if is_down && next.known.is_none() && is_old(clock::now()) {
            Told::Later("it was not tried, because the tries before did not work".to_owned())
        } else {
            recipient.tell(store, &next.event)
        };
        is_down = matches!(told, Told::Later(_));
        let tries = next.known.map_or(0, |(_, tries)| tries);
        record(store, name, reader, &next, &attempt(told, tries, is_old))?;
    }
}

/// What is recorded of a try. `tries` is how many there were before.
fn attempt(told: Told, tries: u32, is_old: impl Fn(Timestamp) -> bool) -> Attempt {
    let at = clock::now();
    let (status, next, answer) = match told {
        Told::Delivered(answer) => (NotificationStatus::Delivered, None, answer),
        Told::Refused(why) => (NotificationStatus::Refused, None, why),
        Told::Later(why) if is_old(at) => (NotificationStatus::GivenUp, None, why),
        Told::Later(why) => {
            let next = at.after(pause(tries));
            (NotificationStatus::Waiting, Some(next), why)
        }
    };
    Attempt {
        status,
        at,
        next,
        answer: answer.chars().take(ANSWER_MAX).collect(),
    }
}

/// How long to wait after a try that did not work; `tries` is how many there were before it.
pub(super) fn pause(tries: u32) -> Duration {
    let doubled = 1_u32.checked_shl(tries.min(31)).unwrap_or(u32::MAX);
    PAUSE_MIN.saturating_mul(doubled).min(PAUSE_MAX)
}

/// Records a try, and that the event was reached, in one transaction.
fn record(
    store: &mut Store,
    name: &str,
    reader: &str,
    next: &Next,
    attempt: &Attempt,
) -> Result<(), store::Error> {
    let event = next.event.id;
    store.transaction(|transaction| {
        let id = match next.known {
            Some((id, _)) => id,
            None => transaction.await_notification(name, event)?,
        };
        transaction.record_attempt(id, attempt)?;
        if transaction.position(reader)? < event {
            transaction.move_position(reader, event)?;
        }
        Ok(())
    })
}

/// What is told next; `None`: nothing waits. Events that the recipient is not told of are passed
/// over.
fn find_next(
    store: &mut Store,
    name: &str,
    reader: &str,
    recipient: &dyn Recipient,
) -> Result<Option<Next>, store::Error> {
    loop {
        let record = store.read()?;
        if let Some(known) = record.next_waiting(name)?
            && let Some(event) = record.event(known.event)?
        {
            return Ok(Some(Next {
                event,
                known: Some((known.id, known.attempts)),
                due: known.next_attempt,
            }));
        }

        let Some(position) = record.known_position(reader)? else {
            return Ok(None);
        };
        let events = record.events_after(position, BATCH)?;
        drop(record);
        let Some(last) = events.last().map(|event| event.id) else {
            return Ok(None);
        };
        if let Some(event) = events
            .into_iter()
            .find(|event| recipient.wants(&event.event))
        {
            return Ok(Some(Next {
                event,
                known: None,
                due: None,
            }));
        }
        store.optional_transaction(|transaction| transaction.move_position(reader, last))?;
    }
}

/// Waits until a time has come, or another process has changed the state.
pub(super) fn wait_for_change(store: &Store, due: Option<Timestamp>) -> Result<(), store::Error> {
    let version = store.data_version()?;
    while due.is_some_and(|due| due > clock::now()) && store.data_version()? == version {
        clock::sleep(LOOK);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_ten_minutes() {
        let table = [
            (0, 1),
            (1, 2),
            (5, 32),
            (9, 512),
            (10, 600),
            (40, 600),
            (u32::MAX, 600),
        ];
        for (tries, seconds) in table {
            assert_eq!(pause(tries), Duration::from_secs(seconds), "{tries}");
        }
    }
}
