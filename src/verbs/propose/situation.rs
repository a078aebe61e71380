//! What is known before it is decided what to propose.

use super::names::DeployFiles;
use super::request::ProposeRequest;
use crate::clone::DeployClone;
use crate::id::Revision;
use crate::report::StatusFile;

/// What is known before it is decided.
pub(super) struct Situation<'s> {
    pub(super) request: &'s ProposeRequest,
    pub(super) deploy: &'s DeployClone,
    /// The commit that the work tree is at.
    pub(super) head: Option<Revision>,
    /// The deploy files at the tip of the deploy branch.
    pub(super) at_branch: DeployFiles,
    /// The published status.
    pub(super) status: Option<StatusFile<'static>>,
}
