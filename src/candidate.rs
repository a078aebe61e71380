//! What each change of a deploy file asks for, before any rule is asked. Pure.

use crate::change::{Change, Depth, Node};
use crate::deployfile;
use crate::id::{Application, Environment, Revision, Target};

/// What a change of a deploy file asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Deploy this revision. The file is new, or it asked for another revision before.
    Deploy(Revision),
    /// Deploy the same revision again, because there is a new entry for it.
    Redeploy(Revision),
    /// The file was deleted: the application is no longer wanted.
    Retire,
    /// Nothing. Only the history below the revision changed, or there was no revision before.
    Nothing,
    /// Nobody can tell. A rule refuses it and says why.
    Unclear,
}

/// A change, and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The change.
    pub change: Change,
    /// Which application it is about, and in which environment; `None`: the path names none.
    pub target: Option<Target>,
    /// The revision that the file asked for before.
    pub from: Option<Revision>,
    /// What it asks for.
    pub intent: Intent,
}

impl Candidate {
    /// The revision to deploy, if it asks for one.
    #[must_use]
    pub fn revision(&self) -> Option<&Revision> {
        match &self.intent {
            Intent::Deploy(revision) | Intent::Redeploy(revision) => Some(revision),
            _ => None,
        }
    }
}

/// What each change asks for.
#[must_use]
pub fn candidates(changes: Vec<Change>) -> Vec<Candidate> {
    changes.into_iter().map(candidate).collect()
}

fn candidate(change: Change) -> Candidate {
    let (from, intent) = match change.depth {
        Depth::Right => from_and_intent(&change),
        Depth::TooShallow | Depth::TooDeep if change.new.is_none() => (None, Intent::Nothing),
        Depth::TooShallow | Depth::TooDeep => (None, Intent::Unclear),
    };
    Candidate {
        target: target(&change),
        from,
        intent,
        change,
    }
}

fn target(change: &Change) -> Option<Target> {
    let (folder, file) = change.names();
    let application = file.strip_suffix(deployfile::EXTENSION.as_bytes())?;
    let environment = Environment::new(folder).ok()?;
    let application = Application::new(application).ok()?;
    (change.depth == Depth::Right).then_some(Target {
        environment,
        application,
    })
}

/// The revision that a file at the right depth asked for before, and what it asks for now.
fn from_and_intent(change: &Change) -> (Option<Revision>, Intent) {
    let from = match &change.old {
        Some(Node::File(Ok(revision))) => Some(revision),
        _ => None,
    };
    let is_redeploy = || {
        let comparison = change.comparison.as_ref();
        comparison.is_some_and(|comparison| comparison.is_redeploy)
    };

    let intent = match (from, &change.new) {
        (Some(_), None) => Intent::Retire,
        (None, None) => Intent::Nothing,
        (Some(from), Some(Node::File(Ok(new)))) if from == new => {
            if is_redeploy() {
                Intent::Redeploy(new.clone())
            } else {
                Intent::Nothing
            }
        }
        (_, Some(Node::File(Ok(new)))) => Intent::Deploy(new.clone()),
        (_, Some(_)) => Intent::Unclear,
    };
    (from.cloned(), intent)
}
