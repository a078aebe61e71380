//! What a push would do, for the people who review it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::json::freeze_as_text;
use crate::deploy_repository::DeployRepository;
use crate::git;
use crate::id::{Application, DeploymentId, Environment, Revision, Target};
use crate::plan::{Judgement, Plan};
use crate::policy::{
    Approval, Commit, Commits, Facts, Freeze, Gate, Objection, Pass, UncountedReason, freeze_of,
};
use crate::status::Status;
use crate::store::{self, Reader};
use crate::time::Timestamp;

/// How many of the commits gained are named, and how many of those lost.
const COMMITS_MAX: usize = 10;

/// A commit of an application. The keys are stable.
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

/// What one rule says. The keys are stable.
#[derive(Debug, Serialize)]
pub struct GateRow {
    /// The rule.
    pub rule: &'static str,
    /// Whether the rule allows the deployment.
    pub allowed: bool,
    /// Why.
    pub message: Option<String>,
    /// What to do if the rule refuses.
    pub hint: Option<String>,
}

/// A deployment that goes first. The keys are stable.
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
    /// Stop wanting it.
    Retire,
    /// Nothing, since it would be refused.
    Refuse,
}

/// What a push would do with one application in one environment. The keys are stable.
#[derive(Debug, Serialize)]
pub struct PlanRow {
    /// The environment.
    pub environment: Environment,
    /// The application.
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
    /// The folder of the repository that is deployed; null: it is all of it.
    pub subdirectory: Option<String>,
    /// How many of the commits gained change something in this folder.
    pub gained_in_subdirectory: Option<u64>,
    /// How many of the commits lost change something in this folder.
    pub lost_in_subdirectory: Option<u64>,
    /// The newest of the commits gained. Where a folder is deployed, they are the newest of those
    /// in it.
    pub gained_commits: Vec<CommitRow>,
    /// The newest of the commits lost, likewise.
    pub lost_commits: Vec<CommitRow>,
    /// What the rules say, as far as they have something to say.
    pub gates: Vec<GateRow>,
    /// Who approved it, as far as these approvals are enough.
    pub approvals: Vec<Approval>,
    /// Why the environment is frozen, if it is.
    #[serde(serialize_with = "freeze_as_text")]
    pub frozen: Option<Freeze>,
    /// What is queued or running in the environment and goes first.
    pub waits_for: Vec<WaitingRow>,
    /// The applications of the same push that go first.
    pub after: Vec<Application>,
    /// What the person who merges it should know.
    pub warnings: Vec<String>,
}

impl CommitRow {
    pub(super) fn of(commit: &Commit) -> Self {
        Self {
            id: commit.id.clone(),
            author: commit.author.clone(),
            committed_at: commit.committed_at,
            subject: commit.subject.clone(),
        }
    }
}

impl GateRow {
    /// A row of a rule's answer; `None`: the rule has nothing to say.
    fn of(gate: &Gate) -> Option<Self> {
        let (allowed, message, hint) = match &gate.answer {
            Ok(Pass { note, .. }) => (true, note.clone()?, None),
            Err(Objection { message, hint, .. }) => (false, message.clone(), Some(hint.clone())),
        };
        Some(Self {
            rule: gate.rule,
            allowed,
            message: Some(message),
            hint,
        })
    }
}

impl WaitingRow {
    fn of(deployment: &store::Deployment) -> Self {
        Self {
            id: deployment.id,
            application: deployment.target.application.clone(),
            status: deployment.status,
        }
    }
}

/// How many commits are in the folder that is deployed; `None`: it is the whole repository.
fn in_folder(commits: Option<&Commits>) -> Option<u64> {
    Some(commits?.in_folder.as_ref()?.count)
}

fn newest(commits: Option<&Commits>) -> Vec<CommitRow> {
    let newest = commits.map_or(&[][..], |commits| &commits.newest);
    newest.iter().take(COMMITS_MAX).map(CommitRow::of).collect()
}

/// Makes a row for each application that a plan is about.
///
/// # Errors
/// The state can't be read.
pub fn plan_rows(
    deploy: &DeployRepository,
    record: Option<&Reader<'_>>,
    plan: &Plan,
    facts: &Facts,
) -> Result<Vec<PlanRow>, store::Error> {
    let sources = Sources {
        deploy,
        record,
        plan,
        facts,
    };

    let mut rows = Vec::new();
    for judged in &plan.judgements {
        let Some(target) = &judged.target else {
            continue;
        };
        if let Some(action) = sources.action(judged, target) {
            rows.push(sources.row(judged, target, action)?);
        }
    }
    Ok(rows)
}

