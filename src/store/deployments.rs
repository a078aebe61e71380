//! Finding deployments: by their number, by application, by what asked for them.

use rusqlite::params;

use super::columns::{hash_at, names, revision_at, status_at, text};
use super::error::Error;
use super::reader::Reader;
use super::rows::Deployment;
use crate::id::{DeploymentId, Revision, RolloutId, Target};
use crate::status::Status;

/// What the record says of an application in an environment, as far as it is judged by that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetRecord {
    /// The newest deployment.
    pub newest: Option<NewestRecord>,
    /// The revision that is deployed.
    pub deployed: Option<Revision>,
    /// Whether there is a problem with the deploy file.
    pub has_problem: bool,
    /// Whether rollbacks took revisions away that nobody has released since.
    pub has_holds: bool,
    /// Whether the revision that is asked about ever succeeded.
    pub has_succeeded: bool,
}

/// The newest deployment of an application in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestRecord {
    /// Its number.
    pub id: DeploymentId,
    /// The revision that is deployed.
    pub revision: Revision,
    /// Its status.
    pub status: Status,
    /// Whether rules made exceptions for it.
    pub has_exceptions: bool,
}

/// Among how many of the newest rollouts that of a push is looked for.
const ROLLOUTS_MAX: i64 = 10_000;

impl Reader<'_> {
    /// What is recorded of an application in an environment, whose deploy file has a path and asks
    /// for a revision; `None`: for none. It is one statement, because the hook asks this for each
    /// deploy file that a push changes.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn target_record(
        &self,
        target: &Target,
        path: &[u8],
        revision: Option<&Revision>,
    ) -> Result<TargetRecord, Error> {
        let [environment, application] = names(target);
        let sql = "SELECT newest.id, newest.revision, newest.status,
                 EXISTS (SELECT 1 FROM exceptions WHERE deployment = newest.id),
                 (SELECT revision FROM deployments
                     WHERE environment = ?1 AND application = ?2 AND status = 'succeeded'
                     ORDER BY finish_order DESC LIMIT 1),
                 EXISTS (SELECT 1 FROM problems WHERE path = ?3),
                 EXISTS (SELECT 1 FROM holds WHERE environment = ?1 AND application = ?2),
                 EXISTS (SELECT 1 FROM deployments
                     WHERE environment = ?1 AND application = ?2 AND revision = ?4
                         AND status = 'succeeded')
             FROM (SELECT 1) LEFT JOIN deployments AS newest ON newest.id =
                 (SELECT MAX(id) FROM deployments WHERE environment = ?1 AND application = ?2)";
        let parameters = params![environment, application, path, text(revision)];
        let found = self.first(sql, parameters, |row| {
            let newest = match row.get(0)? {
                Some(id) => Some(NewestRecord {
                    id: DeploymentId(id),
                    revision: hash_at(row, 1)?,
                    status: status_at(row, 2)?,
                    has_exceptions: row.get(3)?,
                }),
                None => None,
            };
            Ok(TargetRecord {
                newest,
                deployed: revision_at(row, 4)?,
                has_problem: row.get(5)?,
                has_holds: row.get(6)?,
                has_succeeded: row.get(7)?,
            })
        })?;
        found.ok_or_else(|| Error::Damaged("a row without a table is missing".to_owned()))
    }

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
    /// when it was planned last. Only the newest rollouts are looked at: it was planned a moment
    /// ago, if at all.
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
                 (SELECT MAX(id) FROM rollouts
                     WHERE id > (SELECT MAX(id) FROM rollouts) - ? AND old_commit IS ?
                         AND new_commit = ?)
             ORDER BY id",
            params![ROLLOUTS_MAX, text(old), new.as_str()],
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
