//! Reading the state.

use std::ops::{ControlFlow, Deref};
use std::path::{Path, PathBuf};

use rusqlite::{CachedStatement, Connection, Params, Row};

use super::error::Error;
use super::log_files::log_file;
use crate::id::{DeploymentId, Environment};

/// The database's file in the state directory.
pub(super) const FILE: &str = "state.db";

/// The write-ahead log beside it.
pub(super) const LOG: &str = "state.db-wal";

/// The state as one SQLite transaction sees it: all answers are of the same moment.
#[derive(Debug)]
pub struct Reader<'s> {
    pub(super) connection: &'s Connection,
    folder: &'s Path,
}

impl<'s> Reader<'s> {
    pub(super) fn new(connection: &'s Connection, folder: &'s Path) -> Self {
        Self { connection, folder }
    }

    /// The state directory.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder
    }

    /// The lock file of an environment.
    #[must_use]
    pub fn lock_file(&self, environment: &Environment) -> PathBuf {
        lock_file(self.folder, environment)
    }

    /// The log file of a deployment.
    #[must_use]
    pub fn log_file(&self, id: DeploymentId) -> PathBuf {
        log_file(self.folder, id)
    }

    /// An error of SQLite in this state.
    pub(super) fn error(&self, error: rusqlite::Error) -> Error {
        Error::Database(self.folder.join(FILE), error)
    }

    /// All rows that a query finds.
    #[cfg_attr(test, track_caller)]
    pub(super) fn query<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let mut found = Vec::new();
        self.walk(sql, parameters, |row| {
            found.push(read(row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Looks at the rows that a query finds, one after the other, until `look` breaks off.
    #[cfg_attr(test, track_caller)]
    pub(super) fn walk(
        &self,
        sql: &str,
        parameters: impl Params,
        mut look: impl FnMut(&Row<'_>) -> rusqlite::Result<ControlFlow<()>>,
    ) -> Result<(), Error> {
        let mut statement = self.prepare(sql)?;
        let walked = statement.query(parameters).and_then(|mut rows| {
            while let Some(row) = rows.next()? {
                if look(row)?.is_break() {
                    break;
                }
            }
            Ok(())
        });
        walked.map_err(|error| self.error(error))
    }

    /// A statement, compiled once for this connection. All statements about what is recorded come
    /// from here, so that the tests see each of them.
    #[cfg_attr(test, track_caller)]
    pub(super) fn prepare(&self, sql: &str) -> Result<CachedStatement<'_>, Error> {
        #[cfg(test)]
        super::query_plan_tests::check(self.connection, sql);

        let prepared = self.connection.prepare_cached(sql);
        prepared.map_err(|error| self.error(error))
    }

    /// The first row that a query finds, if any.
    #[cfg_attr(test, track_caller)]
    pub(super) fn first<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        let mut found = None;
        self.walk(sql, parameters, |row| {
            found = Some(read(row)?);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// Whether a query finds any row.
    #[cfg_attr(test, track_caller)]
    pub(super) fn has(&self, sql: &str, parameters: impl Params) -> Result<bool, Error> {
        Ok(self.first(sql, parameters, |_| Ok(()))?.is_some())
    }
}

/// The lock file of an environment in a state directory.
pub(super) fn lock_file(folder: &Path, environment: &Environment) -> PathBuf {
    folder.join("locks").join(format!("{environment}.lock"))
}

/// A [`Reader`] in a transaction that only reads. The transaction ends when it is dropped.
#[derive(Debug)]
pub struct Snapshot<'s>(pub(super) Reader<'s>);

impl<'s> Deref for Snapshot<'s> {
    type Target = Reader<'s>;

    fn deref(&self) -> &Reader<'s> {
        &self.0
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // Nothing was written, so nothing is lost where this fails. Then the next transaction can't
        // begin, and says so.
        let rollback = self.0.connection.prepare_cached("ROLLBACK");
        let _ = rollback.and_then(|mut rollback| rollback.execute([]));
    }
}
