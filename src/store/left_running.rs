//! Deployments that still run though the state does not know it: their record is lost.

use rusqlite::params;

use super::columns::{names, text};
use super::error::Error;
use super::rows::Run;
use super::transaction::Transaction;
use crate::id::{DeploymentId, Revision, Target};
use crate::status::Status;
use crate::time::Timestamp;

/// A deployment that still runs, as far as its processes show it.
#[derive(Debug)]
pub struct LeftRunning {
    /// Its number.
    pub id: DeploymentId,
    /// The application, and the environment that it goes to.
    pub target: Target,
    /// The revision that is deployed.
    pub revision: Revision,
    /// The commit of the deploy branch that asked for it.
    pub deploy_commit: Option<Revision>,
    /// The processes that are left.
    pub run: Run,
}

impl Transaction<'_> {
    /// Records a deployment of which only the processes are left as one that a dead runner left, so
    /// that it holds its environment. One that has ended on record is not changed: it left those
    /// processes on purpose.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn record_left_running(&self, left: &LeftRunning, now: Timestamp) -> Result<(), Error> {
        match self.deployment(left.id)?.map(|recorded| recorded.status) {
            Some(Status::Queued) => {
                let previous = self.deployed(&left.target)?;
                let previous = previous.map(|deployed| deployed.revision);
                // The status was read in this transaction, so nobody can have changed it since.
                let _ = self.begin(left.id, &left.run, previous.as_ref(), now)?;
                return Ok(());
            }
            Some(_) => return Ok(()),
            None => {}
        }

        let rollout = self.begin_rollout(None, None, now)?;
        let [environment, application] = names(&left.target);
        let run = &left.run;
        self.execute(
            "INSERT INTO deployments (id, rollout, environment, application, revision, status,
                 deploy_commit, queued_at_ms, started_at_ms, boot_id, namespaces, runner_pid,
                 runner_ticks, leader_pid, leader_ticks, cgroup)
             VALUES (?1, ?2, ?3, ?4, ?5, 'running', ?6, ?7, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            params![
                left.id.0,
                rollout.0,
                environment,
                application,
                left.revision.as_str(),
                text(left.deploy_commit.as_ref()),
                now.as_ms(),
                run.space.boot_id,
                run.space.namespaces,
                run.runner.pid,
                run.runner.start_ticks,
                run.leader.map(|leader| leader.pid),
                run.leader.map(|leader| leader.start_ticks),
                run.cgroup.as_ref().map(|cgroup| cgroup.to_string_lossy())
            ],
        )?;
        let (id, target) = (left.id, &left.target);
        self.note_about_state(format!("{id} {target} still runs, without a runner"), now)
    }
}
