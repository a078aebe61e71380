//! Recording new deployments: those that were planned, and those that retry an earlier one.

use std::collections::BTreeSet;

use rusqlite::params;

use super::columns::{hash_at, names, notes_text, text};
use super::error::Error;
use super::rows::Deployment;
use super::transaction::Transaction;
use crate::event::Event;
use crate::id::{DeploymentId, Revision, RolloutId, Target};
use crate::identity::Identity;
use crate::plan;
use crate::policy::{Exception, Note};
use crate::status::Status;
use crate::time::Timestamp;

/// Where a deployment comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The commit of the deploy branch that asked for it.
    pub deploy_commit: Revision,
    /// Who wrote that commit, as the commit claims.
    pub author: String,
    /// Who pushed that commit, where that is known.
    pub pusher: Option<Identity>,
}

/// A deployment that was just recorded, and what it superseded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enqueued {
    /// Its number.
    pub id: DeploymentId,
    /// The queued deployments that it superseded.
    pub superseded: Vec<Superseded>,
}

/// A queued deployment whose place a newer one of the same application has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superseded {
    /// Its number.
    pub id: DeploymentId,
    /// The rollout that it belongs to.
    pub rollout: RolloutId,
    /// The application, and the environment that it was to go to.
    pub target: Target,
}

