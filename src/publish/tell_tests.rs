//! Who is told, and when something is tried again.

use std::ops::ControlFlow;
use std::time::Duration;

use super::recipient::{Recipient, Told};
use super::tell::{pause, tell_all};
use crate::deploy_repository::ConfigError;
use crate::event::Event;
use crate::id::{Environment, EventId};
use crate::identity::{Evidence, Identity};
use crate::store::{self, Addressees, Attempt, NotificationStatus, RecordedEvent, Store};
use crate::sys::clock;
use crate::sys::sharing::Sharing;

/// Somebody whom only a process of another user can tell.
struct Unreachable;

impl Recipient for Unreachable {
    fn refresh(&mut self) -> Result<ControlFlow<()>, ConfigError> {
        Ok(ControlFlow::Continue(()))
    }

    fn wants(&self, _: &Event) -> bool {
        true
    }

    fn begins_after(&self, _: &mut Store) -> Result<EventId, store::Error> {
        Ok(EventId(0))
    }

    fn obstacle(&self) -> Option<String> {
        Some("another user can".to_owned())
    }

    fn report_failure(&self, _: &str) {}

    fn tell(&mut self, _: &mut Store, _: &RecordedEvent, _: &mut Addressees) -> Told {
        panic!("it can't be told")
    }
}

/// A process that can't tell anybody must leave the lock to one that can.
#[test]
fn who_can_not_tell_does_not_wait_for_the_next_try() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::create(folder.path(), Sharing::PRIVATE, |_| Ok(())).unwrap();
    let frozen = store.transaction(|transaction| {
        let environment = Environment::new("production").unwrap();
        let alice = Identity::new("alice", Evidence::SshKey);
        transaction.freeze(&environment, "x", &alice, None, clock::now())?;
        let id = transaction.await_notification("notify:x", EventId(1))?;
        transaction.move_position("notify:x", EventId(1))?;
        let waiting = Attempt {
            status: NotificationStatus::Waiting,
            at: clock::now(),
            next: Some(clock::now().after(Duration::from_secs(2))),
            answer: String::new(),
        };
        transaction.record_attempt(id, &waiting)
    });
    frozen.unwrap();

    tell_all(&mut store, "notify:x", &mut Unreachable).unwrap();
    let waiting = store.read().unwrap().next_waiting("notify:x").unwrap();
    assert_eq!(
        waiting.unwrap().attempts,
        1,
        "it has waited and tried again"
    );
}

#[test]
fn pauses_grow_up_to_ten_minutes() {
    let table = [
        (0, 1),
        (1, 2),
        (5, 32),
        (9, 512),
        (10, 600),
        (40, 600),
        (u32::MAX, 600),
    ];
    for (tries, seconds) in table {
        assert_eq!(pause(tries), Duration::from_secs(seconds), "{tries}");
    }
}
