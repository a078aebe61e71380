//! What a plan deploys and retires.

use std::collections::BTreeSet;

use crate::id::{Application, Revision, Target};
use crate::policy::{Approval, Exception, Need, Note};

/// A deployment that every rule allowed. Only [`super::decide`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedDeployment {
    pub(super) path: Vec<u8>,
    pub(super) target: Target,
    pub(super) from: Option<Revision>,
    pub(super) revision: Revision,
    pub(super) is_redeploy: bool,
    pub(super) supersedes: bool,
    pub(super) rolled_back: Option<Revision>,
    pub(super) released: Vec<Revision>,
    pub(super) exceptions: Vec<Exception>,
    pub(super) overrides_freeze: bool,
    pub(super) approvals: Vec<Approval>,
    pub(super) notes: Vec<Note>,
    pub(super) first: BTreeSet<Application>,
    pub(super) needs: Vec<Need>,
    pub(super) waits: Option<String>,
    pub(super) summary: Option<String>,
}

impl PlannedDeployment {
    /// The path of the deploy file.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// Which application is deployed, and in which environment.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The revision that the deploy file asked for before. If it asked for none: the revision that
    /// is deployed.
    #[must_use]
    pub fn from(&self) -> Option<&Revision> {
        self.from.as_ref()
    }

    /// The revision to deploy.
    #[must_use]
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// Whether the deploy file asks for the same revision again.
    #[must_use]
    pub fn is_redeploy(&self) -> bool {
        self.is_redeploy
    }

    /// Whether it takes the place of waiting deployments of the same application.
    #[must_use]
    pub fn supersedes(&self) -> bool {
        self.supersedes
    }

    /// For a rollback: the revision that is rolled back.
    #[must_use]
    pub fn rolled_back(&self) -> Option<&Revision> {
        self.rolled_back.as_ref()
    }

    /// The revisions that rollbacks took away and that are held back no more.
    #[must_use]
    pub fn released(&self) -> &[Revision] {
        &self.released
    }

    /// The reasons by which it got past rules.
    #[must_use]
    pub fn exceptions(&self) -> &[Exception] {
        &self.exceptions
    }

    /// Whether one of these reasons is an override of a freeze.
    #[must_use]
    pub fn overrides_freeze(&self) -> bool {
        self.overrides_freeze
    }

    /// Who approved it.
    #[must_use]
    pub fn approvals(&self) -> &[Approval] {
        &self.approvals
    }

    /// What the rules said that allowed it.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The applications of the same plan that must be deployed first, besides those that the
    /// configuration names.
    #[must_use]
    pub fn first(&self) -> &BTreeSet<Application> {
        &self.first
    }

    /// What the gained commits declare to need.
    #[must_use]
    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// If a rule says that it must wait: why.
    #[must_use]
    pub fn waits(&self) -> Option<&str> {
        self.waits.as_deref()
    }

    /// What is deployed, in one line: what the entry of the deploy file says, or else the title of
    /// the revision.
    #[must_use]
    pub fn summary(&self) -> Option<&str> {
        self.summary.as_deref()
    }
}

/// An application that is no longer wanted in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retirement {
    /// The path of the deploy file that was deleted.
    pub path: Vec<u8>,
    /// Which application is retired, and in which environment.
    pub target: Target,
    /// The reasons by which this got past rules.
    pub exceptions: Vec<Exception>,
    /// Who approved it.
    pub approvals: Vec<Approval>,
}
