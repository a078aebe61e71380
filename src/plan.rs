//! From what changed to what is deployed: the heart, pure.
//!
//! [`candidates`] says what each change asks for, [`decide`] puts every rule of [`crate::policy`] to it. Neither fails and neither touches
//! anything. pre-receive, post-receive, `check` and `plan` are four callers of the same two functions. A refused candidate cannot be
//! recorded as a deployment, because only [`decide`] makes a [`Deployment`].

use std::collections::BTreeMap;

use crate::change::{Change, Depth, Node};
use crate::config::{Config, Queue};
use crate::deployfile;
use crate::id::{Application, Environment, Revision, Target};
use crate::policy::{self, Facts, Refusal};

/// What a change to a deploy file asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Another revision than before, or the file is new.
    Deploy(Revision),
    /// The same revision again, by a new entry.
    Redeploy(Revision),
    /// The file is gone.
    Retire,
    /// Only the history below the revision changed.
    Nothing,
    /// It can't be told; a rule says why.
    Unclear,
}

/// One change and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The change.
    pub change: Change,
    /// Whom it is about; `None` where the path names nobody.
    pub target: Option<Target>,
    /// The revision that the file asked for before.
    pub from: Option<Revision>,
    /// What it asks for.
    pub intent: Intent,
}

impl Candidate {
    /// The revision to deploy, where one is asked for.
    #[must_use]
    pub fn revision(&self) -> Option<&Revision> {
        match &self.intent {
            Intent::Deploy(revision) | Intent::Redeploy(revision) => Some(revision),
            _ => None,
        }
    }
}

/// A deployment that every rule allowed. Only [`decide`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    path: Vec<u8>,
    target: Target,
    from: Option<Revision>,
    revision: Revision,
    redeploy: bool,
    supersedes: bool,
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

    /// The revision that the file asked for before.
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
}

/// An application that is no longer wanted in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retirement {
    /// The deploy file's path.
    pub path: Vec<u8>,
    /// What is retired where.
    pub target: Target,
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
}

/// What each change asks for.
#[must_use]
pub fn candidates(changes: Vec<Change>) -> Vec<Candidate> {
    changes.into_iter().map(candidate).collect()
}

fn candidate(change: Change) -> Candidate {
    let (from, intent) = match change.depth {
        Depth::Right => read(&change),
        Depth::TooShallow | Depth::TooDeep if change.new.is_none() => (None, Intent::Nothing),
        Depth::TooShallow | Depth::TooDeep => (None, Intent::Unclear),
    };
    Candidate { target: target(&change), from, intent, change }
}

fn target(change: &Change) -> Option<Target> {
    let (folder, file) = change.names();
    let application = file.strip_suffix(deployfile::EXTENSION.as_bytes())?;
    let environment = Environment::new(folder).ok()?;
    let application = Application::new(application).ok()?;
    (change.depth == Depth::Right).then_some(Target { environment, application })
}

fn read(change: &Change) -> (Option<Revision>, Intent) {
    let old = match &change.old {
        Some(Node::File(content)) => deployfile::revision(content).ok().map(|revision| (revision, content)),
        _ => None,
    };
    let intent =
        match (&old, &change.new) {
            (Some(_), None) => Intent::Retire,
            (None, None) => Intent::Nothing,
            (_, Some(Node::File(new))) => {
                match (deployfile::revision(new), &old) {
                    (Err(_), _) => Intent::Unclear,
                    (Ok(revision), Some((was, content))) if revision == *was => {
                        if deployfile::is_redeploy(content, new) { Intent::Redeploy(revision) } else { Intent::Nothing }
                    }
                    (Ok(revision), _) => Intent::Deploy(revision),
                }
            }
            (_, Some(_)) => Intent::Unclear,
        };
    (old.map(|(revision, _)| revision), intent)
}

/// Puts every rule to every candidate.
#[must_use]
pub fn decide(config: &Config, candidates: &[Candidate], facts: &Facts) -> Plan {
    let mut plan = Plan::default();
    for candidate in candidates {
        let refusals = policy::judge(config, candidate, facts);
        if !refusals.is_empty() {
            plan.refusals.extend(refusals);
            continue;
        }
        let path = candidate.change.path.clone();
        plan.settled.push(path.clone());
        let Some(target) = candidate.target.clone() else { continue };
        match &candidate.intent {
            Intent::Deploy(revision) | Intent::Redeploy(revision) => plan.deployments.push(Deployment {
                path,
                from: candidate.from.clone(),
                revision: revision.clone(),
                redeploy: matches!(candidate.intent, Intent::Redeploy(_)),
                supersedes: config.settings(&target).queue == Queue::Latest,
                target,
            }),
            Intent::Retire => plan.retirements.push(Retirement { path, target }),
            Intent::Nothing | Intent::Unclear => {}
        }
    }
    plan
}

/// The deployments of a plan by their paths, for looking up which commit asked for each.
#[must_use]
pub fn paths(plan: &Plan) -> BTreeMap<&[u8], &Target> {
    let deployments = plan.deployments.iter().map(|deployment| (deployment.path.as_slice(), &deployment.target));
    let retirements = plan.retirements.iter().map(|retirement| (retirement.path.as_slice(), &retirement.target));
    deployments.chain(retirements).collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
