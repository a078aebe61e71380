//! Rows: one deployment, and one application in one environment.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::id::{Environment, Revision, Target};
use crate::policy::Exception;
use crate::status::Status;
use crate::store::{self, Deployment, Filter, Problem, Store};
use crate::sys::process::boot_id;
use crate::time::{Timestamp, show_duration};

/// A deployment for programs. The keys are stable.
#[derive(Debug, Serialize)]
pub struct DeploymentRow {
    /// Its number.
    pub id: i64,
    /// Its rollout's number.
    pub rollout: i64,
    /// Where.
    pub environment: String,
    /// What.
    pub application: String,
    /// To which revision.
    pub revision: String,
    /// What was deployed before.
    pub previous_revision: Option<String>,
    /// Where it stands.
    pub status: &'static str,
    /// Why, or a remark.
    pub reason: Option<String>,
    /// The commit of the deploy branch.
    pub deploy_commit: Option<String>,
    /// Who pushed.
    pub pusher: Option<String>,
    /// How that is known.
    pub pusher_known_by: Option<String>,
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
    pub rolled_back: Option<String>,
    /// The reasons by which it got past rules.
    pub exceptions: Vec<ExceptionRow>,
}

/// A reason by which a deployment got past a rule.
#[derive(Debug, Serialize)]
pub struct ExceptionRow {
    /// `rollback`, `release`, `override`, `alone` or `stale`.
    pub kind: &'static str,
    /// The reason that was given.
    pub reason: String,
}

