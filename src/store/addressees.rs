//! What became of a notification for each of several people whom it goes to.

use std::collections::BTreeMap;

use rusqlite::params;

use super::error::Error;
use super::reader::Reader;
use super::transaction::Transaction;
use crate::id::NotificationId;

/// What became of a notification for one of those whom it goes to, for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Whether they have it. Otherwise they were refused.
    pub has_it: bool,
    /// What the other side said. It is somebody else's text.
    pub answer: String,
}

/// By address, those for whom nothing is left to try. All others are still to get it.
pub type Addressees = BTreeMap<String, Settled>;

impl Reader<'_> {
    /// Those for whom nothing is left to try.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn addressees(&self, id: NotificationId) -> Result<Addressees, Error> {
        let sql = "SELECT address, has_it, answer FROM addressees WHERE notification = ?";
        let rows = self.query(sql, [id.0], |row| {
            let settled = Settled {
                has_it: row.get(1)?,
                answer: row.get(2)?,
            };
            Ok((row.get(0)?, settled))
        })?;
        Ok(rows.into_iter().collect())
    }
}

impl Transaction<'_> {
    /// Records for whom nothing is left to try.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn record_addressees(&self, id: NotificationId, all: &Addressees) -> Result<(), Error> {
        let sql = "INSERT INTO addressees (notification, address, has_it, answer)
             VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
             SET has_it = excluded.has_it, answer = excluded.answer";
        for (address, settled) in all {
            let parameters = params![id.0, address, settled.has_it, settled.answer];
            self.execute(sql, parameters)?;
        }
        Ok(())
    }
}
