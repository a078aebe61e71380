//! The way of deployments through their states, and what retires and attributes them.

use super::testing::{TestState, alice, now, retirement, revision, target};
use super::*;
use crate::id::{Revision, RolloutId};
use crate::identity::{Evidence, Identity};
use crate::policy::{Exception, ExceptionKind, Refusal};
use crate::status::Status;
use crate::time::Timestamp;

#[test]
fn newer_deployment_supersedes_only_what_is_queued() {
    let mut state = TestState::new();
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
fn transition_that_is_not_allowed_is_stale() {
    let mut state = TestState::new();
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
fn release_marks_only_the_run_that_was_looked_at() {
    let mut state = TestState::new();
    let environment = target("a").environment;
    let [ended, other] = ['1', '2'].map(|digit| {
        let id = state.enqueue("a", digit).id;
        state.begin(id, now()).unwrap();
        state.deployment(id)
    });
    let release = |state: &mut TestState, seen: &Deployment| {
        let seen = vec![seen.clone()];
        let released = state.change(|t| t.ask_to_release(&environment, seen, &alice(), now()));
        released.len()
    };

    state.succeed(ended.id, now()).unwrap();
    assert_eq!(release(&mut state, &ended), 0);
    let mut another_run = other.clone();
    another_run.run.as_mut().unwrap().runner.start_ticks += 1;
    assert_eq!(release(&mut state, &another_run), 0);
    assert_eq!(state.deployment(other.id).released_by, None);

    // The second time it is nothing new.
    assert_eq!(release(&mut state, &other), 1);
    assert_eq!(release(&mut state, &other), 0);
    assert_eq!(state.deployment(ended.id).released_by, None);
    assert_eq!(state.deployment(other.id).released_by, Some(alice()));
    let events = state.events();
    assert_eq!(events.iter().filter(|kind| **kind == "released").count(), 1);
}

#[test]
fn deployed_is_what_succeeded_last_by_order_not_by_clock() {
    let mut state = TestState::new();
    for (digit, ms) in [('1', 9_000), ('2', 5_000)] {
        let id = state.enqueue("a", digit).id;
        state.begin(id, Timestamp::from_ms(ms)).unwrap();
        state.succeed(id, Timestamp::from_ms(ms)).unwrap();
    }
    assert_eq!(state.deployed("a"), revision('2'));
}

#[test]
fn retirement_cancels_the_queue_until_the_next_deployment() {
    let mut state = TestState::new();
    let id = state.enqueue("a", '1').id;
    state.change(|t| t.retire(&retirement("a"), None, Some(&alice()), now()));

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
fn claim_fills_in_only_a_pusher_that_is_unknown() {
    let mut state = TestState::new();
    let id = state.enqueue("a", '1').id;
    for (name, is_news) in [("alice", true), ("mallory", false)] {
        let pusher = Identity::new(name, Evidence::SshKey);
        let claimed = state.change(|t| t.claim(&[id], &pusher));
        assert_eq!(claimed.contains(&id), is_news);
        assert_eq!(state.deployment(id).pusher, Some(alice()));
    }
}

fn override_reason() -> Exception {
    Exception::new(ExceptionKind::Override, "fire".to_owned())
}

#[test]
fn freeze_is_overridden_once_and_only_for_what_is_queued() {
    let mut state = TestState::new();
    let (id, other) = (state.enqueue("a", '1').id, state.enqueue("b", '1').id);
    state.begin(other, now()).unwrap();
    state.change(|t| t.set_waiting(&target("a").environment, "frozen by bob"));
    let exception = override_reason();

    for (id, is_news) in [(id, true), (id, false), (other, false)] {
        assert_eq!(
            state.change(|t| t.override_freeze(id, &exception, now())),
            is_news
        );
    }

    let overriding = state.deployment(id);
    assert!(overriding.overrides_freeze && overriding.reason.is_none());
    assert!(!state.deployment(other).overrides_freeze);
    assert_eq!(
        state.events(),
        ["planned", "planned", "started", "planned"],
        "it is told once more, with the exception"
    );
    let record = state.store.read().unwrap();
    assert_eq!(record.exceptions(id).unwrap(), [exception]);
}

#[test]
fn freeze_that_is_overridden_leaves_what_else_stands_in_the_way() {
    let mut state = TestState::new();
    let id = state.enqueue("a", '1').id;
    state.change(|t| t.set_stuck(&target("a").environment, Some("no lock")));
    let exception = override_reason();

    state.change(|t| t.override_freeze(id, &exception, now()));

    let reason = state.deployment(id).reason;
    assert!(reason.is_some_and(|reason| reason.ends_with("no lock")));
}

#[test]
fn deployments_are_found_by_their_commit_and_their_rollout() {
    let mut state = TestState::new();
    let id = state.enqueue("a", '1').id;

    let record = state.store.read().unwrap();
    assert_eq!(record.deployments_of(&[revision('c')]).unwrap().len(), 1);
    let member = |rollout| record.member(RolloutId(rollout), &target("a")).unwrap();
    assert_eq!(member(1).map(|member| member.id), Some(id));
    assert_eq!(member(2), None);
}

#[test]
fn fault_keeps_the_pusher_of_the_whole_change_or_none() {
    let [ann, bob] = ["ann", "bob"].map(|name| Identity::new(name, Evidence::SshKey));
    let fault = Refusal {
        path: b"production/a.deploy".to_vec(),
        message: "x".to_owned(),
        hint: "y".to_owned(),
        is_fault: true,
    };
    let range = |since: char, commit: char| (revision(since), revision(commit));
    let find = |state: &mut TestState, (since, commit): (Revision, Revision), pusher, touched| {
        let range = (Some(&since), Some(&commit));
        state.change(|t| t.set_problem(&fault, range, pusher, touched, now()));
    };
    let claim = |state: &mut TestState, (since, commit): (Revision, Revision), pusher| {
        state.change(|t| t.claim_faults((Some(&since), Some(&commit)), pusher));
    };
    let pusher = |state: &mut TestState| {
        let record = state.store.read().unwrap();
        record.faults().unwrap()[0].pusher.clone()
    };

    let mut state = TestState::new();
    find(&mut state, range('1', '2'), None, true);
    claim(&mut state, range('2', '2'), &bob);
    assert_eq!(pusher(&mut state), None, "the range of another push");
    claim(&mut state, range('1', '2'), &ann);
    claim(&mut state, range('1', '2'), &bob);
    assert_eq!(pusher(&mut state), Some(ann.clone()));

    find(&mut state, range('2', '3'), Some(&bob), false);
    assert_eq!(
        pusher(&mut state),
        Some(ann.clone()),
        "bob did not touch it"
    );
    find(&mut state, range('3', '4'), Some(&ann), true);
    assert_eq!(pusher(&mut state).as_ref(), Some(&ann), "the same person");
    find(&mut state, range('4', '5'), Some(&bob), true);
    assert_eq!(pusher(&mut state), None, "two persons");
}
