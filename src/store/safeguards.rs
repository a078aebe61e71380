//! What is recorded along with a deployment for the safeguards: exceptions, holds and needs.

use rusqlite::{Row, params};

use super::columns::{application_at, damaged, hash_at, names};
use super::error::Error;
use super::reader::Reader;
use super::rows::Deployment;
use super::transaction::Transaction;
use crate::id::{Application, DeploymentId, Revision, Target};
use crate::plan;
use crate::policy::{Approval, Exception, ExceptionKind, Need};

/// What an application declares to need, as it was recorded with a deployment of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedNeed {
    /// The application that needs it, and where.
    pub by: Target,
    /// The commit of that application that says so.
    pub declared_by: Revision,
    /// The commit that is needed.
    pub commit: Revision,
}

/// Reads `kind, reason, signed_by`.
pub(super) fn exception(row: &Row<'_>) -> rusqlite::Result<Exception> {
    let word: String = row.get(0)?;
    let kind = ExceptionKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == word);
    Ok(Exception {
        kind: kind.ok_or_else(|| damaged(0, "kind of exception"))?,
        reason: row.get(1)?,
        signed_by: row.get(2)?,
    })
}

/// The reason that some exceptions give for going back to an older revision.
fn reason_to_go_back(exceptions: &[Exception]) -> &str {
    let goes_back = |exception: &&Exception| exception.kind.goes_back();
    exceptions
        .iter()
        .find(goes_back)
        .map(|exception| exception.reason.as_str())
        .unwrap_or_default()
}

impl Reader<'_> {
    /// The exceptions from rules that were made for a deployment, with their reasons.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn exceptions(&self, id: DeploymentId) -> Result<Vec<Exception>, Error> {
        let sql =
            "SELECT kind, reason, signed_by FROM exceptions WHERE deployment = ? ORDER BY kind";
        self.query(sql, [id.0], exception)
    }

    /// Who approved a deployment, in the order of their names.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn approvals(&self, id: DeploymentId) -> Result<Vec<Approval>, Error> {
        let sql = "SELECT approved_by, commit_id FROM approvals
             WHERE deployment = ? ORDER BY approved_by";
        self.query(sql, [id.0], |row| {
            Ok(Approval {
                by: row.get(0)?,
                commit: hash_at(row, 1)?,
            })
        })
    }

    /// The revisions of an application that rollbacks took away from an environment and that were
    /// not released since: the rollback, the revision, the reason.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn holds(&self, target: &Target) -> Result<Vec<(DeploymentId, Revision, String)>, Error> {
        let sql = "SELECT deployment, revision, reason FROM holds
             WHERE environment = ? AND application = ? ORDER BY deployment DESC";
        self.query(sql, names(target), |row| {
            Ok((DeploymentId(row.get(0)?), hash_at(row, 1)?, row.get(2)?))
        })
    }

    /// The applications that go before a deployment because its commits declare so.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn goes_after(&self, id: DeploymentId) -> Result<Vec<Application>, Error> {
        let sql = "SELECT DISTINCT application FROM needs WHERE deployment = ? AND goes_first = 1";
        self.query(sql, [id.0], |row| application_at(row, 0))
    }

    /// What the applications of an environment were recorded to need of one of them.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn needs_of(&self, target: &Target) -> Result<Vec<RecordedNeed>, Error> {
        let [environment, application] = names(target);
        // CROSS JOIN: first what is needed of the application, not all that the environment had.
        let sql = "SELECT DISTINCT deployments.application, needs.declared_by, needs.commit_id
             FROM needs CROSS JOIN deployments ON deployments.id = needs.deployment
             WHERE needs.application = ? AND deployments.environment = ?";
        self.query(sql, [application, environment], |row| {
            Ok(RecordedNeed {
                by: Target {
                    environment: target.environment.clone(),
                    application: application_at(row, 0)?,
                },
                declared_by: hash_at(row, 1)?,
                commit: hash_at(row, 2)?,
            })
        })
    }
}