impl Transaction<'_> {
    /// Begins a rollout for a range of the deploy branch.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn begin_rollout(
        &self,
        old: Option<&Revision>,
        new: Option<&Revision>,
        now: Timestamp,
    ) -> Result<RolloutId, Error> {
        let sql = "INSERT INTO rollouts (old_commit, new_commit, planned_at_ms) VALUES (?, ?, ?)";
        self.execute(sql, params![text(old), text(new), now.as_ms()])?;
        Ok(RolloutId(self.last_id()))
    }

    /// Records a deployment that was planned. Queued ones of the same application are superseded
    /// where the plan says so, and the application is no longer retired.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn enqueue(
        &self,
        rollout: RolloutId,
        planned: &plan::PlannedDeployment,
        source: &Source,
        now: Timestamp,
    ) -> Result<Enqueued, Error> {
        let target = planned.target();
        let id = self.insert_planned(rollout, planned, source, now)?;
        self.add_details(id, planned)?;

        let event = Event::Planned {
            deployment: id,
            target: target.clone(),
            revision: planned.revision().clone(),
            pusher: source.pusher.clone(),
            exceptions: planned.exceptions().to_vec(),
            approvals: planned.approvals().to_vec(),
            retry_of: None,
        };
        self.record(&event, now)?;

        self.unretire(target)?;
        let superseded = if planned.supersedes() {
            self.supersede(target, id, now)?
        } else {
            Vec::new()
        };
        Ok(Enqueued { id, superseded })
    }

    /// Inserts the row of a deployment that was planned.
    fn insert_planned(
        &self,
        rollout: RolloutId,
        planned: &plan::PlannedDeployment,
        source: &Source,
        now: Timestamp,
    ) -> Result<DeploymentId, Error> {
        let [environment, application] = names(planned.target());
        let pusher = source.pusher.as_ref();
        let summary = match planned.summary() {
            Some(summary) => Some(summary.to_owned()),
            None => self.earlier_summary(planned)?,
        };

        self.execute(
            "INSERT INTO deployments (rollout, environment, application, revision,
                 previous_revision, status, deploy_commit, pusher, author, queued_at_ms,
                 rolled_back, overrides_freeze, reason, pusher_known_by, summary, notes)
             VALUES (?1, ?2, ?3, ?4,
                 (SELECT revision FROM deployments
                     WHERE environment = ?2 AND application = ?3 AND status = 'succeeded'
                     ORDER BY finish_order DESC LIMIT 1),
                 'queued', ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            params![
                rollout.0,
                environment,
                application,
                planned.revision().as_str(),
                source.deploy_commit.as_str(),
                pusher.map(|pusher| &pusher.name),
                source.author,
                now.as_ms(),
                text(planned.rolled_back()),
                planned.overrides_freeze(),
                planned.waits(),
                pusher.map(|pusher| pusher.evidence.as_str()),
                summary,
                notes_text(planned.notes())?
            ],
        )?;
        let id = DeploymentId(self.last_id());
        self.check_is_new(id)?;
        Ok(id)
    }

    /// What an earlier deployment of the same revision says, for one that goes back or is done
    /// again: it gains no commits, so nobody has read the title of its revision.
    fn earlier_summary(&self, planned: &plan::PlannedDeployment) -> Result<Option<String>, Error> {
        if planned.rolled_back().is_none() && !planned.is_redeploy() {
            return Ok(None);
        }
        let earlier = self.newest_of_revision(planned.target(), planned.revision())?;
        Ok(earlier.and_then(|earlier| earlier.summary))
    }

    /// Records that a newer deployment supersedes the queued ones of an application, also those
    /// that retry an earlier one.
    fn supersede(
        &self,
        target: &Target,
        by: DeploymentId,
        now: Timestamp,
    ) -> Result<Vec<Superseded>, Error> {
        let [environment, application] = names(target);
        let sql = "SELECT id, rollout, revision FROM deployments
             WHERE environment = ? AND application = ? AND status = 'queued' AND id < ?";
        let queued = self.query(sql, params![environment, application, by.0], |row| {
            let (id, rollout) = (DeploymentId(row.get(0)?), RolloutId(row.get(1)?));
            let target = target.clone();
            let superseded = Superseded {
                id,
                rollout,
                target,
            };
            Ok((superseded, hash_at(row, 2)?))
        })?;

        let mut superseded = Vec::new();
        for (deployment, revision) in queued {
            self.execute(
                "UPDATE deployments SET status = 'superseded', reason = ?, superseded_by = ?,
                     finished_at_ms = ?,
                     finish_order = (SELECT COALESCE(MAX(finish_order), 0) + 1 FROM deployments
                     WHERE finish_order IS NOT NULL)
                 WHERE id = ? AND status = 'queued'",
                params![format!("by {by}"), by.0, now.as_ms(), deployment.id.0],
            )?;
            let of = (deployment.id, target.clone(), revision);
            self.became(of, Status::Superseded, None, None, now)?;
            superseded.push(deployment);
        }
        Ok(superseded)
    }

    /// Records a new deployment of the same revision as an earlier one, in a rollout of its own.
    /// What was recorded with the earlier one counts for it as well, and so does `exception`, which
    /// is made for this retry. `notes` is what the rules say of the retry: nothing where they were
    /// not asked again, because what they said of the earlier one can be untrue by now.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn retry(
        &self,
        of: &Deployment,
        by: Option<&Identity>,
        exception: Option<&Exception>,
        notes: &[Note],
        now: Timestamp,
    ) -> Result<DeploymentId, Error> {
        let rollout = self.begin_rollout(None, None, now)?;
        let [environment, application] = names(&of.target);
        self.execute(
            "INSERT INTO deployments (rollout, environment, application, revision,
                 previous_revision, status, deploy_commit, pusher, author, retry_of, queued_at_ms,
                 rolled_back, pusher_known_by, summary, notes)
             VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                rollout.0,
                environment,
                application,
                of.revision.as_str(),
                text(of.previous_revision.as_ref()),
                text(of.deploy_commit.as_ref()),
                by.map(|by| &by.name),
                of.author,
                of.id.0,
                now.as_ms(),
                text(of.rolled_back.as_ref()),
                by.map(|by| by.evidence.as_str()),
                of.summary,
                notes_text(notes)?
            ],
        )?;
        let id = DeploymentId(self.last_id());
        self.check_is_new(id)?;
        // An exception of the same kind may be among those that are copied. The new one counts.
        if let Some(exception) = exception {
            self.add_exception(id, exception)?;
        }
        self.copy_details(of, id)?;

        let event = Event::Planned {
            deployment: id,
            target: of.target.clone(),
            revision: of.revision.clone(),
            pusher: by.cloned(),
            exceptions: self.exceptions(id)?,
            approvals: self.approvals(id)?,
            retry_of: Some(of.id),
        };
        self.record(&event, now)?;
        Ok(id)
    }

    /// Records who pushed the commits that some deployments carry out, where these were planned
    /// before that was known. Returns for which ones it is known only now.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn claim(
        &self,
        ids: &[DeploymentId],
        pusher: &Identity,
    ) -> Result<BTreeSet<DeploymentId>, Error> {
        let mut claimed = BTreeSet::new();
        for id in ids {
            let changed = self.execute(
                "UPDATE deployments SET pusher = ?, pusher_known_by = ?
                 WHERE id = ? AND pusher IS NULL AND retry_of IS NULL",
                params![pusher.name, pusher.evidence.as_str(), id.0],
            )?;
            if changed > 0 {
                claimed.insert(*id);
            }
        }
        Ok(claimed)
    }
}
