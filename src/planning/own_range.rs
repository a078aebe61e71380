//! The range of a push alone, judged for its pusher.
//!
//! What is planned is judged by the range between cursor and tip, and nobody has a right there if
//! others pushed a part of it. A person's right to override a freeze counts only for reasons in the
//! commits of this person's own push.

use std::collections::BTreeMap;

use super::error::Error;
use super::judged_range::JudgedRange;
use super::planned::Push;
use super::push_effect::PushEffect;
use crate::candidate::Candidate;
use crate::deploy_repository::DeployRepository;
use crate::id::{EventId, Revision, Target};
use crate::judging::{self, ApplicationRepositories, Subject};
use crate::plan::Plan;
use crate::policy::Exception;
use crate::status::Status;
use crate::store::{self, Deployment, Reader, Transaction};

/// The freezes that a push overrides by itself: for an application, the revision that may be
/// deployed although the environment is frozen, and the reason.
#[derive(Debug, Default)]
pub(super) struct Overrides(BTreeMap<Target, (Revision, Exception)>);

impl Overrides {
    fn of(plan: &Plan) -> Self {
        let overrides = plan.judgements.iter().filter_map(|judged| {
            let exception = judged.override_of_freeze()?.clone();
            Some((judged.target.clone()?, (judged.to.clone()?, exception)))
        });
        Self(overrides.collect())
    }

    /// The exception by which a deployment of the push need not wait for the thaw.
    pub(super) fn exception(&self, deployment: &Deployment) -> Option<&Exception> {
        let (revision, exception) = self.0.get(&deployment.target)?;
        (*revision == deployment.revision).then_some(exception)
    }
}

/// The range of a push alone, and the decision about it.
pub(super) struct OwnRange {
    push: Push,
    judged: JudgedRange,
}

impl OwnRange {
    /// Judges a push that has this effect, where its pusher may have a right to override a freeze.
    /// `candidates` are those of the range that is planned now. `None`: nothing depends on who
    /// pushed it.
    ///
    /// # Errors
    /// Something can't be read now.
    pub(super) fn judge<'c>(
        deploy: &DeployRepository,
        (push, effect): (&Push, &PushEffect),
        candidates: impl IntoIterator<Item = &'c Candidate>,
        state: &Reader<'_>,
        repositories: &mut ApplicationRepositories<'_>,
    ) -> Result<Option<Self>, Error> {
        if push.pusher.is_none() {
            return Ok(None);
        }
        let asks_who = |target: &Target| {
            let section = deploy.config.environment(&target.environment);
            !section.override_by.is_empty()
        };
        let mut planned_now = candidates.into_iter().filter_map(|it| it.target.as_ref());
        let may_override = planned_now.any(asks_who)
            || waiting(state, effect)?
                .iter()
                .any(|it| asks_who(&it.target));
        if !may_override {
            return Ok(None);
        }

        match JudgedRange::of(deploy, &subject(push), state, repositories) {
            // What can't be read any more gives no right.
            Err(judging::Error::Git(error)) if error.is_damage() => Ok(None),
            judged => Ok(Some(Self {
                push: push.clone(),
                judged: judged?,
            })),
        }
    }

    /// What the push overrides, by the state as it is inside of a transaction: see
    /// [`JudgedRange::plan_now`].
    ///
    /// # Errors
    /// The state can't be read, or an application repository must be asked again.
    pub(super) fn overrides_now(
        &self,
        deploy: &DeployRepository,
        last_event: EventId,
        transaction: &Transaction<'_>,
        repositories: &mut ApplicationRepositories<'_>,
    ) -> Result<Overrides, Error> {
        let subject = subject(&self.push);
        let judged = &self.judged;
        let plan = judged.plan_now(deploy, &subject, last_event, transaction, repositories)?;
        Ok(Overrides::of(&plan))
    }
}

fn subject(push: &Push) -> Subject<'_> {
    Subject::Moved {
        old: push.old.as_ref(),
        new: push.new.as_ref(),
        pusher: push.pusher.as_ref(),
        faults: &[],
    }
}

/// The deployments of a push that are queued and of which nobody knows yet who pushed them.
fn waiting(state: &Reader<'_>, effect: &PushEffect) -> Result<Vec<Deployment>, store::Error> {
    let mut waiting = effect.deployments(state)?;
    waiting.retain(|it| it.status == Status::Queued && it.pusher.is_none());
    Ok(waiting)
}
