//! Who was told of what, and what still waits.

use std::fmt;

use rusqlite::{Row, params};
use serde::Serialize;

use super::columns::damaged;
use super::error::Error;
use super::reader::Reader;
use super::transaction::Transaction;
use crate::id::{EventId, NotificationId};
use crate::time::Timestamp;

/// What became of telling somebody of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotificationStatus {
    /// It is tried again.
    Waiting,
    /// The other side took it.
    Delivered,
    /// The other side refused it for good.
    Refused,
    /// Some of those whom it goes to have it, and it is tried again for the others.
    Partial,
    /// It was tried for so long that nobody tries it any more.
    GivenUp,
}

impl NotificationStatus {
    const ALL: [Self; 5] = [
        Self::Waiting,
        Self::Delivered,
        Self::Refused,
        Self::Partial,
        Self::GivenUp,
    ];

    /// The word that users see and the store keeps.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Partial => "partial",
            Self::GivenUp => "given-up",
        }
    }
}

impl fmt::Display for NotificationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One event for one of those who are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Its number.
    pub id: NotificationId,
    /// The name of the reader of events that is told.
    pub target: String,
    /// The event.
    pub event: EventId,
    /// What became of it.
    pub status: NotificationStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was tried last.
    pub last_attempt: Option<Timestamp>,
    /// Not before this is it tried again.
    pub next_attempt: Option<Timestamp>,
    /// What the other side said last. It is somebody else's text.
    pub answer: Option<String>,
}

/// What became of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The status after it.
    pub status: NotificationStatus,
    /// When it was tried.
    pub at: Timestamp,
    /// Not before this is it tried again.
    pub next: Option<Timestamp>,
    /// What the other side said.
    pub answer: String,
}

const COLUMNS: &str =
    "id, target, event, status, attempts, last_attempt_ms, next_attempt_ms, answer";

fn notification(row: &Row<'_>) -> rusqlite::Result<Notification> {
    let word: String = row.get(3)?;
    let mut all = NotificationStatus::ALL.into_iter();
    let status = all.find(|status| status.as_str() == word);
    let time = |ms: Option<i64>| ms.map(Timestamp::from_ms);

    Ok(Notification {
        id: NotificationId(row.get(0)?),
        target: row.get(1)?,
        event: EventId(row.get(2)?),
        status: status.ok_or_else(|| damaged(3, "status of a notification"))?,
        attempts: row.get(4)?,
        last_attempt: time(row.get(5)?),
        next_attempt: time(row.get(6)?),
        answer: row.get(7)?,
    })
}

impl Reader<'_> {
    /// The position of a reader of events; `None`: it never read any.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn known_position(&self, reader: &str) -> Result<Option<EventId>, Error> {
        let sql = "SELECT position FROM event_readers WHERE name = ?";
        let position = self.first(sql, [reader], |row| row.get(0))?;
        Ok(position.map(EventId))
    }

    /// The last event that happened at a time or before it; 0 where there is none.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn last_event_until(&self, time: Timestamp) -> Result<EventId, Error> {
        // The newest are looked at first: clocks are set back, and only the newest are asked for.
        let sql = "SELECT id FROM events WHERE at_ms <= ? ORDER BY id DESC LIMIT 1";
        let id = self.first(sql, [time.as_ms()], |row| row.get(0))?;
        Ok(EventId(id.unwrap_or(0)))
    }

    /// The oldest notification of a target that waits to be tried, whether for the first time or
    /// again.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn next_waiting(&self, target: &str) -> Result<Option<Notification>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM notifications WHERE target = ? AND status = 'waiting'
             ORDER BY event LIMIT 1"
        );
        self.first(&sql, [target], notification)
    }

    /// The notification of a target that is to be tried again for some of those whom it goes to,
    /// while others have it. Of several such ones, the one that is due first.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn next_partial(&self, target: &str) -> Result<Option<Notification>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM notifications WHERE target = ? AND status = 'partial'
             ORDER BY next_attempt_ms LIMIT 1"
        );
        self.first(&sql, [target], notification)
    }

    /// How many notifications of a target are to be tried again for some of those whom they go to.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn partial_notifications(&self, target: &str) -> Result<u64, Error> {
        let sql = "SELECT COUNT(*) FROM notifications WHERE target = ? AND status = 'partial'";
        let count: Option<i64> = self.first(sql, [target], |row| row.get(0))?;
        Ok(u64::try_from(count.unwrap_or(0)).unwrap_or(0))
    }

    /// All notifications of a target that wait to be tried, in the order of their events.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn all_waiting(&self, target: &str) -> Result<Vec<Notification>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM notifications WHERE target = ? AND status = 'waiting'
             ORDER BY event"
        );
        self.query(&sql, [target], notification)
    }

    /// The notification with a number.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn notification(&self, id: NotificationId) -> Result<Option<Notification>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM notifications WHERE id = ?");
        self.first(&sql, [id.0], notification)
    }

    /// What became of telling a target of an event; `None`: it was not tried yet.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn notification_about(
        &self,
        target: &str,
        event: EventId,
    ) -> Result<Option<Notification>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM notifications WHERE target = ? AND event = ?");
        self.first(&sql, params![target, event.0], notification)
    }

    /// The newest notifications, newest first, at most `most`. In `targets`, `*` stands for any
    /// characters.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn notifications(&self, targets: &str, most: u32) -> Result<Vec<Notification>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM notifications WHERE target GLOB ? ORDER BY id DESC LIMIT ?"
        );
        self.query(&sql, params![targets, most], notification)
    }

    /// The targets that have notifications.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn notified_targets(&self) -> Result<Vec<String>, Error> {
        // Each step looks up the next target in the index, however many notifications each has.
        let sql = "WITH RECURSIVE known (target) AS (
                SELECT MIN(target) FROM notifications
                UNION ALL
                SELECT (SELECT MIN(target) FROM notifications WHERE target > known.target)
                FROM known WHERE known.target IS NOT NULL
            )
            SELECT target FROM known WHERE target IS NOT NULL";
        self.query(sql, [], |row| row.get(0))
    }

    /// How many notifications of a target were refused or given up, and the newest of them. Those
    /// that were tried last before `since` are not counted.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn failed_notifications(
        &self,
        target: &str,
        since: Option<Timestamp>,
    ) -> Result<(u64, Option<Notification>), Error> {
        let failed = "FROM notifications WHERE target = ?1 AND status IN ('refused', 'given-up')
             AND last_attempt_ms >= ?2";
        let count = format!("SELECT COUNT(*) {failed}");
        let newest = format!("SELECT {COLUMNS} {failed} ORDER BY id DESC LIMIT 1");
        let parameters = params![target, since.map_or(0, Timestamp::as_ms)];

        let count: Option<i64> = self.first(&count, parameters, |row| row.get(0))?;
        let count = u64::try_from(count.unwrap_or(0)).unwrap_or(0);
        Ok((count, self.first(&newest, parameters, notification)?))
    }

    /// An event by its number.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn event(&self, id: EventId) -> Result<Option<super::events::RecordedEvent>, Error> {
        let before = EventId(id.0.saturating_sub(1));
        let found = self.events_after(before, 1)?;
        Ok(found.into_iter().find(|event| event.id == id))
    }
}