/// What the rows are made from.
struct Sources<'s> {
    deploy: &'s DeployRepository,
    record: Option<&'s Reader<'s>>,
    plan: &'s Plan,
    facts: &'s Facts,
}

impl Sources<'_> {
    /// What would be done with an application; `None`: there is no row for it.
    fn action(&self, judged: &Judgement, target: &Target) -> Option<Action> {
        let is_refused = judged.gates.iter().any(|gate| gate.answer.is_err());
        if is_refused {
            // A file that asks for nothing is refused as a file, by its path.
            return judged.to.as_ref().map(|_| Action::Refuse);
        }

        let mut deployments = self.plan.deployments.iter();
        if let Some(planned) = deployments.find(|planned| planned.target() == target) {
            return Some(if planned.is_redeploy() {
                Action::Redeploy
            } else {
                Action::Deploy
            });
        }
        let mut retirements = self.plan.retirements.iter();
        retirements
            .any(|retired| retired.target == *target)
            .then_some(Action::Retire)
    }

    fn row(
        &self,
        judged: &Judgement,
        target: &Target,
        action: Action,
    ) -> Result<PlanRow, store::Error> {
        let ends = judged.from.as_ref().zip(judged.to.as_ref());
        let compared = ends.and_then(|(from, to)| self.compare(target, from, to));
        let (gained, lost) = compared.unzip();

        let section = self.deploy.config.environment(&target.environment);
        let by_hand = self.facts.freezes.get(&target.environment);
        let frozen = freeze_of(&section, by_hand, self.facts.now);

        let open = self
            .record
            .map(|record| record.open_deployments(&target.environment));
        let open = open.transpose()?.unwrap_or_default();

        Ok(PlanRow {
            environment: target.environment.clone(),
            application: target.application.clone(),
            action,
            from: judged.from.clone(),
            to: judged.to.clone(),
            gained: gained.as_ref().map(|commits| commits.count),
            lost: lost.as_ref().map(|commits| commits.count),
            subdirectory: self.deploy.subdirectory(target),
            gained_in_subdirectory: in_folder(gained.as_ref()),
            lost_in_subdirectory: in_folder(lost.as_ref()),
            gained_commits: newest(gained.as_ref()),
            lost_commits: newest(lost.as_ref()),
            gates: judged.gates.iter().filter_map(GateRow::of).collect(),
            approvals: passes(judged)
                .flat_map(|pass| pass.approvals.clone())
                .collect(),
            frozen,
            waits_for: open.iter().map(WaitingRow::of).collect(),
            after: self.goes_after(judged, target),
            warnings: passes(judged)
                .flat_map(|pass| pass.warnings.clone())
                .chain(self.unknown_trailers(target, action))
                .collect(),
        })
    }

    /// Warnings of trailers that this program does not know. A refusal names them itself.
    fn unknown_trailers(&self, target: &Target, action: Action) -> Vec<String> {
        let known = self.facts.targets.get(target);
        let known = known.filter(|_| action != Action::Refuse);
        let uncounted = known.map_or(&[][..], |known| &known.trailers.uncounted);
        uncounted
            .iter()
            .filter_map(UncountedReason::warning)
            .collect()
    }

    /// What the application's repository has between two revisions, both ways; `None`: there is no
    /// repository to ask, or it can't tell.
    fn compare(
        &self,
        target: &Target,
        from: &Revision,
        to: &Revision,
    ) -> Option<(Commits, Commits)> {
        let path = self.deploy.application_repository(target)?;
        let repository = git::open_application(&path).ok()?;
        let folder = self.deploy.subdirectory(target);
        let between =
            |from, to| git::commits_between(repository.path(), from, to, folder.as_deref()).ok();
        Some((between(from, to)?, between(to, from)?))
    }

    /// The applications of the plan that go before one, by the configuration and by what its
    /// commits declare.
    fn goes_after(&self, judged: &Judgement, target: &Target) -> Vec<Application> {
        let configured = self.deploy.config.settings(target).after;
        let declared = passes(judged).flat_map(|pass| pass.first.iter().cloned());
        let first: BTreeSet<Application> = configured.into_iter().chain(declared).collect();

        let is_planned = |name: &Application| {
            self.plan.deployments.iter().any(|planned| {
                planned.target().environment == target.environment
                    && planned.target().application == *name
            })
        };
        first.into_iter().filter(is_planned).collect()
    }
}

/// The answers of the rules that allow an application.
fn passes(judged: &Judgement) -> impl Iterator<Item = &Pass> {
    let answers = judged.gates.iter().map(|gate| gate.answer.as_ref());
    answers.filter_map(Result::ok)
}
