//! Who one runner is.

use crate::id::Environment;
use crate::sys::process::{ProcessIdentity, ProcessSpace};

/// One runner.
pub(super) struct Runner {
    /// The environment whose lock it holds.
    pub(super) environment: Environment,
    /// Its process.
    pub(super) identity: ProcessIdentity,
    /// Where its numbers of processes mean something.
    pub(super) space: ProcessSpace,
}
