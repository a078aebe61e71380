//! The way of one deployment from `queued` to its end.

use rusqlite::params;

use super::columns::{hash_at, target_at, text};
use super::error::Error;
use super::phases::PhaseEnd;
use super::rows::{Deployment, Outcome, Run, Stale};
use super::transaction::Transaction;
use crate::event::Event;
use crate::id::{DeploymentId, Environment, Revision, Target};
use crate::identity::Identity;
use crate::status::Status;
use crate::time::Timestamp;

impl Transaction<'_> {
    /// Makes a queued deployment `running`. `previous` is the revision that is deployed now.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn begin(
        &self,
        id: DeploymentId,
        run: &Run,
        previous: Option<&Revision>,
        now: Timestamp,
    ) -> Result<Result<(), Stale>, Error> {
        let checkout = run.checkout.as_ref();
        let changed = self.execute(
            "UPDATE deployments SET status = 'running', started_at_ms = ?,
                 boot_id = ?, namespaces = ?, runner_pid = ?, runner_ticks = ?,
                 leader_pid = ?, leader_ticks = ?, cgroup = ?, checkout = ?, checkout_user = ?,
                 previous_revision = ?, reason = NULL
             WHERE id = ? AND status = 'queued'",
            params![
                now.as_ms(),
                run.space.boot_id,
                run.space.namespaces,
                run.runner.pid,
                run.runner.start_ticks,
                run.leader.map(|leader| leader.pid),
                run.leader.map(|leader| leader.start_ticks),
                run.cgroup.as_ref().map(|cgroup| cgroup.to_string_lossy()),
                checkout.map(|checkout| &checkout.folder),
                checkout.and_then(|checkout| checkout.user.as_ref()),
                text(previous),
                id.0
            ],
        )?;
        if changed != 1 {
            return Ok(Err(Stale));
        }

        let sql = "SELECT environment, application, revision FROM deployments WHERE id = ?";
        let found = self.first(sql, [id.0], |row| {
            Ok((id, target_at(row, 0)?, hash_at(row, 2)?))
        })?;
        let missing = || Error::Damaged(format!("the deployment {id} is missing"));
        let of = found.ok_or_else(missing)?;
        self.became(of, Status::Running, None, None, now)?;
        Ok(Ok(()))
    }

    /// Records the command's first process for a deployment that this runner began.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn set_leader(&self, id: DeploymentId, run: &Run) -> Result<Result<(), Stale>, Error> {
        let changed = self.execute(
            "UPDATE deployments SET leader_pid = ?, leader_ticks = ?, cgroup = ?, reason = NULL
             WHERE id = ? AND status = 'running' AND runner_pid = ? AND runner_ticks = ?",
            params![
                run.leader.map(|leader| leader.pid),
                run.leader.map(|leader| leader.start_ticks),
                run.cgroup.as_ref().map(|cgroup| cgroup.to_string_lossy()),
                id.0,
                run.runner.pid,
                run.runner.start_ticks
            ],
        )?;
        Ok(if changed == 1 { Ok(()) } else { Err(Stale) })
    }

    /// Records that another runner goes on with what the runner of `dead` began, and has no process
    /// of it yet. Its checkout stays what it was when it began. [`Stale`]: the deployment is not
    /// one that this runner left.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn take_over(
        &self,
        id: DeploymentId,
        dead: &Run,
        run: &Run,
    ) -> Result<Result<(), Stale>, Error> {
        let changed = self.execute(
            "UPDATE deployments SET boot_id = ?, namespaces = ?, runner_pid = ?, runner_ticks = ?,
                 leader_pid = NULL, leader_ticks = NULL, cgroup = NULL
             WHERE id = ? AND status = 'running'
                 AND boot_id IS ? AND runner_pid IS ? AND runner_ticks IS ?",
            params![
                run.space.boot_id,
                run.space.namespaces,
                run.runner.pid,
                run.runner.start_ticks,
                id.0,
                dead.space.boot_id,
                dead.runner.pid,
                dead.runner.start_ticks
            ],
        )?;
        Ok(if changed == 1 { Ok(()) } else { Err(Stale) })
    }

    /// Records why an open deployment can't go on now. Once it goes on, that is forgotten.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn set_reason(&self, id: DeploymentId, reason: &str) -> Result<(), Error> {
        self.execute(
            "UPDATE deployments SET reason = ?2
             WHERE id = ?1 AND status IN ('queued', 'running') AND reason IS NOT ?2",
            params![id.0, reason],
        )?;
        Ok(())
    }

    /// Records the end of a deployment, if its status may become that of the outcome.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn finish(
        &self,
        id: DeploymentId,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<Result<(), Stale>, Error> {
        let Some(found) = self.deployment(id)? else {
            return Ok(Err(Stale));
        };
        if !found.status.may_become(outcome.status) {
            return Ok(Err(Stale));
        }

        if (found.status, outcome.status) == (Status::Queued, Status::Cancelled) {
            self.unhold(id, &found.target)?;
        }
        self.execute(
            "UPDATE deployments SET status = ?1, reason = ?2, exit_status = ?3, finished_at_ms = ?4,
                 finish_order = (SELECT COALESCE(MAX(finish_order), 0) + 1 FROM deployments
                     WHERE finish_order IS NOT NULL),
                 is_undated = (?1 = 'succeeded' AND previous_revision IS NOT NULL
                     AND previous_revision <> revision)
             WHERE id = ?5",
            params![
                outcome.status.as_str(),
                outcome.reason,
                outcome.exit_status,
                now.as_ms(),
                id.0
            ],
        )?;

        let end = PhaseEnd {
            status: outcome.status,
            reason: outcome.reason.clone(),
        };
        self.end_phase(id, &end, now)?;
        let by = found
            .cancelled_by
            .filter(|_| outcome.status == Status::Cancelled);
        let of = (id, found.target, found.revision);
        self.became(of, outcome.status, outcome.reason.clone(), by, now)?;
        Ok(Ok(()))
    }

    /// Records that a user wants a deployment to end. If it is running, its runner ends it.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn ask_to_cancel(&self, id: DeploymentId, by: &Identity) -> Result<(), Error> {
        self.execute(
            "UPDATE deployments SET cancelled_by = ?, cancelled_known_by = ?
             WHERE id = ? AND status IN ('queued', 'running')",
            params![by.name, by.evidence.as_str(), id.0],
        )?;
        Ok(())
    }

    /// Records that nothing shall wait any more for what some deployments of an environment left
    /// running, and returns those of them for which this is new. `left` is what a user looked at:
    /// what another runner began since then is not released.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn ask_to_release(
        &self,
        environment: &Environment,
        left: Vec<Deployment>,
        by: &Identity,
        now: Timestamp,
    ) -> Result<Vec<Deployment>, Error> {
        let mut released = Vec::new();
        for deployment in left {
            if self.release_one(environment, &deployment, by)? {
                released.push(deployment);
            }
        }

        if !released.is_empty() {
            let event = Event::Released {
                environment: environment.clone(),
                by: by.clone(),
            };
            self.record(&event, now)?;
        }
        Ok(released)
    }

    /// Marks a running deployment as released, unless it is already, or another runner runs it.
    fn release_one(
        &self,
        environment: &Environment,
        seen: &Deployment,
        by: &Identity,
    ) -> Result<bool, Error> {
        let run = seen.run.as_ref();
        let changed = self.execute(
            "UPDATE deployments SET released_by = ?, released_known_by = ?
             WHERE id = ? AND environment = ? AND status = 'running' AND released_by IS NULL
                 AND boot_id IS ? AND runner_pid IS ? AND runner_ticks IS ?",
            params![
                by.name,
                by.evidence.as_str(),
                seen.id.0,
                environment.as_str(),
                run.map(|run| &run.space.boot_id),
                run.map(|run| run.runner.pid),
                run.map(|run| run.runner.start_ticks)
            ],
        )?;
        Ok(changed == 1)
    }

    /// Records the event that a deployment has a new status. `by` is who cancelled it.
    pub(super) fn became(
        &self,
        (deployment, target, revision): (DeploymentId, Target, Revision),
        status: Status,
        reason: Option<String>,
        by: Option<Identity>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let event = Event::Became {
            deployment,
            target,
            revision,
            status,
            reason,
            by,
        };
        self.record(&event, now)
    }
}
