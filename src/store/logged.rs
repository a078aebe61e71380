//! Deployments as the table of `log` shows them. A whole history has many, and most of what is
//! recorded of each is not in the table, so it is not read.

use rusqlite::{Row, params_from_iter};

use super::columns::{hash_at, identity_at, status_at, target_at, time_at};
use super::error::Error;
use super::reader::Reader;
use super::rows::Deployment;
use super::views::{Filter, Period, selection};
use crate::id::{DeploymentId, Revision, Target};
use crate::identity::Identity;
use crate::status::Status;
use crate::time::Timestamp;

/// A part of a [`Deployment`], whose fields mean the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "Deployment has them")]
pub struct LoggedDeployment {
    pub id: DeploymentId,
    pub target: Target,
    pub revision: Revision,
    pub status: Status,
    pub pusher: Option<Identity>,
    pub queued_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub overrides_freeze: bool,
    pub summary: Option<String>,
}

/// The columns, in the order in which [`read`] takes them.
const COLUMNS: &str = "id, environment, application, revision, status, pusher, pusher_known_by, \
                       queued_at_ms, started_at_ms, finished_at_ms, overrides_freeze, summary";

/// Reads a row of [`COLUMNS`].
fn read(row: &Row<'_>) -> rusqlite::Result<LoggedDeployment> {
    Ok(LoggedDeployment {
        id: DeploymentId(row.get(0)?),
        target: target_at(row, 1)?,
        revision: hash_at(row, 3)?,
        status: status_at(row, 4)?,
        pusher: identity_at(row, 5, 6)?,
        queued_at: Timestamp::from_ms(row.get(7)?),
        started_at: time_at(row, 8)?,
        finished_at: time_at(row, 9)?,
        overrides_freeze: row.get(10)?,
        summary: row.get(11)?,
    })
}

impl From<Deployment> for LoggedDeployment {
    fn from(deployment: Deployment) -> Self {
        Self {
            id: deployment.id,
            target: deployment.target,
            revision: deployment.revision,
            status: deployment.status,
            pusher: deployment.pusher,
            queued_at: deployment.queued_at,
            started_at: deployment.started_at,
            finished_at: deployment.finished_at,
            overrides_freeze: deployment.overrides_freeze,
            summary: deployment.summary,
        }
    }
}

impl Reader<'_> {
    /// As [`Reader::history_before`], with what the table shows of each.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn logged_before(
        &self,
        before: Option<DeploymentId>,
        filter: &Filter,
        period: &Period,
        most: u32,
    ) -> Result<Vec<LoggedDeployment>, Error> {
        let (rest, values) = selection(before, filter, period, most);
        let sql = format!("SELECT {COLUMNS} FROM deployments {rest}");
        self.query(&sql, params_from_iter(values), read)
    }
}
