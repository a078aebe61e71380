//! What is the same for everything that one runner does.

use crate::id::Environment;
use crate::sys::process::Identity;

/// One runner.
pub(super) struct Runner {
    /// The environment whose lock it holds.
    pub(super) environment: Environment,
    /// The process.
    pub(super) identity: Identity,
    /// The start of the machine.
    pub(super) boot_id: String,
}
