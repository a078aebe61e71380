//! What was planned, what runs and what happened: the one place where processes meet.
//!
//! Protocol: an SQLite database in WAL mode with `synchronous=FULL`, so that what a committed
//! transaction says survives a power cut. Every change is made inside `BEGIN IMMEDIATE` … `COMMIT`,
//! and nothing that follows from a change happens before its COMMIT was seen to succeed. A writer
//! waits for another one; readers wait for nobody. Hooks leave the write-ahead log as it is, the
//! runner folds it into the database when it leaves.
//!
//! It does not promise to work on a network file system, where WAL has no shared memory.

mod deployments;
mod planning;
mod safeguards;
mod schema;
mod views;

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::sys::clock::{self, Deadline};
use crate::sys::file::sync_folder;
use crate::sys::sharing::Sharing;
use crate::text;

pub use deployments::{Deployment, Outcome, Run, Stale};
pub use planning::{Cursor, Enqueued, Fault, Problem, Retired, Source};
pub use safeguards::RecordedNeed;
pub use schema::VERSION;
pub use views::Filter;

/// How long a writer waits for another one before it gives up.
const BUSY: Duration = Duration::from_secs(60);

/// The folders of the state directory.
const PARTS: [&str; 3] = ["locks", "logs", "work"];

/// The database's file in the state directory.
const FILE: &str = "state.db";

/// The state could not be read or changed.
#[derive(Debug)]
pub enum Error {
    /// There is no state here yet.
    Missing(PathBuf),
    /// The database was made by a newer version of this program.
    TooNew {
        /// The database's file.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// SQLite can't do what was asked.
    Database(PathBuf, rusqlite::Error),
    /// A file or folder of the state can't be used.
    Io(PathBuf, io::Error),
    /// The database says something that this program never writes.
    Damaged(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &Path| text::escape(path.as_os_str().as_encoded_bytes(), 200);
        match self {
            Self::Missing(file) => write!(f, "{}: there is no state here", shown(file)),
            Self::TooNew { file, found, known } => write!(
                f,
                "{}: the database is of a newer deploy-by-code: it has version {found}, and this program knows up to {known}",
                shown(file)
            ),
            Self::Database(file, error) => write!(
                f,
                "{}: {}",
                shown(file),
                text::escape(error.to_string(), 300)
            ),
            Self::Io(path, error) => write!(f, "{}: {error}", shown(path)),
            Self::Damaged(what) => {
                write!(f, "the database is damaged: {}", text::escape(what, 300))
            }
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing(_) => {
                "run: deploy-by-code install; if it was there, see that its file system is mounted"
            }
            Self::TooNew { .. } => "install the newer deploy-by-code again; the state is as it was",
            Self::Database(..) | Self::Io(..) => {
                "see that this user may write there and that the disk is not full"
            }
            Self::Damaged(_) => "run: deploy-by-code doctor",
        }
    }
}

/// An opened state directory.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
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
        schema::check(self)
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
        schema::migrate(&mut self)?;
        Ok(self)
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
        self.folder.join("logs").join(format!("{}.log", id.0))
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
        let transaction = Transaction {
            connection: &self.connection,
            file: &self.folder,
        };
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

    /// For reading outside a transaction: each question sees the state of one moment.
    #[must_use]
    pub fn read(&self) -> Transaction<'_> {
        Transaction {
            connection: &self.connection,
            file: &self.folder,
        }
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

/// The state, as one transaction sees it.
pub struct Transaction<'s> {
    connection: &'s Connection,
    file: &'s Path,
}

impl Transaction<'_> {
    fn error(&self, error: rusqlite::Error) -> Error {
        Error::Database(self.file.join(FILE), error)
    }

    /// Changes rows and says how many.
    fn execute(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<usize, Error> {
        let mut statement = self
            .connection
            .prepare_cached(sql)
            .map_err(|error| self.error(error))?;
        statement
            .execute(parameters)
            .map_err(|error| self.error(error))
    }

    /// All rows of a question.
    fn query<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let mut statement = self
            .connection
            .prepare_cached(sql)
            .map_err(|error| self.error(error))?;
        let rows = statement
            .query_map(parameters, read)
            .and_then(Iterator::collect);
        rows.map_err(|error| self.error(error))
    }

    /// The first row of a question, if any.
    fn first<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        Ok(self.query(sql, parameters, read)?.into_iter().next())
    }

    fn last_id(&self) -> i64 {
        self.connection.last_insert_rowid()
    }
}

#[cfg(test)]
mod tests;
