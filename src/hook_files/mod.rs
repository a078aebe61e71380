//! What is in the folders from which hooks run: where this program's links are on each host, how
//! they are recognized, and where a hook that was there before is kept.

mod host;
mod link;
mod name;

pub use host::{Host, Places};
pub use link::{is_own_link, leads_to, sibling};
pub use name::{CHAINED, HOOKS, kept};
