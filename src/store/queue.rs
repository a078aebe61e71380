//! What is queued or running in an environment.

use rusqlite::params;

use super::columns::{application_at, environment_at};
use super::error::Error;
use super::reader::Reader;
use super::rows::Deployment;
use super::transaction::Transaction;
use crate::event::Event;
use crate::id::{Application, DeploymentId, Environment, RolloutId};
use crate::policy::Exception;
use crate::time::Timestamp;

/// How the reason of what no runner can carry out begins.
const STUCK: &str = "no runner can carry it out: ";

impl Reader<'_> {
    /// Whether it is recorded that no runner can carry out something that is queued in an
    /// environment.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn is_stuck(&self, environment: &Environment) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM deployments INDEXED BY deployments_queued
                   WHERE environment = ?1 AND status = 'queued' AND instr(reason, ?2) = 1";
        let found = self.first(sql, [environment.as_str(), STUCK], |_| Ok(()))?;
        Ok(found.is_some())
    }

    /// The environments in which something is queued or running.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn busy_environments(&self) -> Result<Vec<Environment>, Error> {
        let sql = "SELECT DISTINCT environment FROM deployments
             WHERE status IN ('queued', 'running') ORDER BY environment";
        self.query(sql, [], |row| environment_at(row, 0))
    }

    /// The queued and running deployments of an environment, in the order in which they run.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn open_deployments(&self, environment: &Environment) -> Result<Vec<Deployment>, Error> {
        self.select(
            "WHERE environment = ? AND status IN ('queued', 'running') ORDER BY rollout, id",
            [environment.as_str()],
        )
    }

    /// The queued deployments of a rollout in an environment, each with its application.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn queued_in(
        &self,
        rollout: RolloutId,
        environment: &Environment,
    ) -> Result<Vec<(DeploymentId, Application)>, Error> {
        let sql = "SELECT id, application FROM deployments INDEXED BY deployments_rollout
             WHERE rollout = ? AND environment = ? AND status = 'queued' ORDER BY id";
        self.query(sql, params![rollout.0, environment.as_str()], |row| {
            Ok((DeploymentId(row.get(0)?), application_at(row, 1)?))
        })
    }

    /// The first queued and running deployments of the rollout whose turn it is in an environment,
    /// at most `most`. Rollbacks come first. While the environment is frozen, deployments that wait
    /// for the thaw are left out.
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
            let rest = format!(
                "WHERE environment = ? AND status IN ('queued', 'running') {condition}
                 ORDER BY rollout, id LIMIT ?"
            );
            self.select(&rest, params![environment.as_str(), most])
        };
        let may_begin = if is_frozen {
            "AND (overrides_freeze = 1 OR status = 'running')"
        } else {
            ""
        };

        let mut first = first_of(&format!("AND rolled_back IS NOT NULL {may_begin}"))?;
        if first.is_empty() {
            first = first_of(may_begin)?;
        }
        if let Some(rollout) = first.first().map(|first| first.rollout) {
            first.retain(|deployment| deployment.rollout == rollout);
        }
        Ok(first)
    }
}

impl Transaction<'_> {
    /// Moves a deployment into another rollout, if it is still queued.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn move_to_rollout(&self, id: DeploymentId, rollout: RolloutId) -> Result<(), Error> {
        self.execute(
            "UPDATE deployments SET rollout = ? WHERE id = ? AND status = 'queued'",
            params![rollout.0, id.0],
        )?;
        Ok(())
    }

    /// Lets a deployment begin although its environment is frozen, by an exception that was made
    /// after it had been planned. Returns whether it was queued and did not override a freeze yet.
    /// Only then this is recorded, and it is an event: it is planned once more, with the exception.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn override_freeze(
        &self,
        id: DeploymentId,
        exception: &Exception,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let changed = self.execute(
            "UPDATE deployments SET overrides_freeze = 1,
                 reason = CASE WHEN instr(reason, ?2) = 1 THEN reason END
             WHERE id = ?1 AND status = 'queued' AND overrides_freeze = 0",
            params![id.0, STUCK],
        )?;
        let deployment = self.deployment(id)?.filter(|_| changed > 0);
        let Some(deployment) = deployment else {
            return Ok(false);
        };

        self.add_exception(id, exception)?;
        let event = Event::Planned {
            deployment: id,
            target: deployment.target,
            revision: deployment.revision,
            pusher: deployment.pusher,
            exceptions: self.exceptions(id)?,
            approvals: self.approvals(id)?,
            retry_of: deployment.retry_of,
        };
        self.record(&event, now)?;
        Ok(true)
    }

    /// Records that no runner can carry out what is queued in an environment, and why; `None`: a
    /// runner goes on.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn set_stuck(&self, environment: &Environment, why: Option<&str>) -> Result<(), Error> {
        match why {
            Some(why) => self.execute(
                "UPDATE deployments INDEXED BY deployments_queued SET reason = ?1
                 WHERE environment = ?2 AND status = 'queued' AND reason IS NOT ?1",
                [&format!("{STUCK}{why}"), environment.as_str()],
            ),
            None => self.execute(
                "UPDATE deployments INDEXED BY deployments_queued SET reason = NULL
                 WHERE environment = ?1 AND status = 'queued' AND instr(reason, ?2) = 1",
                [environment.as_str(), STUCK],
            ),
        }?;
        Ok(())
    }

    /// Records why the queued deployments of an environment wait. Those that may begin while it is
    /// frozen are left out.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn set_waiting(&self, environment: &Environment, reason: &str) -> Result<(), Error> {
        self.execute(
            "UPDATE deployments INDEXED BY deployments_queued SET reason = ?1
             WHERE environment = ?2 AND status = 'queued' AND overrides_freeze = 0
                 AND reason IS NOT ?1",
            [reason, environment.as_str()],
        )?;
        Ok(())
    }
}
