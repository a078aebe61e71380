use std::fs;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::reader::FILE;
use super::*;
use crate::candidate::candidates;
use crate::change::{Change, Depth, Node};
use crate::config::Config;
use crate::event::Event;
use crate::id::{Application, DeploymentId, Environment, EventId, Revision, RolloutId, Target};
use crate::identity::{Evidence, Identity};
use crate::plan;
use crate::policy::Facts;
use crate::status::Status;
use crate::sys::process::Identity as ProcessIdentity;
use crate::sys::sharing::Sharing;
use crate::time::Timestamp;

fn now() -> Timestamp {
    Timestamp::from_ms(1_000)
}

fn revision(digit: char) -> Revision {
    Revision::new(digit.to_string().repeat(40)).unwrap()
}

fn target(application: &str) -> Target {
    Target {
        environment: Environment::new("production").unwrap(),
        application: Application::new(application).unwrap(),
    }
}

fn alice() -> Identity {
    Identity::new("alice", Evidence::SshKey)
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
    plan::decide(&config, &candidates(vec![change]), &Facts::default())
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

/// A state in a folder of its own.
struct State {
    store: Store,
    _folder: tempfile::TempDir,
}

impl State {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            store: Store::create(folder.path(), Sharing::PRIVATE).unwrap(),
            _folder: folder,
        }
    }

    fn change<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>) -> T {
        self.store.transaction(work).unwrap()
    }

    fn enqueue(&mut self, application: &str, digit: char) -> Enqueued {
        self.change(|t| {
            let rollout = t.begin_rollout(None, Some(&revision('c')), now())?;
            t.enqueue(rollout, &planned(application, digit), &source(), now())
        })
    }

    fn begin(&mut self, id: DeploymentId, at: Timestamp) -> Result<(), Stale> {
        let run = Run {
            boot_id: "b".to_owned(),
            runner: ProcessIdentity {
                pid: 1,
                start_ticks: 2,
            },
            leader: None,
            cgroup: None,
        };
        self.change(|t| t.begin(id, &run, None, at))
    }

    fn succeed(&mut self, id: DeploymentId, at: Timestamp) -> Result<(), Stale> {
        let succeeded = Outcome {
            status: Status::Succeeded,
            reason: None,
            exit_status: Some(0),
        };
        self.change(|t| t.finish(id, &succeeded, at))
    }

    fn deployment(&mut self, id: DeploymentId) -> Deployment {
        let record = self.store.read().unwrap();
        record.deployment(id).unwrap().unwrap()
    }

    fn deployed(&mut self, application: &str) -> Revision {
        let record = self.store.read().unwrap();
        record
            .deployed(&target(application))
            .unwrap()
            .unwrap()
            .revision
    }

    /// The kinds of all events, in their order.
    fn events(&mut self) -> Vec<&'static str> {
        let record = self.store.read().unwrap();
        let events = record.events_after(EventId(0), 1000).unwrap();
        events.iter().map(|event| event.event.kind()).collect()
    }
}

#[test]
fn a_state_is_made_once_and_a_newer_one_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("a/state");
    assert!(matches!(Store::open(&state), Err(Error::Missing(_))));

    let mut store = Store::create(&state, Sharing::PRIVATE).unwrap();
    store
        .transaction(|t| t.move_cursor("refs/heads/main", None))
        .unwrap();
    drop(store);

    let mut again = Store::create(&state, Sharing::PRIVATE).unwrap();
    let cursor = again.read().unwrap().cursor().unwrap();
    assert_eq!(cursor.unwrap().commit, None);
    assert_eq!(again.integrity_problems().unwrap(), [""; 0]);

    let newer = "PRAGMA user_version = 99";
    again.connection.execute_batch(newer).unwrap();
    drop(again);
    let error = Store::open(&state).unwrap_err();
    let is_right = matches!(
        error,
        Error::TooNew {
            found: 99,
            known: VERSION,
            ..
        }
    );
    assert!(is_right, "{error}");
}

