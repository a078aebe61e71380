//! One deployment as it is recorded, and how rows of the database are read.

use std::path::{Path, PathBuf};

use rusqlite::Row;

use crate::id::{Application, DeploymentId, Environment, Revision, RolloutId, Target};
use crate::identity::{Evidence, Identity};
use crate::status::Status;
use crate::sys::process::Identity as ProcessIdentity;
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
    pub pusher: Option<Identity>,
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
    pub cancelled_by: Option<Identity>,
    /// Who asked not to wait for what it left running.
    pub released_by: Option<Identity>,
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
    pub runner: ProcessIdentity,
    /// The command's first process; `None` before there is one.
    pub leader: Option<ProcessIdentity>,
    /// The command's cgroup, where it has one.
    pub cgroup: Option<PathBuf>,
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

/// The columns of a deployment, in the order in which [`read`] takes them.
pub(super) const COLUMNS: &str = "id, rollout, environment, application, revision, \
     previous_revision, status, reason, deploy_commit, pusher, author, retry_of, superseded_by, \
     queued_at_ms, started_at_ms, finished_at_ms, exit_status, boot_id, runner_pid, runner_ticks, \
     leader_pid, leader_ticks, cgroup, cancelled_by, released_by, rolled_back, overrides_freeze, \
     pusher_known_by, cancelled_known_by, released_known_by";

/// A value that this program never writes.
pub(super) fn damaged(index: usize, what: &str) -> rusqlite::Error {
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
    Ok(Target {
        environment: environment_at(row, index)?,
        application: application_at(row, index + 1)?,
    })
}

fn process_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<ProcessIdentity>> {
    let (pid, ticks): (Option<i32>, Option<i64>) = (row.get(index)?, row.get(index + 1)?);
    Ok(pid
        .zip(ticks)
        .map(|(pid, start_ticks)| ProcessIdentity { pid, start_ticks }))
}

/// Who acted: a name in one column, and in another what it is known by.
pub(super) fn identity_at(
    row: &Row<'_>,
    name: usize,
    known_by: usize,
) -> rusqlite::Result<Option<Identity>> {
    let (name, word): (Option<String>, Option<String>) = (row.get(name)?, row.get(known_by)?);
    let Some(name) = name else { return Ok(None) };

    let evidence = word.as_deref().map(str::parse::<Evidence>);
    let evidence = evidence.and_then(Result::ok);
    let evidence = evidence.ok_or_else(|| damaged(known_by, "kind of evidence"))?;
    Ok(Some(Identity { name, evidence }))
}

/// An environment's name.
pub(super) fn environment_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Environment> {
    let name: String = row.get(index)?;
    Environment::new(name).map_err(|_| damaged(index, "name"))
}

/// An application's name.
pub(super) fn application_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Application> {
    let name: String = row.get(index)?;
    Application::new(name).map_err(|_| damaged(index, "name"))
}

/// A hash in a column that always has one.
pub(super) fn hash_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Revision> {
    revision_at(row, index)?.ok_or_else(|| damaged(index, "hash"))
}

/// A point in time, where there is one.
pub(super) fn time_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(index)?.map(Timestamp::from_ms))
}

/// Reads a row of [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Deployment> {
    let number = |index: usize| {
        Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(index)?.map(DeploymentId))
    };
    let (boot_id, runner): (Option<String>, _) = (row.get(17)?, process_at(row, 18)?);
    let (leader, cgroup) = (
        process_at(row, 20)?,
        row.get::<_, Option<String>>(22)?.map(PathBuf::from),
    );
    Ok(Deployment {
        id: DeploymentId(row.get(0)?),
        rollout: RolloutId(row.get(1)?),
        target: target_at(row, 2)?,
        revision: hash_at(row, 4)?,
        previous_revision: revision_at(row, 5)?,
        status: row
            .get::<_, String>(6)?
            .parse()
            .map_err(|_| damaged(6, "status"))?,
        reason: row.get(7)?,
        deploy_commit: revision_at(row, 8)?,
        pusher: identity_at(row, 9, 27)?,
        author: row.get(10)?,
        retry_of: number(11)?,
        superseded_by: number(12)?,
        queued_at: Timestamp::from_ms(row.get(13)?),
        started_at: time_at(row, 14)?,
        finished_at: time_at(row, 15)?,
        exit_status: row.get(16)?,
        run: boot_id.zip(runner).map(|(boot_id, runner)| Run {
            boot_id,
            runner,
            leader,
            cgroup,
        }),
        cancelled_by: identity_at(row, 23, 28)?,
        released_by: identity_at(row, 24, 29)?,
        rolled_back: revision_at(row, 25)?,
        overrides_freeze: row.get(26)?,
    })
}
