//! The figures of records that are known.

use super::testing::{TestState, revision, target};
use super::{ChangeFigures, DurationFigures, Outcome};
use crate::id::Environment;
use crate::status::Status;
use crate::time::Timestamp;

const MINUTE: i64 = 60_000;

/// A deployment: the application, the digit of its revision, how it ends, in which minute, and the
/// digit of the revision that it rolls back.
type Row = (&'static str, char, Status, i64, Option<char>);

/// A record of some deployments, each of which began a minute before its end.
fn record(rows: &[Row]) -> TestState {
    let mut state = TestState::new();
    for (application, digit, status, minute, rolled_back) in rows {
        let id = state.enqueue(application, *digit).id;
        let end = Timestamp::from_ms(minute * MINUTE);
        state
            .begin(id, Timestamp::from_ms((minute - 1) * MINUTE))
            .unwrap();
        let outcome = Outcome::new(*status, "");
        state
            .change(|t| {
                let from = rolled_back.map(|digit| revision(digit).as_str().to_owned());
                let sql = "UPDATE deployments SET rolled_back = ? WHERE id = ?";
                t.execute(sql, rusqlite::params![from, id.0])?;
                t.finish(id, &outcome, end)
            })
            .unwrap();
    }
    state
}

fn production() -> Environment {
    Environment::new("production").unwrap()
}

use Status::{Cancelled, Failed, Interrupted, Succeeded};

#[test]
fn change_fails_if_it_fails_or_is_rolled_back() {
    let table: &[(&[Row], u64, &[u64])] = &[
        (&[("a", '1', Succeeded, 1, None)], 0, &[]),
        // It was never restored.
        (&[("a", '1', Failed, 1, None)], 1, &[]),
        (
            &[("a", '1', Failed, 1, None), ("a", '2', Succeeded, 9, None)],
            1,
            &[8],
        ),
        // What a person ended is no change.
        (
            &[
                ("a", '1', Cancelled, 1, None),
                ("a", '2', Succeeded, 9, None),
            ],
            0,
            &[],
        ),
        // Failures without a success between them are one time to restore.
        (
            &[
                ("a", '1', Failed, 1, None),
                ("a", '2', Interrupted, 3, None),
                ("a", '3', Succeeded, 9, None),
                ("a", '4', Failed, 10, None),
                ("a", '5', Succeeded, 12, None),
            ],
            3,
            &[8, 2],
        ),
        // Another application restores nothing.
        (
            &[("a", '1', Failed, 1, None), ("b", '2', Succeeded, 9, None)],
            1,
            &[],
        ),
        // What is rolled back had failed from its end on.
        (
            &[
                ("a", '1', Succeeded, 1, None),
                ("a", '2', Succeeded, 4, None),
                ("b", '3', Succeeded, 5, None),
                ("a", '1', Succeeded, 9, Some('2')),
            ],
            1,
            &[5],
        ),
        // The rollback failed first, and was tried again.
        (
            &[
                ("a", '2', Succeeded, 4, None),
                ("a", '1', Failed, 6, Some('2')),
                ("a", '1', Succeeded, 9, Some('2')),
            ],
            2,
            &[5],
        ),
        // The revision that is rolled back had failed and was never deployed.
        (
            &[
                ("a", '1', Succeeded, 1, None),
                ("a", '2', Failed, 4, None),
                ("a", '1', Succeeded, 9, Some('2')),
            ],
            1,
            &[5],
        ),
        // Only the last deployment of the revision is rolled back.
        (
            &[
                ("a", '2', Succeeded, 1, None),
                ("a", '2', Succeeded, 4, None),
                ("a", '1', Succeeded, 9, Some('2')),
            ],
            1,
            &[5],
        ),
    ];

    for (rows, failed, restored) in table {
        let mut state = record(rows);
        let record = state.store.read().unwrap();
        let since = Timestamp::from_ms(0);
        let failures = record.change_failures(since).unwrap();
        let found = failures.get(&production()).copied().unwrap_or_default();
        let failed = *failed;
        let expect = ChangeFigures {
            failed,
            recent: failed,
        };
        assert_eq!(found, expect, "{rows:?}");

        let times = record.times_to_restore(since).unwrap();
        let times = times.get(&production()).copied().unwrap_or_default();
        assert_eq!(times.count, restored.len() as u64, "{rows:?}");
        let sum: u64 = restored.iter().sum();
        assert_eq!(times.sum_ms, sum * 60_000, "{rows:?}");
    }
}

#[test]
fn window_counts_only_what_ended_in_it() {
    let mut state = record(&[
        ("a", '1', Failed, 1, None),
        ("a", '1', Succeeded, 9, None),
        ("a", '2', Failed, 11, None),
        ("a", '3', Succeeded, 14, None),
        ("a", '4', Failed, 20, None),
        ("a", '5', Succeeded, 21, None),
        ("a", '6', Failed, 30, None),
        ("a", '7', Succeeded, 35, None),
    ]);
    let record = state.store.read().unwrap();
    let window = |minute: i64| {
        let since = Timestamp::from_ms(minute * MINUTE);
        let figures = record.deployment_figures(since).unwrap();
        let changes = figures[&target("a")].recent_changes;
        let failures = record.change_failures(since).unwrap()[&production()];
        let times = record.times_to_restore(since).unwrap()[&production()];
        let DurationFigures {
            count,
            sum_ms,
            median_ms,
        } = times;
        assert_eq!((count, sum_ms, failures.failed), (4, 17 * 60_000, 4));
        (changes, failures.recent, median_ms.map(|ms| ms / 60_000))
    };

    assert_eq!(window(0), (8, 4, Some(3)));
    assert_eq!(window(14), (5, 2, Some(3)));
    assert_eq!(window(15), (4, 2, Some(1)));
    assert_eq!(window(35), (1, 0, Some(5)));
    assert_eq!(window(36), (0, 0, None));
}

#[test]
fn deployments_are_counted_by_their_end_and_their_length() {
    let mut state = record(&[
        ("a", '1', Succeeded, 1, None),
        ("a", '2', Failed, 2, None),
        ("a", '3', Succeeded, 3, None),
    ]);
    let queued = state.enqueue("a", '4');
    let open = state.enqueue("a", '5').id;
    let record = state.store.read().unwrap();
    let figures = record.deployment_figures(Timestamp::from_ms(0)).unwrap();
    let figures = &figures[&target("a")];

    assert_eq!(figures.count(Succeeded), 2);
    assert_eq!(figures.count(Failed), 1);
    assert_eq!(figures.count(Status::Superseded), 1, "{queued:?} {open}");
    assert_eq!(figures.count(Status::Queued), 0);
    assert_eq!(figures.changes(), 3);
    // Each of them took exactly a minute.
    assert_eq!(figures.took_at_most, [0, 0, 2, 2, 2, 2, 2]);
    assert_eq!(figures.took_ms, 120_000);
    assert_eq!(figures.last_success, Some(Timestamp::from_ms(3 * MINUTE)));

    let queue = record.queue_figures().unwrap()[&production()];
    assert_eq!(queue.queued, 1);
    assert_eq!(queue.oldest, super::testing::now());
}

#[test]
fn clock_that_was_set_back_makes_no_negative_length() {
    let mut state = TestState::new();
    let id = state.enqueue("a", '1').id;
    state.begin(id, Timestamp::from_ms(9 * MINUTE)).unwrap();
    state.succeed(id, Timestamp::from_ms(2 * MINUTE)).unwrap();

    let record = state.store.read().unwrap();
    let figures = record.deployment_figures(Timestamp::from_ms(0)).unwrap();
    assert_eq!(figures[&target("a")].took_ms, 0);
    assert_eq!(figures[&target("a")].took_at_most[0], 1);
}

#[test]
fn only_successes_with_another_revision_are_undated() {
    let mut state = TestState::new();
    let mut ids = Vec::new();
    for (digit, previous, status) in [
        ('1', None, Succeeded),
        ('2', Some('1'), Succeeded),
        ('2', Some('2'), Succeeded),
        ('3', Some('2'), Failed),
    ] {
        let id = state.enqueue("a", digit).id;
        let previous = previous.map(revision);
        state
            .begin_after(id, previous.as_ref(), super::testing::now())
            .unwrap();
        let outcome = Outcome::new(status, "");
        let end = Timestamp::from_ms(MINUTE);
        state.change(|t| t.finish(id, &outcome, end)).unwrap();
        ids.push(id);
    }

    let all = |state: &mut TestState, since: i64| {
        let record = state.store.read().unwrap();
        let undated = record.undated(Timestamp::from_ms(since), 10).unwrap();
        undated.iter().map(|undated| undated.id).collect::<Vec<_>>()
    };
    assert_eq!(all(&mut state, MINUTE), [ids[1]]);
    assert!(all(&mut state, MINUTE + 1).is_empty());

    let date = Some(Timestamp::from_ms(MINUTE - 500));
    state.change(|t| t.date(ids[1], date));
    assert!(all(&mut state, 0).is_empty());
    let record = state.store.read().unwrap();
    let times = record.lead_times(Timestamp::from_ms(0)).unwrap();
    let expect = DurationFigures {
        count: 1,
        sum_ms: 500,
        median_ms: Some(500),
    };
    assert_eq!(times[&production()], expect);
}
