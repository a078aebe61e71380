//! What each change of a deploy file asks for, before any rule is asked. Pure.

use crate::change::{Change, Depth, Node};
use crate::deployfile;
use crate::id::{Application, Environment, Revision, Target};

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

fn read(change: &Change) -> (Option<Revision>, Intent) {
    let old = match &change.old {
        Some(Node::File(content)) => deployfile::revision(content)
            .ok()
            .map(|revision| (revision, content)),
        _ => None,
    };
    let intent = match (&old, &change.new) {
        (Some(_), None) => Intent::Retire,
        (None, None) => Intent::Nothing,
        (_, Some(Node::File(new))) => match (deployfile::revision(new), &old) {
            (Err(_), _) => Intent::Unclear,
            (Ok(revision), Some((was, content))) if revision == *was => {
                if deployfile::is_redeploy(content, new) {
                    Intent::Redeploy(revision)
                } else {
                    Intent::Nothing
                }
            }
            (Ok(revision), _) => Intent::Deploy(revision),
        },
        (_, Some(_)) => Intent::Unclear,
    };
    (old.map(|(revision, _)| revision), intent)
}
