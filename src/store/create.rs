//! Making a state, and putting a damaged one aside.
//!
//! Protocol: a database is made under another name, with everything that it has to begin with, and
//! gets its name in one step. So nobody ever sees one that is empty or half made, and of two
//! processes that make one at the same time, the second finds that of the first. What is put aside
//! is renamed and never removed.
//!
//! It does not promise anything to a process that has the old database open while it is put aside:
//! what such a process still writes goes into the file that was put aside.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;

use super::connection::Store;
use super::error::Error;
use super::open::FOLDERS;
use super::reader::FILE;
use super::transaction::Transaction;
use crate::sys::clock::{self, Deadline};
use crate::sys::file::{is_absence, is_there, rename_to_free_name, sync_folder};
use crate::sys::lock::{Lock, try_lock_folder};
use crate::sys::sharing::Sharing;

/// The name under which a database is made.
const NEW: &str = "state.db.new";

/// The files of a database: the database itself, and what SQLite has beside it. The first is the
/// one that makes it a database.
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// How long another process that makes a state here is waited for. [`Error::Locked`] names it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the lock is tried.
const LOOK: Duration = Duration::from_millis(20);

impl Store {
    /// Makes a state in a folder, and does the first work in it, in one step. If there is a state
    /// already, it is opened as it is, and the work is not done.
    ///
    /// # Errors
    /// It can't be made or opened, or files of an earlier database are there.
    pub fn create(
        folder: &Path,
        sharing: Sharing,
        first: impl FnOnce(&Transaction<'_>) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        for part in std::iter::once(folder.to_owned()).chain(FOLDERS.map(|part| folder.join(part)))
        {
            sharing
                .create_folder(&part)
                .map_err(|error| Error::Io(part, error))?;
        }
        let _lock = lock(folder)?;
        let io = |error| Error::Io(folder.to_owned(), error);

        let file = folder.join(FILE);
        if !is_there(&file).map_err(io)? {
            // SQLite would take a log that is left of an earlier database for this one's.
            if has_files_beside(folder)? {
                return Err(Error::Lost(file));
            }
            let sharing = Sharing::of_folder(folder).map_err(io)?;
            let new = make(folder, sharing, first)?;
            match rename_to_free_name(&new, &file) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(Error::Io(file, error));
                }
                _ => {}
            }
            sync_folder(folder).map_err(io)?;
            folder.parent().map_or(Ok(()), sync_folder).map_err(io)?;
        }
        Self::open(folder)
    }

    /// Renames the files of a database that can't be used, so that another one can be made. Returns
    /// the new name of the database; `None`: there was none.
    ///
    /// # Errors
    /// A file can't be renamed. The next call renames the rest.
    pub fn put_aside(folder: &Path) -> Result<Option<PathBuf>, Error> {
        let _lock = lock(folder)?;
        let now = clock::now().to_string().replace([' ', ':'], "-");
        let kept = folder.join(format!("{FILE}.kept-{now}"));

        let mut found = None;
        for (at, suffix) in SUFFIXES.iter().enumerate() {
            let from = with_suffix(&folder.join(FILE), suffix);
            let to = with_suffix(&kept, suffix);
            let io = |error| Error::Io(from.clone(), error);
            if !is_there(&from).map_err(io)? {
                continue;
            }
            // The database goes first: without its log, it would be an older one.
            rename_to_free_name(&from, &to).map_err(io)?;
            if at == 0 {
                found = Some(to);
            }
        }
        sync_folder(folder).map_err(|error| Error::Io(folder.to_owned(), error))?;
        Ok(found)
    }

    /// Whether a state in a folder was ever in use, by what is beside its database.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn was_in_use(folder: &Path) -> Result<bool, Error> {
        if has_files_beside(folder)? {
            return Ok(true);
        }
        for part in FOLDERS.map(|part| folder.join(part)) {
            match fs::read_dir(&part).map(|mut entries| entries.next().transpose()) {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(_))) => return Ok(true),
                Err(error) if is_absence(&error) => {}
                Ok(Err(error)) | Err(error) => return Err(Error::Io(part, error)),
            }
        }
        Ok(false)
    }
}

/// Keeps other processes from making a state in this folder or putting it aside.
fn lock(folder: &Path) -> Result<Lock, Error> {
    let deadline = Deadline::after(PATIENCE);
    loop {
        let lock = try_lock_folder(folder).map_err(|error| Error::Io(folder.to_owned(), error))?;
        match lock {
            Some(lock) => return Ok(lock),
            None if deadline.is_over() => return Err(Error::Locked(folder.to_owned())),
            None => clock::sleep(LOOK),
        }
    }
}

/// Makes a database under another name. SQLite gives the files beside it the same mode.
fn make(
    folder: &Path,
    sharing: Sharing,
    first: impl FnOnce(&Transaction<'_>) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    let new = folder.join(NEW);
    let io = |error| Error::Io(new.clone(), error);
    for left in SUFFIXES.map(|suffix| with_suffix(&new, suffix)) {
        match fs::remove_file(left) {
            Err(error) if !is_absence(&error) => return Err(io(error)),
            _ => {}
        }
    }
    let file = sharing.open_file(&new, OpenOptions::new().write(true));
    let file = file.map_err(io)?;
    // Nobody else has this database open, so no lock of SQLite's is lost when the file is closed.
    drop(file);

    let mut store = Store::connect(folder, &new, sharing)?;
    store.migrate()?;
    store.transaction(first)?;
    store.use_wal()?;
    // The last connection that is closed moves the log into the database and removes it.
    let setting = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    let set = store.connection.set_db_config(setting, false);
    set.map_err(|error| Error::Database(new.clone(), error))?;
    store
        .connection
        .close()
        .map_err(|(_, error)| Error::Database(new.clone(), error))?;
    Ok(new)
}

/// Whether files are there that SQLite has beside a database.
fn has_files_beside(folder: &Path) -> Result<bool, Error> {
    for suffix in &SUFFIXES[1..] {
        let file = with_suffix(&folder.join(FILE), suffix);
        if is_there(&file).map_err(|error| Error::Io(file, error))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(suffix);
    name.into()
}
