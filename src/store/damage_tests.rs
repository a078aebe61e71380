//! A database that is damaged, and a state that is made while others look.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;

use super::reader::FILE;
use super::testing::{TestState, now, planned, revision, source, target};
use super::*;
use crate::id::DeploymentId;
use crate::sys::sharing::Sharing;

/// How long the head of a database is, in bytes (<https://sqlite.org/fileformat2.html>).
const HEAD: u64 = 100;

/// Opens a state and reads what pre-receive reads in any case.
fn read(folder: &Path) -> Result<Store, Error> {
    let mut store = Store::open(folder)?;
    let record = store.read()?;
    record.cursor()?;
    let deployed = record.deployed(&target("a"))?;
    assert_eq!(
        deployed.map(|deployed| deployed.revision),
        Some(revision('1'))
    );
    drop(record);
    Ok(store)
}

/// Records a deployment.
fn write(mut store: Store) -> Result<DeploymentId, Error> {
    store.transaction(|t| {
        let rollout = t.begin_rollout(None, Some(&revision('c')), now())?;
        Ok(t.enqueue(rollout, &planned("a", '2'), &source(), now())?.id)
    })
}

/// A wrong byte in the head either does not matter, or the state can't be used at all. It must
/// never happen that it can be read, so that a push is accepted, and not be written.
#[test]
fn wrong_byte_in_the_head_is_harmless_or_an_error_of_opening() {
    let mut state = TestState::new();
    let first = state.enqueue("a", '1').id;
    state.begin(first, now()).unwrap();
    state.succeed(first, now()).unwrap();
    state.store.checkpoint();
    let sound = fs::read(state.store.folder().join(FILE)).unwrap();

    let (mut harmless, mut refused) = (0, 0);
    for at in 0..HEAD {
        for flip in [0x01, 0x40, 0x80] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join(FILE);
            fs::write(&file, &sound).unwrap();
            let byte = sound[usize::try_from(at).unwrap()] ^ flip;
            let opened = fs::File::options().write(true).open(&file).unwrap();
            opened.write_all_at(&[byte], at).unwrap();

            let place = format!("byte {at} ^ {flip:#x}");
            match read(folder.path()) {
                Ok(store) => {
                    let id = write(store).unwrap_or_else(|error| panic!("{place}: {error}"));
                    assert_eq!(id, DeploymentId(first.0 + 1), "{place}");
                    read(folder.path()).unwrap_or_else(|error| panic!("{place}: {error}"));
                    harmless += 1;
                }
                Err(error) => {
                    let is_named = error.to_string().contains(FILE);
                    let is_newer = matches!(error, Error::TooNew { .. });
                    assert!(
                        is_named && (error.is_damage() || is_newer),
                        "{place}: {error}"
                    );
                    refused += 1;
                }
            }
        }
    }
    assert!(harmless > 50 && refused > 50, "{harmless}, {refused}");
}

#[test]
fn what_is_no_database_of_this_program_is_named_and_stays() {
    let table: [(&str, &[u8], &str); 3] = [
        ("empty", b"", "it is empty"),
        (
            "text",
            b"some text that is long enough for a head",
            "not a database",
        ),
        ("head", b"SQLite format 3\0", "not a database"),
    ];
    for (what, content, says) in table {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        fs::write(&file, content).unwrap();
        for opened in [
            Store::open(folder.path()),
            Store::open_to_look(folder.path()),
        ] {
            let error = opened.unwrap_err();
            let shown = error.to_string();
            assert!(
                shown.contains(FILE) && shown.contains(says),
                "{what}: {shown}"
            );
            assert!(
                error.is_damage() && error.hint().contains("rebuild"),
                "{what}"
            );
        }
        assert_eq!(fs::read(&file).unwrap(), content, "{what}");
    }

    // A database of another program.
    let folder = tempfile::tempdir().unwrap();
    let other = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
    other
        .execute_batch("PRAGMA user_version = 4; CREATE TABLE t (a)")
        .unwrap();
    assert!(Store::open(folder.path()).unwrap_err().is_damage());
}

#[test]
fn state_is_never_made_beside_the_log_of_an_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("state.db-wal"), "a log").unwrap();
    let made = Store::create(folder.path(), Sharing::PRIVATE, |_| Ok(()));
    assert!(matches!(made, Err(Error::Lost(_))));

    assert_eq!(Store::put_aside(folder.path()).unwrap(), None);
    Store::create(folder.path(), Sharing::PRIVATE, |_| Ok(())).unwrap();
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may panic")]
fn state_that_many_make_at_once_is_made_once_and_is_never_seen_unfinished() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let state = state.as_path();
    thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                let branch = format!("refs/heads/{number}");
                let first = |t: &Transaction<'_>| t.move_cursor(&branch, None);
                Store::create(state, Sharing::PRIVATE, first).unwrap();
            });
        }
        scope.spawn(move || {
            loop {
                match Store::open(state) {
                    Ok(mut store) => {
                        assert!(store.read().unwrap().cursor().unwrap().is_some());
                        break;
                    }
                    Err(Error::Missing(_) | Error::Lost(_)) => thread::yield_now(),
                    Err(error) => panic!("{error}"),
                }
            }
        });
    });
}
