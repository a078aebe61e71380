//! Of which event the published status tells, and how far that is behind the record.
//!
//! The ref alone says what is published. The position in the state only says what was tried: it
//! has moved on also where an event was given up, where somebody has set the ref back, and where
//! the configuration names another ref since.

use super::error::Error;
use crate::deploy_repository::DeployRepository;
use crate::event::Event;
use crate::event_kind::EventKind;
use crate::id::{EventId, Revision};
use crate::report::{StatusFile, last_published};
use crate::store::{Reader, RecordedEvent, Store};

/// The kinds of events that change what is published.
const KINDS: [EventKind; 10] = [
    EventKind::Planned,
    EventKind::Succeeded,
    EventKind::Failed,
    EventKind::Cancelled,
    EventKind::Superseded,
    EventKind::Skipped,
    EventKind::Interrupted,
    EventKind::Retired,
    EventKind::Frozen,
    EventKind::Thawed,
];

/// The file with what the configuration says.
const STATUS_FILE: &str = "status.json";

/// How many events one step publishes. So many events of the past also get commits where the ref
/// tells of none.
pub(super) const BATCH: u32 = 1_000;

/// Whether an event changes what is published.
pub(super) fn is_published(event: &Event) -> bool {
    KINDS.contains(&event.kind())
}

/// What is published at a ref, beside the record.
pub(super) struct Published {
    /// Where the ref is; `None`: it does not exist.
    pub(super) tip: Option<Revision>,
    /// The last event of the state of which it tells; `None`: of none.
    pub(super) event: Option<EventId>,
    /// The newest event of the record.
    recorded: EventId,
}

impl Published {
    /// What is published at the ref of a full name. `state` is the id of the state.
    ///
    /// # Errors
    /// The ref, its commit or the state can't be read.
    pub(super) fn at(
        full_name: &str,
        deploy: &DeployRepository,
        record: &Reader<'_>,
        state: &str,
    ) -> Result<Self, Error> {
        // The record is read first: what counts as told there was at the ref before.
        let recorded = record.last_event()?;
        let tip = deploy.repository.branch_tip(full_name)?;
        let message = tip
            .as_ref()
            .map(|tip| deploy.repository.commit_message(tip));
        let message = message.transpose()?;
        Ok(Self {
            tip,
            event: message.and_then(|message| last_published(&message, state)),
            recorded,
        })
    }

    /// Whether it says what the configuration asks for. What nobody can read does not.
    ///
    /// # Errors
    /// The repository can't be read.
    pub(super) fn is_as_configured(&self, deploy: &DeployRepository) -> Result<bool, Error> {
        let Some(tip) = &self.tip else {
            return Ok(true);
        };
        let content = deploy.repository.file(tip, STATUS_FILE)?;
        let status = StatusFile::read(&content.unwrap_or_default());
        Ok(status.is_ok_and(|status| status.is_as_configured(deploy)))
    }

    /// Whether it tells of an event that the record does not have: the record is an earlier one,
    /// from a backup.
    pub(super) fn is_ahead(&self) -> bool {
        self.event.is_some_and(|event| event > self.recorded)
    }

    /// The event up to which everything is published; where it tells of no event of the record,
    /// that is as far back as events get commits.
    pub(super) fn up_to(&self) -> EventId {
        let known = self.event.filter(|_| !self.is_ahead());
        known.unwrap_or(EventId(self.recorded.0.saturating_sub(BATCH.into()).max(0)))
    }
}

/// How the published status is behind the record.
pub(super) struct Lag {
    /// What is published.
    pub(super) published: Published,
    /// The newest event of which it should tell.
    pub(super) newest: RecordedEvent,
    /// Whether it tells of that, and only what the configuration asks for is another thing by now.
    pub(super) is_of_configuration: bool,
}

/// How what is published is behind the record; `None`: it is not, or nothing is to be published.
///
/// # Errors
/// The ref or the state can't be read.
pub(super) fn published_lag(
    deploy: &DeployRepository,
    store: &mut Store,
) -> Result<Option<Lag>, Error> {
    let Some(full_name) = &deploy.config.publish else {
        return Ok(None);
    };
    let identity = store.identity()?;
    let state = identity.split(' ').next().unwrap_or_default();
    let record = store.read()?;
    let published = Published::at(full_name, deploy, &record, state)?;

    let mut after = published.up_to();
    let mut newest = None;
    loop {
        let mut events = record.events_after(after, BATCH)?;
        let Some(last) = events.last() else { break };
        after = last.id;
        events.retain(|event| is_published(&event.event));
        newest = events.pop().or(newest);
    }
    let is_of_configuration = newest.is_none() && !published.is_as_configured(deploy)?;
    if is_of_configuration && let Some(EventId(event)) = published.event {
        newest = record.events_after(EventId(event - 1), 1)?.pop();
    }
    Ok(newest.map(|newest| Lag {
        published,
        newest,
        is_of_configuration,
    }))
}
