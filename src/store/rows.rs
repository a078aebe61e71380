//! One deployment as it is recorded.

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rusqlite::{Params, Row};

use super::columns::{
    hash_at, identity_at, notes_at, process_at, revision_at, status_at, target_at, time_at,
};
use super::error::Error;
use super::reader::Reader;
use crate::id::{DeploymentId, Revision, RolloutId, Target};
use crate::identity::Identity;
use crate::policy::Note;
use crate::status::Status;
use crate::sys::process::{ProcessIdentity, ProcessSpace};
use crate::sys::tree::Tree;
use crate::sys::unseen::Unseen;
use crate::time::Timestamp;

/// A deployment as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its number.
    pub id: DeploymentId,
    /// The rollout that it belongs to.
    pub rollout: RolloutId,
    /// The application, and the environment that it goes to.
    pub target: Target,
    /// The revision that is deployed.
    pub revision: Revision,
    /// The revision that was deployed before.
    pub previous_revision: Option<Revision>,
    /// Its status.
    pub status: Status,
    /// Why it has this status, or a remark.
    pub reason: Option<String>,
    /// The commit of the deploy branch that asked for it.
    pub deploy_commit: Option<Revision>,
    /// Who pushed that commit, as the host authenticated them.
    pub pusher: Option<Identity>,
    /// Who wrote that commit, as the commit claims.
    pub author: Option<String>,
    /// The deployment that it retries.
    pub retry_of: Option<DeploymentId>,
    /// The deployment that superseded it.
    pub superseded_by: Option<DeploymentId>,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The command's exit status.
    pub exit_status: Option<i32>,
    /// The processes that carry it out.
    pub run: Option<Run>,
    /// Who asked for it to end.
    pub cancelled_by: Option<Identity>,
    /// Who asked not to wait any more for what it left running.
    pub released_by: Option<Identity>,
    /// For a rollback: the revision that was rolled back.
    pub rolled_back: Option<Revision>,
    /// Whether it may begin while its environment is frozen.
    pub overrides_freeze: bool,
    /// What is deployed, in one line that can contain any characters: what the entry of the deploy
    /// file says, or else the title of the revision.
    pub summary: Option<String>,
}

/// The processes that carry a deployment out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Where the numbers of the processes mean something.
    pub space: ProcessSpace,
    /// The runner.
    pub runner: ProcessIdentity,
    /// The command's first process; `None` before there is one.
    pub leader: Option<ProcessIdentity>,
    /// The command's cgroup, where it has one.
    pub cgroup: Option<PathBuf>,
    /// Its checkout; `None`: it has none, or an earlier version of this program began it.
    pub checkout: Option<RecordedCheckout>,
}

/// What going back needs to know of a checkout, as the configuration had it when the deployment
/// began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCheckout {
    /// The folder with `current`; absolute.
    pub folder: String,
    /// The user that works in it; `None`: that of the runner.
    pub user: Option<String>,
}

impl Run {
    /// Everything that the command of a deployment started, for the runner that started it.
    /// `folder` is the state directory: another state can have a deployment of the same number.
    #[must_use]
    pub fn own_tree(&self, id: DeploymentId, folder: &Path) -> Tree {
        Tree {
            leader: self.leader,
            forks_before: None,
            cgroup: self.cgroup.clone(),
            marks: vec![format!("DEPLOY_ID={}", id.0).into(), state_mark(folder)],
        }
    }

    /// The same, for a process in the space `here`. `None`: the machine restarted since, so nothing
    /// of it is left.
    ///
    /// # Errors
    /// It can't be seen from here.
    pub fn tree(
        &self,
        id: DeploymentId,
        folder: &Path,
        here: &ProcessSpace,
    ) -> Result<Option<Tree>, Unseen> {
        let is_seen = here.is_that_of(&self.space)?;
        Ok(is_seen.then(|| self.own_tree(id, folder)))
    }

    /// Whether the runner still runs, for a process in the space `here`.
    ///
    /// # Errors
    /// It can't be seen from here.
    pub fn has_runner(&self, here: &ProcessSpace) -> Result<bool, Unseen> {
        Ok(here.is_that_of(&self.space)? && self.runner.is_alive()?)
    }
}

/// What all processes of a state's deployments have in their environment. `folder` is the state
/// directory.
#[must_use]
pub fn state_mark(folder: &Path) -> OsString {
    let mut mark = OsString::from("DEPLOY_STATE_DIR=");
    mark.push(folder);
    mark
}

