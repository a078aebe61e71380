//! One notification, for people and for programs.

use serde::Serialize;

use crate::event::Event;
use crate::event_kind::EventKind;
use crate::id::{EventId, NotificationId, NotifyName};
use crate::store::{Notification, NotificationStatus, RecordedEvent};
use crate::time::Timestamp;

/// One event for one of those who are told. The keys are stable.
#[derive(Debug, Serialize)]
pub struct NotificationRow {
    /// Its number; null: the event waits and was not tried yet.
    pub id: Option<NotificationId>,
    /// When the event happened.
    pub at: Timestamp,
    /// Who is told: the name of the section, or of what publishes: `marks`, `status`.
    pub target: NotifyName,
    /// Whether the configuration still asks for it.
    pub configured: bool,
    /// The event's number. The id that those who are told of it get ends with it.
    pub event_id: EventId,
    /// What happened, in one line. It is somebody else's text.
    pub event: String,
    /// What became of it.
    pub status: NotificationStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was tried last.
    pub last_attempt: Option<Timestamp>,
    /// Not before this is it tried again.
    pub next_attempt: Option<Timestamp>,
    /// What the other side said last, or why it could not be told. It is somebody else's text.
    pub answer: Option<String>,
    /// For the event that is told next: how many later ones wait, among the next 1,000 events.
    pub behind: Option<usize>,
}

impl NotificationRow {
    /// The row of an event for a target. `notification`: what became of it; `None`: it waits.
    #[must_use]
    pub fn new(
        target: NotifyName,
        configured: bool,
        event: &RecordedEvent,
        notification: Option<Notification>,
    ) -> Self {
        let mut row = Self {
            id: None,
            at: event.at,
            target,
            configured,
            event_id: event.id,
            event: event_words(&event.event),
            status: NotificationStatus::Waiting,
            attempts: 0,
            last_attempt: None,
            next_attempt: None,
            answer: None,
            behind: None,
        };
        if let Some(notification) = notification {
            row.id = Some(notification.id);
            row.status = notification.status;
            row.attempts = notification.attempts;
            row.last_attempt = notification.last_attempt;
            row.next_attempt = notification.next_attempt;
            row.answer = notification.answer;
        }
        row
    }
}

/// What happened, in one line with the environment.
fn event_words(event: &Event) -> String {
    let word = match event.kind() {
        EventKind::Planned => "queued",
        kind => kind.as_str(),
    };
    match event {
        Event::Planned {
            target, deployment, ..
        }
        | Event::Became {
            target, deployment, ..
        } => format!("{target} {deployment} {word}"),
        Event::Retired { target, .. } => format!("{target} {word}"),
        Event::Refused { path, .. } => format!("{path} {word}"),
        Event::Problem { path, .. } => format!("{path}: {word}"),
        Event::Frozen { environment, .. }
        | Event::Thawed { environment, .. }
        | Event::Released { environment, .. } => format!("{environment} {word}"),
    }
}
