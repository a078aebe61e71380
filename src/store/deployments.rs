//! One deployment's way through its states.

use rusqlite::params;

use super::error::Error;
use super::reader::Reader;
use super::rows::{
    COLUMNS, Deployment, Outcome, Run, Stale, environment_at, hash_at, read, target_at,
};
use super::transaction::Transaction;
use crate::event::Event;
use crate::id::{DeploymentId, Environment, Revision, RolloutId, Target};
use crate::identity::Identity;
use crate::status::Status;
use crate::time::Timestamp;

fn text(revision: Option<&Revision>) -> Option<&str> {
    revision.map(Revision::as_str)
}

impl Reader<'_> {
    /// One deployment by its number.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn deployment(&self, id: DeploymentId) -> Result<Option<Deployment>, Error> {
        self.first(
            &format!("SELECT {COLUMNS} FROM deployments WHERE id = ?"),
            [id.0],
            read,
        )
    }

    /// Queued and running deployments of an environment, in the order in which they run.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn open_deployments(&self, environment: &Environment) -> Result<Vec<Deployment>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM deployments WHERE environment = ? AND status IN ('queued', 'running') ORDER BY rollout, id"
        );
        self.query(&sql, [environment.as_str()], read)
    }

    /// The first queued and running deployments of the rollout whose turn it is in an environment,
    /// `most` of them. Rollbacks come first; while it is frozen, what waits for the thaw is passed
    /// over.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn current_rollout(
        &self,
        environment: &Environment,
        is_frozen: bool,
        most: usize,
    ) -> Result<Vec<Deployment>, Error> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let first_of = |condition: &str| {
            let sql = format!(
                "SELECT {COLUMNS} FROM deployments WHERE environment = ? AND status IN ('queued', 'running') {condition}
                 ORDER BY rollout, id LIMIT ?"
            );
            self.query(&sql, params![environment.as_str(), most], read)
        };
        let thawed = if is_frozen {
            "AND (overrides_freeze = 1 OR status = 'running')"
        } else {
            ""
        };
        let mut first = first_of(&format!("AND rolled_back IS NOT NULL {thawed}"))?;
        if first.is_empty() {
            first = first_of(thawed)?;
        }
        if let Some(rollout) = first.first().map(|first| first.rollout) {
            first.retain(|deployment| deployment.rollout == rollout);
        }
        Ok(first)
    }

    /// The newest deployment of an application in a rollout.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn member(&self, rollout: RolloutId, target: &Target) -> Result<Option<Deployment>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM deployments WHERE rollout = ? AND environment = ? AND application = ? ORDER BY id DESC LIMIT 1"
        );
        self.first(
            &sql,
            params![
                rollout.0,
                target.environment.as_str(),
                target.application.as_str()
            ],
            read,
        )
    }

    /// Whether an application is not wanted in an environment any more.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn is_retired(&self, target: &Target) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM retirements WHERE environment = ? AND application = ?";
        Ok(self
            .first(
                sql,
                [target.environment.as_str(), target.application.as_str()],
                |_| Ok(()),
            )?
            .is_some())
    }

    /// The environments in which something is queued or running.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn busy_environments(&self) -> Result<Vec<Environment>, Error> {
        let sql = "SELECT DISTINCT environment FROM deployments WHERE status IN ('queued', 'running') ORDER BY environment";
        self.query(sql, [], |row| environment_at(row, 0))
    }

    /// The revision of the last deployment that succeeded.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn deployed(&self, target: &Target) -> Result<Option<Deployment>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM deployments WHERE environment = ? AND application = ? AND status = 'succeeded'
             ORDER BY finish_order DESC LIMIT 1"
        );
        self.first(
            &sql,
            params![target.environment.as_str(), target.application.as_str()],
            read,
        )
    }
}

