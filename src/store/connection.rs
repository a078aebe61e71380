//! The database's file: made, opened, brought up to date.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::Error;
use super::reader::{FILE, Reader, Snapshot, log_file};
use super::schema::{self, VERSION};
use super::transaction::Transaction;
use crate::sys::clock::{self, Deadline};
use crate::sys::file::sync_folder;
use crate::sys::sharing::Sharing;

/// How long a writer waits for another one before it gives up.
const BUSY: Duration = Duration::from_secs(60);

/// The folders of the state directory.
const PARTS: [&str; 3] = ["locks", "logs", "work"];

/// An opened state directory.
#[derive(Debug)]
pub struct Store {
    pub(super) connection: Connection,
    folder: PathBuf,
    sharing: Sharing,
}

impl Store {
    /// Opens the state in a folder, bringing an older version of it up to date.
    ///
    /// # Errors
    /// [`Error::Missing`] where there is none, [`Error::TooNew`], or it can't be opened.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let store = Self::open_as_it_is(folder)?;
        // A restored state may lack what was empty. Where it can't be made, whoever needs it says
        // so.
        for part in PARTS {
            let _ = store.sharing.create_folder(&folder.join(part));
        }
        store.bring_up_to_date()
    }

    /// Opens the state in a folder without changing it. Of an older version nothing but
    /// [`Store::version`] and, above 0, the cursor can be read.
    ///
    /// # Errors
    /// As for [`Store::open`].
    pub fn open_as_it_is(folder: &Path) -> Result<Self, Error> {
        let file = folder.join(FILE);
        match std::fs::metadata(&file) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Missing(file));
            }
            Err(error) => return Err(Error::Io(file, error)),
        }
        let sharing =
            Sharing::of_folder(folder).map_err(|error| Error::Io(folder.to_owned(), error))?;
        let store = Self::connect(folder, sharing)?;
        store.version()?;
        Ok(store)
    }

    /// The version of the database; 0: it is still to be made.
    ///
    /// # Errors
    /// [`Error::TooNew`], or it can't be read.
    pub fn version(&self) -> Result<i64, Error> {
        let found = schema::version(&self.connection).map_err(|error| self.error(error))?;
        if found > VERSION {
            return Err(Error::TooNew {
                file: self.folder.join(FILE),
                found,
                known: VERSION,
            });
        }
        Ok(found)
    }

    /// Opens the state in a folder, making what is missing.
    ///
    /// # Errors
    /// It can't be made or opened.
    pub fn create(folder: &Path, sharing: Sharing) -> Result<Self, Error> {
        let io = |error| Error::Io(folder.to_owned(), error);
        for part in std::iter::once(folder.to_owned()).chain(PARTS.map(|part| folder.join(part))) {
            sharing
                .create_folder(&part)
                .map_err(|error| Error::Io(part, error))?;
        }
        let sharing = Sharing::of_folder(folder).map_err(io)?;
        // SQLite gives the files beside the database the database's mode.
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(folder.join(FILE))
        {
            Ok(file) => sharing.apply_to_file(&file).map_err(io)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io(error)),
        }
        let store = Self::connect(folder, sharing)?.bring_up_to_date()?;
        sync_folder(folder).map_err(io)?;
        folder.parent().map_or(Ok(()), sync_folder).map_err(io)?;
        Ok(store)
    }

    fn connect(folder: &Path, sharing: Sharing) -> Result<Self, Error> {
        let file = folder.join(FILE);
        let error = |error| Error::Database(file.clone(), error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(&file, flags).map_err(error)?;
        connection.busy_timeout(BUSY).map_err(error)?;
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .map_err(error)?;
        let settings =
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0;";
        connection.execute_batch(settings).map_err(error)?;
        Ok(Self {
            connection,
            folder: folder.to_owned(),
            sharing,
        })
    }

    fn bring_up_to_date(mut self) -> Result<Self, Error> {
        self.use_wal()?;
        self.migrate()?;
        Ok(self)
    }

    /// Brings an older database up to date; each step and its number are one transaction.
    fn migrate(&mut self) -> Result<(), Error> {
        while self.version()? < VERSION {
            let done: Result<(), Error> = self.transaction(|transaction| {
                // Another process may have been faster since the look above.
                let connection = transaction.connection;
                let stepped = schema::version(connection).and_then(|version| {
                    schema::step(version).map_or(Ok(()), |step| connection.execute_batch(&step))
                });
                stepped.map_err(|error| transaction.error(error))
            });
            done?;
        }
        Ok(())
    }

    /// Switches to WAL. SQLite does not wait for others here, and a failed switch is told by the
    /// mode that it answers with alone.
    fn use_wal(&self) -> Result<(), Error> {
        let deadline = Deadline::after(BUSY);
        loop {
            let mode: Result<String, _> =
                self.connection
                    .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
            match mode {
                Ok(mode) if mode == "wal" => return Ok(()),
                Ok(mode) => {
                    return Err(Error::Damaged(format!(
                        "the journal mode stays {mode} and does not become wal"
                    )));
                }
                Err(error) if is_busy(&error) && !deadline.is_over() => {
                    clock::sleep(Duration::from_millis(5))
                }
                Err(error) => return Err(self.error(error)),
            }
        }
    }

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
    pub fn lock_file(&self, environment: &crate::id::Environment) -> PathBuf {
        self.folder
            .join("locks")
            .join(format!("{environment}.lock"))
    }

    /// The log file of a deployment.
    #[must_use]
    pub fn log_file(&self, id: crate::id::DeploymentId) -> PathBuf {
        log_file(&self.folder, id)
    }

    /// Runs some work in one transaction: all of it happened, durably, or none.
    ///
    /// # Errors
    /// The work's own error, or the state's; nothing was changed then.
    pub fn transaction<T, E: From<Error>>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(|error| self.error(error))?;
        let transaction = Transaction::new(Reader::new(&self.connection, &self.folder));
        let done = work(&transaction).and_then(|value| {
            self.connection
                .execute_batch("COMMIT")
                .map_err(|error| self.error(error))?;
            Ok(value)
        });
        if done.is_err() && !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        done
    }

    /// One snapshot of the state: everything that is asked of it is as it was at the first
    /// question, whatever others write meanwhile. It borrows the store, so that a process can't
    /// ask two snapshots at once by accident.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn read(&mut self) -> Result<Snapshot<'_>, Error> {
        self.connection
            .execute_batch("BEGIN DEFERRED")
            .map_err(|error| self.error(error))?;
        Ok(Snapshot(Reader::new(&self.connection, &self.folder)))
    }

    /// [`Store::transaction`] for what may be done once more after a power cut: the change is whole
    /// or not there, and survives the death of the process, but it is not synced. The next synced
    /// transaction makes it durable as well (SQLite, "PRAGMA synchronous", NORMAL in WAL mode).
    ///
    /// # Errors
    /// As for [`Store::transaction`].
    pub fn unsynced_transaction<T, E: From<Error>>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let set = |store: &Self, level: &str| {
            store
                .connection
                .execute_batch(&format!("PRAGMA synchronous = {level}"))
                .map_err(|error| store.error(error))
        };
        set(self, "NORMAL")?;
        let done = self.transaction(work);
        set(self, "FULL")?;
        done
    }

    /// A number that changes whenever another process changed the state.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn data_version(&self) -> Result<i64, Error> {
        self.connection
            .query_row("PRAGMA data_version", [], |row| row.get(0))
            .map_err(|error| self.error(error))
    }

    /// Folds the write-ahead log into the database as far as readers allow. Nothing is lost where
    /// it fails.
    pub fn checkpoint(&self) {
        let _ = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    /// What SQLite finds wrong with the database; empty when nothing.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn integrity_problems(&self) -> Result<Vec<String>, Error> {
        let mut statement = self
            .connection
            .prepare("PRAGMA quick_check")
            .map_err(|error| self.error(error))?;
        let lines = statement
            .query_map([], |row| row.get::<_, String>(0))
            .and_then(Iterator::collect::<Result<Vec<_>, _>>);
        Ok(lines
            .map_err(|error| self.error(error))?
            .into_iter()
            .filter(|line| line != "ok")
            .collect())
    }

    fn error(&self, error: rusqlite::Error) -> Error {
        Error::Database(self.folder.join(FILE), error)
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}
