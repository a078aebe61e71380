//! Which phase a deployment is in, and what of that is still to be recorded.

use crate::id::DeploymentId;
use crate::phase::Phase;
use crate::status::Status;
use crate::store::{self, PhaseEnd, Transaction};
use crate::time::Timestamp;

/// The phases of a job.
#[derive(Debug, Default)]
pub(super) struct Phases {
    /// `None`: nothing has begun yet.
    now: Option<Phase>,
    /// The phase before `now`, if that failed.
    failed_in: Option<Phase>,
    /// The phases that are not on record yet, the last of which is `now`, each with how the one
    /// before it ended.
    unrecorded: Vec<(PhaseEnd, Phase)>,
    /// How the last phase ended, where that is not how the deployment ended.
    end: Option<PhaseEnd>,
    /// Whether a runner had begun the deployment that died.
    is_taken_over: bool,
}

impl Phases {
    /// A job that goes back after a phase that failed, as a runner had begun to do that died.
    pub(super) fn going_back_after(failed: Phase) -> Self {
        let interrupted = PhaseEnd {
            status: Status::Interrupted,
            reason: None,
        };
        Self {
            now: Some(Phase::GoBack),
            failed_in: Some(failed),
            unrecorded: vec![(interrupted, Phase::GoBack)],
            end: None,
            is_taken_over: true,
        }
    }

    /// Whether a runner had begun the deployment that died. The configuration may have changed
    /// since then.
    pub(super) fn is_taken_over(&self) -> bool {
        self.is_taken_over
    }

    /// The phase that the job is in; `None`: nothing has begun yet.
    pub(super) fn now(&self) -> Option<Phase> {
        self.now
    }

    /// Goes on to a phase. The one before ended like `before`.
    pub(super) fn enter(&mut self, phase: Phase, before: PhaseEnd) {
        if before.status != Status::Succeeded {
            self.failed_in = self.now;
        }
        self.now = Some(phase);
        self.unrecorded.push((before, phase));
    }

    /// The phase that failed before this one; `None`: none did.
    pub(super) fn failed_in(&self) -> Option<Phase> {
        self.failed_in
    }

    /// Notes how the last phase ended, where that is not how the deployment ended.
    pub(super) fn end(&mut self, end: PhaseEnd) {
        self.end = Some(end);
    }

    /// Records the phases that are not on record yet.
    ///
    /// # Errors
    /// The state can't be changed.
    pub(super) fn record(
        &self,
        transaction: &Transaction<'_>,
        id: DeploymentId,
        now: Timestamp,
    ) -> Result<(), store::Error> {
        for (before, phase) in &self.unrecorded {
            transaction.end_phase(id, before, now)?;
            transaction.begin_phase(id, *phase, now)?;
        }
        if let Some(end) = &self.end {
            transaction.end_phase(id, end, now)?;
        }
        Ok(())
    }

    /// Notes that [`Phases::record`] was committed.
    pub(super) fn is_recorded(&mut self) {
        self.unrecorded.clear();
    }
}
