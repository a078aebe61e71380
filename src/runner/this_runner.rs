//! Who one runner is.

use crate::id::Environment;
use crate::sys::process::ProcessIdentity;

/// One runner.
pub(super) struct Runner {
    /// The environment whose lock it holds.
    pub(super) environment: Environment,
    /// Its process.
    pub(super) identity: ProcessIdentity,
    /// The id of this start of the machine.
    pub(super) boot_id: String,
}
