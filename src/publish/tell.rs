//! Telling one reader of events what happened, for as long as anything waits.
//!
//! Protocol: one process at a time tells a reader: it holds the reader's lock. It takes what waits
//! for another try, and then the events after the reader's position, one after the other, so that
//! their order is kept. After each try, one transaction records what became of it and moves the
//! position. If the process dies between the try and the record, the event is told once more, under
//! the same number. A try that can't be recorded now, for example on a full disk, is not repeated:
//! the process goes on to record it. The record is not synced, so that it holds up nobody who
//! writes; after a power cut, what was told in the last moments is told once more.
//!
//! What could not be told is tried again with growing pauses ([`PAUSE_MIN`] to [`PAUSE_MAX`]),
//! until the event is older than [`AGE_MAX`]. Meanwhile no snapshot of the state is open. The
//! process ends when nothing waits: it releases the lock, and then looks once more, as a runner
//! does. It also ends, and leaves what waits to another process, where another user can tell the
//! recipient and this one can't, and where the state was removed or made anew.
//!
//! It does not promise that an event is told only once.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::event::Event;
use crate::id::{EventId, NotificationId};
use crate::store::{self, Attempt, NotificationStatus, RecordedEvent, Store};
use crate::sys::clock::{self, Deadline};
use crate::sys::lock::try_lock_a_moment;
use crate::time::Timestamp;

/// The first pause before something is tried again. Each further pause is twice as long.
pub const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest pause.
pub const PAUSE_MAX: Duration = Duration::from_secs(10 * 60);

/// How old an event becomes while it is tried, 24 hours. Then it is given up.
pub const AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How often in a row it must not have worked before an event is given up: with their pauses,
/// these tries take 17 minutes. So a machine that was off for days, and has no network yet when it
/// starts, gives nothing up at once.
const TRIES_MIN: u32 = 10;

/// How often a waiting process looks whether something has changed meanwhile.
const LOOK: Duration = Duration::from_secs(1);

/// How often it also looks at the configuration.
const LOOK_AT_CONFIG: Duration = Duration::from_secs(10);

/// How many events are read at once, where the first ones are not wanted.
const BATCH: u32 = 200;

/// How many tries are recorded before the write-ahead log is moved into the database.
const CHECKPOINT: u32 = 200;

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

    /// Why this process can't tell it anything, though a process of another user can. `None`:
    /// nothing of that kind is known.
    fn obstacle(&self) -> Option<String> {
        None
    }

    /// Sends a line about a failure to the system log.
    fn report_failure(&self, message: &str);

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

/// Tells a recipient everything that waits for it, unless another process does so already. `reader`
/// is the name of its position, its notifications and its lock.
///
/// # Errors
/// The lock can't be had, or the state can't be read or changed. What was not told waits.
pub fn tell_all(
    store: &mut Store,
    reader: &str,
    recipient: &mut dyn Recipient,
) -> Result<(), store::Error> {
    let path = store.reader_lock_file(reader);
    let telling = Telling {
        reader,
        file: store.file_in_place(),
    };
    loop {
        let taken = try_lock_a_moment(&path, store.sharing());
        let taken = taken.map_err(|error| store::Error::Io(path.clone(), error))?;
        let Some(lock) = taken else {
            return Ok(());
        };
        let left = telling.drain(store, recipient)?;
        store.checkpoint();
        drop(lock);

        // Somebody may have written an event while the lock was held, and left it to this process.
        if left.is_break() || find_next(store, reader, recipient)?.is_none() {
            return Ok(());
        }
    }
}

/// The telling of one recipient.
struct Telling<'r> {
    reader: &'r str,
    /// The database that is open.
    file: Option<(u64, u64)>,
}

