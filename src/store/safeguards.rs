//! What the safeguards need to know of what happened, and what they leave on record.

use std::collections::BTreeMap;

use rusqlite::{Row, params};

use super::error::Error;
use super::reader::Reader;
use super::rows::{
    COLUMNS, Deployment, application_at, damaged, environment_at, hash_at, identity_at, read,
    time_at,
};
use super::transaction::Transaction;
use crate::event::Event;
use crate::id::{Application, DeploymentId, Environment, Revision, Target};
use crate::identity::Identity;
use crate::plan;
use crate::policy::{Exception, ExceptionKind, Freeze};
use crate::time::Timestamp;

/// Something that an application declares to need, as it was recorded with a deployment of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedNeed {
    /// Who needs it.
    pub by: Target,
    /// The commit of it that says so.
    pub declared_by: Revision,
    /// The commit that is needed.
    pub commit: Revision,
}

fn exception(row: &Row<'_>) -> rusqlite::Result<Exception> {
    let word: String = row.get(0)?;
    let kind = ExceptionKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == word);
    Ok(Exception {
        kind: kind.ok_or_else(|| damaged(0, "kind of exception"))?,
        reason: row.get(1)?,
    })
}

impl Reader<'_> {
    /// The newest deployment of an application in an environment.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn newest_of(&self, target: &Target) -> Result<Option<Deployment>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM deployments WHERE environment = ? AND application = ? ORDER BY id DESC LIMIT 1"
        );
        self.first(
            &sql,
            [target.environment.as_str(), target.application.as_str()],
            read,
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
        let sql = format!(
            "SELECT {COLUMNS} FROM deployments WHERE environment = ? AND application = ? AND revision = ? ORDER BY id DESC LIMIT 1"
        );
        let (environment, application) = (target.environment.as_str(), target.application.as_str());
        self.first(&sql, [environment, application, revision.as_str()], read)
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
        let sql = format!(
            "SELECT {COLUMNS} FROM deployments WHERE environment = ? AND application = ? AND revision = ? AND status = 'succeeded'
             ORDER BY finish_order LIMIT 1"
        );
        let (environment, application) = (target.environment.as_str(), target.application.as_str());
        self.first(&sql, [environment, application, revision.as_str()], read)
    }

    /// The reasons by which a deployment got past rules.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn exceptions(&self, id: DeploymentId) -> Result<Vec<Exception>, Error> {
        let sql = "SELECT kind, reason FROM exceptions WHERE deployment = ? ORDER BY kind";
        self.query(sql, [id.0], exception)
    }

    /// What rollbacks took away from an application in an environment and nobody released since:
    /// the rollback, the revision, the reason.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn holds(&self, target: &Target) -> Result<Vec<(DeploymentId, Revision, String)>, Error> {
        let sql = "SELECT deployment, revision, reason FROM holds WHERE environment = ? AND application = ? ORDER BY deployment DESC";
        self.query(
            sql,
            [target.environment.as_str(), target.application.as_str()],
            |row| Ok((DeploymentId(row.get(0)?), hash_at(row, 1)?, row.get(2)?)),
        )
    }

    /// The applications that go before a deployment because its commits say so.
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
        let sql =
            "SELECT DISTINCT deployments.application, needs.declared_by, needs.commit_id FROM needs
             JOIN deployments ON deployments.id = needs.deployment
             WHERE needs.application = ? AND deployments.environment = ?";
        self.query(
            sql,
            [target.application.as_str(), target.environment.as_str()],
            |row| {
                Ok(RecordedNeed {
                    by: Target {
                        environment: target.environment.clone(),
                        application: application_at(row, 0)?,
                    },
                    declared_by: hash_at(row, 1)?,
                    commit: hash_at(row, 2)?,
                })
            },
        )
    }

    /// Who froze which environment. A freeze whose time is over is none any more.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn freezes(&self, now: Timestamp) -> Result<BTreeMap<Environment, Freeze>, Error> {
        let sql = "SELECT environment, reason, frozen_by, frozen_known_by, frozen_at_ms, until_ms
             FROM freezes WHERE thawed_at_ms IS NULL";
        let rows = self.query(sql, [], |row| {
            let freeze = Freeze {
                by: identity_at(row, 2, 3)?,
                reason: row.get(1)?,
                since: time_at(row, 4)?,
                until: time_at(row, 5)?,
            };
            Ok((environment_at(row, 0)?, freeze))
        })?;

        let in_force = |freeze: &Freeze| freeze.until.is_none_or(|until| until > now);
        Ok(rows
            .into_iter()
            .filter(|(_, freeze)| in_force(freeze))
            .collect())
    }
}

