//! Plans what lies between the cursor and the tip of the deploy branch.

use super::attribution::Attribution;
use super::by_others::add_others;
use super::error::Error;
use super::head_start::check_branch;
use super::judged_range::JudgedRange;
use super::own_range::{Overrides, OwnRange};
use super::planned::{Planned, Push};
use super::push_effect::PushEffect;
use super::record::record;
use crate::deploy_repository::DeployRepository;
use crate::id::{EventId, Revision};
use crate::judging::{self, ApplicationRepositories, Subject, unreadable_tip};
use crate::plan::Plan;
use crate::policy::Refusal;
use crate::store::{Cursor, Fault, Reader, Store, Transaction};
use crate::sys::clock;

/// How many times everything is begun again because other processes changed the state. The answers
/// of the repositories are kept, so each try is shorter than the one before.
const TRIES_MAX: usize = 100;

/// Plans what lies between the cursor and the tip of the deploy branch. `push` is the push that the
/// calling hook is about, and `repositories` answers questions about applications.
///
/// # Errors
/// Something can't be read or changed. Then nothing was recorded.
pub fn plan_tip(
    deploy: &DeployRepository,
    store: &mut Store,
    push: Option<&Push>,
    repositories: &mut ApplicationRepositories<'_>,
) -> Result<Planned, Error> {
    for _ in 0..TRIES_MAX {
        let preparation = Preparation::take(deploy, store, push, repositories)?;
        let record = |transaction: &Transaction<'_>| {
            repositories
                .from_memory(|repositories| preparation.record(deploy, transaction, repositories))
        };
        let recorded = match preparation.only_moves_cursor() {
            true => store.unsynced_transaction(record),
            false => store.transaction(record),
        };
        match recorded {
            Err(Error::Overtaken(_)) => {}
            recorded => return recorded,
        }
    }
    Err(Error::Overtaken(TRIES_MAX))
}

/// All that was read and judged before the transaction.
struct Preparation {
    /// The newest event of the state that was read. While there is no newer one, the state is the
    /// same.
    last_event: EventId,
    cursor: Option<Cursor>,
    /// Where the range begins.
    old: Option<Revision>,
    /// Where the range ends: the tip of the branch.
    new: Option<Revision>,
    push: Option<Push>,
    faults: Vec<Fault>,
    /// `None`: there is nothing between cursor and tip and nothing is judged again, or the tip is
    /// damaged.
    range: Option<Range>,
    /// The problem of a tip that is damaged. Until the branch is repaired, the cursor stays.
    unreadable: Option<Refusal>,
    /// What the push changed; `None`: there is no push, or it is exactly the range.
    push_effect: Option<PushEffect>,
    /// What the push asks for by itself; `None`: nothing depends on who pushed it.
    own: Option<OwnRange>,
}

/// What the range between cursor and tip asks for, and the decision about it.
struct Range {
    judged: JudgedRange,
    attribution: Attribution,
}

impl Preparation {
    fn take(
        deploy: &DeployRepository,
        store: &mut Store,
        push: Option<&Push>,
        repositories: &mut ApplicationRepositories<'_>,
    ) -> Result<Self, Error> {
        let state = store.read()?;
        let cursor = state.cursor()?;
        let old = range_start(deploy, cursor.as_ref(), push)?;
        let new = deploy.repository.branch_tip(&deploy.branch)?;
        let mut preparation = Self {
            last_event: state.last_event()?,
            push: push.map(|push| with_old_tip(push, old.as_ref())),
            faults: state.faults()?,
            cursor,
            old,
            new,
            range: None,
            unreadable: None,
            push_effect: None,
            own: None,
        };

        if preparation.old != preparation.new || !preparation.faults.is_empty() {
            match (
                preparation.judge(deploy, &state, repositories),
                &preparation.new,
            ) {
                (Err(judging::Error::Git(error)), Some(tip)) if error.is_damage() => {
                    let planned = preparation.old.as_ref();
                    let problem = unreadable_tip(&deploy.branch, tip, planned, &error);
                    preparation.unreadable = Some(problem);
                }
                (range, _) => preparation.range = Some(range?),
            }
        }

        let is_the_range =
            |push: &Push| preparation.range.is_some() && preparation.is_range_of(push);
        let other = preparation.push.as_ref().filter(|push| !is_the_range(push));
        let effect = other.map(|push| PushEffect::of(deploy, push));
        preparation.push_effect = effect.transpose()?;
        if let (Some(push), Some(effect)) = (&preparation.push, &preparation.push_effect) {
            let range = preparation.range.iter();
            let candidates = range.flat_map(|range| &range.judged.prepared.candidates);
            preparation.own =
                OwnRange::judge(deploy, (push, effect), candidates, &state, repositories)?;
        }
        Ok(preparation)
    }