/// Each version of the schema was the newest once; a state of any of them opens and is brought up
/// to date.
#[test]
fn the_state_of_every_earlier_version_opens() {
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
fn the_database_of_version_0_1_0_opens() {
    let folder = tempfile::tempdir().unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/state-0.1.0.db");
    fs::copy(data, folder.path().join(FILE)).unwrap();

    let mut store = Store::open(folder.path()).unwrap();
    let record = store.read().unwrap();
    let history = record.history(&Filter::default(), 10).unwrap();
    let lines: Vec<String> = history
        .iter()
        .map(|deployment| {
            let Deployment {
                id, target, status, ..
            } = deployment;
            format!("{id} {target} {status}")
        })
        .collect();
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
    assert_eq!(
        record.exceptions(history[0].id).unwrap()[0].reason,
        "alarms"
    );
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

    // What happened before there were events is not told again.
    assert_eq!(record.last_event().unwrap(), EventId(0));
    drop(record);
    assert_eq!(store.integrity_problems().unwrap(), [""; 0]);
}

#[test]
fn what_is_promised_is_synced() {
    let mut state = State::new();
    let pragma = |state: &State, name: &str| {
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

    // What may be lost in a power cut is the exception, and ends with its transaction.
    let level = |t: &Transaction<'_>| {
        let sql = "PRAGMA synchronous";
        Ok::<_, Error>(
            t.connection
                .query_row(sql, [], |row| row.get::<_, i64>(0))
                .unwrap(),
        )
    };
    assert_eq!(state.store.unsynced_transaction(level).unwrap(), 1);
    assert_eq!(pragma(&state, "synchronous"), Value::Integer(2));
    let failed = state
        .store
        .unsynced_transaction(|_| Err::<(), _>(Error::Damaged("on purpose".to_owned())));
    assert!(failed.is_err());
    assert_eq!(pragma(&state, "synchronous"), Value::Integer(2));
}

#[test]
fn an_error_undoes_the_transaction() {
    let mut state = State::new();
    let failed: Result<(), Error> = state.store.transaction(|t| {
        t.move_cursor("refs/heads/main", None)?;
        t.thaw(&target("a").environment, &alice(), now())?;
        Err(Error::Damaged("on purpose".to_owned()))
    });

    assert!(failed.is_err());
    assert_eq!(state.store.read().unwrap().cursor().unwrap(), None);
    assert_eq!(state.events(), [""; 0]);
}

#[test]
fn a_snapshot_does_not_see_what_others_write_meanwhile() {
    let mut state = State::new();
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
fn a_newer_deployment_supersedes_what_waits_only() {
    let mut state = State::new();
    let first = state.enqueue("a", '1').id;
    state.begin(first, now()).unwrap();
    let second = state.enqueue("a", '2').id;
    let other = state.enqueue("b", '2').id;
    let third = state.enqueue("a", '3');

    let superseded: Vec<_> = third.superseded.iter().map(|d| d.id).collect();
    assert_eq!(superseded, [second]);
    let statuses = [first, second, other, third.id].map(|id| state.deployment(id).status);
    assert_eq!(
        statuses,
        [
            Status::Running,
            Status::Superseded,
            Status::Queued,
            Status::Queued
        ]
    );
    let second = state.deployment(second);
    assert_eq!(second.reason.as_deref(), Some("by #4"));
    assert_eq!(second.superseded_by, Some(third.id));
}

#[test]
fn only_legal_transitions_are_made() {
    let mut state = State::new();
    let id = state.enqueue("a", '1').id;

    assert_eq!(state.succeed(id, now()), Err(Stale));
    assert_eq!(state.begin(id, now()), Ok(()));
    assert_eq!(state.begin(id, now()), Err(Stale));
    assert_eq!(state.succeed(id, now()), Ok(()));
    let failed = Outcome::new(Status::Failed, "late");
    assert_eq!(state.change(|t| t.finish(id, &failed, now())), Err(Stale));
    assert_eq!(state.deployed("a"), revision('1'));
}

#[test]
fn what_succeeded_last_is_deployed_though_the_clock_was_set_back() {
    let mut state = State::new();
    for (digit, ms) in [('1', 9_000), ('2', 5_000)] {
        let id = state.enqueue("a", digit).id;
        state.begin(id, Timestamp::from_ms(ms)).unwrap();
        state.succeed(id, Timestamp::from_ms(ms)).unwrap();
    }
    assert_eq!(state.deployed("a"), revision('2'));
}

#[test]
fn retirement_cancels_what_waits_and_ends_with_the_next_deployment() {
    let mut state = State::new();
    let id = state.enqueue("a", '1').id;
    state.change(|t| t.retire(&target("a"), None, Some(&alice()), now()));

    assert_eq!(state.deployment(id).status, Status::Cancelled);
    let record = state.store.read().unwrap();
    assert_eq!(record.retirements().unwrap()[0].pusher, Some(alice()));
    assert_eq!(record.last_planned().unwrap().len(), 0);
    drop(record);

    state.enqueue("a", '1');
    let record = state.store.read().unwrap();
    assert_eq!(record.retirements().unwrap().len(), 0);
    assert_eq!(record.last_planned().unwrap().len(), 1);
}

#[test]
fn claims_fill_in_only_what_is_unknown() {
    let mut state = State::new();
    let id = state.enqueue("a", '1').id;
    for name in ["alice", "mallory"] {
        let pusher = Identity::new(name, Evidence::SshKey);
        state.change(|t| t.claim(&[id], &pusher));
        assert_eq!(state.deployment(id).pusher, Some(alice()));
    }

    let record = state.store.read().unwrap();
    assert_eq!(record.deployments_of(&[revision('c')]).unwrap().len(), 1);
    let member = |rollout| record.member(RolloutId(rollout), &target("a")).unwrap();
    assert_eq!(member(1).map(|member| member.id), Some(id));
    assert_eq!(member(2), None);
}

/// Whatever happens to deployments, environments and files leaves an event of its kind.
#[test]
fn every_change_is_an_event_of_the_same_transaction() {
    let mut state = State::new();
    let environment = target("a").environment;
    let refusal = crate::policy::Refusal {
        path: b"production/x.deploy".to_vec(),
        message: "no".to_owned(),
        hint: "yes".to_owned(),
        is_fault: false,
    };

    let first = state.enqueue("a", '1').id;
    state.begin(first, now()).unwrap();
    state.enqueue("a", '2');
    state.enqueue("a", '3');
    state.succeed(first, now()).unwrap();
    state.change(|t| t.retire(&target("a"), None, None, now()));
    state.change(|t| t.freeze(&environment, "incident 7", &alice(), None, now()));
    state.change(|t| t.thaw(&environment, &alice(), now()));
    state.change(|t| t.ask_to_release(&environment, &alice(), now()));
    state.change(|t| t.refuse(&[refusal.clone()], Some(&alice()), now()));
    let range = (None, None);
    assert!(state.change(|t| t.set_problem(&refusal, range, None, false, now())));
    assert!(!state.change(|t| t.set_problem(&refusal, range, None, false, now())));

    assert_eq!(
        state.events(),
        [
            "planned",
            "started",
            "planned",
            "planned",
            "superseded",
            "succeeded",
            "retired",
            "cancelled",
            "frozen",
            "thawed",
            "released",
            "refused",
            "problem",
        ]
    );
}

#[test]
fn a_stale_change_is_no_event() {
    let mut state = State::new();
    let id = state.enqueue("a", '1').id;
    assert_eq!(state.succeed(id, now()), Err(Stale));
    assert_eq!(state.events(), ["planned"]);
}

#[test]
fn the_refusals_of_one_push_are_bounded() {
    let mut state = State::new();
    let refusal = |n| crate::policy::Refusal {
        path: format!("production/{n}.deploy").into_bytes(),
        message: "x".repeat(10_000),
        hint: String::new(),
        is_fault: false,
    };
    let refusals: Vec<_> = (0..150).map(refusal).collect();
    state.change(|t| t.refuse(&refusals, None, now()));

    let record = state.store.read().unwrap();
    let events = record.events_after(EventId(0), 1000).unwrap();
    assert_eq!(events.len(), 101);
    let Event::Refused { message, .. } = &events[0].event else {
        panic!("{:?}", events[0])
    };
    assert_eq!(message.len(), 2000);
    let Event::Refused { message, .. } = &events[100].event else {
        panic!("{:?}", events[100])
    };
    assert_eq!(message, "50 more paths were refused in the same push");
}

#[test]
fn readers_of_events_have_positions_of_their_own() {
    let mut state = State::new();
    state.enqueue("a", '1');
    state.enqueue("b", '1');
    state.change(|t| t.move_position("one", EventId(1)));
    state.change(|t| t.move_position("one", EventId(2)));

    let record = state.store.read().unwrap();
    assert_eq!(record.last_event().unwrap(), EventId(2));
    assert_eq!(record.position("one").unwrap(), EventId(2));
    assert_eq!(record.position("two").unwrap(), EventId(0));
    let rest = record.events_after(EventId(1), 1000).unwrap();
    assert_eq!(
        rest.iter().map(|event| event.id).collect::<Vec<_>>(),
        [EventId(2)]
    );
    assert_eq!(record.events_after(EventId(0), 1).unwrap().len(), 1);
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
