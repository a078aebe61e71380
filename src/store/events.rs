//! Events, and how far each of their readers has come.

use rusqlite::params;

use super::columns::{damaged, identity_at, names};
use super::error::Error;
use super::reader::Reader;
use super::transaction::Transaction;
use crate::event::Event;
use crate::id::EventId;
use crate::identity::Identity;
use crate::policy::Refusal;
use crate::time::Timestamp;

/// How many refusals of one push are recorded.
const REFUSALS_MAX: usize = 100;

/// An event as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its number. Later events have higher numbers.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

impl Reader<'_> {
    /// The number of the newest event; 0 where there is none yet.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn last_event(&self) -> Result<EventId, Error> {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'events'";
        Ok(EventId(self.first(sql, [], |row| row.get(0))?.unwrap_or(0)))
    }

    /// The events after one, in their order, at most `most`. An event names the pusher also where
    /// that became known only after it was recorded.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn events_after(&self, id: EventId, most: u32) -> Result<Vec<RecordedEvent>, Error> {
        let sql = "SELECT id, at_ms, data FROM events WHERE id > ? ORDER BY id LIMIT ?";
        let mut events = self.query(sql, params![id.0, most], |row| {
            let data: String = row.get(2)?;
            Ok(RecordedEvent {
                id: EventId(row.get(0)?),
                at: Timestamp::from_ms(row.get(1)?),
                event: serde_json::from_str(&data).map_err(|_| damaged(2, "event"))?,
            })
        })?;
        for recorded in &mut events {
            self.add_pusher(recorded)?;
        }
        Ok(events)
    }

    /// Adds to an event who pushed, by the record of what it is about.
    fn add_pusher(&self, recorded: &mut RecordedEvent) -> Result<(), Error> {
        match &mut recorded.event {
            Event::Planned {
                deployment,
                pusher: pusher @ None,
                ..
            } => {
                let sql = "SELECT pusher, pusher_known_by FROM deployments WHERE id = ?";
                let known = self.first(sql, [deployment.0], |row| identity_at(row, 0, 1))?;
                *pusher = known.flatten();
            }
            Event::Retired {
                target,
                pusher: pusher @ None,
                ..
            } => {
                let [environment, application] = names(target);
                // Since then, somebody else may have retired it again.
                let sql = "SELECT pusher, pusher_known_by FROM retirements
                     WHERE environment = ? AND application = ? AND retired_at_ms = ?";
                let retirement = params![environment, application, recorded.at.as_ms()];
                let known = self.first(sql, retirement, |row| identity_at(row, 0, 1))?;
                *pusher = known.flatten();
            }
            _ => {}
        }
        Ok(())
    }

    /// The last event that a reader has read; 0 where it has read none.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn position(&self, reader: &str) -> Result<EventId, Error> {
        let sql = "SELECT position FROM event_readers WHERE name = ?";
        let position = self.first(sql, [reader], |row| row.get(0))?;
        Ok(EventId(position.unwrap_or(0)))
    }
}

impl Transaction<'_> {
    /// Records that a reader has read all events up to one.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn move_position(&self, reader: &str, to: EventId) -> Result<(), Error> {
        let sql = "INSERT INTO event_readers (name, position) VALUES (?, ?)
             ON CONFLICT DO UPDATE SET position = excluded.position";
        self.execute(sql, params![reader, to.0])?;
        Ok(())
    }

    /// Removes the position of a reader.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn forget_reader(&self, reader: &str) -> Result<(), Error> {
        self.execute("DELETE FROM event_readers WHERE name = ?", [reader])?;
        Ok(())
    }

    /// Records that a push was refused, and why. Where it was refused for very many reasons, only
    /// the first ones are recorded, and how many more there are.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn refuse(
        &self,
        refusals: &[Refusal],
        pusher: Option<&Identity>,
        now: Timestamp,
    ) -> Result<(), Error> {
        for refusal in refusals.iter().take(REFUSALS_MAX) {
            self.record(&Event::refused(refusal, pusher), now)?;
        }

        let more = refusals.len().saturating_sub(REFUSALS_MAX);
        if more > 0 {
            let event = Event::Refused {
                path: "…".to_owned(),
                message: format!("{more} more paths were refused in the same push"),
                pusher: pusher.cloned(),
            };
            self.record(&event, now)?;
        }
        Ok(())
    }
}
