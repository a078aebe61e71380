//! What the planner writes, all of it in the transaction that moves the cursor.

use rusqlite::params;

use super::error::Error;
use super::reader::Reader;
use super::rows::{COLUMNS, Deployment, Outcome, identity_at, read, revision_at, target_at};
use super::transaction::Transaction;
use crate::event::Event;
use crate::id::{DeploymentId, Revision, RolloutId, Target};
use crate::identity::Identity;
use crate::plan;
use crate::policy::{ExceptionKind, Refusal};
use crate::status::Status;
use crate::time::Timestamp;

/// Up to where the deploy branch was planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The branch's full name.
    pub branch: String,
    /// The commit; `None`: the branch did not exist.
    pub commit: Option<Revision>,
}

/// Where a deployment comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The commit of the deploy branch that asked for it.
    pub deploy_commit: Revision,
    /// Who wrote that commit, as it claims.
    pub author: String,
    /// Who pushed it, where that is known.
    pub pusher: Option<Identity>,
}

/// A deployment that was just recorded, and what it took the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enqueued {
    /// Its number.
    pub id: DeploymentId,
    /// The waiting ones that it superseded.
    pub superseded: Vec<Deployment>,
}

/// An application that is not wanted in an environment any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// What and where.
    pub target: Target,
    /// Who pushed the deletion.
    pub pusher: Option<Identity>,
    /// When it was recorded.
    pub retired_at: Timestamp,
}

/// Something on the deploy branch that can't be deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong where, and what to do.
    pub refusal: Refusal,
    /// When it was found.
    pub found_at: Timestamp,
}

/// What could not be deployed because the server stood in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The deploy file's path.
    pub path: Vec<u8>,
    /// Where the branch was before the change.
    pub since: Option<Revision>,
    /// Who pushed it.
    pub pusher: Option<Identity>,
}

/// Reads `path, message, hint, is_fault`.
fn refusal(row: &rusqlite::Row<'_>) -> rusqlite::Result<Refusal> {
    Ok(Refusal {
        path: row.get(0)?,
        message: row.get(1)?,
        hint: row.get(2)?,
        is_fault: row.get(3)?,
    })
}

impl Reader<'_> {
    /// Where the planner stands; `None`: it never ran and nothing was installed.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn cursor(&self) -> Result<Option<Cursor>, Error> {
        let cursor = self.first("SELECT branch, commit_id FROM cursor", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?))
        })?;
        let Some((branch, commit)) = cursor else {
            return Ok(None);
        };
        let commit = commit.map(Revision::new).transpose();
        let commit =
            commit.map_err(|_| Error::Damaged("the cursor is no commit hash".to_owned()))?;
        Ok(Some(Cursor { branch, commit }))
    }

    /// What could not be deployed because the server stood in the way.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn faults(&self) -> Result<Vec<Fault>, Error> {
        self.query(
            "SELECT path, since_commit, pusher, pusher_known_by FROM problems WHERE is_fault = 1",
            [],
            |row| {
                Ok(Fault {
                    path: row.get(0)?,
                    since: revision_at(row, 1)?,
                    pusher: identity_at(row, 2, 3)?,
                })
            },
        )
    }

    /// Whether something is wrong with a path.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn has_problem(&self, path: &[u8]) -> Result<bool, Error> {
        Ok(self
            .first("SELECT 1 FROM problems WHERE path = ?", [path], |_| Ok(()))?
            .is_some())
    }

    /// What can't be deployed, in the order of the paths.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn problems(&self) -> Result<Vec<Problem>, Error> {
        self.query(
            "SELECT path, message, hint, is_fault, found_at_ms FROM problems ORDER BY path",
            [],
            |row| {
                Ok(Problem {
                    refusal: refusal(row)?,
                    found_at: Timestamp::from_ms(row.get(4)?),
                })
            },
        )
    }

    /// What is retired.
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

    /// The deployments that were planned together from just this range of the deploy branch, the
    /// last time that it was planned.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn deployments_of_range(
        &self,
        old: Option<&Revision>,
        new: &Revision,
    ) -> Result<Vec<Deployment>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM deployments WHERE retry_of IS NULL AND rollout =
                 (SELECT MAX(id) FROM rollouts WHERE old_commit IS ? AND new_commit = ?) ORDER BY id"
        );
        self.query(&sql, params![old.map(Revision::as_str), new.as_str()], read)
    }

    /// The problems that were found in just this state of the deploy branch.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn problems_of(&self, commit: &Revision) -> Result<Vec<Refusal>, Error> {
        self.query(
            "SELECT path, message, hint, is_fault FROM problems WHERE commit_id = ? ORDER BY path",
            [commit.as_str()],
            refusal,
        )
    }

    /// What was retired by some commits of the deploy branch; `None`: by its deletion.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn retirements_of(&self, commits: Option<&[Revision]>) -> Result<Vec<Target>, Error> {
        let sql = "SELECT environment, application FROM retirements WHERE deploy_commit IS ? ORDER BY environment, application";
        let mut found = Vec::new();
        match commits {
            None => found.extend(self.query(sql, [None::<&str>], |row| target_at(row, 0))?),
            Some(commits) => {
                for commit in commits {
                    found.extend(self.query(sql, [commit.as_str()], |row| target_at(row, 0))?);
                }
            }
        }
        Ok(found)
    }

    /// The deployments that some commits of the deploy branch asked for.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn deployments_of(&self, commits: &[Revision]) -> Result<Vec<Deployment>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM deployments WHERE deploy_commit = ? AND retry_of IS NULL ORDER BY id"
        );
        let mut found = Vec::new();
        for commit in commits {
            found.extend(self.query(&sql, [commit.as_str()], read)?);
        }
        found.sort_by_key(|deployment| deployment.id);
        Ok(found)
    }
}

