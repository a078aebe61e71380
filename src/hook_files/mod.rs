//! What is in the folders from which hooks run: where this program's hooks are on each host, what
//! is in their files, how they are recognized, and where a hook that was there before is kept.

mod host;
mod name;
mod own;
mod script;

pub use host::{Host, Places};
pub use name::{CHAINED, HOOKS, kept};
pub use own::{HookFault, OwnHook, fault, is_own, own_hook, sibling};
pub use script::{AS_HOOK, hook_file};
