//! Opening the database's file, and bringing it up to date.
//!
//! Protocol: nothing is made here. A database that is missing, empty or damaged, or that belongs to
//! another program, is an error that names the file, and the file stays as it is. Only the cheap
//! signs are looked at: what is in the tables is checked by `doctor`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};

use super::connection::{BUSY, Store};
use super::error::Error;
use super::reader::FILE;
use super::schema::{self, VERSION};
use crate::sys::access::{may_read, may_write};
use crate::sys::clock::{self, Deadline};
use crate::sys::file::is_absence;
use crate::sys::open;
use crate::sys::sharing::Sharing;

/// How long to wait before it is tried again to switch to WAL.
const PAUSE: Duration = Duration::from_millis(5);

/// How many statements a connection keeps: more than any process has.
const STATEMENTS_MAX: usize = 128;

/// The folders of the state directory.
pub const FOLDERS: [&str; 3] = ["locks", "logs", "work"];

impl Store {
    /// Opens the state in a folder, and brings an older version of it up to date.
    ///
    /// # Errors
    /// [`Error::Missing`] where there is none, [`Error::Lost`] where there was one,
    /// [`Error::NoAccess`] where this user may not change it, [`Error::TooNew`],
    /// [`Error::Unusable`], or it can't be opened.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let store = Self::open_as_it_is(folder)?;
        if store.is_read_only()? {
            return Err(Error::no_access(&folder.join(FILE), true));
        }

        // A state that was restored from a backup may lack folders that were empty. Where a folder
        // can't be made, the code that needs it reports an error.
        for part in FOLDERS {
            let _ = store.sharing.create_folder(&folder.join(part));
        }
        store.bring_up_to_date()
    }

    /// Like [`Store::open`], for a user who may perhaps only read. Then an older version is not
    /// brought up to date.
    ///
    /// # Errors
    /// As for [`Store::open`], if this user may not read the state, or only read an older version.
    pub fn open_to_look(folder: &Path) -> Result<Self, Error> {
        let store = Self::open_as_it_is(folder)?;
        if store.version()? == VERSION && store.is_read_only()? {
            return Ok(store);
        }
        drop(store);
        Self::open(folder)
    }

    /// Opens the state in a folder without changing it. Of an older version, only
    /// [`Store::version`] and the cursor can be read.
    ///
    /// # Errors
    /// As for [`Store::open`].
    pub fn open_as_it_is(folder: &Path) -> Result<Self, Error> {
        let (file, sharing) = look_before_opening(folder)?;
        let store = Self::connect(folder, &file, sharing)?;
        store.check()?;

        // SQLite also reads only if the head says that a newer SQLite wrote the file.
        if store.is_read_only()? && may_write(&file) {
            let what = "its head says that it is of another version of SQLite";
            return Err(Error::Unusable { file, what });
        }
        Ok(store)
    }

    /// A state in memory in which nothing is recorded. It stands for a state that is not made yet.
    ///
    /// # Errors
    /// It can't be made.
    pub fn empty() -> Result<Self, Error> {
        let folder = PathBuf::new();
        let connection = Connection::open_in_memory().and_then(|connection| {
            keep_statements(&connection)?;
            Ok(connection)
        });
        let connection = connection.map_err(|error| Error::Database(folder.clone(), error))?;
        let mut store = Self {
            connection,
            folder,
            sharing: Sharing::PRIVATE,
            is_log_named: true,
        };
        store.migrate()?;
        Ok(store)
    }

    /// The version of the database.
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

    /// Whether this process can only read the database.
    fn is_read_only(&self) -> Result<bool, Error> {
        let answer = self.connection.is_readonly(MAIN_DB);
        answer.map_err(|error| self.error(error))
    }

    /// Checks the head of the database, which SQLite has just read.
    pub(super) fn check(&self) -> Result<(), Error> {
        let version = self.version()?;
        let fault = schema::fault(&self.connection, version).map_err(|error| self.error(error))?;
        match fault {
            Some(what) => {
                let file = self.folder.join(FILE);
                Err(Error::Unusable { file, what })
            }
            None => Ok(()),
        }
    }

    /// Opens a database's file with the settings that every connection has.
    pub(super) fn connect(folder: &Path, file: &Path, sharing: Sharing) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let opened = Connection::open_with_flags(file, flags);
        Self::settle(folder, file, sharing, opened, BUSY)
    }

    /// Gives a connection that was opened to a database's file the settings that each one has.
    /// `busy`: how long it waits for other processes.
    pub(super) fn settle(
        folder: &Path,
        file: &Path,
        sharing: Sharing,
        opened: rusqlite::Result<Connection>,
        busy: Duration,
    ) -> Result<Self, Error> {
        let error = |error: rusqlite::Error| match error.sqlite_error_code() {
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) if !may_read(file) => {
                Error::no_access(file, false)
            }
            _ => Error::Database(file.to_owned(), error),
        };
        let connection = opened.map_err(error)?;

        connection.busy_timeout(busy).map_err(error)?;
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .map_err(error)?;
        keep_statements(&connection).map_err(error)?;
        let settings =
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0;";
        connection.execute_batch(settings).map_err(error)?;

        Ok(Self {
            connection,
            folder: folder.to_owned(),
            sharing,
            is_log_named: false,
        })
    }

    fn bring_up_to_date(mut self) -> Result<Self, Error> {
        self.use_wal()?;
        self.migrate()?;
        Ok(self)
    }

    /// Brings an older database up to date. Each step and its version number are one transaction.
    pub(super) fn migrate(&mut self) -> Result<(), Error> {
        while self.version()? < VERSION {
            self.transaction(|transaction| {
                // Another process may have done this step since the version was read.
                let connection = transaction.connection;
                let stepped = schema::version(connection).and_then(|version| {
                    schema::step(version).map_or(Ok(()), |step| connection.execute_batch(&step))
                });
                stepped.map_err(|error| transaction.error(error))
            })?;
        }
        Ok(())
    }

    /// Switches the database to a write-ahead log. SQLite does not wait for other processes here,
    /// and only the mode that it answers with says whether it has switched.
    pub(super) fn use_wal(&self) -> Result<(), Error> {
        let deadline = Deadline::after(BUSY);
        loop {
            let mode: Result<String, _> =
                self.connection
                    .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
            match mode {
                Ok(mode) if mode == "wal" => return Ok(()),
                Ok(mode) => {
                    let message = format!("the journal mode stays {mode} and does not become wal");
                    return Err(Error::Damaged(message));
                }
                Err(error) if is_busy(&error) && !deadline.is_over() => clock::sleep(PAUSE),
                Err(error) => return Err(self.error(error)),
            }
        }
    }
}

