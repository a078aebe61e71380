//! What the record says about the releases of an application: which of them are good.

use rusqlite::params;

use super::columns::hash_at;
use super::error::Error;
use super::reader::Reader;
use super::rows::Deployment;
use crate::id::{DeploymentId, Revision, Target};

impl Reader<'_> {
    /// The newest deployment of a revision that began, but for the one with the number `but`.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn newest_begun(
        &self,
        target: &Target,
        revision: &Revision,
        but: DeploymentId,
    ) -> Result<Option<Deployment>, Error> {
        let found = self.select(
            "WHERE environment = ? AND application = ? AND revision = ? AND id <> ?
                 AND started_at_ms IS NOT NULL
             ORDER BY id DESC LIMIT 1",
            params![
                target.environment.as_str(),
                target.application.as_str(),
                revision.as_str(),
                but.0
            ],
        )?;
        Ok(found.into_iter().next())
    }

    /// The revisions that were deployed, each with its last deployment that succeeded, the newest
    /// of these first, at most `most`.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn succeeded_revisions(
        &self,
        target: &Target,
        most: usize,
    ) -> Result<Vec<(Revision, DeploymentId)>, Error> {
        // SQLite takes the other columns from the row of the maximum.
        let sql = "SELECT revision, id, MAX(finish_order) FROM deployments
             WHERE environment = ? AND application = ? AND status = 'succeeded'
             GROUP BY revision ORDER BY 3 DESC LIMIT ?";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.query(
            sql,
            params![
                target.environment.as_str(),
                target.application.as_str(),
                most
            ],
            |row| Ok((hash_at(row, 0)?, DeploymentId(row.get(1)?))),
        )
    }
}
