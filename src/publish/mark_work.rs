//! What is to be marked now, by the events and by the record.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::audience::MARKS;
use super::mark_refs::{MarkRefs, Marks, OpenDeployments, note_line};
use super::mark_writers::MarkWriters;
use super::tell::{AGE_MAX, PAUSE_MAX};
use crate::deploy_repository::DeployRepository;
use crate::event::Event;
use crate::id::{DeploymentId, EventId, Target};
use crate::store::{self, Notification, Reader, RecordedEvent};
use crate::sys::clock;
use crate::time::Timestamp;

/// How many events are read at once.
const BATCH: u32 = 1000;

/// What happened to the applications of one repository.
#[derive(Default)]
pub(super) struct RepositoryWork {
    /// What waits for this repository, in the order of the events.
    pub(super) waiting: Vec<Notification>,
    /// The first event that is to be marked now; `None`: there is none.
    pub(super) first: Option<EventId>,
    targets: BTreeSet<Target>,
    /// The deployments that ended.
    ended: Vec<DeploymentId>,
}

impl RepositoryWork {
    /// The time of the next try; `None`: nothing waits, or it is tried as soon as possible.
    fn next_try(&self) -> Option<Timestamp> {
        let times = self.waiting.iter().map(|waiting| waiting.next_attempt);
        times.min().flatten()
    }

    /// Whether an event is to be marked now. Where something waits for this repository, all later
    /// events wait with it.
    fn asks_for(&self, event: EventId, look: &LookFrom) -> bool {
        match self.waiting.first() {
            Some(waiting) => event >= waiting.event && look.has_come(self.next_try()),
            None => event > look.position,
        }
    }

    /// What has to be in the repository, by the record as it is now.
    fn marks(
        &self,
        record: &Reader<'_>,
        open: &mut OpenDeployments,
        state: &str,
    ) -> Result<Marks, store::Error> {
        let mut refs = MarkRefs::default();
        for target in &self.targets {
            refs.add(target, record, open.of(&target.environment, record)?)?;
        }
        let mut notes = Vec::new();
        for id in &self.ended {
            let ended = record.deployment(*id)?;
            notes.extend(ended.map(|ended| note_line(&ended, state)));
        }
        Ok(Marks { refs, notes })
    }
}

/// From where the events are looked at.
struct LookFrom {
    now: Timestamp,
    /// The position of the reader; 0 where it has none yet.
    position: EventId,
    /// Notes are written for what ended at this time or later.
    notes_since: Timestamp,
}

impl LookFrom {
    /// Whether the time of a try has come. One that is further ahead than any pause is of a clock
    /// that was set back since.
    fn has_come(&self, time: Option<Timestamp>) -> bool {
        time.is_none_or(|time| time <= self.now || time > self.now.after(PAUSE_MAX))
    }
}

/// What one look at the record finds.
pub(super) struct MarkWork {
    /// The event that the reader has come to when all of this is done.
    pub(super) last: EventId,
    /// Whether the reader was not there yet.
    pub(super) is_news: bool,
    /// What to write now, and where.
    pub(super) now: Vec<(PathBuf, RepositoryWork, Marks)>,
    /// When something is to be tried again that is not tried now.
    pub(super) next_try: Option<Timestamp>,
    /// What waits for applications that get no marks any more.
    pub(super) moot: Vec<Notification>,
}

