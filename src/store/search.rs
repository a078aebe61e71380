//! Finding what was deployed by a word that somebody remembers, and what is recorded around it.

use rusqlite::params;

use super::error::Error;
use super::events::RecordedEvent;
use super::notifications::Notification;
use super::reader::Reader;
use super::rows::Deployment;
use crate::id::{EventId, Target};
use crate::time::Timestamp;

/// How many of the newest deployments are searched.
pub const SEARCHED_MAX: i64 = 100_000;

/// How many events are looked at around each time at which something happened to a deployment.
const EVENTS_MAX: u32 = 200;

impl Reader<'_> {
    /// The deployments of which something begins with `text`, if that is a hash, or contains it:
    /// the names, the person, the summary, who approved it, why an exception was made, and with
    /// `in_reasons` why it has its status. Newest first, at most `most` of those that `wants` lets
    /// through. Upper and lower case of ASCII letters are the same. At most the newest
    /// [`SEARCHED_MAX`] deployments are looked at, because nothing of this is in an index.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn search(
        &self,
        text: &str,
        wants: impl Fn(&Target) -> bool,
        in_reasons: bool,
        most: usize,
    ) -> Result<Vec<Deployment>, Error> {
        self.select_some(
            "WHERE id > (SELECT seq FROM sqlite_sequence WHERE name = 'deployments') - ?2
                 AND (instr(revision, lower(?1)) = 1
                     OR instr(deploy_commit, lower(?1)) = 1
                     OR instr(lower(environment || '/' || application), lower(?1))
                     OR instr(lower(pusher), lower(?1))
                     OR instr(lower(author), lower(?1))
                     OR ?3 AND instr(lower(reason), lower(?1))
                     OR instr(lower(summary), lower(?1))
                     OR EXISTS (SELECT 1 FROM exceptions WHERE deployment = deployments.id
                         AND instr(lower(exceptions.reason), lower(?1)))
                     OR EXISTS (SELECT 1 FROM approvals WHERE deployment = deployments.id
                         AND instr(lower(approved_by), lower(?1))))
             ORDER BY id DESC",
            params![text, SEARCHED_MAX, in_reasons],
            wants,
            most,
        )
    }

    /// The events of a deployment, in their order. They are looked for around the times at which
    /// it was queued, began and ended: where the clock was set back meanwhile, some are not found.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn events_of(&self, deployment: &Deployment) -> Result<Vec<RecordedEvent>, Error> {
        let times = [
            Some(deployment.queued_at),
            deployment.started_at,
            deployment.finished_at,
        ];
        let mut found: Vec<RecordedEvent> = Vec::new();
        for time in times.into_iter().flatten() {
            let before = self.last_event_before(time)?;
            let known = found.last().map_or(before, |last| last.id.max(before));
            let mut events = self.events_after(known, EVENTS_MAX)?;
            events.retain(|recorded| recorded.event.deployment() == Some(deployment.id));
            found.extend(events);
        }
        Ok(found)
    }

    /// What became of telling everybody of an event.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn notifications_about(&self, event: EventId) -> Result<Vec<Notification>, Error> {
        let mut found = Vec::new();
        for target in self.notified_targets()? {
            found.extend(self.notification_about(&target, event)?);
        }
        Ok(found)
    }

    /// The last event that happened before a time, if the clock was never set back; 0 where there
    /// is none. It halves the numbers between which it must be.
    fn last_event_before(&self, time: Timestamp) -> Result<EventId, Error> {
        let (mut low, mut high) = (0, self.last_event()?.0);
        while low < high {
            let middle = low + (high - low) / 2;
            let sql = "SELECT id, at_ms FROM events WHERE id > ? ORDER BY id LIMIT 1";
            let next: Option<(i64, i64)> =
                self.first(sql, [middle], |row| Ok((row.get(0)?, row.get(1)?)))?;
            match next {
                Some((id, at)) if at < time.as_ms() => low = id,
                _ => high = middle,
            }
        }
        Ok(EventId(low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{TestState, now};

    #[test]
    fn deployments_are_found_by_what_is_remembered_of_them() {
        let mut state = TestState::new();
        state.enqueue("web", '1');
        state.enqueue("api", '2');
        let record = state.store.read().unwrap();
        let found = |text: &str, name: &str, in_reasons: bool| -> Vec<i64> {
            let wants = |target: &Target| target.application.as_str().contains(name);
            let found = record.search(text, wants, in_reasons, 10).unwrap();
            found.into_iter().map(|found| found.id.0).collect()
        };

        for (text, expect) in [
            ("1111", vec![1]),
            ("WEB", vec![1]),
            ("production/", vec![2, 1]),
            ("a@EXAMPLE.org", vec![2, 1]),
            ("%", vec![]),
            ("no such", vec![]),
        ] {
            assert_eq!(found(text, "", true), expect, "{text}");
        }
        assert_eq!(found("production", "web", true), [1]);
        assert_eq!(
            record
                .search("production", |_| true, true, 1)
                .unwrap()
                .len(),
            1
        );
        // The first one of the same application was superseded, and its reason says by which.
        drop(record);
        state.enqueue("web", '3');
        let record = state.store.read().unwrap();
        let found = |in_reasons| {
            record
                .search("by #3", |_| true, in_reasons, 10)
                .unwrap()
                .len()
        };
        assert_eq!((found(true), found(false)), (1, 0));
    }

    #[test]
    fn events_of_a_deployment_are_those_that_name_it() {
        let mut state = TestState::new();
        for digit in ['1', '2', '3'] {
            state.enqueue("web", digit);
        }
        let record = state.store.read().unwrap();
        for id in 1..=3 {
            let deployment = record.deployment(crate::id::DeploymentId(id)).unwrap();
            let events = record.events_of(&deployment.unwrap()).unwrap();
            assert!(!events.is_empty(), "{id}");
            for event in events {
                assert_eq!(event.event.deployment().unwrap().0, id);
                assert_eq!(event.at, now());
                assert!(record.notifications_about(event.id).unwrap().is_empty());
            }
        }
    }
}