impl Transaction<'_> {
    /// Records an exception from a rule that was made for a deployment.
    pub(super) fn add_exception(
        &self,
        id: DeploymentId,
        exception: &Exception,
    ) -> Result<(), Error> {
        self.execute(
            "INSERT INTO exceptions (deployment, kind, reason, signed_by) VALUES (?, ?, ?, ?)
             ON CONFLICT DO NOTHING",
            params![
                id.0,
                exception.kind.as_str(),
                exception.reason,
                exception.signed_by
            ],
        )?;
        Ok(())
    }

    /// Records who approved a deployment.
    pub(super) fn add_approval(&self, id: DeploymentId, approval: &Approval) -> Result<(), Error> {
        self.execute(
            "INSERT INTO approvals (deployment, approved_by, commit_id) VALUES (?, ?, ?)
             ON CONFLICT DO NOTHING",
            params![id.0, approval.by, approval.commit.as_str()],
        )?;
        Ok(())
    }

    /// Records that a rollback took a revision away from an environment.
    fn hold(
        &self,
        id: DeploymentId,
        target: &Target,
        revision: &Revision,
        reason: &str,
    ) -> Result<(), Error> {
        let [environment, application] = names(target);
        self.execute(
            "INSERT INTO holds (environment, application, revision, reason, deployment)
             VALUES (?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET reason = excluded.reason, deployment = excluded.deployment",
            params![environment, application, revision.as_str(), reason, id.0],
        )?;
        Ok(())
    }

    /// Removes the hold of a rollback that was cancelled before it began: it took nothing away.
    pub(super) fn unhold(&self, id: DeploymentId, target: &Target) -> Result<(), Error> {
        let [environment, application] = names(target);
        self.execute(
            "DELETE FROM holds WHERE environment = ? AND application = ? AND deployment = ?",
            params![environment, application, id.0],
        )?;
        Ok(())
    }

    /// Removes the hold of a revision that was released.
    pub(super) fn release_hold(&self, target: &Target, revision: &Revision) -> Result<(), Error> {
        let [environment, application] = names(target);
        self.execute(
            "DELETE FROM holds WHERE environment = ? AND application = ? AND revision = ?",
            [environment, application, revision.as_str()],
        )?;
        Ok(())
    }

    /// Records the exceptions, holds and needs of a deployment that was just planned.
    pub(super) fn add_details(
        &self,
        id: DeploymentId,
        planned: &plan::PlannedDeployment,
    ) -> Result<(), Error> {
        let target = planned.target();
        for revision in planned.released() {
            self.release_hold(target, revision)?;
        }
        if let Some(from) = planned.rolled_back() {
            self.hold(id, target, from, reason_to_go_back(planned.exceptions()))?;
        }
        for exception in planned.exceptions() {
            self.add_exception(id, exception)?;
        }
        for approval in planned.approvals() {
            self.add_approval(id, approval)?;
        }

        for need in planned.needs() {
            // Where the declared digits did not lead to one commit, there is no need to look for
            // later either.
            if Revision::new(&need.commit).is_err() {
                continue;
            }
            let goes_first = planned.first().contains(&need.application);
            self.add_need(id, need, goes_first)?;
        }
        Ok(())
    }

    /// Records what a deployment needs of another application.
    pub(super) fn add_need(
        &self,
        id: DeploymentId,
        need: &Need,
        goes_first: bool,
    ) -> Result<(), Error> {
        self.execute(
            "INSERT INTO needs (deployment, application, commit_id, declared_by, goes_first)
             VALUES (?, ?, ?, ?, ?)
             ON CONFLICT DO NOTHING",
            params![
                id.0,
                need.application.as_str(),
                need.commit,
                need.declared_by.as_str(),
                goes_first
            ],
        )?;
        Ok(())
    }

    /// Records for a retry what was recorded for the deployment that it retries. The exception that
    /// let that one begin while its environment was frozen is left out, because it was made once.
    /// An override that somebody signed stays: it can be what the deployment has in the place of
    /// approvals. It goes past no freeze for the retry.
    pub(super) fn copy_details(&self, from: &Deployment, to: DeploymentId) -> Result<(), Error> {
        if let Some(back) = &from.rolled_back {
            let exceptions = self.exceptions(from.id)?;
            self.hold(to, &from.target, back, reason_to_go_back(&exceptions))?;
        }

        let exceptions = "INSERT INTO exceptions (deployment, kind, reason, signed_by)
             SELECT ?2, kind, reason, signed_by FROM exceptions
             WHERE deployment = ?1 AND (kind <> 'override' OR signed_by IS NOT NULL)
             ON CONFLICT DO NOTHING";
        let needs = "INSERT INTO needs
             SELECT ?2, application, commit_id, declared_by, goes_first FROM needs
             WHERE deployment = ?1";
        let approvals = "INSERT INTO approvals
             SELECT ?2, approved_by, commit_id FROM approvals WHERE deployment = ?1";
        for sql in [exceptions, needs, approvals] {
            self.execute(sql, [from.id.0, to.0])?;
        }
        Ok(())
    }
}
