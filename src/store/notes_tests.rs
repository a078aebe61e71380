//! What the rules said of deployments: written, read back, and damaged.

use rusqlite::Connection;
use rusqlite::types::Value;

use super::reader::FILE;
use super::testing::{TestState, now, planned, revision, target};
use super::*;
use crate::id::DeploymentId;
use crate::policy::Note;
use crate::status::Status;

fn note(message: &str) -> Note {
    Note {
        rule: "reachable".to_owned(),
        message: message.to_owned(),
    }
}

/// The notes of a deployment, alone and in the history.
fn notes(state: &mut TestState, id: DeploymentId) -> Result<Vec<Note>, Error> {
    let record = state.store.read()?;
    let history = record.history_with_details(None, &Filter::default(), &Period::default(), 10);
    let alone = record.details(id);
    let of_history = history.map(|mut history| {
        history.retain(|(deployment, _)| deployment.id == id);
        history.remove(0).1
    });
    match (alone, of_history) {
        (Ok(alone), Ok(of_history)) => {
            assert_eq!(alone.notes, of_history.notes);
            Ok(alone.notes)
        }
        (Err(error), Err(_)) => Err(error),
        different => panic!("{different:?}"),
    }
}

#[test]
fn notes_are_recorded_with_a_deployment_and_are_those_of_a_retry() {
    let mut state = TestState::new();
    let first = state.enqueue("a", '1').id;
    let said = planned("a", '1').notes().to_vec();
    assert_eq!(said[0], note("not checked: no repository is configured"));
    assert_eq!(notes(&mut state, first).unwrap(), said);

    state.begin(first, now()).unwrap();
    let failed = Outcome::new(Status::Failed, "x");
    state.change(|t| t.finish(first, &failed, now())).unwrap();
    let failed = state.deployment(first);
    for said in [vec![], vec![note("on main"), note("\"é\" \u{202e}")]] {
        let retry = state.change(|t| t.retry(&failed, None, None, &said, now()));
        assert_eq!(notes(&mut state, retry).unwrap(), said);
    }
    assert_eq!(notes(&mut state, first).unwrap(), said);
}

#[test]
fn notes_that_this_program_never_writes_are_damage() {
    let mut state = TestState::new();
    let id = state.enqueue("a", '1').id;
    let object = r#"{"rule":"reachable","message":"on main"}"#;
    let list = |count: usize| format!("[{}]", vec![object; count].join(","));
    let long = |count: usize| {
        let message = "é".repeat(count);
        format!(r#"[{{"rule":"reachable","message":"{message}"}}]"#)
    };

    let text = Value::Text;
    let table = [
        (Value::Null, Some(0)),
        (text(list(1)), Some(1)),
        (text(list(32)), Some(32)),
        (text(long(1_001)), Some(1)),
        (text(list(0)), None),
        (text(list(33)), None),
        (text(long(1_002)), None),
        (text(object.to_owned()), None),
        (text(object[..9].to_owned()), None),
        (text(String::new()), None),
        (text("null".to_owned()), None),
        (text(r#"[{"rule":"reachable"}]"#.to_owned()), None),
        (text(r#"[{"rule":"a","message":1}]"#.to_owned()), None),
        (
            text(r#"[{"rule":"a","message":"b","c":1}]"#.to_owned()),
            None,
        ),
        (text(format!("{}x", list(1))), None),
        (text("[".repeat(100_000)), None),
        // A byte that is not UTF-8.
        (
            Value::Blob(b"[{\"rule\":\"a\",\"message\":\"\xff\"}]".to_vec()),
            None,
        ),
    ];
    for (value, expect) in table {
        let shown = format!("{value:.60?}");
        let sql = "UPDATE deployments SET notes = CAST(? AS TEXT)";
        state.store.connection.execute(sql, [value]).unwrap();
        match (notes(&mut state, id), expect) {
            (Ok(notes), Some(count)) => assert_eq!(notes.len(), count, "{shown}"),
            (Err(error), None) => {
                assert!(error.is_damage(), "{shown}: {error}");
                // Who decides does not read the notes, so nothing is stopped by them.
                assert_eq!(state.deployment(id).revision, revision('1'), "{shown}");
            }
            (found, _) => panic!("{shown}: {found:?}"),
        }
    }
}

/// Everything in a table, each value in words.
fn rows(connection: &Connection, columns: &str) -> Vec<String> {
    let sql = format!("SELECT {columns} FROM deployments ORDER BY id");
    let mut statement = connection.prepare(&sql).unwrap();
    let count = statement.column_count();
    let rows = statement.query_map([], |row| {
        let values: Vec<Value> = (0..count).map(|at| row.get(at)).collect::<Result<_, _>>()?;
        Ok(format!("{values:?}"))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn state_of_version_13_keeps_all_that_it_has_and_has_no_notes() {
    let folder = tempfile::tempdir().unwrap();
    let old = Connection::open(folder.path().join(FILE)).unwrap();
    schema::make_version(&old, 13);
    let (one, two) = (revision('1'), revision('2'));
    old.execute_batch(&format!(
        "INSERT INTO rollouts (planned_at_ms) VALUES (1);
         INSERT INTO deployments (rollout, environment, application, revision, previous_revision,
             status, reason, deploy_commit, pusher, pusher_known_by, author, queued_at_ms,
             started_at_ms, finished_at_ms, finish_order, exit_status, rolled_back, summary,
             checkout, checkout_user)
         VALUES
             (1, 'production', 'a', '{one}', '{two}', 'succeeded', 'x', '{two}', 'alice', 'ssh key',
                 'A', 1, 2, 3, 1, 0, '{two}', 's', '/srv/a', 'b'),
             (1, 'production', 'a', '{two}', NULL, 'queued', NULL, NULL, NULL, NULL, NULL, 4, NULL,
                 NULL, NULL, NULL, NULL, NULL, NULL, NULL);"
    ))
    .unwrap();
    let before = rows(&old, "*");
    assert_eq!(before.len(), 2);
    drop(old);

    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.version().unwrap(), VERSION);
    let after = rows(&store.connection, "*");
    let with_no_notes = |row: &String| format!("{}, Null]", row.trim_end_matches(']'));
    assert_eq!(after, before.iter().map(with_no_notes).collect::<Vec<_>>());

    let mut state = TestState {
        store,
        _folder: folder,
    };
    for id in [1, 2] {
        assert_eq!(notes(&mut state, DeploymentId(id)).unwrap(), []);
    }
    assert_eq!(state.deployed("a"), one);
    let id = state.enqueue("a", '3').id;
    assert_eq!(notes(&mut state, id).unwrap(), planned("a", '3').notes());
    assert_eq!(state.deployment(id).target, target("a"));
}
