//! Rows: one deployment, and one application in one environment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};

use crate::id::{Application, DeploymentId, Environment, Revision, RolloutId, Target};
use crate::identity::Evidence;
use crate::policy::{Exception, Freeze};
use crate::status::Status;
use crate::store::{self, Deployment, Filter, Problem, Reader};
use crate::time::{Timestamp, show_duration};

/// A deployment for programs. The keys are stable.
#[derive(Debug, Serialize)]
pub struct DeploymentRow {
    /// Its number.
    pub id: DeploymentId,
    /// Its rollout's number.
    pub rollout: RolloutId,
    /// Where.
    pub environment: Environment,
    /// What.
    pub application: Application,
    /// To which revision.
    pub revision: Revision,
    /// What was deployed before.
    pub previous_revision: Option<Revision>,
    /// Where it stands.
    pub status: Status,
    /// Why, or a remark.
    pub reason: Option<String>,
    /// The commit of the deploy branch.
    pub deploy_commit: Option<Revision>,
    /// Who pushed.
    pub pusher: Option<String>,
    /// How that is known, where it was recorded.
    pub pusher_known_by: Option<Evidence>,
    /// Who wrote the commit.
    pub author: Option<String>,
    /// When it was recorded.
    pub queued_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The command's exit status.
    pub exit_status: Option<i32>,
    /// The log file, once there is one.
    pub log: Option<String>,
    /// For a rollback, the revision that was gone back from.
    pub rolled_back: Option<Revision>,
    /// The reasons by which it got past rules.
    pub exceptions: Vec<Exception>,
}

impl DeploymentRow {
    /// Makes a row of a record.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn new(deployment: &Deployment, record: &Reader<'_>) -> Result<Self, store::Error> {
        let log = record.log_file(deployment.id);
        let pusher = deployment.pusher.clone();
        let evidence = pusher.as_ref().map(|pusher| pusher.evidence);

        Ok(Self {
            id: deployment.id,
            rollout: deployment.rollout,
            environment: deployment.target.environment.clone(),
            application: deployment.target.application.clone(),
            revision: deployment.revision.clone(),
            previous_revision: deployment.previous_revision.clone(),
            status: deployment.status,
            reason: deployment.reason.clone(),
            deploy_commit: deployment.deploy_commit.clone(),
            pusher: pusher.map(|pusher| pusher.name),
            pusher_known_by: evidence.filter(|evidence| *evidence != Evidence::Unrecorded),
            author: deployment.author.clone(),
            queued_at: deployment.queued_at,
            started_at: deployment.started_at,
            finished_at: deployment.finished_at,
            exit_status: deployment.exit_status,
            log: log.exists().then(|| log.to_string_lossy().into_owned()),
            rolled_back: deployment.rolled_back.clone(),
            exceptions: record.exceptions(deployment.id)?,
        })
    }
}

/// How a deployment ended, in words: `succeeded in 3 s`, `failed: exit status 7`.
#[must_use]
pub fn outcome_line(deployment: &Deployment) -> String {
    let lasted = deployment
        .started_at
        .zip(deployment.finished_at)
        .map(|(start, end)| show_duration(end.since(start)));
    match (deployment.status, &deployment.reason, lasted) {
        (Status::Succeeded, None, Some(lasted)) => format!("succeeded in {lasted}"),
        (Status::Succeeded, Some(remark), Some(lasted)) => {
            format!("succeeded in {lasted}: {remark}")
        }
        (status, Some(reason), _) => format!("{status}: {reason}"),
        (status, None, _) => status.to_string(),
    }
}

/// How an application stands in an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As its newest deployment.
    Deployment(Status),
    /// Its deploy file was deleted.
    Retired,
    /// Its deploy file can't be deployed.
    Problem,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deployment(status) => status.fmt(f),
            Self::Retired => f.pad("retired"),
            Self::Problem => f.pad("problem"),
        }
    }
}

impl Serialize for Standing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A revision that a rollback took away, and that nobody released since.
#[derive(Debug)]
pub struct HoldRow {
    /// The rollback.
    pub by: DeploymentId,
    /// The revision that was gone back from.
    pub from: Revision,
    /// The reason that was given.
    pub reason: String,
}

