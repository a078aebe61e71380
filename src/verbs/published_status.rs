//! The reader of events that publishes what is deployed, at a ref of the deploy repository.
//!
//! Protocol: the last commit at the ref names the last event that was published, so the ref itself
//! is the position. One call publishes all events up to the newest: each end of a deployment and
//! each other change gets a commit of its own, and those that were planned one after the other
//! share one. The files are those of the present state, and change with the last of these commits.
//! git adds all of them in one step. So a process that dies leaves the old status or the new one,
//! and an event that is told once more is found published. A reader that begins anew is told of the
//! newest event alone.
//!
//! What a change needs, and which folder is deployed, is the configuration's, which can change
//! without an event. Whoever tells of an event that is published already compares that too, and
//! adds a commit where it differs.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::error::Error;
use super::published_lag::{BATCH, Published, is_published, published_lag};
use crate::deploy_repository::{ConfigError, DeployRepository};
use crate::event::Event;
use crate::event_kind::EventKind;
use crate::git::NewCommit;
use crate::id::{EventId, Revision, Target};
use crate::publish::{Audience, Recipient, STATUS, Told};
use crate::report::{
    Happened, PublishedDeployment, PublishedEnvironment, PublishedPages, PublishedRow, entry_lines,
    message_of_configuration, published_message,
};
use crate::store::{self, Addressees, Reader, RecordedEvent, Store};
use crate::sys::{clock, host};
use crate::text;
use crate::time::Timestamp;

/// How many applications in their environments are published.
const ROWS_MAX: usize = 10_000;

/// How many deployments log.json has.
const LOG_MAX: u32 = 200;

/// The published status of a deploy repository.
pub(super) struct PublishedStatus {
    deploy: DeployRepository,
}

impl PublishedStatus {
    pub(super) fn new(deploy: DeployRepository) -> Self {
        Self { deploy }
    }

    /// Publishes the events that were not published yet, at least up to this one.
    fn publish(&self, store: &mut Store, event: &RecordedEvent) -> Result<(), Error> {
        let Some(full_name) = &self.deploy.config.publish else {
            return Ok(());
        };
        let identity = store.identity()?;
        let state = identity.split(' ').next().unwrap_or_default();
        loop {
            let record = store.read()?;
            let published = Published::at(full_name, &self.deploy, &record, state)?;
            // The events of an earlier record have commits already, under these numbers.
            let after = match published.is_ahead() {
                true => EventId(event.id.0.saturating_sub(1)),
                false => published.up_to(),
            };
            if after >= event.id {
                if !published.is_as_configured(&self.deploy)? {
                    let commit = self.commit_of_configuration(&record, after, state)?;
                    self.append(full_name, published.tip.as_ref(), &[commit])?;
                }
                drop(record);
                return settle(store, after);
            }

            let events = self.events(&record, after)?;
            let Some(last) = events.last() else {
                return Ok(());
            };
            let commits = self.commits(&record, &events, state)?;
            drop(record);
            self.append(full_name, published.tip.as_ref(), &commits)?;
            // Otherwise each of these events would be looked at once more, one after the other.
            store.transaction(|transaction| transaction.move_position(STATUS, last.id))?;
        }
    }

    fn append(
        &self,
        full_name: &str,
        tip: Option<&Revision>,
        commits: &[NewCommit],
    ) -> Result<(), Error> {
        let committer = format!("deploy-by-code <deploy-by-code@{}>", host::mail_name());
        let repository = &self.deploy.repository;
        Ok(repository.append(full_name, tip, commits, &committer)?)
    }

    /// The commit for what the configuration asks for by now. `event` was published last.
    fn commit_of_configuration(
        &self,
        record: &Reader<'_>,
        event: EventId,
        state: &str,
    ) -> Result<NewCommit, Error> {
        let now = clock::now();
        Ok(NewCommit {
            author: None,
            at: now,
            message: message_of_configuration(event, state),
            files: Some(self.pages(record, event, now, state)?.files()),
        })
    }

    /// The commits for some events. The last of them has the files.
    fn commits(
        &self,
        record: &Reader<'_>,
        events: &[RecordedEvent],
        state: &str,
    ) -> Result<Vec<NewCommit>, Error> {
        let is_planned = |event: &RecordedEvent| event.event.kind() == EventKind::Planned;

        let mut commits = Vec::new();
        for group in events.chunk_by(|one, other| is_planned(one) && is_planned(other)) {
            let happened = group.iter().map(|event| self.happened(record, event));
            let mut happened = happened.collect::<Result<Vec<Happened>, Error>>()?;
            if let [alone] = &mut *happened {
                alone.why = self.why(alone);
            }
            let Some(last) = happened.last() else {
                continue;
            };
            commits.push(NewCommit {
                author: last.by().map(|by| by.name.clone()),
                at: last.recorded.at,
                message: published_message(&happened, state),
                files: None,
            });
        }
        if let (Some(commit), Some(event)) = (commits.last_mut(), events.last()) {
            commit.files = Some(self.pages(record, event.id, event.at, state)?.files());
        }
        Ok(commits)
    }

