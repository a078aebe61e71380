//! From what changed to what is deployed: the heart, pure.
//!
//! [`candidates`] says what each change asks for, [`decide`] puts every rule of [`crate::policy`]
//! to it. Neither fails and neither touches anything. pre-receive, post-receive, `check` and `plan`
//! are four callers of the same two functions. A refused candidate cannot be recorded as a
//! deployment, because only [`decide`] makes a [`Deployment`].

use std::collections::{BTreeMap, BTreeSet};

use crate::candidate::{Candidate, Intent};
use crate::config::{Config, Queue};
use crate::id::{Application, Environment, Revision, Target};
use crate::order;
use crate::policy::{self, Exception, ExceptionKind, Facts, Gate, Need, Pass, Refusal, Stage};

/// A deployment that every rule allowed. Only [`decide`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    path: Vec<u8>,
    target: Target,
    from: Option<Revision>,
    revision: Revision,
    redeploy: bool,
    supersedes: bool,
    rolled_back: Option<Revision>,
    released: Vec<Revision>,
    exceptions: Vec<Exception>,
    first: BTreeSet<Application>,
    needs: Vec<Need>,
    waits: Option<String>,
}

impl Deployment {
    /// The deploy file's path.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// What is deployed where.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What the file asked for before, or else what is deployed.
    #[must_use]
    pub fn from(&self) -> Option<&Revision> {
        self.from.as_ref()
    }

    /// The revision to deploy.
    #[must_use]
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// Whether the file asks for the same revision again.
    #[must_use]
    pub fn is_redeploy(&self) -> bool {
        self.redeploy
    }

    /// Whether waiting deployments of the same application give way to it.
    #[must_use]
    pub fn supersedes(&self) -> bool {
        self.supersedes
    }

    /// For a rollback: what is rolled back.
    #[must_use]
    pub fn rolled_back(&self) -> Option<&Revision> {
        self.rolled_back.as_ref()
    }

    /// What rollbacks took away, and is held back no more.
    #[must_use]
    pub fn released(&self) -> &[Revision] {
        &self.released
    }

    /// The reasons by which it got past rules.
    #[must_use]
    pub fn exceptions(&self) -> &[Exception] {
        &self.exceptions
    }

    /// The applications of the same plan that go first, beside those that the configuration names.
    #[must_use]
    pub fn first(&self) -> &BTreeSet<Application> {
        &self.first
    }

    /// What the commits that it gains declare to need.
    #[must_use]
    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// Why it does not begin at once, where a rule says so.
    #[must_use]
    pub fn waits(&self) -> Option<&str> {
        self.waits.as_deref()
    }
}

/// An application that is no longer wanted in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retirement {
    /// The deploy file's path.
    pub path: Vec<u8>,
    /// What is retired where.
    pub target: Target,
}

/// What the rules said of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The deploy file's path.
    pub path: Vec<u8>,
    /// Whom it is about, where the path names somebody.
    pub target: Option<Target>,
    /// What the file asked for before.
    pub from: Option<Revision>,
    /// What it asks for.
    pub to: Option<Revision>,
    /// Each rule's answer.
    pub gates: Vec<Gate>,
}

impl Judgement {
    fn passes(&self) -> impl Iterator<Item = &Pass> {
        self.gates
            .iter()
            .filter_map(|gate| gate.answer.as_ref().ok())
    }

    fn is_refused(&self) -> bool {
        self.gates.iter().any(|gate| gate.answer.is_err())
    }

    /// Which applications the rules want deployed by the same push.
    fn companions(&self) -> BTreeSet<&Application> {
        self.passes()
            .flat_map(|pass| pass.with.iter().chain(&pass.first))
            .collect()
    }

    fn first(&self) -> BTreeSet<Application> {
        self.passes()
            .flat_map(|pass| pass.first.iter().cloned())
            .collect()
    }

    /// Nothing need go first, for a reason that is given.
    fn go_alone(&mut self, reason: &str) {
        for pass in self
            .gates
            .iter_mut()
            .filter_map(|gate| gate.answer.as_mut().ok())
            .filter(|pass| !pass.first.is_empty())
        {
            pass.first.clear();
            pass.exception = Some(Exception {
                kind: ExceptionKind::Alone,
                reason: reason.to_owned(),
            });
        }
    }
}

/// What one range of the deploy branch comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is deployed, in the order of the paths.
    pub deployments: Vec<Deployment>,
    /// What is retired.
    pub retirements: Vec<Retirement>,
    /// What must not be deployed, and why.
    pub refusals: Vec<Refusal>,
    /// The paths that changed without a refusal: an earlier problem with one of them is over.
    pub settled: Vec<Vec<u8>>,
    /// What whoever merges it should know: the path, and a line.
    pub warnings: Vec<(Vec<u8>, String)>,
    /// What each rule said of each change, in the order of the paths.
    pub judgements: Vec<Judgement>,
}

/// Puts every rule to every candidate.
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
    plan
}

/// What a rule adds that looks at more than one candidate.
fn refuse(judged: &mut Judgement, rule: &'static str, message: String, hint: &str) {
    judged.gates.push(Gate {
        rule,
        answer: Err(policy::Objection::new(message, hint)),
    });
}