/// One application in one environment. The keys are stable.
#[derive(Debug, Serialize)]
pub struct StatusRow {
    /// Where.
    pub environment: Environment,
    /// What.
    pub application: Application,
    /// The revision in the deploy file at the branch's tip.
    pub wanted: Option<Revision>,
    /// The revision of the last deployment that succeeded.
    pub deployed: Option<Revision>,
    /// The newest deployment's status; `retired`, or `problem` where the deploy file can't be
    /// deployed; null where there was never one.
    pub status: Option<Standing>,
    /// The newest deployment's number.
    pub deployment: Option<DeploymentId>,
    /// Since when that is so.
    pub since: Option<Timestamp>,
    /// Who pushed it.
    pub pusher: Option<String>,
    /// The revision that was gone back from last and is held back, until somebody releases it.
    pub rolled_back: Option<Revision>,
    /// Why the environment is frozen, if it is.
    #[serde(serialize_with = "described")]
    pub frozen: Option<Freeze>,
    /// The newest deployment, for words where the status alone does not say it.
    #[serde(skip)]
    pub newest: Option<Deployment>,
    /// What rollbacks took away, the newest first.
    #[serde(skip)]
    pub holds: Vec<HoldRow>,
}

fn described<S: Serializer>(freeze: &Option<Freeze>, serializer: S) -> Result<S::Ok, S::Error> {
    freeze.as_ref().map(Freeze::describe).serialize(serializer)
}

/// The rows of every application that is wanted or was ever deployed.
///
/// # Errors
/// The state can't be read.
pub fn status_rows(
    record: &Reader<'_>,
    wanted: &BTreeMap<Target, Revision>,
    freezes: &BTreeMap<Environment, Freeze>,
    filter: &Filter,
) -> Result<Vec<StatusRow>, store::Error> {
    let mut newest = record.newest()?;
    let retired: BTreeMap<Target, _> = record
        .retirements()?
        .into_iter()
        .map(|retired| (retired.target.clone(), retired))
        .collect();
    let problems = record.problems()?;

    let targets: BTreeSet<Target> = wanted
        .keys()
        .chain(newest.keys())
        .chain(retired.keys())
        .filter(|target| filter.lets_through(target))
        .cloned()
        .collect();

    let mut rows = Vec::new();
    for target in targets {
        let deployed = record.deployed(&target)?;
        let mut row = StatusRow {
            environment: target.environment.clone(),
            application: target.application.clone(),
            wanted: wanted.get(&target).cloned(),
            deployed: deployed.map(|deployed| deployed.revision),
            status: None,
            deployment: None,
            since: None,
            pusher: None,
            rolled_back: None,
            frozen: freezes.get(&target.environment).cloned(),
            newest: None,
            holds: Vec::new(),
        };
        if let Some(newest) = newest.remove(&target) {
            row.add_newest(newest);
            row.add_holds(record.holds(&target)?);
        }

        if let Some(retired) = retired.get(&target) {
            row.status = Some(Standing::Retired);
            row.since = Some(retired.retired_at);
            row.pusher = retired.pusher.as_ref().map(|pusher| pusher.name.clone());
            row.newest = None;
        } else if problems.iter().any(|problem| is_about(problem, &target)) {
            row.status = Some(Standing::Problem);
        }
        rows.push(row);
    }
    Ok(rows)
}

impl StatusRow {
    /// Whether something else is wanted than what is deployed.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.wanted.is_some() && self.wanted != self.deployed
    }

    /// What it is about.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            environment: self.environment.clone(),
            application: self.application.clone(),
        }
    }

    fn add_newest(&mut self, newest: Deployment) {
        self.status = Some(Standing::Deployment(newest.status));
        self.deployment = Some(newest.id);
        self.since = newest
            .finished_at
            .or(newest.started_at)
            .or(Some(newest.queued_at));
        self.pusher = newest.pusher.as_ref().map(|pusher| pusher.name.clone());
        self.newest = Some(newest);
    }

    fn add_holds(&mut self, holds: Vec<(DeploymentId, Revision, String)>) {
        let row = |(by, from, reason)| HoldRow { by, from, reason };
        self.holds = holds.into_iter().map(row).collect();
        self.rolled_back = self.holds.first().map(|hold| hold.from.clone());
    }
}

fn is_about(problem: &Problem, target: &Target) -> bool {
    let file = format!("{target}{}", crate::deployfile::EXTENSION);
    let path = &problem.refusal.path;
    path == file.as_bytes() || path.ends_with(format!("/{file}").as_bytes())
}

/// Words for people where a status alone does not say it.
#[must_use]
pub fn remark(newest: &Deployment) -> Option<String> {
    match newest.status {
        Status::Succeeded => newest.reason.clone(),
        Status::Failed | Status::Skipped | Status::Cancelled | Status::Interrupted => {
            Some(outcome_line(newest))
        }
        Status::Queued => {
            let reason = newest.reason.as_ref();
            reason.map(|reason| format!("queued: {reason}"))
        }
        Status::Running | Status::Superseded => None,
    }
}
