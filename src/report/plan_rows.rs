//! What a push would do, for those who review it.

use serde::{Serialize, Serializer};

use crate::deploy_repository::DeployRepository;
use crate::git;
use crate::id::{Application, DeploymentId, Environment, Revision, Target};
use crate::plan::{Judgement, Plan};
use crate::policy::{Commits, Facts, Freeze, Objection, Pass, freeze_of};
use crate::status::Status;
use crate::store::{self, Reader};
use crate::time::Timestamp;

/// How many commits are named each way.
const COMMITS_MAX: usize = 10;

/// A commit of an application.
#[derive(Debug, Serialize)]
pub struct CommitRow {
    /// Its hash.
    pub id: Revision,
    /// Its author's name.
    pub author: String,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// The first line of its message.
    pub subject: String,
}

/// What one rule says.
#[derive(Debug, Serialize)]
pub struct GateRow {
    /// The rule.
    pub rule: &'static str,
    /// Whether it allows.
    pub allowed: bool,
    /// Why.
    pub message: Option<String>,
    /// What to do, where it refuses.
    pub hint: Option<String>,
}

/// A deployment that goes first.
#[derive(Debug, Serialize)]
pub struct WaitingRow {
    /// Its number.
    pub id: DeploymentId,
    /// Its application.
    pub application: Application,
    /// Its status.
    pub status: Status,
}

/// What a push would do with an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Deploy another revision.
    Deploy,
    /// Deploy the same revision again.
    Redeploy,
    /// Want it no more.
    Retire,
    /// Nothing: it would be refused.
    Refuse,
}

/// What a push would do with one application in one environment. The keys are stable.
#[derive(Debug, Serialize)]
pub struct PlanRow {
    /// Where.
    pub environment: Environment,
    /// What.
    pub application: Application,
    /// What would be done.
    pub action: Action,
    /// What the deploy file asked for before.
    pub from: Option<Revision>,
    /// What it asks for.
    pub to: Option<Revision>,
    /// How many commits are gained.
    pub gained: Option<u64>,
    /// How many commits are lost.
    pub lost: Option<u64>,
    /// The newest of those gained.
    pub gained_commits: Vec<CommitRow>,
    /// The newest of those lost.
    pub lost_commits: Vec<CommitRow>,
    /// What each rule says that has something to say.
    pub gates: Vec<GateRow>,
    /// Why the environment is frozen, if it is.
    #[serde(serialize_with = "described")]
    pub frozen: Option<Freeze>,
    /// What is queued or running in the environment and goes first.
    pub waits_for: Vec<WaitingRow>,
    /// The applications of the same push that go first.
    pub after: Vec<Application>,
    /// What whoever merges it should know.
    pub warnings: Vec<String>,
}

fn described<S: Serializer>(freeze: &Option<Freeze>, serializer: S) -> Result<S::Ok, S::Error> {
    freeze.as_ref().map(Freeze::describe).serialize(serializer)
}

fn commits(commits: &Commits) -> Vec<CommitRow> {
    let row = |commit: &crate::policy::Commit| CommitRow {
        id: commit.id.clone(),
        author: commit.author.clone(),
        committed_at: commit.committed_at,
        subject: commit.subject.clone(),
    };
    commits.newest.iter().take(COMMITS_MAX).map(row).collect()
}

/// What an application's repository has between two revisions, both ways; `None`: there is nobody
/// to ask.
fn compare(
    deploy: &DeployRepository,
    target: &Target,
    from: &Revision,
    to: &Revision,
) -> Option<(Commits, Commits)> {
    let repository = git::open_application(&deploy.application_repository(target)?).ok()?;
    let between = |from, to| git::commits_between(repository.path(), from, to).ok();
    Some((between(from, to)?, between(to, from)?))
}

