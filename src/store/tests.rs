use super::*;
use crate::change::{Change, Depth, Node};
use crate::config::Config;
use crate::id::{Application, Environment, Pusher, Revision, RolloutId, Target};
use crate::plan;
use crate::policy::Facts;
use crate::status::Status;
use crate::sys::process::Identity;
use crate::time::Timestamp;

fn revision(digit: char) -> Revision {
    Revision::new(digit.to_string().repeat(40)).unwrap()
}

fn target(application: &str) -> Target {
    Target {
        environment: Environment::new("production").unwrap(),
        application: Application::new(application).unwrap(),
    }
}

/// A planned deployment can only come from the planner.
fn planned(application: &str, digit: char) -> plan::Deployment {
    let (config, _) = Config::parse("[defaults]\ncommand = [\"x\"]\n", &|_| None);
    let change = Change {
        path: format!("production/{application}.deploy").into_bytes(),
        depth: Depth::Right,
        old: None,
        new: Some(Node::File(revision(digit).as_str().as_bytes().into())),
        twin: None,
    };
    plan::decide(&config, &plan::candidates(vec![change]), &Facts::default())
        .deployments
        .remove(0)
}

fn source() -> Source {
    Source {
        deploy_commit: revision('c'),
        author: "A <a@example.org>".to_owned(),
        pusher: None,
    }
}

const NOW: i64 = 1_000;

fn enqueue(store: &mut Store, application: &str, digit: char) -> Enqueued {
    let now = Timestamp::from_ms(NOW);
    let done: Result<_, Error> = store.transaction(|t| {
        let rollout = t.begin_rollout(None, Some(&revision('c')), now)?;
        t.enqueue(rollout, &planned(application, digit), &source(), now)
    });
    done.unwrap()
}

fn run() -> Run {
    Run {
        boot_id: "b".to_owned(),
        runner: Identity {
            pid: 1,
            start_ticks: 2,
        },
        leader: None,
        cgroup: None,
    }
}

#[test]
fn opening() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("a/state");
    assert!(matches!(Store::open(&state), Err(Error::Missing(_))));
    let mut store = Store::create(&state, Sharing::PRIVATE).unwrap();
    store
        .transaction(|t| t.move_cursor("refs/heads/main", None))
        .unwrap();
    drop(store);
    let again = Store::create(&state, Sharing::PRIVATE).unwrap();
    assert_eq!(again.read().cursor().unwrap().unwrap().commit, None);
    assert_eq!(again.integrity_problems().unwrap(), [""; 0]);
    again
        .connection
        .execute_batch("PRAGMA user_version = 99")
        .unwrap();
    drop(again);
    let error = Store::open(&state).unwrap_err();
    assert!(
        matches!(
            error,
            Error::TooNew {
                found: 99,
                known: schema::VERSION,
                ..
            }
        ),
        "{error}"
    );
}

/// Each version of the schema was the newest once; a state of any of them opens and is brought up
/// to date.
#[test]
fn the_state_of_every_earlier_version_opens() {
    for version in 1..schema::VERSION {
        let folder = tempfile::tempdir().unwrap();
        let old = Connection::open(folder.path().join(FILE)).unwrap();
        schema::make_version(&old, version);
        old.execute_batch(&format!(
            "INSERT INTO rollouts (planned_at_ms) VALUES (1);
             INSERT INTO deployments (rollout, environment, application, revision, status, queued_at_ms, finish_order)
                 VALUES (1, 'production', 'a', '{}', 'succeeded', 1, 1);",
            revision('1')
        ))
        .unwrap();
        drop(old);
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(schema::version_of(&store), schema::VERSION);
        assert_eq!(
            store
                .read()
                .deployed(&target("a"))
                .unwrap()
                .unwrap()
                .revision,
            revision('1')
        );
    }
}

#[test]
fn what_is_promised_is_synced() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), Sharing::PRIVATE).unwrap();
    let pragma = |name: &str| {
        store
            .connection
            .query_row(&format!("PRAGMA {name}"), [], |row| {
                row.get::<_, rusqlite::types::Value>(0)
            })
            .unwrap()
    };
    assert_eq!(pragma("synchronous"), rusqlite::types::Value::Integer(2));
    assert_eq!(
        pragma("journal_mode"),
        rusqlite::types::Value::Text("wal".to_owned())
    );
}

#[test]
fn an_error_undoes_the_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::create(folder.path(), Sharing::PRIVATE).unwrap();
    let failed: Result<(), Error> = store.transaction(|t| {
        t.move_cursor("refs/heads/main", None)?;
        Err(Error::Damaged("on purpose".to_owned()))
    });
    assert!(failed.is_err());
    assert_eq!(store.read().cursor().unwrap(), None);
}

