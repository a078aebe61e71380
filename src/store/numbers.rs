//! The numbers of deployments. No number is used twice, also not by a state that was restored or
//! rebuilt.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};

use super::connection::Store;
use super::error::Error;
use super::reader::{FILE, Reader};
use super::transaction::Transaction;
use crate::event::Event;
use crate::id::DeploymentId;
use crate::sys::file::is_there;
use crate::time::Timestamp;

impl Store {
    /// The last number that a deployment was given, as far as a database that may be damaged can
    /// still say it. `None`: it can't.
    #[must_use]
    pub fn last_number(folder: &Path) -> Option<DeploymentId> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(folder.join(FILE), flags).ok()?;
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'deployments'";
        let number = connection.query_row(sql, [], |row| row.get(0)).ok()?;
        Some(DeploymentId(number))
    }

    /// Checks that the next number was not used before.
    ///
    /// # Errors
    /// [`Error::Behind`], or it can't be found out.
    pub fn check_next_number(&mut self) -> Result<(), Error> {
        let last = self.read()?.last_number()?;
        self.check_number_after(last)
    }

    /// The same, where `last` was the last number a moment ago. Meanwhile another process may have
    /// given the next one to a deployment, which has its log already.
    fn check_number_after(&mut self, mut last: DeploymentId) -> Result<(), Error> {
        loop {
            // What is asked first is the folder, and then the record as it is after that.
            let record = self.read()?;
            let Err(error) = record.check_is_new(DeploymentId(last.0 + 1)) else {
                return Ok(());
            };
            let now = record.last_number()?;
            if now == last {
                return Err(error);
            }
            last = now;
        }
    }
}

impl Reader<'_> {
    /// The last number that a deployment was given; 0 where there was none yet.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn last_number(&self) -> Result<DeploymentId, Error> {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'deployments'";
        let number = self.first(sql, [], |row| row.get(0))?;
        Ok(DeploymentId(number.unwrap_or(0)))
    }

    /// Checks that a number was not used before: that of a state which was restored from a backup
    /// may have been. Then it has a log.
    ///
    /// # Errors
    /// [`Error::Behind`], or it can't be found out.
    pub(super) fn check_is_new(&self, id: DeploymentId) -> Result<(), Error> {
        let log = self.log_file(id);
        match is_there(&log) {
            Ok(false) => Ok(()),
            Ok(true) => Err(Error::Behind { id, log }),
            Err(error) => Err(Error::Io(log, error)),
        }
    }
}

impl Transaction<'_> {
    /// Lets the numbers of deployments continue after this one.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn skip_numbers(&self, up_to: DeploymentId) -> Result<(), Error> {
        self.skip("deployments", up_to.0)
    }

    /// Lets the numbers of events continue after the milliseconds since 1970. That is above every
    /// number that an event of an earlier database can have, and those who were told of events know
    /// them by their numbers.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn skip_events(&self, now: Timestamp) -> Result<(), Error> {
        self.skip("events", now.as_ms())
    }

    /// Lets the numbers in a table continue after this one.
    fn skip(&self, table: &str, up_to: i64) -> Result<(), Error> {
        // SQLite makes the row with the first number (https://sqlite.org/autoinc.html).
        let sql = "UPDATE sqlite_sequence SET seq = MAX(seq, ?) WHERE name = ?";
        if self.execute(sql, params![up_to, table])? == 0 {
            let sql = "INSERT INTO sqlite_sequence (seq, name) VALUES (?, ?)";
            self.execute(sql, params![up_to, table])?;
        }
        Ok(())
    }

    /// Records what an administrator should know about the state itself.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn note_about_state(&self, message: String, now: Timestamp) -> Result<(), Error> {
        let path = FILE.to_owned();
        self.record(&Event::Problem { path, message }, now)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::super::testing::TestState;
    use super::*;

    #[test]
    fn number_that_another_process_has_given_meanwhile_is_no_sign_of_a_backup() {
        let mut state = TestState::new();
        state.enqueue("a", '1');
        File::create(state.store.log_file(DeploymentId(1))).unwrap();
        // The last number was seen before the deployment was planned.
        state.store.check_number_after(DeploymentId(0)).unwrap();
        state.store.check_next_number().unwrap();

        File::create(state.store.log_file(DeploymentId(2))).unwrap();
        for seen in [0, 1] {
            let checked = state.store.check_number_after(DeploymentId(seen));
            assert!(matches!(checked, Err(Error::Behind { .. })), "{seen}");
        }
    }
}