/// Where the order that commits declare contradicts itself or the configuration's, nobody could
/// begin.
fn refuse_cycles(config: &Config, judgements: &mut [Judgement], facts: &Facts) {
    let environments: BTreeSet<Environment> = judgements
        .iter()
        .filter(|judged| !judged.first().is_empty())
        .filter_map(|judged| {
            judged
                .target
                .as_ref()
                .map(|target| target.environment.clone())
        })
        .collect();
    for environment in environments {
        let mut own: Vec<&mut Judgement> = judgements
            .iter_mut()
            .filter(|judged| {
                judged
                    .target
                    .as_ref()
                    .is_some_and(|target| target.environment == environment)
            })
            .collect();
        let names = own
            .iter()
            .filter_map(|judged| judged.target.as_ref().map(|target| &target.application));
        let mut after = config.after(&environment, names);
        for judged in &own {
            let Some(target) = &judged.target else {
                continue;
            };
            after
                .entry(target.application.clone())
                .or_default()
                .extend(judged.first());
        }
        let Some(cycle) = order::cycle(&after) else {
            continue;
        };
        let names: Vec<&str> = cycle.iter().map(Application::as_str).collect();
        for judged in own.iter_mut().filter(|judged| !judged.first().is_empty()) {
            let Some(target) = judged
                .target
                .clone()
                .filter(|target| cycle.contains(&target.application))
            else {
                continue;
            };
            match facts
                .targets
                .get(&target)
                .and_then(|known| known.trailers.alone.clone())
            {
                Some(reason) => judged.go_alone(&reason),
                None => {
                    let message = format!(
                        "Deploy-After and after make a cycle: {}",
                        names.join(" after ")
                    );
                    let hint = "nobody can go first; say which order is right in the deploy commit, with a trailer: Deploy-Alone: <reason>";
                    refuse(judged, "needs", message, hint);
                }
            }
        }
    }
}

/// Once the branch has moved, a refusal stops one application alone: then also those that must not
/// go without it.
fn refuse_abandoned(judgements: &mut [Judgement]) {
    loop {
        let refused: Vec<Target> = judgements
            .iter()
            .filter(|judged| judged.is_refused())
            .filter_map(|judged| judged.target.clone())
            .collect();
        let abandoned = judgements
            .iter_mut()
            .filter(|judged| !judged.is_refused())
            .find_map(|judged| {
                let environment = &judged.target.as_ref()?.environment;
                let companions = judged.companions();
                let missing = refused.iter().find(|refused| {
                    refused.environment == *environment && companions.contains(&refused.application)
                })?;
                Some((missing.application.clone(), judged))
            });
        let Some((missing, judged)) = abandoned else {
            return;
        };
        let message = format!("must not be deployed without {missing}, which is refused");
        refuse(
            judged,
            "together",
            message,
            "mend what is wrong there, in a commit that changes both",
        );
    }
}

/// Adds to a plan what one candidate comes to.
fn add(plan: &mut Plan, config: &Config, candidate: &Candidate, judged: &Judgement, facts: &Facts) {
    let path = || candidate.change.path.clone();
    let objections = judged
        .gates
        .iter()
        .filter_map(|gate| gate.answer.as_ref().err());
    plan.refusals
        .extend(objections.map(|objection| objection.at(&candidate.change.path)));
    if judged.is_refused() {
        return;
    }
    // A comment mends nothing: what the file asks for may never have been accepted.
    let newest = candidate
        .target
        .as_ref()
        .and_then(|target| facts.targets.get(target)?.newest.as_ref());
    let was_accepted = newest.map(|newest| &newest.revision) == candidate.from.as_ref();
    if candidate.intent != Intent::Nothing || was_accepted {
        plan.settled.push(path());
    }
    plan.warnings.extend(
        judged
            .passes()
            .flat_map(|pass| &pass.warnings)
            .map(|warning| (path(), warning.clone())),
    );
    let Some(target) = candidate.target.clone() else {
        return;
    };
    match &candidate.intent {
        Intent::Deploy(revision) | Intent::Redeploy(revision) => {
            let known = facts.targets.get(&target);
            let newest = known.and_then(|known| known.newest.as_ref());
            // Only what was accepted before is deployed again.
            let redeploy = matches!(candidate.intent, Intent::Redeploy(_))
                && (!facts.has_record || newest.is_some_and(|newest| newest.revision == *revision));
            let deployed = known
                .and_then(|known| known.deployed.as_ref())
                .map(|deployed| deployed.revision.clone());
            let rolled_back = judged.passes().find_map(|pass| pass.rolled_back.clone());
            plan.deployments.push(Deployment {
                path: path(),
                from: if redeploy {
                    candidate.from.clone()
                } else {
                    candidate
                        .from
                        .clone()
                        .filter(|from| from != revision)
                        .or(deployed)
                },
                revision: revision.clone(),
                redeploy,
                supersedes: config.settings(&target).queue == Queue::Latest
                    || rolled_back.is_some(),
                rolled_back,
                exceptions: judged
                    .passes()
                    .filter_map(|pass| pass.exception.clone())
                    .collect(),
                released: judged
                    .passes()
                    .flat_map(|pass| pass.released.iter().cloned())
                    .collect(),
                first: judged.first(),
                needs: known.map(|known| known.needs.clone()).unwrap_or_default(),
                waits: judged.passes().find_map(|pass| pass.waits.clone()),
                target,
            });
        }
        Intent::Retire => plan.retirements.push(Retirement {
            path: path(),
            target,
        }),
        Intent::Nothing | Intent::Unclear => {}
    }
}

/// The deployments of a plan by their paths, for looking up which commit asked for each.
#[must_use]
pub fn paths(plan: &Plan) -> BTreeMap<&[u8], &Target> {
    let deployments = plan
        .deployments
        .iter()
        .map(|deployment| (deployment.path.as_slice(), &deployment.target));
    let retirements = plan
        .retirements
        .iter()
        .map(|retirement| (retirement.path.as_slice(), &retirement.target));
    deployments.chain(retirements).collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