impl Transaction<'_> {
    /// Records that a target is to be told of an event, and returns the notification.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn await_notification(
        &self,
        target: &str,
        event: EventId,
    ) -> Result<NotificationId, Error> {
        let sql = "INSERT INTO notifications (target, event, status, attempts)
             VALUES (?, ?, 'waiting', 0) ON CONFLICT DO NOTHING";
        self.execute(sql, params![target, event.0])?;

        let sql = "SELECT id FROM notifications WHERE target = ? AND event = ?";
        let id = self.first(sql, params![target, event.0], |row| row.get(0))?;
        id.map(NotificationId)
            .ok_or_else(|| Error::Damaged("a notification can't be found".to_owned()))
    }

    /// Records one try.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn record_attempt(&self, id: NotificationId, attempt: &Attempt) -> Result<(), Error> {
        let sql = "UPDATE notifications SET status = ?, attempts = attempts + 1,
             last_attempt_ms = ?, next_attempt_ms = ?, answer = ? WHERE id = ?";
        let parameters = params![
            attempt.status.as_str(),
            attempt.at.as_ms(),
            attempt.next.map(Timestamp::as_ms),
            attempt.answer,
            id.0
        ];
        self.execute(sql, parameters)?;
        Ok(())
    }

    /// Lets a notification be tried again at once, as if it had never been tried. If some of those
    /// whom it goes to did not get it, only these get it now. `false`: there is none with this
    /// number.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn notify_again(&self, id: NotificationId) -> Result<bool, Error> {
        let sql = "DELETE FROM addressees WHERE notification = ?1 AND (has_it = 0
             OR EXISTS (SELECT 1 FROM notifications WHERE id = ?1 AND status = 'delivered'))";
        self.execute(sql, [id.0])?;

        let sql = "UPDATE notifications SET status = 'waiting', attempts = 0,
             last_attempt_ms = NULL, next_attempt_ms = NULL WHERE id = ?";
        Ok(self.execute(sql, [id.0])? > 0)
    }

    /// Lets what was given up for a target be tried once more. The tries that it had stay counted,
    /// so that it can be given up again after one.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn try_given_up(&self, target: &str) -> Result<(), Error> {
        let sql = "UPDATE notifications SET status = 'waiting', next_attempt_ms = NULL
             WHERE target = ? AND status IN ('refused', 'given-up') AND status = 'given-up'";
        self.execute(sql, [target])?;
        Ok(())
    }

    /// Records that what was refused or given up has reached its target after all, up to an event.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn deliver_after_all(&self, target: &str, up_to: EventId) -> Result<(), Error> {
        let sql = "UPDATE notifications INDEXED BY notifications_failed
             SET status = 'delivered', answer = ''
             WHERE target = ? AND event <= ? AND status IN ('refused', 'given-up')";
        self.execute(sql, params![target, up_to.0])?;
        Ok(())
    }
}
