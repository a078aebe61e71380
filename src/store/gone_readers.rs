//! Readers of events that the configuration does not name any more, and what waited for them.

use rusqlite::params;

use super::error::Error;
use super::reader::Reader;
use super::transaction::Transaction;
use crate::id::EventId;
use crate::time::Timestamp;

/// How far a reader of events has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventReader {
    /// Its name.
    pub name: String,
    /// The last event that it has read.
    pub position: EventId,
    /// When it was first seen that the configuration does not name it any more; `None`: it does,
    /// or nobody has looked.
    pub gone_since: Option<Timestamp>,
}

impl Reader<'_> {
    /// All readers that have a position.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn event_readers(&self) -> Result<Vec<EventReader>, Error> {
        let sql = "SELECT name, position, gone_since_ms FROM event_readers";
        self.query(sql, [], |row| {
            Ok(EventReader {
                name: row.get(0)?,
                position: EventId(row.get(1)?),
                gone_since: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_ms),
            })
        })
    }

    /// How many events there are after one, up to a time, and the first and the last of them;
    /// `None`: there is none.
    fn events_between(
        &self,
        after: EventId,
        until: Timestamp,
    ) -> Result<Option<(u64, EventId, EventId)>, Error> {
        let sql = "SELECT COUNT(*), MIN(id), MAX(id) FROM events WHERE id > ? AND at_ms <= ?
             HAVING COUNT(*) > 0";
        let found = self.first(sql, params![after.0, until.as_ms()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?))
        })?;
        Ok(found.map(|(count, first, last)| {
            let count = u64::try_from(count).unwrap_or(0);
            (count, EventId(first), EventId(last))
        }))
    }
}

impl Transaction<'_> {
    /// Records when it was first seen that the configuration does not name a reader any more;
    /// `None`: it names it.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn mark_gone(&self, reader: &str, since: Option<Timestamp>) -> Result<(), Error> {
        let sql = "UPDATE event_readers SET gone_since_ms = ? WHERE name = ?";
        self.execute(sql, params![since.map(Timestamp::as_ms), reader])?;
        Ok(())
    }

    /// Gives up what waits for a reader that is gone, and removes its position. Nobody knows any
    /// more which kinds of events it was told of: so what happened after its position, up to a
    /// time, is one row, for the first of these events.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn give_up_reader(
        &self,
        reader: &EventReader,
        until: Timestamp,
        why: &str,
    ) -> Result<(), Error> {
        let name = &reader.name;
        // Another process may have been faster.
        if self.known_position(name)? != Some(reader.position) {
            return Ok(());
        }
        // One after the other, because there is an index of each.
        for waiting in ["status = 'waiting'", "status = 'partial'"] {
            let sql = format!(
                "UPDATE notifications SET status = 'given-up', next_attempt_ms = NULL,
                     answer = ?2 || COALESCE('; before: ' || NULLIF(answer, ''), '')
                 WHERE target = ?1 AND {waiting}"
            );
            self.execute(&sql, params![name, why])?;
        }

        if let Some((count, first, last)) = self.events_between(reader.position, until)? {
            let behind = match count {
                1 => format!("{why}: if it was to be told of the event {first}, it was not"),
                _ => format!(
                    "{why}: it was told of none of the {count} events from {first} to {last}"
                ),
            };
            let id = self.await_notification(name, first)?;
            let sql = "UPDATE notifications SET status = 'given-up', answer = ? WHERE id = ?";
            self.execute(sql, params![behind, id.0])?;
        }
        self.forget_reader(name)
    }
}
