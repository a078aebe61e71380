//! What a long record costs: the plan of every statement. A statement that looks at all that ever
//! happened gets slower with each deployment.
//!
//! Each statement that a test of this program compiles is checked, whichever test that is. A test
//! below runs all of them, and compares the places in the source with those that it came to.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::panic::Location;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use rusqlite::Connection;

use super::testing::{TestState, alice, now, retirement, revision, target};
use super::*;
use crate::id::{DeploymentId, EventId, NotificationId, RolloutId};
use crate::phase::Phase;
use crate::policy::{Approval, Exception, ExceptionKind, Need, NeedState, Refusal};
use crate::status::Status;
use crate::sys::process::{ProcessIdentity, ProcessSpace};

/// Tables with a row for each thing that ever happened.
const GROWING: [&str; 10] = [
    "addressees",
    "approvals",
    "deployments",
    "events",
    "exceptions",
    "freezes",
    "holds",
    "needs",
    "notifications",
    "rollouts",
];

/// Indices of what is under way or still matters, and not of what is over. All of them may be read.
const OF_THE_PRESENT: [&str; 8] = [
    "deployments_open",
    "deployments_open_rollbacks",
    "deployments_queued",
    "deployments_undated",
    "freezes_in_force",
    "notifications_failed",
    "notifications_partial",
    "notifications_waiting",
];

/// Statements that may look at a whole table, each by a part of it that no other one has, and why.
const EXCEPTIONS: [(&str, &str); 8] = [
    (
        "SUM(finished_at_ms >= ?)",
        "figures count all that happened",
    ),
    ("FROM failures GROUP BY", "figures count all failures"),
    ("observed AS (", "figures have a middle of all lengths"),
    (
        "instr(lower(summary), lower(?1))",
        "a person searches, and only so many of the newest are looked at",
    ),
    (
        "at_ms <= ? ORDER BY id DESC LIMIT 1",
        "it looks from the newest one back until it is found",
    ),
    (
        "WHERE target GLOB ? ORDER BY id DESC LIMIT ?",
        "a person asks for the newest ones",
    ),
    (
        "DESC, id DESC LIMIT 1)\n    UNION ALL",
        "it takes the last entry of an index",
    ),
    (
        "(SELECT MAX(id) FROM rollouts) - ?",
        "the largest number is that of the last row, and only so many are looked at",
    ),
];

/// The statements that were checked.
static CHECKED: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);

thread_local! {
    /// The places in the source that this test came to: the file and the line.
    static PLACES: RefCell<BTreeSet<(String, u32)>> = RefCell::default();
}

/// Checks the plan of a statement, and notes where it was asked for.
///
/// # Panics
/// It looks at everything that ever happened.
#[track_caller]
pub(super) fn check(connection: &Connection, sql: &str) {
    let place = Location::caller();
    let place = (place.file().to_owned(), place.line());
    PLACES.with_borrow_mut(|places| places.insert(place));

    let mut checked = CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    if !checked.contains(sql) {
        let faults = faults(&plan(connection, sql), sql);
        assert!(faults.is_empty(), "{sql}\n{}", faults.join("\n"));
        checked.insert(sql.to_owned());
    }
}

/// The lines of SQLite's plan (<https://sqlite.org/eqp.html>).
fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .unwrap();
    let rows = statement.raw_query().mapped(|row| row.get("detail"));
    rows.collect::<Result<_, _>>().unwrap()
}

/// The lines of a plan that look at a whole table or sort one.
fn faults(plan: &[String], sql: &str) -> Vec<String> {
    if EXCEPTIONS.iter().any(|(part, _)| sql.contains(part)) {
        return Vec::new();
    }
    let is_fault = |line: &&String| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let index = words
            .iter()
            .position(|word| *word == "INDEX")
            .and_then(|at| words.get(at + 1));
        let is_present = index.is_some_and(|index| OF_THE_PRESENT.contains(index));
        match words.as_slice() {
            ["SCAN", table, ..] => GROWING.contains(table) && !is_present,
            // It has one column: whoever means less than all of an environment takes another one.
            ["SEARCH", ..] if index == Some(&"deployments_environment") => {
                !sql.contains("ORDER BY id DESC LIMIT ?")
            }
            // The largest or the smallest of a column without an index.
            ["SEARCH", table] => GROWING.contains(table),
            _ => false,
        }
    };
    plan.iter().filter(is_fault).cloned().collect()
}

#[test]
fn plan_that_grows_with_the_record_is_found() {
    let connection = Connection::open_in_memory().unwrap();
    super::schema::make_version(&connection, super::VERSION);
    let table = [
        (
            "SELECT id FROM deployments WHERE status = 'failed' AND pusher = ?",
            1,
        ),
        ("SELECT MAX(queued_at_ms) FROM deployments", 1),
        ("SELECT id FROM deployments WHERE environment = ?", 1),
        ("DELETE FROM holds WHERE deployment = ?", 1),
        ("SELECT message FROM problems WHERE is_fault = 1", 0),
        ("SELECT id FROM deployments WHERE status = 'queued'", 0),
        (
            "SELECT id FROM deployments WHERE environment = ? ORDER BY id DESC LIMIT ?",
            0,
        ),
    ];
    for (sql, expect) in table {
        let plan = plan(&connection, sql);
        assert_eq!(faults(&plan, sql).len(), expect, "{sql}: {plan:?}");
    }
}