impl Transaction<'_> {
    /// Queued becomes running.
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
        let changed = self.execute(
            "UPDATE deployments SET status = 'running', started_at_ms = ?, boot_id = ?, runner_pid = ?, runner_ticks = ?,
                 leader_pid = ?, leader_ticks = ?, cgroup = ?, previous_revision = ?, reason = NULL
             WHERE id = ? AND status = 'queued'",
            params![
                now.as_ms(),
                run.boot_id,
                run.runner.pid,
                run.runner.start_ticks,
                run.leader.map(|leader| leader.pid),
                run.leader.map(|leader| leader.start_ticks),
                run.cgroup.as_ref().map(|cgroup| cgroup.to_string_lossy()),
                text(previous),
                id.0
            ],
        )?;
        if changed != 1 {
            return Ok(Err(Stale));
        }

        self.became(id, Status::Running, None, now)?;
        Ok(Ok(()))
    }

    /// Writes down the event of a deployment's new status.
    pub(super) fn became(
        &self,
        id: DeploymentId,
        status: Status,
        reason: Option<String>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let sql = "SELECT environment, application, revision FROM deployments WHERE id = ?";
        let found = self.first(sql, [id.0], |row| {
            Ok((target_at(row, 0)?, hash_at(row, 2)?))
        })?;
        let missing = || Error::Damaged(format!("the deployment {id} is missing"));
        let (target, revision) = found.ok_or_else(missing)?;

        let event = Event::Became {
            deployment: id,
            target,
            revision,
            status,
            reason,
        };
        self.record(&event, now)
    }

    /// Records the command's first process for a deployment that this runner began.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn set_leader(&self, id: DeploymentId, run: &Run) -> Result<Result<(), Stale>, Error> {
        let changed = self.execute(
            "UPDATE deployments SET leader_pid = ?, leader_ticks = ?, cgroup = ?
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

    /// A deployment ends. The table of transitions decides whether it may.
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
            self.unhold(id)?;
        }
        self.execute(
            "UPDATE deployments SET status = ?, reason = ?, exit_status = ?, finished_at_ms = ?,
                 finish_order = (SELECT COALESCE(MAX(finish_order), 0) + 1 FROM deployments)
             WHERE id = ?",
            params![
                outcome.status.as_str(),
                outcome.reason,
                outcome.exit_status,
                now.as_ms(),
                id.0
            ],
        )?;
        self.became(id, outcome.status, outcome.reason.clone(), now)?;
        Ok(Ok(()))
    }

    /// Notes that somebody wants a running deployment to end; its runner sees to it.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn ask_to_cancel(&self, id: DeploymentId, by: &Identity) -> Result<(), Error> {
        self.execute(
            "UPDATE deployments SET cancelled_by = ?, cancelled_known_by = ?
             WHERE id = ? AND status = 'running'",
            params![by.name, by.evidence.as_str(), id.0],
        )?;
        Ok(())
    }

    /// Notes that nobody shall wait any more for what the running deployments of an environment
    /// left.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn ask_to_release(
        &self,
        environment: &Environment,
        by: &Identity,
        now: Timestamp,
    ) -> Result<(), Error> {
        let sql = "UPDATE deployments SET released_by = ?, released_known_by = ?
             WHERE environment = ? AND status = 'running'";
        self.execute(
            sql,
            params![by.name, by.evidence.as_str(), environment.as_str()],
        )?;

        let event = Event::Released {
            environment: environment.clone(),
            by: by.clone(),
        };
        self.record(&event, now)
    }

    /// Records a new deployment of the same revision, in a rollout of its own.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn retry(
        &self,
        of: &Deployment,
        by: Option<&Identity>,
        now: Timestamp,
    ) -> Result<DeploymentId, Error> {
        self.execute(
            "INSERT INTO rollouts (planned_at_ms) VALUES (?)",
            [now.as_ms()],
        )?;
        self.execute(
            "INSERT INTO deployments (rollout, environment, application, revision, previous_revision, status, deploy_commit, pusher,
                 author, retry_of, queued_at_ms, rolled_back, pusher_known_by)
             VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?)",
            params![
                self.last_id(),
                of.target.environment.as_str(),
                of.target.application.as_str(),
                of.revision.as_str(),
                text(of.previous_revision.as_ref()),
                text(of.deploy_commit.as_ref()),
                by.map(|by| &by.name),
                of.author,
                of.id.0,
                now.as_ms(),
                text(of.rolled_back.as_ref()),
                by.map(|by| by.evidence.as_str())
            ],
        )?;
        let id = DeploymentId(self.last_id());
        self.copy_details(of, id)?;

        let event = Event::Planned {
            deployment: id,
            target: of.target.clone(),
            revision: of.revision.clone(),
            pusher: by.cloned(),
            exceptions: Vec::new(),
            retry_of: Some(of.id),
        };
        self.record(&event, now)?;
        Ok(id)
    }
}
