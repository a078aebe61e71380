//! Changing the state.

use std::ops::Deref;

use rusqlite::{Params, params};

use super::error::Error;
use super::reader::Reader;
use crate::event::Event;
use crate::time::Timestamp;

/// The state inside of `BEGIN IMMEDIATE`: a [`Reader`] that can also write. Only
/// [`super::Store::transaction`] makes one, so nothing is written outside of a transaction.
#[derive(Debug)]
pub struct Transaction<'s>(Reader<'s>);

impl<'s> Deref for Transaction<'s> {
    type Target = Reader<'s>;

    fn deref(&self) -> &Reader<'s> {
        &self.0
    }
}

impl<'s> Transaction<'s> {
    pub(super) fn new(reader: Reader<'s>) -> Self {
        Self(reader)
    }

    /// Changes rows, and returns how many.
    #[cfg_attr(test, track_caller)]
    pub(super) fn execute(&self, sql: &str, parameters: impl Params) -> Result<usize, Error> {
        let changed = self.prepare(sql)?.execute(parameters);
        changed.map_err(|error| self.error(error))
    }

    /// The number of the row that was inserted last.
    pub(super) fn last_id(&self) -> i64 {
        self.connection.last_insert_rowid()
    }

    /// Records an event. It belongs into the transaction that makes the event happen.
    pub(super) fn record(&self, event: &Event, now: Timestamp) -> Result<(), Error> {
        let data = serde_json::to_string(event)
            .map_err(|error| Error::Damaged(format!("an event can't be written: {error}")))?;
        let sql = "INSERT INTO events (at_ms, kind, data) VALUES (?, ?, ?)";
        self.execute(sql, params![now.as_ms(), event.kind().as_str(), data])?;
        Ok(())
    }
}
