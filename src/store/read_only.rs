//! Opening the database for a process that only ever reads, and that may be another user's.
//!
//! Protocol: SQLite opens the file for reading, and the shared memory of the write-ahead log with
//! `readonly_shm`, so that it neither makes nor changes it (<https://sqlite.org/wal.html>,
//! "Read-Only Databases"). It would still make a log that is missing. So the log and the shared
//! memory have to be there, where those who write leave them. While no other process has the
//! database open, nobody vouches for the shared memory, and SQLite reads the log instead.
//!
//! A transaction that reads takes a lock, which keeps a checkpoint from going on. So the snapshots
//! of such a process have to be short.

use std::fmt::Write as _;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::connection::Store;
use super::error::Error;
use super::open::look_before_opening;
use super::reader::{FILE, LOG};
use super::schema::VERSION;
use crate::id::EventId;

/// How long it waits for another process that has to have the database for itself.
const BUSY: Duration = Duration::from_secs(1);

/// What is another value after each change of a state: its last event, and the length and the time
/// of its write-ahead log. Not everything that changes is an event, and two changes can have the
/// same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeMark {
    last_event: EventId,
    log: Option<(u64, i64, i64)>,
}

impl Store {
    /// The mark of the state as it is now. The data version of SQLite does not serve: it also
    /// changes with each look while no other process has the database open.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn change_mark(&mut self) -> Result<ChangeMark, Error> {
        // The log comes first: what changes between the two looks is seen by the next one.
        let log = self.folder.join(LOG).metadata().ok();
        let log = log.map(|found| (found.len(), found.mtime(), found.mtime_nsec()));
        let last_event = self.read()?.last_event()?;
        Ok(ChangeMark { last_event, log })
    }

    /// Opens the state in a folder only to read it. Nothing is written, and no file is made.
    ///
    /// # Errors
    /// [`Error::Unopened`] where the log or its shared memory is missing, [`Error::TooOld`], and as
    /// for [`Store::open_as_it_is`].
    pub fn open_read_only(folder: &Path) -> Result<Self, Error> {
        let (file, sharing) = look_before_opening(folder)?;
        for suffix in ["-wal", "-shm"] {
            let beside = folder.join(format!("{FILE}{suffix}"));
            match beside.metadata() {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(Error::Unopened(file));
                }
                Err(error) => return Err(Error::Io(beside, error)),
            }
        }

        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let opened = Connection::open_with_flags(uri(&file), flags);
        let store = Self::settle(folder, &file, sharing, opened, BUSY)?;
        store.check()?;
        match store.version()? {
            VERSION => Ok(store),
            found => Err(Error::TooOld { file, found }),
        }
    }
}

/// The URI of a database's file (<https://sqlite.org/uri.html>).
fn uri(file: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in file.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            let _ = write!(uri, "%{byte:02x}");
        }
    }
    uri.push_str("?readonly_shm=1");
    uri
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};

    use super::*;
    use crate::store::testing::{TestState, now, target};

    /// The files of a state, with what would change if somebody wrote into them.
    fn files(folder: &Path) -> BTreeMap<String, (u64, i64)> {
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| entry.path().is_file());
        let files = files.map(|entry| {
            let found = entry.metadata().unwrap();
            let mut content = DefaultHasher::new();
            fs::read(entry.path()).unwrap().hash(&mut content);
            let name = entry.file_name().into_string().unwrap();
            (name, (content.finish(), found.mtime_nsec()))
        });
        files.collect()
    }

    fn newest(store: &mut Store) -> Option<i64> {
        let record = store.read().unwrap();
        let newest = record.newest_of(&target("web")).unwrap();
        newest.map(|newest| newest.id.0)
    }

    #[test]
    fn state_is_read_and_not_changed_while_others_write_and_while_nobody_does() {
        let mut state = TestState::new();
        state.enqueue("web", '1');
        let folder = state.store.folder().to_owned();
        let mut reader = Store::open_read_only(&folder).unwrap();
        assert_eq!(newest(&mut reader), Some(1));

        state.enqueue("web", '2');
        assert_eq!(newest(&mut reader), Some(2));
        // What was read holds up nobody who moves the log into the database.
        state.store.checkpoint();
        let log = fs::metadata(folder.join("state.db-wal")).unwrap();
        assert_eq!(log.len(), 0);
        assert_eq!(newest(&mut reader), Some(2));
        state.enqueue("web", '3');
        drop(reader);

        let TestState { store, _folder } = state;
        drop(store);
        let before = files(&folder);
        let mut reader = Store::open_read_only(&folder).unwrap();
        assert_eq!(newest(&mut reader), Some(3));
        let refused: Result<(), Error> =
            reader.transaction(|t| t.move_position("x", crate::id::EventId(1)));
        assert!(refused.is_err());
        assert_eq!(reader.read().unwrap().freezes(now()).unwrap().len(), 0);
        drop(reader);
        assert_eq!(files(&folder), before);
    }

    #[test]
    fn mark_changes_with_the_state_alone() {
        let mut state = TestState::new();
        let folder = state.store.folder().to_owned();
        let mut reader = Store::open_read_only(&folder).unwrap();
        let mut mark = || reader.change_mark().unwrap();
        let before = mark();
        assert_eq!(mark(), before);
        state.enqueue("web", '1');
        let after = mark();
        assert_ne!(after, before);

        let TestState { store, _folder } = state;
        drop(store);
        // Nobody else has it open now.
        assert_eq!([mark(), mark()], [after, after]);
    }

    #[test]
    fn missing_log_is_an_error_and_is_not_made() {
        for missing in ["state.db-wal", "state.db-shm"] {
            let TestState { store, _folder } = TestState::new();
            let folder = store.folder().to_owned();
            drop(store);
            fs::remove_file(folder.join(missing)).unwrap();

            let before = files(&folder);
            let opened = Store::open_read_only(&folder);
            assert!(matches!(opened, Err(Error::Unopened(_))), "{opened:?}");
            assert_eq!(files(&folder), before);
        }
    }

    #[test]
    fn state_of_an_older_version_stays_as_it_is() {
        let TestState { store, _folder } = TestState::new();
        let folder = store.folder().to_owned();
        store
            .connection
            .pragma_update(None, "user_version", VERSION - 1)
            .unwrap();
        drop(store);

        let before = files(&folder);
        let opened = Store::open_read_only(&folder);
        assert!(matches!(opened, Err(Error::TooOld { .. })), "{opened:?}");
        assert_eq!(files(&folder), before);
    }

    #[test]
    fn path_in_a_uri_is_only_a_path() {
        let uri = uri(Path::new("/a b/50%?mode=rwc#x/é"));
        assert_eq!(
            uri,
            "file:/a%20b/50%25%3fmode%3drwc%23x/%c3%a9?readonly_shm=1"
        );
    }
}
