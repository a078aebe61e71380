//! One deployment's way through its states.

use std::path::{Path, PathBuf};

use rusqlite::{Row, params};

use super::{Error, Transaction};
use crate::id::{Application, DeploymentId, Environment, Pusher, Revision, RolloutId, Target};
use crate::status::Status;
use crate::sys::process::Identity;
use crate::sys::tree::Tree;
use crate::time::Timestamp;

/// A deployment as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its number.
    pub id: DeploymentId,
    /// The rollout that it belongs to.
    pub rollout: RolloutId,
    /// What goes where.
    pub target: Target,
    /// To which revision.
    pub revision: Revision,
    /// The revision that was deployed before.
    pub previous_revision: Option<Revision>,
    /// Where it stands.
    pub status: Status,
    /// Why it ended so, or a remark.
    pub reason: Option<String>,
    /// The commit of the deploy branch that asked for it.
    pub deploy_commit: Option<Revision>,
    /// Who pushed that commit, as the host authenticated them.
    pub pusher: Option<String>,
    /// How that is known: by a signature, a host's variable, the unix user.
    pub pusher_known_by: Option<String>,
    /// Who wrote that commit, as the commit claims.
    pub author: Option<String>,
    /// The deployment that it tries again.
    pub retry_of: Option<DeploymentId>,
    /// The deployment that took its place.
    pub superseded_by: Option<DeploymentId>,
    /// When it was recorded.
    pub queued_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The command's exit status.
    pub exit_status: Option<i32>,
    /// Who carries it out.
    pub run: Option<Run>,
    /// Who asked for its end.
    pub cancelled_by: Option<String>,
    /// Who asked not to wait for what it left running.
    pub released_by: Option<String>,
    /// For a rollback: the revision that was gone back from.
    pub rolled_back: Option<Revision>,
    /// Whether it may begin while its environment is frozen.
    pub overrides_freeze: bool,
}

/// Who carries a deployment out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The start of the machine in which this holds.
    pub boot_id: String,
    /// The runner.
    pub runner: Identity,
    /// The command's first process; `None` before there is one.
    pub leader: Option<Identity>,
    /// The command's cgroup, where it has one.
    pub cgroup: Option<PathBuf>,
}

impl Deployment {
    /// Who pushed it.
    #[must_use]
    pub fn pusher(&self) -> Option<Pusher> {
        let known_by = self.pusher_known_by.clone().unwrap_or_default();
        self.pusher.clone().map(|name| Pusher { name, known_by })
    }
}

impl Run {
    /// What the command of a deployment started. `folder`: the state directory, which tells it from
    /// another one's deployment of the same number.
    #[must_use]
    pub fn tree(&self, id: DeploymentId, folder: &Path) -> Tree {
        let marks = vec![
            format!("DEPLOY_ID={}", id.0),
            format!("DEPLOY_STATE_DIR={}", folder.display()),
        ];
        Tree {
            leader: self.leader,
            cgroup: self.cgroup.clone(),
            marks,
        }
    }
}

/// How a deployment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// As what.
    pub status: Status,
    /// Why, or a remark.
    pub reason: Option<String>,
    /// The command's exit status.
    pub exit_status: Option<i32>,
}

impl Outcome {
    /// An end without an exit status.
    #[must_use]
    pub fn new(status: Status, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: Some(reason.into()),
            exit_status: None,
        }
    }
}

/// The deployment is no longer in the status that a change starts from; somebody was faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Stale;

pub(super) const COLUMNS: &str = "id, rollout, environment, application, revision, previous_revision, status, reason, deploy_commit, pusher, \
     author, retry_of, superseded_by, queued_at_ms, started_at_ms, finished_at_ms, exit_status, boot_id, runner_pid, runner_ticks, \
     leader_pid, leader_ticks, cgroup, cancelled_by, released_by, rolled_back, overrides_freeze, pusher_known_by";

/// A value that this program never writes.
fn damaged(index: usize, what: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        index,
        rusqlite::types::Type::Text,
        format!("not a {what}").into(),
    )
}

