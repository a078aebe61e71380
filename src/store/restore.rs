//! Recording again what an earlier state had recorded.
//!
//! It writes no event: nothing of it happens now. What has not ended is never recorded again, so
//! nothing of it is ever carried out.

use rusqlite::params;

use super::columns::{names, text};
use super::error::Error;
use super::rows::Deployment;
use super::transaction::Transaction;
use crate::id::Target;
use crate::policy::{Approval, Exception};
use crate::time::Timestamp;

impl Transaction<'_> {
    /// Records a deployment again that has ended, as the one that ended last.
    ///
    /// # Errors
    /// It has not ended, or the state can't be changed.
    pub fn restore(
        &self,
        ended: &Deployment,
        exceptions: &[Exception],
        approvals: &[Approval],
    ) -> Result<(), Error> {
        if !ended.status.has_ended() {
            let what = format!("{} has not ended, so it can't be recorded again", ended.id);
            return Err(Error::Damaged(what));
        }
        let sql = "INSERT INTO rollouts (id, planned_at_ms) VALUES (?, ?) ON CONFLICT DO NOTHING";
        self.execute(sql, params![ended.rollout.0, ended.queued_at.as_ms()])?;

        let [environment, application] = names(&ended.target);
        let pusher = ended.pusher.as_ref();
        self.execute(
            "INSERT INTO deployments (id, rollout, environment, application, revision,
                 previous_revision, status, reason, deploy_commit, pusher, pusher_known_by, author,
                 queued_at_ms, started_at_ms, finished_at_ms, exit_status, rolled_back,
                 summary, finish_order)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
                 (SELECT COALESCE(MAX(finish_order), 0) + 1 FROM deployments
                     WHERE finish_order IS NOT NULL))",
            params![
                ended.id.0,
                ended.rollout.0,
                environment,
                application,
                ended.revision.as_str(),
                text(ended.previous_revision.as_ref()),
                ended.status.as_str(),
                ended.reason,
                text(ended.deploy_commit.as_ref()),
                pusher.map(|pusher| &pusher.name),
                pusher.map(|pusher| pusher.evidence.as_str()),
                ended.author,
                ended.queued_at.as_ms(),
                ended.started_at.map(Timestamp::as_ms),
                ended.finished_at.map(Timestamp::as_ms),
                ended.exit_status,
                text(ended.rolled_back.as_ref()),
                ended.summary
            ],
        )?;
        exceptions
            .iter()
            .try_for_each(|exception| self.add_exception(ended.id, exception))?;
        approvals
            .iter()
            .try_for_each(|approval| self.add_approval(ended.id, approval))
    }

    /// Records again that an application is retired.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn restore_retirement(&self, target: &Target, at: Timestamp) -> Result<(), Error> {
        let [environment, application] = names(target);
        self.execute(
            "INSERT INTO retirements (environment, application, retired_at_ms) VALUES (?, ?, ?)",
            params![environment, application, at.as_ms()],
        )?;
        Ok(())
    }
}
