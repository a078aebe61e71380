//! The database's file: making it, opening it, and bringing it up to date.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::connection::{BUSY, Store};
use super::error::Error;
use super::reader::FILE;
use super::schema::{self, VERSION};
use crate::sys::clock::{self, Deadline};
use crate::sys::file::sync_folder;
use crate::sys::open;
use crate::sys::sharing::Sharing;

/// How long to wait before it is tried again to switch to WAL.
const PAUSE: Duration = Duration::from_millis(5);

/// The folders of the state directory.
const PARTS: [&str; 3] = ["locks", "logs", "work"];

impl Store {
    /// Opens the state in a folder, and brings an older version of it up to date.
    ///
    /// # Errors
    /// [`Error::Missing`] where there is none, [`Error::TooNew`], or it can't be opened.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let store = Self::open_as_it_is(folder)?;
        // A state that was restored from a backup may lack folders that were empty. Where a folder
        // can't be made, the code that needs it reports an error.
        for part in PARTS {
            let _ = store.sharing.create_folder(&folder.join(part));
        }
        store.bring_up_to_date()
    }

    /// Opens the state in a folder without changing it. Of an older version, only
    /// [`Store::version`] and, above version 0, the cursor can be read.
    ///
    /// # Errors
    /// As for [`Store::open`].
    pub fn open_as_it_is(folder: &Path) -> Result<Self, Error> {
        let file = folder.join(FILE);
        if let Err(error) = std::fs::metadata(&file) {
            return Err(match error.kind() {
                io::ErrorKind::NotFound => Error::Missing(file),
                _ => Error::Io(file, error),
            });
        }
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let file = folder.join(format!("{FILE}{suffix}"));
            open::no_pipe(&file).map_err(|error| Error::Io(file, error))?;
        }

        let sharing =
            Sharing::of_folder(folder).map_err(|error| Error::Io(folder.to_owned(), error))?;
        let store = Self::connect(folder, sharing)?;
        store.version()?;
        Ok(store)
    }

    /// Opens the state in a folder, and makes what is missing of it.
    ///
    /// # Errors
    /// It can't be made or opened.
    pub fn create(folder: &Path, sharing: Sharing) -> Result<Self, Error> {
        for part in std::iter::once(folder.to_owned()).chain(PARTS.map(|part| folder.join(part))) {
            sharing
                .create_folder(&part)
                .map_err(|error| Error::Io(part, error))?;
        }

        let io = |error| Error::Io(folder.to_owned(), error);
        let sharing = Sharing::of_folder(folder).map_err(io)?;
        create_file(folder, sharing).map_err(io)?;
        let store = Self::connect(folder, sharing)?.bring_up_to_date()?;

        sync_folder(folder).map_err(io)?;
        folder.parent().map_or(Ok(()), sync_folder).map_err(io)?;
        Ok(store)
    }

    /// The version of the database. 0: the file is there, and nothing is in it.
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

    /// Opens the database's file with the settings that every connection has.
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

    /// Brings an older database up to date. Each step and its version number are one transaction.
    fn migrate(&mut self) -> Result<(), Error> {
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
    fn use_wal(&self) -> Result<(), Error> {
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

/// Makes an empty file for the database, where it is missing. SQLite gives the files beside it the
/// same mode and, if root makes them, the same owner (`findCreateFileMode` in its os_unix.c).
fn create_file(folder: &Path, sharing: Sharing) -> io::Result<()> {
    let file = folder.join(FILE);
    sharing
        .open_file(&file, OpenOptions::new().write(true))
        .map(drop)
}

/// Whether SQLite failed because another process uses the database.
fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}
