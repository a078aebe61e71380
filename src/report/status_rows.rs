//! One application in one environment, for people and for programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};

use super::deployment_row::{duration, ms, remark};
use super::hold_row::HoldRow;
use super::json::freeze_as_text;
use super::refusal::RefusalRow;
use crate::deploy_path::deploy_path;
use crate::deploy_repository::DeployRepository;
use crate::id::{Application, DeploymentId, Environment, Revision, RolloutId, Target};
use crate::phase::Phase;
use crate::policy::{Approval, Exception, Freeze};
use crate::status::Status;
use crate::store::{self, Deployment, Filter, Reader};
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
    /// Its newest deployment has not ended. More than that is not published.
    Pending,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deployment(status) => status.fmt(f),
            Self::Retired => f.pad("retired"),
            Self::Problem => f.pad("problem"),
            Self::Pending => f.pad("pending"),
        }
    }
}

impl Serialize for Standing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One application in one environment. The keys are stable.
#[derive(Debug, Serialize)]
pub struct StatusRow {
    /// The path of the deploy repository.
    pub repository: String,
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
    /// The number of its rollout.
    pub rollout: Option<RolloutId>,
    /// What it deploys, in one line.
    pub summary: Option<String>,
    /// Since when it has that status.
    pub since: Option<Timestamp>,
    /// How long it lasted, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Who pushed it.
    pub pusher: Option<String>,
    /// The phase that it is in, while it runs.
    pub phase: Option<Phase>,
    /// What people should know in addition to its status, in words.
    pub remark: Option<String>,
    /// Why the deploy file can't be deployed.
    pub problem: Option<RefusalRow>,
    /// The revision that the last rollback went back from and that is held back until somebody
    /// releases it.
    pub rolled_back: Option<Revision>,
    /// What rollbacks took away, the newest first.
    pub holds: Vec<HoldRow>,
    /// Why the environment is frozen, if it is.
    #[serde(serialize_with = "freeze_as_text")]
    pub frozen: Option<Freeze>,
    /// The deployment that holds the environment, because its runner died.
    pub held_by: Option<DeploymentId>,
    /// The reasons for which rules made exceptions for the newest deployment.
    pub exceptions: Vec<Exception>,
    /// Who approved it.
    pub approvals: Vec<Approval>,
    /// Whether it is known what is wanted: the deploy branch is there, and can be read.
    #[serde(skip)]
    pub is_wanted_known: bool,
    /// The newest deployment, unless the application is retired.
    #[serde(skip)]
    pub newest: Option<Deployment>,
}

/// Makes a row for each application that is wanted or was ever deployed. What dead runners hold is
/// left open: the processes are not looked at. `wanted`: `None` where that is not known. `newest`:
/// what [`Reader::newest`] says.
///
/// # Errors
/// The state can't be read.
pub fn status_rows(
    deploy: &DeployRepository,
    record: &Reader<'_>,
    wanted: Option<&BTreeMap<Target, Revision>>,
    freezes: &BTreeMap<Environment, Freeze>,
    mut newest: BTreeMap<Target, Deployment>,
    filter: &Filter,
) -> Result<Vec<StatusRow>, store::Error> {
    let retired: BTreeMap<Target, _> = record
        .retirements()?
        .into_iter()
        .map(|retired| (retired.target.clone(), retired))
        .collect();
    let problems = record.problems()?;
    let repository = deploy.repository.path().to_string_lossy();

    let targets: BTreeSet<Target> = wanted
        .into_iter()
        .flat_map(BTreeMap::keys)
        .chain(newest.keys())
        .chain(retired.keys())
        .filter(|target| filter.lets_through(target))
        .cloned()
        .collect();

    let shown = newest.values();
    let shown = shown.filter(|newest| filter.lets_through(&newest.target));
    let mut details = record.newest_details(shown.map(|newest| newest.id))?;

    let mut rows = Vec::new();
    for target in targets {
        let id = newest.get(&target).map(|newest| newest.id);
        let details = id.and_then(|id| details.remove(&id)).unwrap_or_default();
        let mut row = StatusRow {
            repository: repository.clone().into_owned(),
            environment: target.environment.clone(),
            application: target.application.clone(),
            wanted: wanted.and_then(|wanted| wanted.get(&target)).cloned(),
            is_wanted_known: wanted.is_some(),
            deployed: details.deployed,
            status: None,
            deployment: None,
            rollout: None,
            summary: None,
            since: None,
            duration_ms: None,
            pusher: None,
            phase: None,
            remark: None,
            problem: None,
            rolled_back: None,
            holds: Vec::new(),
            frozen: freezes.get(&target.environment).cloned(),
            held_by: None,
            exceptions: Vec::new(),
            approvals: Vec::new(),
            newest: None,
        };
        if let Some(newest) = newest.remove(&target) {
            row.deployment = Some(newest.id);
            row.rollout = Some(newest.rollout);
            row.holds = HoldRow::all(details.holds);
            row.exceptions = details.exceptions;
            row.approvals = details.approvals;
            row.rolled_back = row.holds.first().map(|hold| hold.revision.clone());
            if newest.status == Status::Running {
                row.phase = record.phases(newest.id)?.last().map(|last| last.phase);
            }
            row.newest = Some(newest).filter(|_| !retired.contains_key(&target));
        }

        if let Some(retired) = retired.get(&target) {
            row.status = Some(Standing::Retired);
            row.since = Some(retired.retired_at);
            row.pusher = retired.pusher.as_ref().map(|pusher| pusher.name.clone());
        } else {
            row.describe_newest();
            let file = || deploy_path(&deploy.config.root, &target).into_bytes();
            let mut problems = problems.iter();
            let problem = problems.find(|problem| problem.refusal.path == file());
            if let Some(problem) = problem {
                row.status = Some(Standing::Problem);
                row.problem = Some(RefusalRow::new(&problem.refusal));
            }
        }
        rows.push(row);
    }
    Ok(rows)
}

impl StatusRow {
    /// Whether the wanted revision is not the deployed one; `None`: it is not known what is wanted.
    #[must_use]
    pub fn is_due(&self) -> Option<bool> {
        let is_due = self.wanted.is_some() && self.wanted != self.deployed;
        self.is_wanted_known.then_some(is_due)
    }

    /// The application and its environment.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            environment: self.environment.clone(),
            application: self.application.clone(),
        }
    }

    /// Says what the newest deployment is, and how it went.
    fn describe_newest(&mut self) {
        let Some(newest) = &self.newest else { return };
        self.status = Some(Standing::Deployment(newest.status));
        self.summary.clone_from(&newest.summary);
        self.since = newest
            .finished_at
            .or(newest.started_at)
            .or(Some(newest.queued_at));
        self.duration_ms = duration(newest).map(ms);
        self.pusher = newest.pusher.as_ref().map(|pusher| pusher.name.clone());
        self.remark = remark(newest);
        if let (None, Some(phase)) = (&self.remark, self.phase)
            && phase != Phase::Command
        {
            self.remark = Some(format!("{}: {phase}", newest.status));
        }
    }
}
