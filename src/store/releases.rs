//! What the record says about the releases of an application: which of them are good.

use std::ops::ControlFlow;

use rusqlite::params;

use super::columns::{hash_at, names};
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
        self.select_first(
            "WHERE environment = ? AND application = ? AND revision = ? AND id <> ?
                 AND started_at_ms IS NOT NULL
             ORDER BY id DESC LIMIT 1",
            params![
                target.environment.as_str(),
                target.application.as_str(),
                revision.as_str(),
                but.0
            ],
        )
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
        // From the last one back, so that what is older is not looked at.
        let sql = "SELECT revision, id FROM deployments
             WHERE environment = ? AND application = ? AND status = 'succeeded'
             ORDER BY finish_order DESC";
        let mut found: Vec<(Revision, DeploymentId)> = Vec::new();
        self.walk(sql, names(target), |row| {
            if found.len() == most {
                return Ok(ControlFlow::Break(()));
            }
            let revision = hash_at(row, 0)?;
            if found.iter().all(|(known, _)| *known != revision) {
                found.push((revision, DeploymentId(row.get(1)?)));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }
}
