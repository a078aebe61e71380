//! What a hooks folder holds of this program.

use std::path::Path;

/// The hooks that this program is.
pub const HOOKS: &[&str] = &["pre-receive", "post-receive", "reference-transaction"];

/// What is added to the name of a hook that was there before.
pub const CHAINED: &str = "chained";

/// Whether a path is one of this program's links, whichever build of it they point to.
#[must_use]
pub fn is_own_link(path: &Path) -> bool {
    std::fs::read_link(path).is_ok_and(|target| target.file_name().is_some_and(|name| name == "deploy-by-code"))
}
