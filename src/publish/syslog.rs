//! Events as lines in the system log.
//!
//! Protocol: a position in the state says up to which event the lines were sent. One transaction
//! reads the events after it, sends their lines and moves the position. So two processes never send
//! the same line, and the lines are in the order of the events. If a process dies before COMMIT,
//! the position does not move, and the next process sends these lines again. So each line is sent
//! at least once.
//!
//! Nobody waits for long. The socket never blocks. A process that finds the state locked for a
//! second leaves its lines to the process that has the lock, or to the next one that changes the
//! state.
//!
//! If the log can't be reached, its lines are kept for later, but not longer than [`AGE_MAX`].

use std::path::Path;
use std::time::Duration;

use crate::store::{self, RecordedEvent, Store, Transaction};
use crate::sys::clock;
use crate::sys::syslog::SystemLog;

/// The name under which the position is kept.
const READER: &str = "syslog";

/// How many events one transaction sends.
const BATCH: u32 = 1000;

/// An event that is older than this, 24 hours, is not sent any more.
const AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Sends the lines of all events of this deploy repository that were not sent yet. It never fails.
/// What can't be sent now is sent by the next call.
pub(super) fn to_syslog(store: &mut Store, repository: &Path) {
    while matches!(send_batch(store, repository), Ok(true)) {}
}

/// Sends the lines of up to [`BATCH`] events. Returns whether there may be more to send.
///
/// # Errors
/// The state can't be read or changed.
fn send_batch(store: &mut Store, repository: &Path) -> Result<bool, store::Error> {
    let has_news = {
        let state = store.read()?;
        state.last_event()? > state.position(READER)?
    };
    if !has_news {
        return Ok(false);
    }
    let Ok(mut log) = SystemLog::open() else {
        return Ok(false);
    };

    // A process that changes the state now sends these lines afterwards. If a power cut loses the
    // position, lines are sent twice. That is allowed.
    store.optional_transaction(|transaction| send(transaction, &mut log, repository))
}

fn send(
    transaction: &Transaction<'_>,
    log: &mut SystemLog,
    repository: &Path,
) -> Result<bool, store::Error> {
    let begin = transaction.position(READER)?;
    let events = transaction.events_after(begin, BATCH)?;
    let now = clock::now();

    let mut position = begin;
    let mut is_heard = true;
    for RecordedEvent { id, at, event } in &events {
        let is_old = now.since(*at) > AGE_MAX;
        if !is_old && log.send(event.severity(), &event.line(repository)).is_err() {
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
