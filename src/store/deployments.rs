//! Finding deployments: by their number, by application, by what asked for them.

use rusqlite::params;

use super::columns::{names, text};
use super::error::Error;
use super::reader::Reader;
use super::rows::Deployment;
use crate::id::{DeploymentId, Revision, RolloutId, Target};

impl Reader<'_> {
    /// One deployment by its number.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn deployment(&self, id: DeploymentId) -> Result<Option<Deployment>, Error> {
        self.select_first("WHERE id = ?", [id.0])
    }

    /// The deployment of an application in an environment that succeeded last: what is deployed.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn deployed(&self, target: &Target) -> Result<Option<Deployment>, Error> {
        self.select_first(
            "WHERE environment = ? AND application = ? AND status = 'succeeded'
             ORDER BY finish_order DESC LIMIT 1",
            names(target),
        )
    }

    /// The deployment of another revision than `revision` that succeeded last: what was deployed
    /// before it.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn deployed_before(
        &self,
        target: &Target,
        revision: &Revision,
    ) -> Result<Option<Deployment>, Error> {
        let [environment, application] = names(target);
        self.select_first(
            "WHERE environment = ? AND application = ? AND status = 'succeeded' AND revision <> ?
             ORDER BY finish_order DESC LIMIT 1",
            [environment, application, revision.as_str()],
        )
    }

    /// The newest deployment of an application in an environment that the deploy branch asked for,
    /// which a retry is not.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn newest_planned(&self, target: &Target) -> Result<Option<Deployment>, Error> {
        self.select_first(
            "WHERE environment = ? AND application = ? AND retry_of IS NULL
             ORDER BY id DESC LIMIT 1",
            names(target),
        )
    }

    /// The newest deployment of an application in an environment.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn newest_of(&self, target: &Target) -> Result<Option<Deployment>, Error> {
        self.select_first(
            "WHERE environment = ? AND application = ? ORDER BY id DESC LIMIT 1",
            names(target),
        )
    }

    /// The newest deployment of a revision of an application in an environment.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn newest_of_revision(
        &self,
        target: &Target,
        revision: &Revision,
    ) -> Result<Option<Deployment>, Error> {
        let [environment, application] = names(target);
        self.select_first(
            "WHERE environment = ? AND application = ? AND revision = ?
             ORDER BY id DESC LIMIT 1",
            [environment, application, revision.as_str()],
        )
    }

    /// The first deployment of a revision of an application in an environment that succeeded.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn first_success(
        &self,
        target: &Target,
        revision: &Revision,
    ) -> Result<Option<Deployment>, Error> {
        let [environment, application] = names(target);
        self.select_first(
            "WHERE environment = ? AND application = ? AND revision = ? AND status = 'succeeded'
             ORDER BY finish_order LIMIT 1",
            [environment, application, revision.as_str()],
        )
    }

    /// The newest deployment of an application in a rollout.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn member(&self, rollout: RolloutId, target: &Target) -> Result<Option<Deployment>, Error> {
        let [environment, application] = names(target);
        self.select_first(
            "WHERE rollout = ? AND environment = ? AND application = ?
             ORDER BY id DESC LIMIT 1",
            params![rollout.0, environment, application],
        )
    }

    /// The deployments of a rollout, in the order of their numbers.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn deployments_in(&self, rollout: RolloutId) -> Result<Vec<Deployment>, Error> {
        self.select("WHERE rollout = ? ORDER BY id", [rollout.0])
    }

    /// The deployments that were planned together from exactly this range of the deploy branch,
    /// when it was planned last.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn deployments_of_range(
        &self,
        old: Option<&Revision>,
        new: &Revision,
    ) -> Result<Vec<Deployment>, Error> {
        self.select(
            "WHERE retry_of IS NULL AND rollout =
                 (SELECT MAX(id) FROM rollouts WHERE old_commit IS ? AND new_commit = ?)
             ORDER BY id",
            params![text(old), new.as_str()],
        )
    }

    /// The deployments that some commits of the deploy branch asked for.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn deployments_of(&self, commits: &[Revision]) -> Result<Vec<Deployment>, Error> {
        let mut found = Vec::new();
        for commit in commits {
            found.extend(self.select(
                "WHERE deploy_commit = ? AND retry_of IS NULL ORDER BY id",
                [commit.as_str()],
            )?);
        }
        found.sort_by_key(|deployment| deployment.id);
        Ok(found)
    }
}
