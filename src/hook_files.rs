//! What a hooks folder holds of this program.

use std::path::{Path, PathBuf};

/// The hooks that this program is.
pub const HOOKS: &[&str] = &["pre-receive", "post-receive", "reference-transaction"];

/// The folder, in the hooks folder, of the hooks that were there before.
pub const CHAINED: &str = "chained";

/// Where a hook that was there before is kept. Under its own name, since it may look at that: a script's `$0` is the path that it is started by.
#[must_use]
pub fn kept(hook: &Path) -> Option<PathBuf> {
    Some(hook.parent()?.join(CHAINED).join(hook.file_name()?))
}

/// Whether a path is one of this program's links, whichever build of it they point to.
#[must_use]
pub fn is_own_link(path: &Path) -> bool {
    std::fs::read_link(path).is_ok_and(|target| target.file_name().is_some_and(|name| name == "deploy-by-code"))
}
