//! Opening the state, its snapshots and its transactions.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::reader::FILE;
use super::testing::{TestState, alice, now, planned, revision, source, target};
use super::*;
use crate::id::EventId;
use crate::identity::{Evidence, Identity};
use crate::sys::clock::Deadline;
use crate::sys::sharing::Sharing;

#[test]
fn state_is_made_once_and_then_opened() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("a/state");
    assert!(matches!(Store::open(&state), Err(Error::Missing(_))));

    let mut store = Store::create(&state, Sharing::PRIVATE, |_| Ok(())).unwrap();
    store
        .transaction(|t| t.move_cursor("refs/heads/main", None))
        .unwrap();
    drop(store);

    let mut again = Store::create(&state, Sharing::PRIVATE, |_| Ok(())).unwrap();
    let cursor = again.read().unwrap().cursor().unwrap();
    assert_eq!(cursor.unwrap().commit, None);
    assert_eq!(again.integrity_problems().unwrap(), [""; 0]);
}

#[test]
fn state_of_a_newer_version_is_not_opened() {
    let state = TestState::new();
    let newer = "PRAGMA user_version = 99";
    state.store.connection.execute_batch(newer).unwrap();

    let error = Store::open(state.store.folder()).unwrap_err();
    let is_right = matches!(
        error,
        Error::TooNew {
            found: 99,
            known: VERSION,
            ..
        }
    );
    assert!(is_right, "the error is another one: {error}");
}

/// Each version of the schema was the newest once; a state of any of them opens and is brought up
/// to date.
#[test]
fn state_of_every_earlier_version_opens() {
    for version in 1..VERSION {
        let folder = tempfile::tempdir().unwrap();
        let old = Connection::open(folder.path().join(FILE)).unwrap();
        schema::make_version(&old, version);
        let row = format!(
            "INSERT INTO rollouts (planned_at_ms) VALUES (1);
             INSERT INTO deployments (rollout, environment, application, revision, status,
                 pusher, queued_at_ms, finish_order)
             VALUES (1, 'production', 'a', '{}', 'succeeded', 'alice', 1, 1);",
            revision('1')
        );
        old.execute_batch(&row).unwrap();
        if version >= 3 {
            let known = "UPDATE deployments SET pusher_known_by = 'unrecorded'";
            old.execute_batch(known).unwrap();
        }
        drop(old);

        let mut store = Store::open(folder.path()).unwrap();
        assert_eq!(store.version().unwrap(), VERSION);
        let record = store.read().unwrap();
        let deployed = record.deployed(&target("a")).unwrap().unwrap();
        assert_eq!(deployed.revision, revision('1'));
        let alice = Identity::new("alice", Evidence::Unrecorded);
        assert_eq!(deployed.pusher, Some(alice));
    }
}

/// The database that version 0.1.0 made by real pushes: a rollback, a retirement, a failure, a
/// freeze and a problem.
#[test]
fn state_of_version_0_1_0_opens() {
    let folder = tempfile::tempdir().unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/state-0.1.0.db");
    fs::copy(data, folder.path().join(FILE)).unwrap();

    let mut store = Store::open(folder.path()).unwrap();
    let record = store.read().unwrap();
    let history = record.history(&Filter::default(), 10).unwrap();
    let line = |deployment: &Deployment| {
        let Deployment { id, target, .. } = deployment;
        format!("{id} {target} {}", deployment.status)
    };
    let lines: Vec<String> = history.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "#6 production/website succeeded",
            "#5 production/website succeeded",
            "#4 staging/website succeeded",
            "#3 staging/old succeeded",
            "#2 staging/broken failed",
            "#1 production/website succeeded",
        ]
    );

    assert_eq!(history[0].pusher, Some(alice()));
    assert_eq!(history[0].rolled_back.as_ref(), Some(&history[1].revision));
    let exceptions = record.exceptions(history[0].id).unwrap();
    assert_eq!(exceptions[0].reason, "alarms");
    assert_eq!(record.holds(&history[0].target).unwrap().len(), 1);

    let freezes = record.freezes(history[0].queued_at).unwrap();
    let (_, freeze) = freezes.first_key_value().unwrap();
    let by = Identity::new("alice", Evidence::Unrecorded);
    assert_eq!(
        (freeze.by.as_ref(), freeze.reason.as_str()),
        (Some(&by), "incident 7")
    );
    assert_eq!(record.retirements().unwrap()[0].pusher, Some(by));
    let problems = record.problems().unwrap();
    assert_eq!(problems[0].refusal.path, b"staging/gone.deploy");

    // What happened before there were events does not become an event.
    assert_eq!(record.last_event().unwrap(), EventId(0));
    drop(record);
    assert_eq!(store.integrity_problems().unwrap(), [""; 0]);
}