pub(super) fn revision_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Revision>> {
    let text: Option<String> = row.get(index)?;
    text.map(|text| Revision::new(text).map_err(|_| damaged(index, "hash")))
        .transpose()
}

pub(super) fn target_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Target> {
    let (environment, application): (String, String) = (row.get(index)?, row.get(index + 1)?);
    Ok(Target {
        environment: Environment::new(environment).map_err(|_| damaged(index, "name"))?,
        application: Application::new(application).map_err(|_| damaged(index + 1, "name"))?,
    })
}

fn identity_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Identity>> {
    let (pid, ticks): (Option<i32>, Option<i64>) = (row.get(index)?, row.get(index + 1)?);
    Ok(pid
        .zip(ticks)
        .map(|(pid, start_ticks)| Identity { pid, start_ticks }))
}

/// Reads a row of [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Deployment> {
    let time = |index: usize| {
        Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(index)?.map(Timestamp::from_ms))
    };
    let number = |index: usize| {
        Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(index)?.map(DeploymentId))
    };
    let (boot_id, runner): (Option<String>, _) = (row.get(17)?, identity_at(row, 18)?);
    let (leader, cgroup) = (
        identity_at(row, 20)?,
        row.get::<_, Option<String>>(22)?.map(PathBuf::from),
    );
    Ok(Deployment {
        id: DeploymentId(row.get(0)?),
        rollout: RolloutId(row.get(1)?),
        target: target_at(row, 2)?,
        revision: revision_at(row, 4)?.ok_or_else(|| damaged(4, "hash"))?,
        previous_revision: revision_at(row, 5)?,
        status: row
            .get::<_, String>(6)?
            .parse()
            .map_err(|()| damaged(6, "status"))?,
        reason: row.get(7)?,
        deploy_commit: revision_at(row, 8)?,
        pusher: row.get(9)?,
        author: row.get(10)?,
        retry_of: number(11)?,
        superseded_by: number(12)?,
        queued_at: Timestamp::from_ms(row.get(13)?),
        started_at: time(14)?,
        finished_at: time(15)?,
        exit_status: row.get(16)?,
        run: boot_id.zip(runner).map(|(boot_id, runner)| Run {
            boot_id,
            runner,
            leader,
            cgroup,
        }),
        cancelled_by: row.get(23)?,
        released_by: row.get(24)?,
        rolled_back: revision_at(row, 25)?,
        overrides_freeze: row.get(26)?,
        pusher_known_by: row.get(27)?,
    })
}

fn text(revision: Option<&Revision>) -> Option<&str> {
    revision.map(Revision::as_str)
}

impl Transaction<'_> {
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
        let environment = |row: &Row<'_>| {
            Environment::new(row.get::<_, String>(0)?).map_err(|_| damaged(0, "name"))
        };
        self.query(sql, [], environment)
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
        Ok(if changed == 1 { Ok(()) } else { Err(Stale) })
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
        Ok(Ok(()))
    }

    /// Notes that somebody wants a running deployment to end; its runner sees to it.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn ask_to_cancel(&self, id: DeploymentId, by: &str) -> Result<(), Error> {
        self.execute(
            "UPDATE deployments SET cancelled_by = ? WHERE id = ? AND status = 'running'",
            params![by, id.0],
        )?;
        Ok(())
    }

    /// Notes that nobody shall wait for what the running deployments of an environment left; says
    /// which those are.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn ask_to_release(&self, environment: &Environment, by: &str) -> Result<(), Error> {
        let sql =
            "UPDATE deployments SET released_by = ? WHERE environment = ? AND status = 'running'";
        self.execute(sql, params![by, environment.as_str()])?;
        Ok(())
    }

    /// Records a new deployment of the same revision, in a rollout of its own.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn retry(
        &self,
        of: &Deployment,
        pusher: Option<&Pusher>,
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
                pusher.map(|pusher| &pusher.name),
                of.author,
                of.id.0,
                now.as_ms(),
                text(of.rolled_back.as_ref()),
                pusher.map(|pusher| &pusher.known_by)
            ],
        )?;
        let id = DeploymentId(self.last_id());
        self.copy_details(of, id)?;
        Ok(id)
    }
}
