//! What is proposed for one application.

use crate::id::{DeploymentId, Environment, Revision, Target};
use crate::policy::Commits;

/// Why this revision is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProposalSource {
    /// It was named, or is where the application's deploy branch is. The name is as git knows it.
    Named(String),
    /// It is deployed in another environment.
    Deployed(Environment, Option<DeploymentId>),
    /// The deploy file of another environment asks for it.
    Wanted(Environment),
    /// It is what the deploy file asked for before.
    Before,
    /// It is what the deploy file asks for now.
    Again,
}

/// A deploy file with the new entry on top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedFile {
    /// The path from the top of the repository.
    pub path: String,
    /// The content in the work tree; `None`: there is no file yet.
    pub old: Option<Vec<u8>>,
    /// The entry, with the line ends of the file.
    pub entry: Vec<u8>,
}

impl ProposedFile {
    /// The new content: the entry, and below it all of the old content.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        let old = self.old.as_deref().unwrap_or_default();
        [self.entry.as_slice(), old].concat()
    }
}

/// What is proposed for one application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedStep {
    /// The application, and the environment.
    pub target: Target,
    /// What its deploy file asks for now; `None`: there is no file yet.
    pub from: Option<Revision>,
    /// The revision to deploy.
    pub to: Revision,
    /// Why this one.
    pub source: ProposalSource,
    /// The commits that it has and `from` does not have. Without `from`, all commits that it has.
    pub gained: Commits,
    /// The commits that it does not have, of `from` or of what is deployed.
    pub lost: Commits,
    /// Remarks for the person: where the commits are from, and what is deployed now.
    pub remarks: Vec<String>,
    /// The deploy file.
    pub file: ProposedFile,
}