    /// Whether nothing is recorded but that the cursor moves. If a power cut takes that away, the
    /// same commits are looked at again, and nothing follows from them again.
    fn only_moves_cursor(&self) -> bool {
        let is_nothing = |range: &Range| range.judged.is_nothing();
        self.range.as_ref().is_some_and(is_nothing)
            && self.faults.is_empty()
            && self.push_effect.is_none()
    }

    /// Judges what lies between cursor and tip.
    ///
    /// # Errors
    /// Something can't be read. A damage ([`git::Error::is_damage`]) is one of the tip: if the
    /// commit at the cursor is damaged, the record says what was planned from it.
    fn judge(
        &self,
        deploy: &DeployRepository,
        state: &Reader<'_>,
        repositories: &mut ApplicationRepositories<'_>,
    ) -> Result<Range, judging::Error> {
        let subject = self.subject();
        let judged = JudgedRange::of(deploy, &subject, state, repositories)?;
        let attribution = Attribution::find(
            deploy,
            subject.range(),
            (&judged.prepared.candidates, &judged.prepared.touched),
            self.push.as_ref(),
            &self.faults,
        )?;
        Ok(Range {
            judged,
            attribution,
        })
    }

    /// Whether a push goes from the beginning of the range to its end.
    fn is_range_of(&self, push: &Push) -> bool {
        push.old == self.old && push.new == self.new
    }

    fn subject(&self) -> Subject<'_> {
        // What a person may do counts for the range only if that person pushed all of it.
        let push = self.push.as_ref().filter(|push| self.is_range_of(push));
        Subject::Moved {
            old: self.old.as_ref(),
            new: self.new.as_ref(),
            pusher: push.and_then(|push| push.pusher.as_ref()),
            faults: &self.faults,
        }
    }

    /// Records what was judged.
    ///
    /// # Errors
    /// [`Error::Overtaken`]: the state has changed, and everything must begin again.
    fn record(
        &self,
        deploy: &DeployRepository,
        transaction: &Transaction<'_>,
        repositories: &mut ApplicationRepositories<'_>,
    ) -> Result<Planned, Error> {
        if transaction.cursor()? != self.cursor || transaction.faults()? != self.faults {
            return Err(Error::Overtaken(1));
        }

        // By the state as it is before it is changed here.
        let overrides = match &self.own {
            Some(own) => own.overrides_now(deploy, self.last_event, transaction, repositories)?,
            None => Overrides::default(),
        };
        let mut planned = match (&self.range, &self.unreadable) {
            (_, Some(problem)) => return self.record_unreadable(transaction, problem),
            (Some(range), None) => {
                let (subject, last_event) = (self.subject(), self.last_event);
                let judged = &range.judged;
                let plan =
                    judged.plan_now(deploy, &subject, last_event, transaction, repositories)?;
                self.record_range(deploy, transaction, range, plan)?
            }
            (None, None) => Planned::default(),
        };
        if self.old != self.new || self.cursor.is_none() {
            transaction.move_cursor(&deploy.branch, self.new.as_ref())?;
        }

        if let (Some(effect), Some(push)) = (&self.push_effect, &self.push) {
            add_others(transaction, effect, push, &overrides, &mut planned)?;
        }
        Ok(planned)
    }

    /// Records that the tip is damaged. It is an event once. Everybody who asks is told, because
    /// nothing is planned until the branch is repaired.
    fn record_unreadable(
        &self,
        transaction: &Transaction<'_>,
        problem: &Refusal,
    ) -> Result<Planned, Error> {
        let range = (self.old.as_ref(), self.new.as_ref());
        transaction.set_problem(problem, range, None, false, clock::now())?;
        Ok(Planned {
            had_work: true,
            problems: vec![problem.clone()],
            ..Planned::default()
        })
    }

    fn record_range(
        &self,
        deploy: &DeployRepository,
        transaction: &Transaction<'_>,
        range: &Range,
        plan: Plan,
    ) -> Result<Planned, Error> {
        record(
            deploy,
            transaction,
            (self.old.as_ref(), self.new.as_ref()),
            plan,
            &range.attribution,
            &range.judged.prepared.touched,
            clock::now(),
        )
    }
}

/// The commit at which the range to plan begins.
fn range_start(
    deploy: &DeployRepository,
    cursor: Option<&Cursor>,
    push: Option<&Push>,
) -> Result<Option<Revision>, Error> {
    match cursor {
        Some(cursor) => {
            check_branch(deploy, cursor)?;
            Ok(cursor.commit.clone())
        }
        // Somebody linked the hooks by hand. The first push says where to begin.
        None => Ok(push.ok_or(Error::NotInstalled)?.old.clone()),
    }
}

/// A push with its old tip. If git did not name that, all that is new since the cursor counts as
/// pushed.
fn with_old_tip(push: &Push, cursor: Option<&Revision>) -> Push {
    match &push.old {
        None if !push.old_is_told => Push {
            old: cursor.cloned(),
            ..push.clone()
        },
        _ => push.clone(),
    }
}
