//! One application in one environment, for people and for programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};

use super::json::freeze_as_text;
use crate::deployfile;
use crate::id::{Application, DeploymentId, Environment, Revision, Target};
use crate::policy::Freeze;
use crate::status::Status;
use crate::store::{self, Deployment, Filter, Problem, Reader};
use crate::time::Timestamp;

/// The status of an application in an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The status of its newest deployment.
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

/// A revision that a rollback took away and that nobody has released since.
#[derive(Debug)]
pub struct HoldRow {
    /// The rollback.
    pub by: DeploymentId,
    /// The revision that it went back from.
    pub from: Revision,
    /// The reason that was given for the rollback.
    pub reason: String,
}

/// One application in one environment. The keys are stable.
#[derive(Debug, Serialize)]
pub struct StatusRow {
    /// The environment.
    pub environment: Environment,
    /// The application.
    pub application: Application,
    /// The revision in the deploy file at the branch's tip.
    pub wanted: Option<Revision>,
    /// The revision of the last deployment that succeeded.
    pub deployed: Option<Revision>,
    /// The status of the newest deployment, or `retired`, or `problem` if the deploy file can't be
    /// deployed; null if there was never a deployment.
    pub status: Option<Standing>,
    /// The newest deployment's number.
    pub deployment: Option<DeploymentId>,
    /// Since when it has that status.
    pub since: Option<Timestamp>,
    /// Who pushed it.
    pub pusher: Option<String>,
    /// The revision that the last rollback went back from and that is held back until somebody
    /// releases it.
    pub rolled_back: Option<Revision>,
    /// Why the environment is frozen, if it is.
    #[serde(serialize_with = "freeze_as_text")]
    pub frozen: Option<Freeze>,
    /// The newest deployment, for what people should know in addition to the status.
    #[serde(skip)]
    pub newest: Option<Deployment>,
    /// What rollbacks took away, the newest first.
    #[serde(skip)]
    pub holds: Vec<HoldRow>,
}

/// Makes a row for each application that is wanted or was ever deployed.
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
    /// Whether the wanted revision is not the deployed one.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.wanted.is_some() && self.wanted != self.deployed
    }

    /// The application and its environment.
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

/// Whether a problem is about the deploy file of an application.
fn is_about(problem: &Problem, target: &Target) -> bool {
    let file = format!("{target}{}", deployfile::EXTENSION);
    let path = &problem.refusal.path;
    path == file.as_bytes() || path.ends_with(format!("/{file}").as_bytes())
}