/// How a deployment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The status in which it ended.
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

/// The deployment is no longer in the status that a change starts from: another process was faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Stale;

/// The columns of a deployment, in the order in which [`read`] takes them.
const COLUMNS: &str = "id, rollout, environment, application, revision, \
     previous_revision, status, reason, deploy_commit, pusher, author, retry_of, superseded_by, \
     queued_at_ms, started_at_ms, finished_at_ms, exit_status, boot_id, runner_pid, runner_ticks, \
     leader_pid, leader_ticks, cgroup, cancelled_by, released_by, rolled_back, overrides_freeze, \
     pusher_known_by, cancelled_known_by, released_known_by, namespaces, summary, checkout, \
     checkout_user";

/// Reads a row of [`COLUMNS`].
fn read(row: &Row<'_>) -> rusqlite::Result<Deployment> {
    let number = |index: usize| {
        let id: Option<i64> = row.get(index)?;
        Ok::<_, rusqlite::Error>(id.map(DeploymentId))
    };

    Ok(Deployment {
        id: DeploymentId(row.get(0)?),
        rollout: RolloutId(row.get(1)?),
        target: target_at(row, 2)?,
        revision: hash_at(row, 4)?,
        previous_revision: revision_at(row, 5)?,
        status: status_at(row, 6)?,
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
        run: run_at(row)?,
        cancelled_by: identity_at(row, 23, 28)?,
        released_by: identity_at(row, 24, 29)?,
        rolled_back: revision_at(row, 25)?,
        overrides_freeze: row.get(26)?,
        summary: row.get(31)?,
    })
}

/// The processes in a row of [`COLUMNS`].
fn run_at(row: &Row<'_>) -> rusqlite::Result<Option<Run>> {
    let boot_id: Option<String> = row.get(17)?;
    let runner = process_at(row, 18)?;
    let leader = process_at(row, 20)?;
    let cgroup: Option<String> = row.get(22)?;

    let (folder, user): (Option<String>, Option<String>) = (row.get(32)?, row.get(33)?);
    let checkout = folder.map(|folder| RecordedCheckout { folder, user });

    let namespaces: Option<String> = row.get(30)?;
    let space = |boot_id| ProcessSpace {
        boot_id,
        namespaces,
    };

    Ok(boot_id.map(space).zip(runner).map(|(space, runner)| Run {
        space,
        runner,
        leader,
        cgroup: cgroup.map(PathBuf::from),
        checkout,
    }))
}

impl Reader<'_> {
    /// The deployments that SQL after `SELECT … FROM deployments` selects.
    #[cfg_attr(test, track_caller)]
    pub(super) fn select(
        &self,
        rest: &str,
        parameters: impl Params,
    ) -> Result<Vec<Deployment>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM deployments {rest}");
        self.query(&sql, parameters, read)
    }

    /// The first of them that are of applications that `wants` lets through, at most `most`. The
    /// others are not read as a whole.
    #[cfg_attr(test, track_caller)]
    pub(super) fn select_some(
        &self,
        rest: &str,
        parameters: impl Params,
        wants: impl Fn(&Target) -> bool,
        most: usize,
    ) -> Result<Vec<Deployment>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM deployments {rest}");
        let mut found = Vec::new();
        self.walk(&sql, parameters, |row| {
            if wants(&target_at(row, 2)?) {
                found.push(read(row)?);
            }
            Ok(match found.len() < most {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            })
        })?;
        Ok(found)
    }

    /// The same as [`Reader::select`], each with what the rules said of it. Only those who show
    /// them read the notes.
    #[cfg_attr(test, track_caller)]
    pub(super) fn select_with_notes(
        &self,
        rest: &str,
        parameters: impl Params,
    ) -> Result<Vec<(Deployment, Vec<Note>)>, Error> {
        let sql = format!("SELECT {COLUMNS}, notes FROM deployments {rest}");
        self.query(&sql, parameters, |row| Ok((read(row)?, notes_at(row, 34)?)))
    }

    /// The first of the deployments that SQL after `SELECT … FROM deployments` selects, if any.
    #[cfg_attr(test, track_caller)]
    pub(super) fn select_first(
        &self,
        rest: &str,
        parameters: impl Params,
    ) -> Result<Option<Deployment>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM deployments {rest}");
        self.first(&sql, parameters, read)
    }
}