/// Lets each statement be compiled once. By default, a statement is compiled again for each new
/// value that is compared with what an index has a condition on
/// (<https://sqlite.org/queryplanner-ng.html>, "The SQLite Query Planner Stability Guarantee").
fn keep_statements(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(())
}

/// Looks whether SQLite can open a database here without waiting for a pipe. Returns its file, and
/// how the files of the state are shared.
pub(super) fn look_before_opening(folder: &Path) -> Result<(PathBuf, Sharing), Error> {
    let file = folder.join(FILE);
    look_at(folder, &file)?;
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let file = folder.join(format!("{FILE}{suffix}"));
        open::no_pipe(&file).map_err(|error| Error::Io(file, error))?;
    }

    let sharing = Sharing::of_folder(folder);
    let sharing = sharing.map_err(|error| Error::Io(folder.to_owned(), error))?;
    Ok((file, sharing))
}

/// Looks whether a database can be in a file at all.
fn look_at(folder: &Path, file: &Path) -> Result<(), Error> {
    let unusable = |what| {
        let file = file.to_owned();
        Err(Error::Unusable { file, what })
    };
    match fs::symlink_metadata(file) {
        Ok(found) if found.file_type().is_symlink() => unusable("a link is in its place"),
        Ok(found) if !found.is_file() => unusable("it is not a regular file"),
        Ok(found) if found.len() == 0 => unusable("it is empty"),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(Error::no_access(file, false))
        }
        Err(error) if !is_absence(&error) => Err(Error::Io(file.to_owned(), error)),
        Err(_) => match fs::metadata(folder) {
            Ok(_) => Err(Error::Lost(file.to_owned())),
            Err(error) if is_absence(&error) => Err(Error::Missing(file.to_owned())),
            Err(error) => Err(Error::Io(folder.to_owned(), error)),
        },
    }
}

/// Whether SQLite failed because another process uses the database.
fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}