impl DeploymentRow {
    /// Makes a row of a record.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn new(deployment: &Deployment, store: &Store) -> Result<Self, store::Error> {
        let text = |revision: &Option<Revision>| revision.as_ref().map(ToString::to_string);
        let log = store.log_file(deployment.id);
        let exceptions = store.read().exceptions(deployment.id)?;
        let exception = |exception: Exception| ExceptionRow {
            kind: exception.kind.as_str(),
            reason: exception.reason,
        };
        Ok(Self {
            id: deployment.id.0,
            rollout: deployment.rollout.0,
            environment: deployment.target.environment.to_string(),
            application: deployment.target.application.to_string(),
            revision: deployment.revision.to_string(),
            previous_revision: text(&deployment.previous_revision),
            status: deployment.status.as_str(),
            reason: deployment.reason.clone(),
            deploy_commit: text(&deployment.deploy_commit),
            pusher: deployment.pusher.clone(),
            pusher_known_by: deployment.pusher_known_by.clone(),
            author: deployment.author.clone(),
            queued_at: deployment.queued_at,
            started_at: deployment.started_at,
            finished_at: deployment.finished_at,
            exit_status: deployment.exit_status,
            log: log.exists().then(|| log.to_string_lossy().into_owned()),
            rolled_back: text(&deployment.rolled_back),
            exceptions: exceptions.into_iter().map(exception).collect(),
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

/// One application in one environment. The keys are stable.
#[derive(Debug, Serialize)]
pub struct StatusRow {
    /// Where.
    pub environment: String,
    /// What.
    pub application: String,
    /// The revision in the deploy file at the branch's tip.
    pub wanted: Option<String>,
    /// The revision of the last deployment that succeeded.
    pub deployed: Option<String>,
    /// The newest deployment's status; `retired`, or `problem` where the deploy file can't be
    /// deployed; null where there was never one.
    pub status: Option<&'static str>,
    /// The newest deployment's number.
    pub deployment: Option<i64>,
    /// Since when that is so.
    pub since: Option<Timestamp>,
    /// Who pushed it.
    pub pusher: Option<String>,
    /// The revision that was gone back from last and is held back, until somebody releases it.
    pub rolled_back: Option<String>,
    /// Why the environment is frozen, if it is.
    pub frozen: Option<String>,
    /// Words for people where the status alone does not say it.
    #[serde(skip)]
    pub remark: Option<String>,
    /// The same for revisions that are held back.
    #[serde(skip)]
    pub holds: Vec<String>,
}

/// The rows of every application that is wanted or was ever deployed.
///
/// # Errors
/// The state can't be read.
pub fn status_rows(
    store: &Store,
    wanted: &BTreeMap<Target, Revision>,
    freezes: &BTreeMap<Environment, String>,
    filter: &Filter,
) -> Result<Vec<StatusRow>, store::Error> {
    let state = store.read();
    let newest = state.newest()?;
    let retired: BTreeMap<Target, _> = state
        .retirements()?
        .into_iter()
        .map(|retired| (retired.target.clone(), retired))
        .collect();
    let problems = state.problems()?;
    let targets: BTreeSet<&Target> = wanted
        .keys()
        .chain(newest.keys())
        .chain(retired.keys())
        .collect();
    let mut rows = Vec::new();
    for target in targets
        .into_iter()
        .filter(|target| filter.lets_through(target))
    {
        let deployed = state.deployed(target)?;
        let mut row = StatusRow {
            environment: target.environment.to_string(),
            application: target.application.to_string(),
            wanted: wanted.get(target).map(ToString::to_string),
            deployed: deployed.map(|deployed| deployed.revision.to_string()),
            status: None,
            deployment: None,
            since: None,
            pusher: None,
            rolled_back: None,
            frozen: freezes.get(&target.environment).cloned(),
            remark: None,
            holds: Vec::new(),
        };
        if let Some(newest) = newest.get(target) {
            row.status = Some(newest.status.as_str());
            row.deployment = Some(newest.id.0);
            row.since = newest
                .finished_at
                .or(newest.started_at)
                .or(Some(newest.queued_at));
            row.pusher.clone_from(&newest.pusher);
            row.remark = remark(newest);
            for (by, from, reason) in state.holds(target)? {
                row.rolled_back.get_or_insert_with(|| from.to_string());
                row.holds.push(format!(
                    "{} was rolled back by {by}: {reason}",
                    from.short()
                ));
            }
        }
        if let Some(retired) = retired.get(target) {
            row.status = Some("retired");
            row.since = Some(retired.retired_at);
            row.pusher.clone_from(&retired.pusher);
            row.remark = None;
        } else if problems.iter().any(|problem| is_about(problem, target)) {
            row.status = Some("problem");
        }
        rows.push(row);
    }
    Ok(rows)
}

fn is_about(problem: &Problem, target: &Target) -> bool {
    let file = format!("{target}{}", crate::deployfile::EXTENSION);
    problem.path == file.as_bytes() || problem.path.ends_with(format!("/{file}").as_bytes())
}

fn remark(newest: &Deployment) -> Option<String> {
    match newest.status {
        Status::Succeeded => newest.reason.clone(),
        Status::Failed | Status::Skipped | Status::Cancelled | Status::Interrupted => {
            Some(outcome_line(newest))
        }
        Status::Queued => newest
            .reason
            .as_ref()
            .map(|reason| format!("queued: {reason}")),
        Status::Running | Status::Superseded => None,
    }
}

/// A deployment that is running on record, though no runner looks after it.
#[derive(Debug, Clone)]
pub struct Unwatched {
    /// The deployment.
    pub deployment: Deployment,
    /// Whether something that its command started still runs, and holds the environment.
    pub is_alive: bool,
}

/// The deployments that are running on record, though their runner is dead.
///
/// # Errors
/// The state can't be read.
pub fn unwatched(store: &Store, filter: &Filter) -> Result<Vec<Unwatched>, store::Error> {
    let boot_id = boot_id().unwrap_or_default();
    let mut running = Vec::new();
    for environment in store.read().busy_environments()? {
        running.extend(store.read().open_deployments(&environment)?);
    }
    running.retain(|deployment| {
        deployment.status == Status::Running
            && filter.lets_through(&deployment.target)
            && !is_supervised(deployment, &boot_id)
    });
    let look = |deployment: Deployment| {
        let run = deployment.run.as_ref().filter(|run| run.boot_id == boot_id);
        let is_alive = run.is_some_and(|run| run.tree(deployment.id, store.folder()).is_alive());
        Unwatched {
            deployment,
            is_alive,
        }
    };
    Ok(running.into_iter().map(look).collect())
}

/// Whether a runner is at work in an environment: one that looks after a deployment.
///
/// # Errors
/// The state can't be read.
pub fn has_runner(store: &Store, environment: &Environment) -> Result<bool, store::Error> {
    let boot_id = boot_id().unwrap_or_default();
    Ok(store
        .read()
        .open_deployments(environment)?
        .iter()
        .any(|deployment| is_supervised(deployment, &boot_id)))
}

/// Whether the runner that carries a deployment out is alive.
fn is_supervised(deployment: &Deployment, boot_id: &str) -> bool {
    deployment
        .run
        .as_ref()
        .is_some_and(|run| run.boot_id == boot_id && run.runner.is_alive())
}
