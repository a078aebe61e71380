//! When the commits that deployments gained were committed. The repository of an application says
//! so. It is asked after the end of a deployment, and by nobody whom something waits for.

use rusqlite::params;

use super::columns::{hash_at, target_at};
use super::error::Error;
use super::reader::Reader;
use super::transaction::Transaction;
use crate::id::{DeploymentId, Revision, Target};
use crate::time::Timestamp;

/// A deployment that succeeded with another revision than the one before, and whose repository was
/// not asked yet for the dates of the commits between the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undated {
    /// Its number.
    pub id: DeploymentId,
    /// The application, and the environment that it went to.
    pub target: Target,
    /// The revision that was deployed before.
    pub previous: Revision,
    /// The revision that it deployed.
    pub revision: Revision,
    /// When it began.
    pub started_at: Timestamp,
}

impl Reader<'_> {
    /// The deployments that ended at a time or after it and whose repository is still to be asked,
    /// newest first, at most `most`.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn undated(&self, since: Timestamp, most: u32) -> Result<Vec<Undated>, Error> {
        let sql = "SELECT id, environment, application, previous_revision, revision, started_at_ms
             FROM deployments WHERE is_undated = 1 AND finished_at_ms >= ?
             ORDER BY finished_at_ms DESC LIMIT ?";
        self.query(sql, params![since.as_ms(), most], |row| {
            Ok(Undated {
                id: DeploymentId(row.get(0)?),
                target: target_at(row, 1)?,
                previous: hash_at(row, 3)?,
                revision: hash_at(row, 4)?,
                started_at: Timestamp::from_ms(row.get(5)?),
            })
        })
    }
}

impl Transaction<'_> {
    /// Records what the repository said of a deployment: the committer date of the middle one of
    /// the gained commits; `None`: there is none that counts.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn date(&self, id: DeploymentId, committed_at: Option<Timestamp>) -> Result<(), Error> {
        let sql = "UPDATE deployments SET committed_at_ms = ?, is_undated = 0
             WHERE id = ? AND is_undated = 1";
        self.execute(sql, params![committed_at.map(Timestamp::as_ms), id.0])?;
        Ok(())
    }
}
