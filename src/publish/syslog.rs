//! Events as lines in the system log.
//!
//! Protocol: a position in the state says up to which event the lines were sent. In one transaction
//! the events after it are read, their lines are sent, and the position moves. So two processes
//! never send the same line, and the lines stand in the order of the events. A process that dies
//! before COMMIT leaves the position where it was, and the next one sends these lines again: each
//! line is sent at least once. The socket never blocks, so the transaction waits for nobody.
//!
//! A log that can't be reached keeps its lines for later, but not longer than [`AGE_MAX`].

use std::time::Duration;

use crate::store::{self, RecordedEvent, Store, Transaction};
use crate::sys::clock;
use crate::sys::syslog::Log;

/// The name under which the position is kept.
const READER: &str = "syslog";

/// How many events one transaction sends.
const BATCH: u32 = 1000;

/// An event that is older than this is not sent any more.
const AGE_MAX: Duration = Duration::from_hours(24);

/// Sends the lines of all events that were not sent yet. Nothing fails and nothing waits: what can't
/// be sent now is sent by whoever calls this next.
pub fn to_syslog(store: &mut Store) {
    while matches!(send_batch(store), Ok(true)) {}
}

/// Sends some lines; says whether there may be more to send.
fn send_batch(store: &mut Store) -> Result<bool, store::Error> {
    let has_news = {
        let state = store.read()?;
        state.last_event()? > state.position(READER)?
    };
    if !has_news {
        return Ok(false);
    }
    let Ok(mut log) = Log::open() else {
        return Ok(false);
    };
    // A position that is lost in a power cut sends lines twice, which is allowed.
    store.unsynced_transaction(|transaction| send(transaction, &mut log))
}

fn send(transaction: &Transaction<'_>, log: &mut Log) -> Result<bool, store::Error> {
    let begin = transaction.position(READER)?;
    let events = transaction.events_after(begin, BATCH)?;
    let now = clock::now();

    let mut position = begin;
    let mut is_heard = true;
    for RecordedEvent { id, at, event } in &events {
        let is_old = now.since(*at) > AGE_MAX;
        if !is_old && log.send(event.severity(), &event.line()).is_err() {
            is_heard = false;
            break;
        }
        position = *id;
    }

    if position != begin {
        transaction.move_position(READER, position)?;
    }
    Ok(is_heard && !events.is_empty())
}
