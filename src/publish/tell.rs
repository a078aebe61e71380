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
//! recipient and this one can't, where the state was removed or made anew, and where another
//! program has taken the place of its own.
//!
//! Where an event goes to several people and some of them are put off, it holds up no later event,
//! so that one full mailbox holds up nobody else. For whom nothing is left to try is recorded with
//! the try.
//!
//! It does not promise that an event is told only once, nor that somebody who was put off gets that
//! event before later ones.

use std::ops::ControlFlow;
use std::time::Duration;

use super::recipient::{Recipient, Told};
use crate::deploy_repository::ConfigError;
use crate::id::{EventId, NotificationId};
use crate::store::{self, Addressees, Attempt, NotificationStatus, RecordedEvent, Store};
use crate::sys::clock::{self, Deadline};
use crate::sys::lock::try_lock_a_moment;
use crate::sys::own_program::OwnProgram;
use crate::text;
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
        program: OwnProgram::find(),
    };
    loop {
        let taken = try_lock_a_moment(&path, store.sharing());
        let taken = taken.map_err(|error| store::Error::Io(path.clone(), error))?;
        let Some(lock) = taken else {
            return Ok(());
        };
        let left = telling.drain(store, recipient)?;
        store.tidy_log();
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
    program: OwnProgram,
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
        let mut outdated = None;
        loop {
            if self.program.is_replaced() || !self.is_in_place(store) {
                return Ok(ControlFlow::Break(()));
            }
            outdated = match (recipient.refresh(), outdated) {
                (Ok(ControlFlow::Break(())), _) => return Ok(ControlFlow::Break(())),
                (Ok(ControlFlow::Continue(())), _) => None,
                (Err(_), Some(said)) => Some(said),
                (Err(error), None) => Some(self.say_outdated(recipient, &error)),
            };
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
            let mut settled = match next.known {
                Some((id, _)) => store.read()?.addressees(id)?,
                None => Addressees::new(),
            };
            let told = match obstacle {
                Some(why) => Told::Later(why),
                None if next.known.is_none() && is_hopeless(clock::now()) => Told::Later(
                    "it was not tried, because the tries before did not work".to_owned(),
                ),
                None => recipient.tell(store, &next.event, &mut settled),
            };

            failures = match told {
                Told::Later(_) => failures.saturating_add(1),
                Told::Delivered(_) | Told::Refused(_) | Told::Partly { .. } => 0,
            };
            let pause = pause(tries.max(failures.saturating_sub(1)));
            let mut attempt = attempt(told, pause, is_hopeless);
            if let Some(remark) = &outdated {
                let said = format!("{remark}: {}", attempt.answer);
                attempt.answer = bounded(said.trim_end_matches(": "));
            }
            let tried = (&attempt, &settled);
            self.insist_on_record(store, recipient, &next, tried)?;
            all = all.wrapping_add(1);
            if all.is_multiple_of(CHECKPOINT) {
                store.tidy_log();
            }
            if is_unable {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    /// Says that the configuration can't be used, and returns what is recorded with each try as
    /// long as that is so.
    fn say_outdated(&self, recipient: &dyn Recipient, error: &ConfigError) -> String {
        let remark = "by the earlier configuration, because the present one can't be used";
        let why = text::with_causes(error);
        recipient.report_failure(&format!("{}: told {remark}: {why}", self.reader));
        remark.to_owned()
    }

    /// Records a try, and goes on to try that until the event would be given up: if this process
    /// ended with the try on no record, the next one would tell the event again, and so would each
    /// after it.
    fn insist_on_record(
        &self,
        store: &mut Store,
        recipient: &dyn Recipient,
        next: &Next,
        tried: (&Attempt, &Addressees),
    ) -> Result<(), store::Error> {
        let end = Deadline::after(AGE_MAX);
        let mut is_reported = false;
        loop {
            let error = match record(store, self.reader, next, tried) {
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
        Told::Partly { why, is_enough } if is_hopeless(at) => {
            let status = match is_enough {
                true => NotificationStatus::Delivered,
                false => NotificationStatus::GivenUp,
            };
            (status, None, why)
        }
        Told::Partly { why, .. } => (NotificationStatus::Partial, Some(at.after(pause)), why),
        Told::Later(why) if is_hopeless(at) => (NotificationStatus::GivenUp, None, why),
        Told::Later(why) => (NotificationStatus::Waiting, Some(at.after(pause)), why),
    };
    Attempt {
        status,
        at,
        next,
        answer: bounded(&answer),
    }
}

fn bounded(answer: &str) -> String {
    answer.chars().take(ANSWER_MAX).collect()
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
    (attempt, settled): (&Attempt, &Addressees),
) -> Result<(), store::Error> {
    let event = next.event.id;
    store.optional_transaction(|transaction| {
        let id = match next.known {
            Some((id, _)) => id,
            None => transaction.await_notification(reader, event)?,
        };
        transaction.record_attempt(id, attempt)?;
        if attempt.status != NotificationStatus::Delivered {
            transaction.record_addressees(id, settled)?;
        }
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
            return next_partial(store, reader);
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

/// What is told next of that which some have already, if nothing else is to be told.
fn next_partial(store: &mut Store, reader: &str) -> Result<Option<Next>, store::Error> {
    let record = store.read()?;
    let Some(known) = record.next_partial(reader)? else {
        return Ok(None);
    };
    let event = record.event(known.event)?;
    Ok(event.map(|event| Next {
        event,
        known: Some((known.id, known.attempts)),
        due: known.next_attempt,
    }))
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
