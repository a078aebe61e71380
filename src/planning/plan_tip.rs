//! Plans what lies between the cursor and the deploy branch's tip.

use super::attribution::{Attribution, Brought};
use super::error::Error;
use super::planned::{Others, Planned, Push};
use super::record::record;
use crate::deploy_repository::DeployRepository;
use crate::id::{EventId, Revision};
use crate::judging::{self, Applications, Prepared, Subject};
use crate::plan::Plan;
use crate::store::{self, Cursor, Fault, Store, Transaction};
use crate::sys::clock;

/// How often everything is begun anew because others changed the state meanwhile. What the
/// repositories answered is kept, so each try is shorter than the one before.
const TRIES_MAX: usize = 100;

/// Plans what lies between the cursor and the deploy branch's tip.
///
/// # Errors
/// Nothing was recorded then.
pub fn plan_tip(
    deploy: &DeployRepository,
    store: &mut Store,
    push: Option<&Push>,
) -> Result<Planned, Error> {
    let mut applications = Applications::default();

    for _ in 0..TRIES_MAX {
        let look = Look::take(deploy, store, push, &mut applications)?;
        let done = store.transaction(|transaction| {
            applications.from_memory(|applications| look.record(deploy, transaction, applications))
        });
        match done {
            Err(Error::Overtaken(_)) => {}
            done => return done,
        }
    }
    Err(Error::Overtaken(TRIES_MAX))
}

/// All that was read and judged before the transaction, and by which state.
struct Look {
    /// The newest event of that state: none came since, so nothing has changed.
    last_event: EventId,
    cursor: Option<Cursor>,
    /// Where the range begins.
    old: Option<Revision>,
    /// Where the range ends: the branch's tip.
    new: Option<Revision>,
    push: Option<Push>,
    faults: Vec<Fault>,
    /// `None`: there is nothing between cursor and tip, and nothing to be judged again.
    range: Option<Range>,
    /// What the push brought, where that need not be just the range.
    brought: Option<Brought>,
}

struct Range {
    prepared: Prepared,
    plan: Plan,
    attribution: Attribution,
}

impl Look {
    fn take(
        deploy: &DeployRepository,
        store: &mut Store,
        push: Option<&Push>,
        applications: &mut Applications,
    ) -> Result<Self, Error> {
        let state = store.read()?;
        let cursor = state.cursor()?;
        let old = begin(deploy, cursor.as_ref(), push)?;
        let new = deploy.repository.branch_tip(&deploy.branch)?;
        let mut look = Self {
            last_event: state.last_event()?,
            push: push.map(|push| told(push, old.as_ref())),
            faults: state.faults()?,
            cursor,
            old,
            new,
            range: None,
            brought: None,
        };

        if look.old != look.new || !look.faults.is_empty() {
            let subject = look.subject();
            let prepared = judging::prepare(deploy, &subject, Some(&state))?;
            let judged = prepared.judge(deploy, &subject, Some(&state), applications)?;
            let attribution = Attribution::find(
                deploy,
                subject.range(),
                &prepared.candidates,
                look.push.as_ref(),
                &look.faults,
            );
            look.range = Some(Range {
                prepared,
                plan: judged.plan,
                attribution,
            });
        }

        let is_the_range =
            |push: &&Push| look.range.is_some() && push.new == look.new && push.old == look.old;
        let other = look.push.as_ref().filter(|push| !is_the_range(push));
        look.brought = other.map(|push| Brought::by(deploy, push));
        Ok(look)
    }

    fn subject(&self) -> Subject<'_> {
        // What somebody may do holds for all of a range only if it is all theirs.
        let is_theirs = |push: &&Push| push.old == self.old && push.new == self.new;
        Subject::Moved {
            old: self.old.as_ref(),
            new: self.new.as_ref(),
            pusher: self
                .push
                .as_ref()
                .filter(is_theirs)
                .and_then(|push| push.pusher.as_ref()),
            faults: &self.faults,
        }
    }

    /// Records what was judged, if that still holds.
    fn record(
        &self,
        deploy: &DeployRepository,
        transaction: &Transaction<'_>,
        applications: &mut Applications,
    ) -> Result<Planned, Error> {
        if transaction.cursor()? != self.cursor || transaction.faults()? != self.faults {
            return Err(Error::Overtaken(1));
        }

        let mut planned = match &self.range {
            Some(range) => {
                let plan = self.plan_now(deploy, range, transaction, applications)?;
                self.record_range(deploy, transaction, range, plan)?
            }
            None => Planned::default(),
        };
        if self.old != self.new || self.cursor.is_none() {
            transaction.move_cursor(&deploy.branch, self.new.as_ref())?;
        }
        if let (Some(brought), Some(push)) = (&self.brought, &self.push) {
            planned.others = others(transaction, brought, push, &planned)?;
        }
        Ok(planned)
    }

    /// The plan by the state as it is inside of the transaction.
    fn plan_now(
        &self,
        deploy: &DeployRepository,
        range: &Range,
        transaction: &Transaction<'_>,
        applications: &mut Applications,
    ) -> Result<Plan, Error> {
        if transaction.last_event()? == self.last_event {
            return Ok(range.plan.clone());
        }
        let judged =
            range
                .prepared
                .judge(deploy, &self.subject(), Some(transaction), applications)?;
        Ok(judged.plan)
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
            &range.prepared.touched,
            clock::now(),
        )
    }
}

/// Where the range begins that is to be planned.
fn begin(
    deploy: &DeployRepository,
    cursor: Option<&Cursor>,
    push: Option<&Push>,
) -> Result<Option<Revision>, Error> {
    match cursor {
        Some(cursor) if cursor.branch != deploy.branch => Err(Error::OtherBranch {
            state: cursor.branch.clone(),
            config: deploy.branch.clone(),
        }),
        Some(cursor) => Ok(cursor.commit.clone()),
        // Hooks that somebody linked by hand: the first push tells from where to start.
        None => Ok(push.ok_or(Error::NotInstalled)?.old.clone()),
    }
}

/// A push that was not told from where it goes: what is new since the cursor is its.
fn told(push: &Push, cursor: Option<&Revision>) -> Push {
    match &push.old {
        None if !push.old_is_told => Push {
            old: cursor.cloned(),
            ..push.clone()
        },
        _ => push.clone(),
    }
}

/// What a push asked for and another process planned, by the record; its pusher is added there.
fn others(
    transaction: &Transaction<'_>,
    brought: &Brought,
    push: &Push,
    planned: &Planned,
) -> Result<Others, store::Error> {
    let mut others = match brought {
        Brought::Deletion => Others {
            retired: transaction.retirements_of(None)?,
            ..Others::default()
        },
        Brought::Commits(commits) => Others {
            queued: transaction.deployments_of(commits)?,
            retired: transaction.retirements_of(Some(commits))?,
            problems: Vec::new(),
        },
        Brought::Range { old, new } => Others {
            queued: transaction.deployments_of_range(old.as_ref(), new)?,
            ..Others::default()
        },
    };
    if let Some(new) = &push.new {
        others.problems = transaction.problems_of(new)?;
    }

    if let Some(pusher) = &push.pusher {
        let ids: Vec<_> = others.queued.iter().map(|other| other.id).collect();
        transaction.claim(&ids, pusher)?;
    }
    planned.keep_only_others(&mut others);
    Ok(others)
}