impl Transaction<'_> {
    /// Records a reason by which a deployment got past a rule.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn add_exception(&self, id: DeploymentId, exception: &Exception) -> Result<(), Error> {
        let sql = "INSERT INTO exceptions (deployment, kind, reason) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
        self.execute(
            sql,
            params![id.0, exception.kind.as_str(), exception.reason],
        )?;
        Ok(())
    }

    fn hold(
        &self,
        id: DeploymentId,
        target: &Target,
        revision: &Revision,
        reason: &str,
    ) -> Result<(), Error> {
        self.execute(
            "INSERT INTO holds (environment, application, revision, reason, deployment) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET reason = excluded.reason, deployment = excluded.deployment",
            params![target.environment.as_str(), target.application.as_str(), revision.as_str(), reason, id.0],
        )?;
        Ok(())
    }

    /// A rollback that was cancelled before it began took nothing away.
    pub(super) fn unhold(&self, id: DeploymentId) -> Result<(), Error> {
        self.execute("DELETE FROM holds WHERE deployment = ?", [id.0])?;
        Ok(())
    }

    /// Records what goes along with a deployment that was just planned.
    pub(super) fn add_details(
        &self,
        id: DeploymentId,
        planned: &plan::Deployment,
    ) -> Result<(), Error> {
        let target = planned.target();
        for revision in planned.released() {
            let sql =
                "DELETE FROM holds WHERE environment = ? AND application = ? AND revision = ?";
            self.execute(
                sql,
                [
                    target.environment.as_str(),
                    target.application.as_str(),
                    revision.as_str(),
                ],
            )?;
        }
        if let Some(from) = planned.rolled_back() {
            let went_back = planned
                .exceptions()
                .iter()
                .find(|exception| exception.kind.goes_back());
            self.hold(
                id,
                target,
                from,
                went_back
                    .map(|exception| exception.reason.as_str())
                    .unwrap_or_default(),
            )?;
        }
        planned
            .exceptions()
            .iter()
            .try_for_each(|exception| self.add_exception(id, exception))?;
        // What was not found as one commit can't be looked for later either.
        for need in planned
            .needs()
            .iter()
            .filter(|need| Revision::new(&need.commit).is_ok())
        {
            let goes_first = planned.first().contains(&need.application);
            self.execute(
                "INSERT INTO needs (deployment, application, commit_id, declared_by, goes_first) VALUES (?, ?, ?, ?, ?)
                 ON CONFLICT DO NOTHING",
                params![id.0, need.application.as_str(), need.commit, need.declared_by.as_str(), goes_first],
            )?;
        }
        Ok(())
    }

    /// Gives a deployment that tries another one again what that one had, but for leave to begin in
    /// a freeze: that was given once.
    pub(super) fn copy_details(&self, from: &Deployment, to: DeploymentId) -> Result<(), Error> {
        if let Some(back) = &from.rolled_back {
            let reasons = self.exceptions(from.id)?;
            let went_back = reasons
                .into_iter()
                .find(|exception| exception.kind.goes_back());
            self.hold(
                to,
                &from.target,
                back,
                &went_back
                    .map(|exception| exception.reason)
                    .unwrap_or_default(),
            )?;
        }
        let from = from.id;
        let exceptions = "INSERT INTO exceptions SELECT ?2, kind, reason FROM exceptions WHERE deployment = ?1 AND kind <> 'override'";
        let needs = "INSERT INTO needs SELECT ?2, application, commit_id, declared_by, goes_first FROM needs WHERE deployment = ?1";
        for sql in [exceptions, needs] {
            self.execute(sql, [from.0, to.0])?;
        }
        Ok(())
    }

    /// Freezes an environment, in place of a freeze that was in force.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn freeze(
        &self,
        environment: &Environment,
        reason: &str,
        by: &Identity,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.end_freeze(environment, by, now)?;
        self.execute(
            "INSERT INTO freezes (environment, reason, frozen_by, frozen_known_by, frozen_at_ms,
                 until_ms)
             VALUES (?, ?, ?, ?, ?, ?)",
            params![
                environment.as_str(),
                reason,
                by.name,
                by.evidence.as_str(),
                now.as_ms(),
                until.map(Timestamp::as_ms)
            ],
        )?;

        let event = Event::Frozen {
            environment: environment.clone(),
            by: by.clone(),
            reason: reason.to_owned(),
            until,
        };
        self.record(&event, now)
    }

    /// Ends the freeze of an environment.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn thaw(
        &self,
        environment: &Environment,
        by: &Identity,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.end_freeze(environment, by, now)?;

        let event = Event::Thawed {
            environment: environment.clone(),
            by: by.clone(),
        };
        self.record(&event, now)
    }

    fn end_freeze(
        &self,
        environment: &Environment,
        by: &Identity,
        now: Timestamp,
    ) -> Result<(), Error> {
        let sql = "UPDATE freezes SET thawed_by = ?, thawed_known_by = ?, thawed_at_ms = ?
             WHERE environment = ? AND thawed_at_ms IS NULL";
        self.execute(
            sql,
            params![
                by.name,
                by.evidence.as_str(),
                now.as_ms(),
                environment.as_str()
            ],
        )?;
        Ok(())
    }

    /// Says why what is queued in an environment waits, where that is not said yet; those that may
    /// begin all the same are left out.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn set_waiting(&self, environment: &Environment, reason: &str) -> Result<(), Error> {
        let sql = "UPDATE deployments SET reason = ?1
             WHERE environment = ?2 AND status = 'queued' AND overrides_freeze = 0 AND reason IS NOT ?1";
        self.execute(sql, [reason, environment.as_str()])?;
        Ok(())
    }
}