impl MarkWork {
    /// Looks at what happened since the position, and since what waits for another try. `state` is
    /// the id of the state. Where one of the `writers` is at work, everything waits.
    ///
    /// # Errors
    /// The state can't be read.
    pub(super) fn find(
        record: &Reader<'_>,
        deploy: &DeployRepository,
        state: &str,
        writers: &MarkWriters,
    ) -> Result<Self, store::Error> {
        let now = clock::now();
        let known = record.known_position(MARKS)?;
        let look = LookFrom {
            now,
            position: known.unwrap_or(EventId(0)),
            // Where marks are new, notes begin with what ended in the last 24 hours.
            notes_since: known.map_or(now.before(AGE_MAX), |_| Timestamp::from_ms(0)),
        };

        let mut all = AllRepositories::new(deploy);
        let moot = all.take_waiting(record, writers)?;
        let mut after = Some(all.begin(&look));
        while let Some(begin) = after {
            let events = record.events_after(begin, BATCH)?;
            for event in &events {
                all.take(event, &look);
            }
            after = events.last().map(|event| event.id);
        }

        let last = record.last_event()?.max(look.position);
        let mut found = Self {
            last,
            is_news: last > look.position,
            now: Vec::new(),
            next_try: None,
            moot,
        };
        let mut open = OpenDeployments::default();
        for (path, work) in all.work {
            if work.targets.is_empty() {
                let next = found.next_try.into_iter().chain(work.next_try());
                found.next_try = next.min();
            } else {
                let marks = work.marks(record, &mut open, state)?;
                found.now.push((path, work, marks));
            }
        }
        Ok(found)
    }
}

/// The application repositories that get marks, as far as they were found.
struct AllRepositories<'d> {
    deploy: &'d DeployRepository,
    work: BTreeMap<PathBuf, RepositoryWork>,
    /// The repository of each target; `None`: the target gets no marks.
    paths: BTreeMap<Target, Option<PathBuf>>,
}

impl<'d> AllRepositories<'d> {
    fn new(deploy: &'d DeployRepository) -> Self {
        Self {
            deploy,
            work: BTreeMap::new(),
            paths: BTreeMap::new(),
        }
    }

    /// The repository that gets the marks of a target.
    fn of(&mut self, target: &Target) -> Option<(&Path, &mut RepositoryWork)> {
        if !self.paths.contains_key(target) {
            let has_marks = self.deploy.config.settings(target).marks;
            let path = self.deploy.application_repository(target);
            self.paths
                .insert(target.clone(), path.filter(|_| has_marks));
        }
        let path = self.paths.get(target)?.as_ref()?;
        Some((path, self.work.entry(path.clone()).or_default()))
    }

    /// Takes in what waits for another try, and returns what nobody needs any more.
    fn take_waiting(
        &mut self,
        record: &Reader<'_>,
        writers: &MarkWriters,
    ) -> Result<Vec<Notification>, store::Error> {
        let mut moot = Vec::new();
        for mut waiting in record.all_waiting(MARKS)? {
            let event = record.event(waiting.event)?;
            let subject = event.as_ref().and_then(|event| subject(&event.event));
            match subject.and_then(|(target, _)| self.of(target)) {
                Some((path, work)) => {
                    waiting.next_attempt = writers.next_try(path, waiting.next_attempt);
                    work.waiting.push(waiting);
                }
                None => moot.push(waiting),
            }
        }
        Ok(moot)
    }

    /// The event after which to begin.
    fn begin(&self, look: &LookFrom) -> EventId {
        let due = self.work.values();
        let due = due.filter(|work| look.has_come(work.next_try()));
        let first = due.filter_map(|work| work.waiting.first());
        let before = first.map(|first| EventId(first.event.0 - 1));
        before.chain([look.position]).min().unwrap_or(look.position)
    }

    /// Takes in one event.
    fn take(&mut self, recorded: &RecordedEvent, look: &LookFrom) {
        let Some((target, ended)) = subject(&recorded.event) else {
            return;
        };
        let Some((_, work)) = self.of(target) else {
            return;
        };
        if work.asks_for(recorded.id, look) {
            work.first.get_or_insert(recorded.id);
            work.targets.insert(target.clone());
            work.ended
                .extend(ended.filter(|_| recorded.at >= look.notes_since));
        }
    }
}

/// The target whose marks an event changes, and the deployment that it ended, if it ended one.
fn subject(event: &Event) -> Option<(&Target, Option<DeploymentId>)> {
    match event {
        Event::Planned { target, .. } | Event::Retired { target, .. } => Some((target, None)),
        Event::Became {
            target,
            deployment,
            status,
            ..
        } if status.has_ended() => Some((target, Some(*deployment))),
        _ => None,
    }
}
