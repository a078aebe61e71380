//! Applications that are not wanted in an environment any more.

use rusqlite::params;

use super::columns::{identity_at, names, target_at, text};
use super::error::Error;
use super::reader::Reader;
use super::rows::{Deployment, Outcome};
use super::transaction::Transaction;
use crate::event::Event;
use crate::id::{Revision, Target};
use crate::identity::Identity;
use crate::plan::Retirement;
use crate::status::Status;
use crate::time::Timestamp;

/// An application that is not wanted in an environment any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// The application and the environment.
    pub target: Target,
    /// Who pushed the deletion of its deploy file.
    pub pusher: Option<Identity>,
    /// When it was recorded.
    pub retired_at: Timestamp,
}

impl Reader<'_> {
    /// All retired applications.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn retirements(&self) -> Result<Vec<Retired>, Error> {
        let sql = "SELECT environment, application, pusher, pusher_known_by, retired_at_ms
             FROM retirements ORDER BY environment, application";
        self.query(sql, [], |row| {
            Ok(Retired {
                target: target_at(row, 0)?,
                pusher: identity_at(row, 2, 3)?,
                retired_at: Timestamp::from_ms(row.get(4)?),
            })
        })
    }

    /// The applications that some commits of the deploy branch retired. `None`: those that were
    /// retired because the branch was deleted.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn retirements_of(&self, commits: Option<&[Revision]>) -> Result<Vec<Target>, Error> {
        let retired_by = |commit: Option<&str>| {
            let sql = "SELECT environment, application FROM retirements
                 WHERE deploy_commit IS ? ORDER BY environment, application";
            self.query(sql, [commit], |row| target_at(row, 0))
        };
        let Some(commits) = commits else {
            return retired_by(None);
        };

        let mut found = Vec::new();
        for commit in commits {
            found.extend(retired_by(Some(commit.as_str()))?);
        }
        Ok(found)
    }

    /// Whether an application is retired in an environment.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn is_retired(&self, target: &Target) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM retirements WHERE environment = ? AND application = ?";
        self.has(sql, names(target))
    }
}

impl Transaction<'_> {
    /// Records that an application is retired, and cancels its queued deployments.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn retire(
        &self,
        retirement: &Retirement,
        deploy_commit: Option<&Revision>,
        pusher: Option<&Identity>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let target = &retirement.target;
        let [environment, application] = names(target);
        self.execute(
            "INSERT INTO retirements (environment, application, deploy_commit, pusher,
                 pusher_known_by, retired_at_ms)
             VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET deploy_commit = excluded.deploy_commit,
                 pusher = excluded.pusher, pusher_known_by = excluded.pusher_known_by,
                 retired_at_ms = excluded.retired_at_ms",
            params![
                environment,
                application,
                text(deploy_commit),
                pusher.map(|pusher| &pusher.name),
                pusher.map(|pusher| pusher.evidence.as_str()),
                now.as_ms()
            ],
        )?;
        let event = Event::Retired {
            target: target.clone(),
            pusher: pusher.cloned(),
            exceptions: retirement.exceptions.clone(),
            approvals: retirement.approvals.clone(),
        };
        self.record(&event, now)?;

        let is_queued = |deployment: &Deployment| {
            deployment.target == *target
                && !deployment.status.has_ended()
                && deployment.run.is_none()
        };
        let open = self.open_deployments(&target.environment)?;
        for deployment in open.iter().filter(|deployment| is_queued(deployment)) {
            let outcome = Outcome::new(Status::Cancelled, "retired");
            // Inside of this transaction no other process can be faster.
            let _ = self.finish(deployment.id, &outcome, now)?;
        }
        Ok(())
    }

    /// Records who pushed the deletion of some deploy files, where it was recorded before that was
    /// known.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn claim_retirements(&self, targets: &[Target], pusher: &Identity) -> Result<(), Error> {
        for target in targets {
            let [environment, application] = names(target);
            self.execute(
                "UPDATE retirements SET pusher = ?, pusher_known_by = ?
                 WHERE environment = ? AND application = ? AND pusher IS NULL",
                [
                    &pusher.name,
                    pusher.evidence.as_str(),
                    environment,
                    application,
                ],
            )?;
        }
        Ok(())
    }

    /// Records that an application is not retired any more.
    pub(super) fn unretire(&self, target: &Target) -> Result<(), Error> {
        let sql = "DELETE FROM retirements WHERE environment = ? AND application = ?";
        self.execute(sql, names(target))?;
        Ok(())
    }
}