#[test]
fn transaction_is_synced_unless_it_may_be_done_again() {
    let mut state = TestState::new();
    let pragma = |state: &TestState, name: &str| {
        let sql = format!("PRAGMA {name}");
        let connection = &state.store.connection;
        connection
            .query_row(&sql, [], |row| row.get::<_, Value>(0))
            .unwrap()
    };
    assert_eq!(pragma(&state, "synchronous"), Value::Integer(2));
    assert_eq!(
        pragma(&state, "journal_mode"),
        Value::Text("wal".to_owned())
    );

    // The setting for what may be lost in a power cut ends with its transaction.
    let level = |t: &Transaction<'_>| -> Result<Option<i64>, Error> {
        t.first("PRAGMA synchronous", [], |row| row.get(0))
    };
    // Each time anew, although SQLite acts on this setting when it compiles the statement.
    for _ in 0..3 {
        assert_eq!(state.store.optional_transaction(level).unwrap(), Some(1));
        assert_eq!(pragma(&state, "synchronous"), Value::Integer(2));
    }

    let failed = state
        .store
        .optional_transaction(|_| Err::<(), _>(Error::Damaged("on purpose".to_owned())));
    assert!(failed.is_err());
    assert_eq!(pragma(&state, "synchronous"), Value::Integer(2));
}

#[test]
fn optional_transaction_waits_only_a_moment() {
    let mut state = TestState::new();
    let other = Connection::open(state.store.folder().join("state.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let deadline = Deadline::after(Duration::from_secs(10));

    let done = state.store.optional_transaction(|_| Ok::<_, Error>(()));

    assert!(done.is_err());
    assert!(!deadline.is_over());
    // Other transactions wait as before.
    other.execute_batch("COMMIT").unwrap();
    let limit = |t: &Transaction<'_>| t.first("PRAGMA busy_timeout", [], |row| row.get(0));
    assert_eq!(state.store.transaction(limit).unwrap(), Some(60_000));
}

#[test]
fn transaction_with_an_error_changes_nothing() {
    let mut state = TestState::new();
    let failed: Result<(), Error> = state.store.transaction(|t| {
        t.move_cursor("refs/heads/main", None)?;
        t.freeze(&target("a").environment, "x", &alice(), None, now())?;
        Err(Error::Damaged("on purpose".to_owned()))
    });

    assert!(failed.is_err());
    assert_eq!(state.store.read().unwrap().cursor().unwrap(), None);
    assert_eq!(state.events(), [""; 0]);
}

#[test]
fn snapshot_does_not_see_what_others_write_meanwhile() {
    let mut state = TestState::new();
    let mut other = Store::open(state.store.folder()).unwrap();

    let record = other.read().unwrap();
    assert_eq!(record.history(&Filter::default(), 10).unwrap().len(), 0);
    state.enqueue("a", '1');
    assert_eq!(record.history(&Filter::default(), 10).unwrap().len(), 0);

    drop(record);
    let record = other.read().unwrap();
    assert_eq!(record.history(&Filter::default(), 10).unwrap().len(), 1);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may panic")]
fn writers_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::create(folder.path(), Sharing::PRIVATE, |_| Ok(())).unwrap());

    std::thread::scope(|scope| {
        for writer in 0..8 {
            let path = folder.path();
            scope.spawn(move || {
                for _ in 0..10 {
                    let mut store = Store::open(path).unwrap();
                    let application = format!("w{writer}");
                    let done = store.transaction(|t| {
                        let rollout = t.begin_rollout(None, Some(&revision('c')), now())?;
                        t.enqueue(rollout, &planned(&application, '1'), &source(), now())
                    });
                    done.unwrap();
                }
            });
        }
    });

    let mut store = Store::open(folder.path()).unwrap();
    let record = store.read().unwrap();
    assert_eq!(record.history(&Filter::default(), 1000).unwrap().len(), 80);
    assert_eq!(record.last_event().unwrap(), EventId(80 + 8 * 9));
}
