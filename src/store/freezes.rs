//! Environments that somebody froze.

use std::collections::BTreeMap;

use rusqlite::params;

use super::columns::{environment_at, identity_at, time_at};
use super::error::Error;
use super::reader::Reader;
use super::transaction::Transaction;
use crate::event::Event;
use crate::id::Environment;
use crate::identity::Identity;
use crate::policy::Freeze;
use crate::time::Timestamp;

impl Reader<'_> {
    /// The freezes that are in force, by environment. A freeze whose time is over is not in force.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn freezes(&self, now: Timestamp) -> Result<BTreeMap<Environment, Freeze>, Error> {
        let sql = "SELECT environment, reason, frozen_by, frozen_known_by, frozen_at_ms, until_ms
             FROM freezes WHERE thawed_at_ms IS NULL";
        let rows = self.query(sql, [], |row| {
            let freeze = Freeze {
                by: identity_at(row, 2, 3)?,
                reason: row.get(1)?,
                since: time_at(row, 4)?,
                until: time_at(row, 5)?,
            };
            Ok((environment_at(row, 0)?, freeze))
        })?;

        let is_in_force = |freeze: &Freeze| freeze.until.is_none_or(|until| until > now);
        Ok(rows
            .into_iter()
            .filter(|(_, freeze)| is_in_force(freeze))
            .collect())
    }
}

impl Transaction<'_> {
    /// Records that an environment is frozen. It replaces a freeze that was in force.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn freeze(
        &self,
        environment: &Environment,
        reason: &str,
        by: &Identity,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.end_freeze(environment, by, now)?;
        self.execute(
            "INSERT INTO freezes (environment, reason, frozen_by, frozen_known_by, frozen_at_ms,
                 until_ms)
             VALUES (?, ?, ?, ?, ?, ?)",
            params![
                environment.as_str(),
                reason,
                by.name,
                by.evidence.as_str(),
                now.as_ms(),
                until.map(Timestamp::as_ms)
            ],
        )?;

        let event = Event::Frozen {
            environment: environment.clone(),
            by: by.clone(),
            reason: reason.to_owned(),
            until,
        };
        self.record(&event, now)
    }

    /// Records that an environment is not frozen any more. Returns whether it was frozen.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn thaw(
        &self,
        environment: &Environment,
        by: &Identity,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let was_frozen = self.end_freeze(environment, by, now)?;
        if was_frozen {
            let event = Event::Thawed {
                environment: environment.clone(),
                by: by.clone(),
            };
            self.record(&event, now)?;
        }
        Ok(was_frozen)
    }

    /// Ends the freeze of an environment, and returns whether there was one.
    fn end_freeze(
        &self,
        environment: &Environment,
        by: &Identity,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let changed = self.execute(
            "UPDATE freezes SET thawed_by = ?, thawed_known_by = ?, thawed_at_ms = ?
             WHERE environment = ? AND thawed_at_ms IS NULL",
            params![
                by.name,
                by.evidence.as_str(),
                now.as_ms(),
                environment.as_str()
            ],
        )?;
        Ok(changed > 0)
    }
}