/// Where the source of the store asks for a statement: each file with the lines.
fn places_in_source() -> BTreeSet<(String, u32)> {
    const CALLS: [&str; 11] = [
        "query",
        "walk",
        "first",
        "has",
        "select",
        "select_first",
        "select_with_notes",
        "select_some",
        "execute",
        "by_environment",
        "durations",
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut places = BTreeSet::new();
    for entry in fs::read_dir(folder.join("src/store")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.ends_with("tests.rs") || name == "testing.rs" || !name.ends_with(".rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap();

        // What tracks its caller only passes a statement on.
        let mut passes_on = false;
        for (number, line) in code.lines().enumerate() {
            if line.starts_with("    #[cfg_attr(test, track_caller)]") {
                passes_on = true;
            } else if line == "    }" {
                passes_on = false;
            }
            let is_call = |call: &&str| {
                let call = format!(".{call}(");
                [format!("self{call}"), format!("reader{call}")]
                    .iter()
                    .any(|own| line.contains(own.as_str()))
                    || line.trim_start().starts_with(&call)
            };
            if !passes_on && CALLS.iter().any(is_call) {
                places.insert((
                    format!("src/store/{name}"),
                    u32::try_from(number + 1).unwrap(),
                ));
            }
        }
    }
    places
}

fn run() -> Run {
    Run {
        space: ProcessSpace {
            boot_id: "b".to_owned(),
            namespaces: None,
        },
        runner: ProcessIdentity {
            pid: 1,
            start_ticks: 2,
        },
        leader: None,
        cgroup: None,
        checkout: None,
    }
}

/// Reads whatever can be read.
fn read_all(r: &Reader<'_>) -> Result<(), Error> {
    let (target, one) = (target("a"), revision('1'));
    let environment = &target.environment;
    let (id, rollout) = (DeploymentId(1), RolloutId(1));
    r.cursor()?;
    r.target_record(&target, b"production/a.deploy", Some(&one))?;
    r.deployment(id)?;
    r.deployed(&target)?;
    r.deployed_before(&target, &one)?;
    r.newest_planned(&target)?;
    r.newest_of(&target)?;
    r.newest_of_revision(&target, &one)?;
    r.first_success(&target, &one)?;
    r.member(rollout, &target)?;
    r.deployments_in(rollout)?;
    r.deployments_of_range(None, &one)?;
    r.deployments_of(std::slice::from_ref(&one))?;
    r.search("web", |_| true, true, 3)?;
    if let Some(deployment) = r.deployment(id)? {
        r.events_of(&deployment)?;
    }
    r.notifications_about(EventId(1))?;
    r.notification_about("x", EventId(1))?;
    r.newest_begun(&target, &one, id)?;
    r.succeeded_revisions(&target, 3)?;

    let application = Some(target.application.clone());
    let of_environment = Filter {
        environment: Some(environment.clone()),
        application: None,
    };
    let of_target = Filter {
        application,
        ..of_environment.clone()
    };
    let period = Period {
        since: Some(now()),
        until: Some(now()),
    };
    for filter in [Filter::default(), of_environment, of_target] {
        for before in [None, Some(id)] {
            for period in [Period::default(), period] {
                r.history_before(before, &filter, &period, 20)?;
                r.logged_before(before, &filter, &period, 20)?;
                r.history_with_details(before, &filter, &period, 20)?;
            }
        }
    }
    r.history_of([target.clone()], Some(id), 20)?;
    r.ended(20)?;
    r.newest()?;
    r.deployed_targets()?;
    r.newest_details([id].into_iter())?;
    r.last_planned()?;

    r.is_stuck(environment)?;
    r.busy_environments()?;
    r.open_deployments(environment)?;
    r.queued_in(rollout, environment)?;
    for is_frozen in [false, true] {
        r.current_rollout(environment, is_frozen, 10)?;
    }
    r.exceptions(id)?;
    r.approvals(id)?;
    r.details(id)?;
    r.holds(&target)?;
    r.goes_after(id)?;
    r.needs_of(&target)?;
    r.phases(id)?;
    r.freezes(now())?;
    r.undated(now(), 10)?;
    r.problems()?;
    r.problems_of(&one)?;
    r.faults()?;
    r.retirements()?;
    r.retirements_of(Some(std::slice::from_ref(&one)))?;
    r.is_retired(&target)?;
    r.last_number()?;

    r.last_event()?;
    r.events_after(EventId(0), 1000)?;
    r.position("x")?;
    r.known_position("x")?;
    r.event_readers()?;
    r.last_event_until(now())?;
    r.next_waiting("x")?;
    r.next_partial("x")?;
    r.partial_notifications("x")?;
    r.all_waiting("x")?;
    r.notification(NotificationId(1))?;
    r.notifications("*", 10)?;
    r.notified_targets()?;
    r.failed_notifications("x", None)?;
    r.addressees(NotificationId(1))?;

    r.deployment_figures(now())?;
    r.queue_figures()?;
    r.change_failures(now())?;
    r.times_to_restore(now())?;
    r.lead_times(now())?;
    r.notification_figures()?;
    Ok(())
}

/// Changes whatever can be changed. A deployment with the number 1 runs, and one with the number 3
/// of the same application is queued.
fn change_all(t: &Transaction<'_>) -> Result<(), Error> {
    let (target, one) = (target("a"), revision('1'));
    let environment = &target.environment;
    let (id, queued) = (DeploymentId(1), DeploymentId(3));
    let exception = Exception {
        kind: ExceptionKind::Override,
        reason: "x".to_owned(),
        signed_by: None,
    };
    t.move_cursor("refs/heads/main", Some(&one))?;
    t.move_to_rollout(queued, RolloutId(1))?;
    t.override_freeze(queued, &exception, now())?;
    t.set_stuck(environment, Some("x"))?;
    t.set_stuck(environment, None)?;
    t.set_waiting(environment, "x")?;
    t.set_reason(queued, "x")?;
    t.claim(&[queued], &alice())?;
    t.add_approval(
        id,
        &Approval {
            by: "alice".to_owned(),
            commit: one.clone(),
        },
    )?;
    let need = Need {
        declared_by: one.clone(),
        application: target.application.clone(),
        commit: one.to_string(),
        state: NeedState::Missing(None),
    };
    t.add_need(id, &need, true)?;
    t.release_hold(&target, &one)?;

    t.begin_phase(id, Phase::Command, now())?;
    let _ = t.set_leader(id, &run())?;
    let _ = t.take_over(id, &run(), &run())?;
    t.ask_to_cancel(id, &alice())?;
    let running = t.deployment(id)?.unwrap();
    t.ask_to_release(environment, vec![running], &alice(), now())?;
    let _ = t.finish(id, &Outcome::new(Status::Succeeded, "x"), now())?;
    t.date(id, None)?;
    let mut back = t.deployment(id)?.unwrap();
    back.rolled_back = Some(revision('9'));
    let retry = t.retry(&back, None, None, &[], now())?;
    let _ = t.finish(retry, &Outcome::new(Status::Cancelled, "x"), now())?;
    let restored = Deployment {
        id: DeploymentId(77),
        ..back
    };
    t.restore(&restored, &[], &[])?;
    let left = LeftRunning {
        id: DeploymentId(78),
        target: target.clone(),
        revision: one.clone(),
        deploy_commit: None,
        run: run(),
    };
    t.record_left_running(&left, now())?;

    let refusal = Refusal {
        path: b"production/a.deploy".to_vec(),
        message: "x".to_owned(),
        hint: String::new(),
        is_fault: true,
    };
    t.set_problem(&refusal, (None, Some(&one)), None, true, now())?;
    t.claim_faults((None, Some(&one)), &alice())?;
    t.clear_problem(&refusal.path)?;
    t.retire(&retirement("a"), None, None, now())?;
    t.events_after(EventId(0), 1000)?;
    t.claim_retirements(std::slice::from_ref(&target), &alice())?;
    t.restore_retirement(&super::testing::target("b"), now())?;
    t.freeze(environment, "x", &alice(), None, now())?;
    t.thaw(environment, &alice(), now())?;

    let event = t.last_event()?;
    t.move_position("x", EventId(1))?;
    let told = t.await_notification("x", event)?;
    let attempt = Attempt {
        status: NotificationStatus::GivenUp,
        at: now(),
        next: None,
        answer: String::new(),
    };
    t.record_attempt(told, &attempt)?;
    let has_it = Settled {
        has_it: true,
        answer: String::new(),
    };
    t.record_addressees(told, &[("a@example.org".to_owned(), has_it)].into())?;
    t.try_given_up("x")?;
    t.notify_again(told)?;
    t.deliver_after_all("x", event)?;
    t.mark_gone("x", Some(now()))?;
    for reader in t.event_readers()? {
        t.give_up_reader(&reader, now(), "x")?;
    }
    Ok(())
}

/// A new statement needs no line here where an earlier test compiles it. But only if this test
/// comes to it, it is certain that it is checked.
#[test]
fn no_statement_gets_slower_with_each_deployment() {
    let mut state = TestState::new();
    state.change(|t| {
        t.skip_events(now())?;
        t.skip_numbers(DeploymentId(0))
    });
    let first = state.enqueue("a", '1').id;
    state.begin(first, now()).unwrap();
    state.enqueue("a", '2');
    state.enqueue("a", '3');
    state.change(|t| read_all(t));
    state.change(change_all);
    assert_eq!(state.store.integrity_problems().unwrap(), [""; 0]);

    let seen = PLACES.with_borrow(Clone::clone);
    let expect = places_in_source();
    assert!(expect.len() > 100, "{}", expect.len());
    let missed: Vec<_> = expect.difference(&seen).collect();
    assert!(
        missed.is_empty(),
        "no test runs the statements at {missed:?}"
    );
}