    /// The events after one that change what is published, as far as one step publishes them.
    fn events(
        &self,
        record: &Reader<'_>,
        mut after: EventId,
    ) -> Result<Vec<RecordedEvent>, store::Error> {
        loop {
            let mut events = record.events_after(after, BATCH)?;
            match events.last() {
                Some(last) => after = last.id,
                None => return Ok(events),
            }
            events.retain(|event| is_published(&event.event));
            if !events.is_empty() {
                return Ok(events);
            }
        }
    }

    fn happened(&self, record: &Reader<'_>, recorded: &RecordedEvent) -> Result<Happened, Error> {
        let id = recorded.event.deployment();
        let deployment = id.map(|id| record.deployment(id)).transpose()?.flatten();
        let (exceptions, approvals) = match (&recorded.event, id) {
            (
                Event::Retired {
                    exceptions,
                    approvals,
                    ..
                },
                _,
            ) => (exceptions.clone(), approvals.clone()),
            (_, Some(id)) => (record.exceptions(id)?, record.approvals(id)?),
            (_, None) => (Vec::new(), Vec::new()),
        };
        Ok(Happened {
            recorded: recorded.clone(),
            deployment,
            exceptions,
            approvals,
            why: Vec::new(),
        })
    }

    /// What the deploy file says about it.
    fn why(&self, happened: &Happened) -> Vec<String> {
        let deployment = happened.deployment.as_ref();
        let commit = deployment.and_then(|deployment| deployment.deploy_commit.as_ref());
        let lines = deployment.zip(commit);
        let lines = lines.map(|(deployment, commit)| entry_lines(&self.deploy, commit, deployment));
        // What can't be read any more is left out, and the rest is published.
        lines.and_then(Result::ok).unwrap_or_default()
    }

    /// Everything that is published, as it is recorded now. `event` is the last event of which a
    /// commit tells.
    fn pages(
        &self,
        record: &Reader<'_>,
        event: EventId,
        at: Timestamp,
        state: &str,
    ) -> Result<PublishedPages, store::Error> {
        let retired = record.retirements()?.into_iter();
        let retired: BTreeSet<Target> = retired.map(|retired| retired.target).collect();
        let mut newest: Vec<_> = record.newest()?.into_iter().collect();
        let all = newest.len();
        if all > ROWS_MAX {
            newest.retain(|(target, _)| !retired.contains(target));
            newest.truncate(ROWS_MAX);
        }
        let row = |(target, newest)| {
            PublishedRow::new(newest, retired.contains(&target), &self.deploy, record)
        };
        let rows: Result<Vec<PublishedRow>, store::Error> = newest.into_iter().map(row).collect();
        let rows = rows?;

        let log = record.ended(LOG_MAX)?.into_iter();
        let log = log.map(|deployment| PublishedDeployment::new(deployment, record));
        Ok(PublishedPages {
            event: format!("{state}-{}", event.0),
            at,
            left_out: all - rows.len(),
            environments: PublishedEnvironment::all(&self.deploy.config, &rows),
            rows,
            frozen: record.freezes(clock::now())?,
            log: log.collect::<Result<_, _>>()?,
        })
    }
}

/// Records that everything up to an event is published, also what was given up before.
fn settle(store: &mut Store, up_to: EventId) -> Result<(), Error> {
    let (given_up, _) = store.read()?.failed_notifications(STATUS, None)?;
    if given_up > 0 {
        store.transaction(|transaction| transaction.deliver_after_all(STATUS, up_to))?;
    }
    Ok(())
}

impl Recipient for PublishedStatus {
    fn refresh(&mut self) -> Result<ControlFlow<()>, ConfigError> {
        self.deploy.reload_config()?;
        Ok(match self.deploy.config.publish {
            Some(_) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
        })
    }

    fn wants(&self, event: &Event) -> bool {
        is_published(event)
    }

    fn begins_after(&self, store: &mut Store) -> Result<EventId, store::Error> {
        let EventId(last) = store.read()?.last_event()?;
        Ok(match published_lag(&self.deploy, store) {
            // To be told of one event publishes all that are not published yet.
            Ok(Some(lag)) => EventId(lag.newest.id.0.saturating_sub(1)),
            Ok(None) => EventId(last),
            // The first event that is told says why the ref can't be read.
            Err(_) => EventId(last.saturating_sub(BATCH.into()).max(0)),
        })
    }

    fn report_failure(&self, message: &str) {
        Audience::of(&self.deploy).report_failure("publish", message);
    }

    fn tell(&mut self, store: &mut Store, event: &RecordedEvent, _: &mut Addressees) -> Told {
        match self.publish(store, event) {
            Ok(()) => Told::Delivered(String::new()),
            Err(error) => Told::Later(text::with_causes(&error)),
        }
    }
}