impl Telling<'_> {
    /// Tells a recipient until nothing waits. `Break`: this process tells it nothing more.
    fn drain(
        &self,
        store: &mut Store,
        recipient: &mut dyn Recipient,
    ) -> Result<ControlFlow<()>, store::Error> {
        let reader = self.reader;
        if store.read()?.known_position(reader)?.is_none() {
            let begin = recipient.begins_after(store)?;
            store.transaction(|transaction| transaction.move_position(reader, begin))?;
        }

        // How many tries in a row did not work, and how many there were.
        let (mut failures, mut all) = (0_u32, 0_u32);
        loop {
            if recipient.refresh().is_break() || !self.is_in_place(store) {
                return Ok(ControlFlow::Break(()));
            }
            let Some(next) = find_next(store, reader, recipient)? else {
                return Ok(ControlFlow::Continue(()));
            };
            let obstacle = recipient.obstacle();
            let is_unable = obstacle.is_some();
            if is_ahead(next.due) {
                if is_unable {
                    // Who can tell it must not have to wait for this process.
                    return Ok(ControlFlow::Break(()));
                }
                wait_for_change(store, next.due)?;
                continue;
            }

            let tries = next.known.map_or(0, |(_, tries)| tries);
            // How often in a row it did not work, for this event or for those before it.
            let in_a_row = tries.max(failures);
            let is_hopeless =
                |now: Timestamp| now.since(next.event.at) > AGE_MAX && in_a_row >= TRIES_MIN;
            let told = match obstacle {
                Some(why) => Told::Later(why),
                None if next.known.is_none() && is_hopeless(clock::now()) => Told::Later(
                    "it was not tried, because the tries before did not work".to_owned(),
                ),
                None => recipient.tell(store, &next.event),
            };

            failures = match told {
                Told::Later(_) => failures.saturating_add(1),
                Told::Delivered(_) | Told::Refused(_) => 0,
            };
            let pause = pause(tries.max(failures.saturating_sub(1)));
            let attempt = attempt(told, pause, is_hopeless);
            self.insist_on_record(store, recipient, &next, &attempt)?;
            all = all.wrapping_add(1);
            if all.is_multiple_of(CHECKPOINT) {
                store.checkpoint();
            }
            if is_unable {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    /// Records a try, and goes on to try that until the event would be given up: if this process
    /// ended with the try on no record, the next one would tell the event again, and so would each
    /// after it.
    fn insist_on_record(
        &self,
        store: &mut Store,
        recipient: &dyn Recipient,
        next: &Next,
        attempt: &Attempt,
    ) -> Result<(), store::Error> {
        let end = Deadline::after(AGE_MAX);
        let mut is_reported = false;
        loop {
            let error = match record(store, self.reader, next, attempt) {
                Err(error) if self.is_in_place(store) && !end.is_over() => error,
                done => return done,
            };
            if !std::mem::replace(&mut is_reported, true) {
                let why = format!("{}: what was told can't be recorded: {error}", self.reader);
                recipient.report_failure(&why);
            }
            clock::sleep(LOOK);
        }
    }

    /// Whether the database that is open is still that of the state.
    fn is_in_place(&self, store: &Store) -> bool {
        self.file.is_some() && store.file_in_place() == self.file
    }
}

/// What is recorded of a try. `pause` is how long to wait if it did not work.
fn attempt(told: Told, pause: Duration, is_hopeless: impl Fn(Timestamp) -> bool) -> Attempt {
    let at = clock::now();
    let (status, next, answer) = match told {
        Told::Delivered(answer) => (NotificationStatus::Delivered, None, answer),
        Told::Refused(why) => (NotificationStatus::Refused, None, why),
        Told::Later(why) if is_hopeless(at) => (NotificationStatus::GivenUp, None, why),
        Told::Later(why) => (NotificationStatus::Waiting, Some(at.after(pause)), why),
    };
    Attempt {
        status,
        at,
        next,
        answer: answer.chars().take(ANSWER_MAX).collect(),
    }
}

/// Whether a try is due later. No pause is longer than [`PAUSE_MAX`], so a time that is further
/// ahead is of a clock that was set back since.
pub(super) fn is_ahead(due: Option<Timestamp>) -> bool {
    let now = clock::now();
    due.is_some_and(|due| due > now && due <= now.after(PAUSE_MAX))
}

/// How long to wait after a try that did not work; `tries` is how many there were before it.
pub(super) fn pause(tries: u32) -> Duration {
    let doubled = 1_u32.checked_shl(tries.min(31)).unwrap_or(u32::MAX);
    PAUSE_MIN.saturating_mul(doubled).min(PAUSE_MAX)
}

/// Records a try, and that the event was reached, in one transaction.
fn record(
    store: &mut Store,
    reader: &str,
    next: &Next,
    attempt: &Attempt,
) -> Result<(), store::Error> {
    let event = next.event.id;
    store.optional_transaction(|transaction| {
        let id = match next.known {
            Some((id, _)) => id,
            None => transaction.await_notification(reader, event)?,
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
    reader: &str,
    recipient: &dyn Recipient,
) -> Result<Option<Next>, store::Error> {
    let mut passed = EventId(0);
    // Most recipients want most events, so it is likely the next one.
    let mut batch = 1;
    loop {
        let record = store.read()?;
        if let Some(known) = record.next_waiting(reader)?
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
        let events = record.events_after(position.max(passed), batch)?;
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
        // If the state is busy, a later call passes over these events once more.
        let _: Result<(), store::Error> =
            store.optional_transaction(|transaction| transaction.move_position(reader, last));
        passed = last;
        batch = BATCH;
    }
}

/// Waits until a time has come, another process has changed the state, or the configuration is to
/// be looked at once more.
pub(super) fn wait_for_change(store: &Store, due: Option<Timestamp>) -> Result<(), store::Error> {
    let version = store.data_version()?;
    let end = Deadline::after(LOOK_AT_CONFIG);
    while is_ahead(due) && store.data_version()? == version && !end.is_over() {
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
