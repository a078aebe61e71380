//! Names: of the hooks, and of what this program puts into a folder of hooks.

use std::path::{Path, PathBuf};

/// The hooks as which this program runs.
pub const HOOKS: &[&str] = &["pre-receive", "post-receive", "reference-transaction"];

/// The folder, in the folder of hooks, of the hooks that were there before.
pub const CHAINED: &str = "chained";

/// The name of this program's hook where a host has a folder for each hook, and of the program.
pub(super) const PROGRAM: &str = "deploy-by-code";

/// The name of the hook where a host runs all hooks of a folder in the order of their names, even
/// if one of them fails. This name comes last. So no other hook waits while a pusher follows a
/// deployment.
pub(super) const LAST: &str = "zz-deploy-by-code";

/// Where a hook that was there before is kept: in a folder of its own and under its own name, since
/// it may look at that name. A script's `$0` is the path that it is started by.
#[must_use]
pub fn kept(hook: &Path) -> Option<PathBuf> {
    Some(hook.parent()?.join(CHAINED).join(hook.file_name()?))
}
