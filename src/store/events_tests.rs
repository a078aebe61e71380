//! Which changes leave events, and how events are read.

use super::testing::{TestState, alice, now, retirement, revision, target};
use super::*;
use crate::event::Event;
use crate::id::EventId;
use crate::identity::Identity;
use crate::policy::Refusal;
use crate::time::Timestamp;

/// Whatever happens to deployments, environments and files leaves an event of its kind.
#[test]
fn event_is_recorded_for_every_change() {
    let mut state = TestState::new();
    let environment = target("a").environment;
    let refusal = Refusal {
        path: b"production/x.deploy".to_vec(),
        message: "no".to_owned(),
        hint: "yes".to_owned(),
        is_fault: false,
    };

    let first = state.enqueue("a", '1').id;
    state.begin(first, now()).unwrap();
    let left = state.deployment(first);
    state.change(|t| t.ask_to_release(&environment, vec![left], &alice(), now()));
    state.enqueue("a", '2');
    state.enqueue("a", '3');
    state.succeed(first, now()).unwrap();
    state.change(|t| t.retire(&retirement("a"), None, None, now()));
    state.change(|t| t.freeze(&environment, "incident 7", &alice(), None, now()));
    assert!(state.change(|t| t.thaw(&environment, &alice(), now())));
    assert!(!state.change(|t| t.thaw(&environment, &alice(), now())));
    state.change(|t| t.refuse(std::slice::from_ref(&refusal), Some(&alice()), now()));
    let range = (None, None);
    assert!(state.change(|t| t.set_problem(&refusal, range, None, false, now())));
    assert!(!state.change(|t| t.set_problem(&refusal, range, None, false, now())));

    assert_eq!(
        state.events(),
        [
            "planned",
            "started",
            "released",
            "planned",
            "planned",
            "superseded",
            "succeeded",
            "retired",
            "cancelled",
            "frozen",
            "thawed",
            "refused",
            "problem",
        ]
    );
}

#[test]
fn event_is_not_recorded_for_a_stale_change() {
    let mut state = TestState::new();
    let id = state.enqueue("a", '1').id;
    assert_eq!(state.succeed(id, now()), Err(Stale));
    assert_eq!(state.events(), ["planned"]);
}

#[test]
fn events_of_one_refused_push_are_bounded() {
    let mut state = TestState::new();
    let refusal = |n| Refusal {
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
fn event_readers_have_positions_of_their_own() {
    let mut state = TestState::new();
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
fn event_names_a_pusher_who_was_known_only_later() {
    let mut state = TestState::new();
    let id = state.enqueue("a", '1').id;
    let again = Timestamp::from_ms(2_000);
    for at in [now(), again] {
        state.change(|t| t.retire(&retirement("b"), Some(&revision('c')), None, at));
    }
    let pushers = |state: &mut TestState| -> Vec<Option<Identity>> {
        let record = state.store.read().unwrap();
        let events = record.events_after(EventId(0), 100).unwrap();
        let pusher = |recorded: RecordedEvent| match recorded.event {
            Event::Planned { pusher, .. } | Event::Retired { pusher, .. } => pusher,
            other => panic!("{other:?}"),
        };
        events.into_iter().map(pusher).collect()
    };
    assert_eq!(pushers(&mut state), [None, None, None]);

    state.change(|t| t.claim(&[id], &alice()));
    state.change(|t| t.claim_retirements(&[target("b")], &alice()));

    // Nobody knows who retired it the first time.
    assert_eq!(pushers(&mut state), [Some(alice()), None, Some(alice())]);
}