#[test]
fn a_newer_deployment_supersedes_what_waits_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::create(folder.path(), Sharing::PRIVATE).unwrap();
    let first = enqueue(&mut store, "a", '1').id;
    let now = Timestamp::from_ms(NOW);
    store
        .transaction(|t| t.begin(first, &run(), None, now))
        .unwrap()
        .unwrap();
    let second = enqueue(&mut store, "a", '2').id;
    let other = enqueue(&mut store, "b", '2').id;
    let third = enqueue(&mut store, "a", '3');
    assert_eq!(
        third.superseded.iter().map(|d| d.id).collect::<Vec<_>>(),
        [second]
    );
    let status = |id| store.read().deployment(id).unwrap().unwrap().status;
    assert_eq!(
        [first, second, other, third.id].map(status),
        [
            Status::Running,
            Status::Superseded,
            Status::Queued,
            Status::Queued
        ]
    );
    let second = store.read().deployment(second).unwrap().unwrap();
    assert_eq!(
        (second.reason.as_deref(), second.superseded_by),
        (Some("by #4"), Some(third.id))
    );
}

#[test]
fn only_legal_transitions() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::create(folder.path(), Sharing::PRIVATE).unwrap();
    let id = enqueue(&mut store, "a", '1').id;
    let now = Timestamp::from_ms(NOW);
    let succeeded = Outcome {
        status: Status::Succeeded,
        reason: None,
        exit_status: Some(0),
    };
    assert_eq!(
        store
            .transaction(|t| t.finish(id, &succeeded, now))
            .unwrap(),
        Err(Stale)
    );
    assert_eq!(
        store
            .transaction(|t| t.begin(id, &run(), None, now))
            .unwrap(),
        Ok(())
    );
    assert_eq!(
        store
            .transaction(|t| t.begin(id, &run(), None, now))
            .unwrap(),
        Err(Stale)
    );
    assert_eq!(
        store
            .transaction(|t| t.finish(id, &succeeded, now))
            .unwrap(),
        Ok(())
    );
    let failed = Outcome::new(Status::Failed, "late");
    assert_eq!(
        store.transaction(|t| t.finish(id, &failed, now)).unwrap(),
        Err(Stale)
    );
    assert_eq!(
        store
            .read()
            .deployed(&target("a"))
            .unwrap()
            .unwrap()
            .revision,
        revision('1')
    );
}

#[test]
fn what_is_deployed_is_what_succeeded_last_also_when_the_clock_is_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::create(folder.path(), Sharing::PRIVATE).unwrap();
    for (digit, ms) in [('1', 9_000), ('2', 5_000)] {
        let id = enqueue(&mut store, "a", digit).id;
        let succeeded = Outcome {
            status: Status::Succeeded,
            reason: None,
            exit_status: Some(0),
        };
        store
            .transaction(|t| t.begin(id, &run(), None, Timestamp::from_ms(ms)))
            .unwrap()
            .unwrap();
        store
            .transaction(|t| t.finish(id, &succeeded, Timestamp::from_ms(ms)))
            .unwrap()
            .unwrap();
    }
    assert_eq!(
        store
            .read()
            .deployed(&target("a"))
            .unwrap()
            .unwrap()
            .revision,
        revision('2')
    );
}

#[test]
fn retirement_cancels_what_waits_and_ends_with_the_next_deployment() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::create(folder.path(), Sharing::PRIVATE).unwrap();
    let id = enqueue(&mut store, "a", '1').id;
    let cancelled = store
        .transaction(|t| t.retire(&target("a"), None, Some("alice"), Timestamp::from_ms(NOW)))
        .unwrap();
    assert_eq!(cancelled.len(), 1);
    assert_eq!(
        store.read().deployment(id).unwrap().unwrap().status,
        Status::Cancelled
    );
    assert_eq!(store.read().retirements().unwrap().len(), 1);
    assert_eq!(store.read().last_planned().unwrap().len(), 0);
    enqueue(&mut store, "a", '1');
    assert_eq!(store.read().retirements().unwrap().len(), 0);
    assert_eq!(store.read().last_planned().unwrap().len(), 1);
}

#[test]
fn claims_fill_in_only_what_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::create(folder.path(), Sharing::PRIVATE).unwrap();
    let id = enqueue(&mut store, "a", '1').id;
    for name in ["alice", "mallory"] {
        let pusher = Pusher {
            name: name.to_owned(),
            known_by: "test".to_owned(),
        };
        store.transaction(|t| t.claim(&[id], &pusher)).unwrap();
        assert_eq!(
            store
                .read()
                .deployment(id)
                .unwrap()
                .unwrap()
                .pusher
                .as_deref(),
            Some("alice")
        );
    }
    assert_eq!(
        store.read().deployments_of(&[revision('c')]).unwrap().len(),
        1
    );
    assert_eq!(
        store
            .read()
            .member(RolloutId(1), &target("a"))
            .unwrap()
            .unwrap()
            .id,
        id
    );
    assert_eq!(
        store.read().member(RolloutId(2), &target("a")).unwrap(),
        None
    );
}

#[test]
fn many_writers_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::create(folder.path(), Sharing::PRIVATE).unwrap());
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let path = folder.path();
            scope.spawn(move || {
                for _ in 0..10 {
                    let mut store = Store::open(path).unwrap();
                    enqueue(&mut store, &format!("w{writer}"), '1');
                }
            });
        }
    });
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(
        store
            .read()
            .history(&Filter::default(), 1000)
            .unwrap()
            .len(),
        80
    );
}
