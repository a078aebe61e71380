//! A range of the deploy branch, judged outside of the transaction that records what follows.

use crate::deploy_repository::DeployRepository;
use crate::id::EventId;
use crate::judging::{self, ApplicationRepositories, Prepared, Subject};
use crate::plan::Plan;
use crate::store::{Reader, Transaction};

/// What a range asks for, and the decision about it.
pub(super) struct JudgedRange {
    pub(super) prepared: Prepared,
    plan: Plan,
}

impl JudgedRange {
    /// # Errors
    /// Something can't be read.
    pub(super) fn of(
        deploy: &DeployRepository,
        subject: &Subject<'_>,
        state: &Reader<'_>,
        repositories: &mut ApplicationRepositories<'_>,
    ) -> Result<Self, judging::Error> {
        let prepared = judging::prepare(deploy, subject, Some(state))?;
        let judged = prepared.judge(deploy, subject, Some(state), repositories)?;
        let plan = judged.plan;
        Ok(Self { prepared, plan })
    }

    /// Whether no deploy file changed and no rule refuses anything.
    pub(super) fn is_nothing(&self) -> bool {
        let prepared = &self.prepared;
        prepared.touched.is_empty()
            && prepared.candidates.is_empty()
            && self.plan.refusals.is_empty()
    }

    /// The plan by the state as it is inside of a transaction. `last_event`: the newest event of
    /// the state by which the range was judged. While there is no newer one, the state is the same.
    ///
    /// # Errors
    /// The state can't be read, or an application repository must be asked again.
    pub(super) fn plan_now(
        &self,
        deploy: &DeployRepository,
        subject: &Subject<'_>,
        last_event: EventId,
        transaction: &Transaction<'_>,
        repositories: &mut ApplicationRepositories<'_>,
    ) -> Result<Plan, judging::Error> {
        if transaction.last_event()? == last_event {
            return Ok(self.plan.clone());
        }
        let judged = self
            .prepared
            .judge(deploy, subject, Some(transaction), repositories)?;
        Ok(judged.plan)
    }
}
