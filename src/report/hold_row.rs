//! What a rollback holds back.

use serde::Serialize;

use crate::id::{DeploymentId, Revision};

/// A revision that a rollback took away and that nobody has released since. The keys are stable.
#[derive(Debug, Serialize)]
pub struct HoldRow {
    /// The rollback.
    pub by: DeploymentId,
    /// The revision that it went back from.
    pub revision: Revision,
    /// The reason that was given for the rollback.
    pub reason: String,
}

impl HoldRow {
    /// The rows of what the state holds back.
    pub(super) fn all(holds: Vec<(DeploymentId, Revision, String)>) -> Vec<Self> {
        let row = |(by, revision, reason)| Self {
            by,
            revision,
            reason,
        };
        holds.into_iter().map(row).collect()
    }
}
