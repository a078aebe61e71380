//! Judges candidates by every rule, and makes a plan of the answers.

use std::collections::BTreeSet;

use super::deployment::{PlannedDeployment, Retirement};
use super::judgement::Judgement;
use super::several::{refuse_abandoned, refuse_cycles};
use crate::candidate::{Candidate, Intent};
use crate::config::{Config, Queue};
use crate::id::{Revision, Target};
use crate::policy::{self, Facts, Newest, Refusal, Stage, TargetFacts, UncountedReason};

/// How many trailers are named that this program does not know.
const UNKNOWN_TRAILERS_MAX: usize = 10;

/// What follows from one range of the deploy branch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is deployed, in the order of the paths.
    pub deployments: Vec<PlannedDeployment>,
    /// What is retired, in the order of the paths.
    pub retirements: Vec<Retirement>,
    /// What must not be deployed, and why.
    pub refusals: Vec<Refusal>,
    /// The paths that changed without a refusal. An earlier problem of such a path is over.
    pub settled: Vec<Vec<u8>>,
    /// What the person who merges it should know: a path, and a line of text.
    pub warnings: Vec<(Vec<u8>, String)>,
    /// The answers of the rules to each change, in the order of the paths.
    pub judgements: Vec<Judgement>,
}

/// Judges every candidate by every rule.
#[must_use]
pub fn decide(config: &Config, candidates: &[Candidate], facts: &Facts) -> Plan {
    let mut plan = Plan::default();
    match policy::judge_branch(config, facts) {
        Ok(()) => plan.settled.push(facts.branch.as_bytes().to_vec()),
        Err(refusal) => plan.refusals.push(refusal),
    }

    let judgement = |candidate: &Candidate| Judgement {
        path: candidate.change.path.clone(),
        target: candidate.target.clone(),
        from: candidate.from.clone(),
        to: candidate.revision().cloned(),
        gates: policy::judge(config, candidate, candidates, facts),
    };
    let mut judgements: Vec<Judgement> = candidates.iter().map(judgement).collect();

    refuse_cycles(config, &mut judgements, facts);
    if facts.stage == Stage::After {
        refuse_abandoned(&mut judgements);
    }

    for (candidate, judged) in candidates.iter().zip(judgements) {
        add(&mut plan, config, candidate, &judged, facts);
        plan.judgements.push(judged);
    }
    if plan.refusals.is_empty() {
        plan.warnings.extend(unknown_trailers(candidates, facts));
    }
    plan
}

/// Adds to the plan what follows from one candidate.
fn add(plan: &mut Plan, config: &Config, candidate: &Candidate, judged: &Judgement, facts: &Facts) {
    let path = &candidate.change.path;
    let refusals = judged.objections().map(|objection| objection.at(path));
    plan.refusals.extend(refusals);
    if judged.is_refused() {
        return;
    }

    let known = candidate
        .target
        .as_ref()
        .and_then(|target| facts.targets.get(target));
    if settles(candidate, known) {
        plan.settled.push(path.clone());
    }
    let warnings = judged.passes().flat_map(|pass| &pass.warnings);
    plan.warnings
        .extend(warnings.map(|warning| (path.clone(), warning.clone())));

    let Some(target) = &candidate.target else {
        return;
    };
    match &candidate.intent {
        Intent::Deploy(revision) | Intent::Redeploy(revision) => {
            let deployment = deployment(config, candidate, target, revision, judged, facts);
            plan.deployments.push(deployment);
        }
        Intent::Retire => plan.retirements.push(Retirement {
            path: path.clone(),
            target: target.clone(),
            exceptions: judged.exceptions(),
            approvals: judged.approvals(),
        }),
        Intent::Nothing | Intent::Unclear => {}
    }
}

/// The trailers that this program does not know, each once, with the first file that its commit
/// touches.
fn unknown_trailers(candidates: &[Candidate], facts: &Facts) -> Vec<(Vec<u8>, String)> {
    let mut named = BTreeSet::new();
    let mut warnings = Vec::new();
    for candidate in candidates {
        let known = candidate.target.as_ref();
        let known = known.and_then(|target| facts.targets.get(target));
        let uncounted = known.map_or(&[][..], |known| &known.trailers.uncounted);
        for warning in uncounted.iter().filter_map(UncountedReason::warning) {
            if named.len() < UNKNOWN_TRAILERS_MAX && named.insert(warning.clone()) {
                warnings.push((candidate.change.path.clone(), warning));
            }
        }
    }
    warnings
}

/// Whether an earlier problem with the deploy file is over, now that no rule refuses.
fn settles(candidate: &Candidate, known: Option<&TargetFacts>) -> bool {
    // Editing only the comments does not clear a problem, because the revision that the file asks
    // for may never have been accepted.
    let newest = known.and_then(|known| known.newest.as_ref());
    let was_accepted = newest.map(|newest| &newest.revision) == candidate.from.as_ref();
    candidate.intent != Intent::Nothing || was_accepted
}

/// The deployment of a candidate that every rule allows.
fn deployment(
    config: &Config,
    candidate: &Candidate,
    target: &Target,
    revision: &Revision,
    judged: &Judgement,
    facts: &Facts,
) -> PlannedDeployment {
    let known = facts.targets.get(target);
    let newest = known.and_then(|known| known.newest.as_ref());
    let is_redeploy = is_redeploy(&candidate.intent, facts.has_record, newest);

    let from = if is_redeploy {
        candidate.from.as_ref()
    } else {
        let before = candidate.from.as_ref().filter(|from| *from != revision);
        let deployed = known.and_then(|known| known.deployed.as_ref());
        before.or(deployed.map(|deployed| &deployed.revision))
    };

    let rolled_back = judged.passes().find_map(|pass| pass.rolled_back.clone());
    let takes_latest = config.settings(target).queue == Queue::Latest;
    let subject = || known.and_then(|known| known.subject.clone());
    let released = judged.passes().flat_map(|pass| pass.released.clone());
    PlannedDeployment {
        path: candidate.change.path.clone(),
        target: target.clone(),
        from: from.cloned(),
        revision: revision.clone(),
        is_redeploy,
        supersedes: takes_latest || rolled_back.is_some(),
        rolled_back,
        released: released.collect(),
        exceptions: judged.exceptions(),
        overrides_freeze: judged.override_of_freeze().is_some(),
        approvals: judged.approvals(),
        notes: judged.notes(),
        first: judged.first(),
        needs: known.map(|known| known.needs.clone()).unwrap_or_default(),
        waits: judged.passes().find_map(|pass| pass.waits.clone()),
        summary: candidate.change.summary.clone().or_else(subject),
    }
}

/// Whether a revision is deployed again. That is so only if it was accepted before: the deploy file
/// may have named a revision that was refused.
fn is_redeploy(intent: &Intent, has_record: bool, newest: Option<&Newest>) -> bool {
    let Intent::Redeploy(revision) = intent else {
        return false;
    };
    !has_record || newest.is_some_and(|newest| newest.revision == *revision)
}