impl Transaction<'_> {
    /// Everything up to a commit of a branch is planned.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn move_cursor(&self, branch: &str, commit: Option<&Revision>) -> Result<(), Error> {
        let sql = "INSERT INTO cursor (id, branch, commit_id) VALUES (1, ?, ?)
             ON CONFLICT (id) DO UPDATE SET branch = excluded.branch, commit_id = excluded.commit_id";
        self.execute(sql, params![branch, commit.map(Revision::as_str)])?;
        Ok(())
    }

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
        self.execute(
            sql,
            params![
                old.map(Revision::as_str),
                new.map(Revision::as_str),
                now.as_ms()
            ],
        )?;
        Ok(RolloutId(self.last_id()))
    }

    /// Records a deployment, and that waiting ones of the same application give way where it says
    /// so. It ends a retirement.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn enqueue(
        &self,
        rollout: RolloutId,
        planned: &plan::Deployment,
        source: &Source,
        now: Timestamp,
    ) -> Result<Enqueued, Error> {
        let (environment, application) = (
            planned.target().environment.as_str(),
            planned.target().application.as_str(),
        );
        let deployed = self
            .deployed(planned.target())?
            .map(|deployed| deployed.revision);
        self.execute(
            "INSERT INTO deployments (rollout, environment, application, revision, previous_revision, status, deploy_commit, pusher,
                 author, queued_at_ms, rolled_back, overrides_freeze, reason, pusher_known_by)
             VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                rollout.0,
                environment,
                application,
                planned.revision().as_str(),
                deployed.as_ref().map(Revision::as_str),
                source.deploy_commit.as_str(),
                source.pusher.as_ref().map(|pusher| &pusher.name),
                source.author,
                now.as_ms(),
                planned.rolled_back().map(Revision::as_str),
                planned.exceptions().iter().any(|exception| exception.kind == ExceptionKind::Override),
                planned.waits(),
                source.pusher.as_ref().map(|pusher| pusher.evidence.as_str())
            ],
        )?;
        let id = DeploymentId(self.last_id());
        self.add_details(id, planned)?;
        let event = Event::Planned {
            deployment: id,
            target: planned.target().clone(),
            revision: planned.revision().clone(),
            pusher: source.pusher.clone(),
            exceptions: planned.exceptions().to_vec(),
            retry_of: None,
        };
        self.record(&event, now)?;
        self.execute(
            "DELETE FROM retirements WHERE environment = ? AND application = ?",
            [environment, application],
        )?;
        let superseded = if planned.supersedes() {
            self.supersede(planned.target(), id, now)?
        } else {
            Vec::new()
        };
        Ok(Enqueued { id, superseded })
    }

    /// Waiting deployments of an application give way to a newer one; also those of retries.
    fn supersede(
        &self,
        target: &Target,
        by: DeploymentId,
        now: Timestamp,
    ) -> Result<Vec<Deployment>, Error> {
        let (environment, application) = (target.environment.as_str(), target.application.as_str());
        let sql = format!(
            "SELECT {COLUMNS} FROM deployments
             WHERE environment = ? AND application = ? AND status IN ('queued', 'running') AND status = 'queued' AND id < ?"
        );
        let waiting = self.query(&sql, params![environment, application, by.0], read)?;
        for deployment in &waiting {
            self.execute(
                "UPDATE deployments SET status = 'superseded', reason = ?, superseded_by = ?, finished_at_ms = ?,
                     finish_order = (SELECT COALESCE(MAX(finish_order), 0) + 1 FROM deployments)
                 WHERE id = ? AND status = 'queued'",
                params![format!("by {by}"), by.0, now.as_ms(), deployment.id.0],
            )?;
            self.became(deployment.id, Status::Superseded, None, now)?;
        }
        Ok(waiting)
    }

    /// Moves waiting deployments into another rollout.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn move_to_rollout(&self, id: DeploymentId, rollout: RolloutId) -> Result<(), Error> {
        self.execute(
            "UPDATE deployments SET rollout = ? WHERE id = ? AND status = 'queued'",
            params![rollout.0, id.0],
        )?;
        Ok(())
    }

    /// Records that an application is not wanted any more, and cancels what waits of it.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn retire(
        &self,
        target: &Target,
        deploy_commit: Option<&Revision>,
        pusher: Option<&Identity>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (environment, application) = (target.environment.as_str(), target.application.as_str());
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
                deploy_commit.map(Revision::as_str),
                pusher.map(|pusher| &pusher.name),
                pusher.map(|pusher| pusher.evidence.as_str()),
                now.as_ms()
            ],
        )?;
        let event = Event::Retired {
            target: target.clone(),
            pusher: pusher.cloned(),
        };
        self.record(&event, now)?;

        let waiting = self.open_deployments(&target.environment)?;
        let of_it = |deployment: &Deployment| {
            deployment.target == *target
                && !deployment.status.has_ended()
                && deployment.run.is_none()
        };
        let waiting: Vec<Deployment> = waiting.into_iter().filter(of_it).collect();
        for deployment in &waiting {
            let outcome = Outcome::new(Status::Cancelled, "retired");
            // Inside of this transaction nobody can be faster.
            let _ = self.finish(deployment.id, &outcome, now)?;
        }
        Ok(())
    }

    /// Records what can't be deployed, in place of what was known of that path. Says whether that is
    /// news: it was not known, or the range touches the path. `since` is where the branch was
    /// before, unless it is known from earlier.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn set_problem(
        &self,
        refusal: &Refusal,
        (since, commit): (Option<&Revision>, Option<&Revision>),
        pusher: Option<&Identity>,
        is_touched: bool,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let same = "SELECT 1 FROM problems WHERE path = ? AND message = ?";
        let known = self.first(same, params![refusal.path, refusal.message], |_| Ok(()))?;
        self.execute(
            "INSERT INTO problems (path, message, hint, commit_id, found_at_ms, is_fault, since_commit, pusher,
                 pusher_known_by)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET message = excluded.message, hint = excluded.hint, commit_id = excluded.commit_id,
                 found_at_ms = excluded.found_at_ms, is_fault = excluded.is_fault, pusher = COALESCE(excluded.pusher, pusher),
                 pusher_known_by = COALESCE(excluded.pusher_known_by, pusher_known_by),
                 since_commit = CASE WHEN is_fault THEN since_commit ELSE excluded.since_commit END",
            params![
                refusal.path,
                refusal.message,
                refusal.hint,
                commit.map(Revision::as_str),
                now.as_ms(),
                refusal.is_fault,
                since.map(Revision::as_str),
                pusher.map(|pusher| &pusher.name),
                pusher.map(|pusher| pusher.evidence.as_str())
            ],
        )?;
        let is_news = known.is_none() || is_touched;
        if is_news {
            let event = Event::Problem {
                path: String::from_utf8_lossy(&refusal.path).into_owned(),
                message: refusal.message.clone(),
            };
            self.record(&event, now)?;
        }
        Ok(is_news)
    }

    /// Nothing is wrong with a path any more.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn clear_problem(&self, path: &[u8]) -> Result<(), Error> {
        self.execute("DELETE FROM problems WHERE path = ?", [path])?;
        Ok(())
    }

    /// Says who pushed what some deployments carry out, where it was planned before that was known.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn claim(&self, ids: &[DeploymentId], pusher: &Identity) -> Result<(), Error> {
        for id in ids {
            let sql = "UPDATE deployments SET pusher = ?, pusher_known_by = ? WHERE id = ? AND pusher IS NULL AND retry_of IS NULL";
            self.execute(sql, params![pusher.name, pusher.evidence.as_str(), id.0])?;
        }
        Ok(())
    }
}
