//! The opened state: where its files are, and its snapshots and transactions.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::error::Error;
use super::log_files::log_file;
use super::reader::{FILE, LOG, Reader, Snapshot, lock_file};
use super::transaction::Transaction;
use crate::id::{DeploymentId, Environment};
use crate::sys::file::sync_folder;
use crate::sys::sharing::Sharing;

/// How long a writer waits for another one before it gives up.
pub(super) const BUSY: Duration = Duration::from_secs(60);

/// The same for work that can also be done later: longer than a transaction usually takes, and too
/// short to hold up a push.
const BUSY_IF_OPTIONAL: Duration = Duration::from_secs(1);

/// How long the write-ahead log can get before it is moved into the database, in bytes. About five
/// deployments write this much. Moving it costs three flushes of the device, and whoever writes
/// into an empty log flushes two times more than others. Against that, a process that opens the
/// database while no other one has it open reads all of the log: for this much, that takes a few
/// hundred microseconds.
const LOG_ENOUGH: u64 = 512 * 1024;

/// An opened state directory.
#[derive(Debug)]
pub struct Store {
    pub(super) connection: Connection,
    pub(super) folder: PathBuf,
    pub(super) sharing: Sharing,
    /// Whether it is certain that a power cut does not take the name of the write-ahead log away.
    pub(super) is_log_named: bool,
}

impl Store {
    /// The state directory.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How the state's files are shared.
    #[must_use]
    pub fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// The lock file of an environment.
    #[must_use]
    pub fn lock_file(&self, environment: &Environment) -> PathBuf {
        lock_file(&self.folder, environment)
    }

    /// The lock file of a reader of events. No environment has such a name.
    #[must_use]
    pub fn reader_lock_file(&self, reader: &str) -> PathBuf {
        self.folder.join("locks").join(format!("+{reader}.lock"))
    }

    /// The log file of a deployment.
    #[must_use]
    pub fn log_file(&self, id: DeploymentId) -> PathBuf {
        log_file(&self.folder, id)
    }

    /// An error of SQLite in this state.
    pub(super) fn error(&self, error: rusqlite::Error) -> Error {
        Error::Database(self.folder.join(FILE), error)
    }

    /// Runs a statement without parameters.
    fn run(&self, sql: &str) -> Result<(), Error> {
        let statement = self.connection.prepare_cached(sql);
        let ran = statement.and_then(|mut statement| statement.execute([]));
        ran.map(|_| ()).map_err(|error| self.error(error))
    }

    /// Syncs the folder of the write-ahead log before something is written into a log that may be
    /// new. It is called with the lock of writers held: so where a log has content, whoever wrote
    /// the first of it has synced the folder before.
    fn name_log(&mut self) -> Result<(), Error> {
        if self.is_log_named {
            return Ok(());
        }
        if self.log_length() == 0 {
            let synced = sync_folder(&self.folder);
            synced.map_err(|error| Error::Io(self.folder.clone(), error))?;
        }
        self.is_log_named = true;
        Ok(())
    }

    /// How many bytes the write-ahead log has; 0 where there is none, or none that can be seen.
    fn log_length(&self) -> u64 {
        let log = self.folder.join(LOG);
        log.metadata().map_or(0, |found| found.len())
    }

    /// Takes one snapshot of the state. All answers are of the moment of the first question,
    /// whatever other processes write meanwhile. The snapshot borrows the store, so that two
    /// snapshots can't be mixed by accident.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn read(&mut self) -> Result<Snapshot<'_>, Error> {
        self.run("BEGIN DEFERRED")?;
        Ok(Snapshot(Reader::new(&self.connection, &self.folder)))
    }

    /// Does some work in one transaction. Either all of it happens and is durable, or nothing.
    ///
    /// # Errors
    /// The error of the work, or of the state. Nothing was changed then.
    pub fn transaction<T, E: From<Error>>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.run("BEGIN IMMEDIATE")?;
        let named = self.name_log();
        let transaction = Transaction::new(Reader::new(&self.connection, &self.folder));
        let done = named.map_err(E::from).and_then(|()| {
            let value = work(&transaction)?;
            self.run("COMMIT")?;
            Ok(value)
        });

        if done.is_err() && !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        done
    }

    /// Like [`Store::transaction`], for work that is done again where it is lost.
    ///
    /// It is not synced: all of it happens or nothing, and it survives the death of the process,
    /// but a power cut can undo it. The next synced transaction makes it durable too (SQLite,
    /// "PRAGMA synchronous", NORMAL in WAL mode).
    ///
    /// # Errors
    /// As for [`Store::transaction`].
    pub fn unsynced_transaction<T, E: From<Error>>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.run("PRAGMA synchronous = NORMAL")?;
        let done = self.transaction(work);
        self.run("PRAGMA synchronous = FULL")?;
        done
    }

    /// Like [`Store::unsynced_transaction`], for work that can also be done later or by somebody
    /// else. It waits for other processes one second only. Then it is an error, and nothing is
    /// done.
    ///
    /// # Errors
    /// As for [`Store::transaction`].
    pub fn optional_transaction<T, E: From<Error>>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.wait_at_most(BUSY_IF_OPTIONAL)?;
        let done = self.unsynced_transaction(work);
        self.wait_at_most(BUSY)?;
        done
    }

    /// Sets how long a transaction waits for another process.
    fn wait_at_most(&self, limit: Duration) -> Result<(), Error> {
        self.connection
            .busy_timeout(limit)
            .map_err(|error| self.error(error))
    }

    /// A number that changes whenever another process has changed the state.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn data_version(&self) -> Result<i64, Error> {
        self.connection
            .query_row("PRAGMA data_version", [], |row| row.get(0))
            .map_err(|error| self.error(error))
    }

    /// The device and the inode of the database that is in the state directory now; `None`: there
    /// is none. It can be removed with the repository, or be made anew, while this one is open.
    #[must_use]
    pub fn file_in_place(&self) -> Option<(u64, u64)> {
        let found = std::fs::metadata(self.folder.join(FILE)).ok()?;
        Some((found.dev(), found.ino()))
    }

    /// Moves the write-ahead log into the database, as far as other readers allow, once there is
    /// much in it. Nothing is lost where this fails.
    pub fn tidy_log(&self) {
        if self.log_length() >= LOG_ENOUGH {
            self.checkpoint();
        }
    }

    /// Moves the write-ahead log into the database, as far as other readers allow.
    pub(super) fn checkpoint(&self) {
        let _ = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    /// What SQLite finds wrong with the database; empty where it finds nothing.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn integrity_problems(&self) -> Result<Vec<String>, Error> {
        let reader = Reader::new(&self.connection, &self.folder);
        let mut lines: Vec<String> = reader.query("PRAGMA quick_check", [], |row| row.get(0))?;
        lines.retain(|line| line != "ok");
        Ok(lines)
    }
}