/// A row for each application that a plan is about.
///
/// # Errors
/// The state can't be read.
pub fn plan_rows(
    deploy: &DeployRepository,
    record: Option<&Reader<'_>>,
    plan: &Plan,
    facts: &Facts,
) -> Result<Vec<PlanRow>, store::Error> {
    let mut rows = Vec::new();
    for judged in &plan.judgements {
        let Some(target) = &judged.target else {
            continue;
        };
        let planned = plan
            .deployments
            .iter()
            .find(|deployment| deployment.target() == target);
        let action = match planned {
            // A file that asks for nothing is refused as a file, by its path.
            None if judged.to.is_none() && judged.gates.iter().any(|gate| gate.answer.is_err()) => {
                continue;
            }
            _ if judged.gates.iter().any(|gate| gate.answer.is_err()) => Action::Refuse,
            Some(planned) if planned.is_redeploy() => Action::Redeploy,
            Some(_) => Action::Deploy,
            None if plan
                .retirements
                .iter()
                .any(|retired| retired.target == *target) =>
            {
                Action::Retire
            }
            None => continue,
        };
        rows.push(row(deploy, record, plan, judged, target, action, facts)?);
    }
    Ok(rows)
}

/// The applications of a plan that go before one: what the configuration says, and what its commits
/// do.
fn goes_after(
    deploy: &DeployRepository,
    plan: &Plan,
    judged: &Judgement,
    target: &Target,
) -> Vec<Application> {
    let mut first = deploy
        .config
        .settings(target)
        .after
        .into_iter()
        .collect::<std::collections::BTreeSet<_>>();
    first.extend(
        judged
            .gates
            .iter()
            .filter_map(|gate| gate.answer.as_ref().ok())
            .flat_map(|pass| pass.first.iter().cloned()),
    );
    let is_planned = |name: &Application| {
        plan.deployments.iter().any(|planned| {
            planned.target().environment == target.environment
                && planned.target().application == *name
        })
    };
    first
        .iter()
        .filter(|name| is_planned(name))
        .cloned()
        .collect()
}

fn row(
    deploy: &DeployRepository,
    record: Option<&Reader<'_>>,
    plan: &Plan,
    judged: &Judgement,
    target: &Target,
    action: Action,
    facts: &Facts,
) -> Result<PlanRow, store::Error> {
    let ends = judged.from.as_ref().zip(judged.to.as_ref());
    let (gained, lost) = ends
        .and_then(|(from, to)| compare(deploy, target, from, to))
        .unzip();
    let section = deploy.config.environment(&target.environment);
    let frozen = freeze_of(&section, facts.freezes.get(&target.environment), facts.now);
    let open = record
        .map(|record| record.open_deployments(&target.environment))
        .transpose()?
        .unwrap_or_default();
    let waiting = |open: &store::Deployment| WaitingRow {
        id: open.id,
        application: open.target.application.clone(),
        status: open.status,
    };
    let gate = |gate: &crate::policy::Gate| match &gate.answer {
        Ok(Pass { note, .. }) => {
            let note = note.clone()?;
            Some(GateRow {
                rule: gate.rule,
                allowed: true,
                message: Some(note),
                hint: None,
            })
        }
        Err(Objection { message, hint, .. }) => Some(GateRow {
            rule: gate.rule,
            allowed: false,
            message: Some(message.clone()),
            hint: Some(hint.clone()),
        }),
    };
    let passes = judged
        .gates
        .iter()
        .filter_map(|gate| gate.answer.as_ref().ok());
    Ok(PlanRow {
        environment: target.environment.clone(),
        application: target.application.clone(),
        action,
        from: judged.from.clone(),
        to: judged.to.clone(),
        gained: gained.as_ref().map(|commits| commits.count),
        lost: lost.as_ref().map(|commits| commits.count),
        gained_commits: gained.as_ref().map(commits).unwrap_or_default(),
        lost_commits: lost.as_ref().map(commits).unwrap_or_default(),
        gates: judged.gates.iter().filter_map(gate).collect(),
        frozen,
        waits_for: open.iter().map(waiting).collect(),
        after: goes_after(deploy, plan, judged, target),
        warnings: passes.flat_map(|pass| pass.warnings.clone()).collect(),
    })
}
