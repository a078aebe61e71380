//! Planning the deploy branch's tip, level-triggered.
//!
//! Hooks run in the wrong order, twice, at the same time or not at all. So no one believes what a
//! hook was told: cursor and tip are read, what lies between them is judged and recorded, and the
//! cursor is moved, all in one transaction. Whoever comes first does the work; whoever comes later
//! finds nothing left to do.
//!
//! Protocol: the range is read and judged *before* the transaction, so that the write lock never
//! waits for git or for somebody else's repository. Inside of it, the cursor and the faults must be
//! what they were, and where anything happened meanwhile the rules are asked once more, by the
//! record as it is now and by what the repositories answered before. Where that does not suffice,
//! everything begins anew.

mod attribution;
mod error;
mod plan_tip;
mod planned;
mod record;

pub use error::Error;
pub use plan_tip::plan_tip;
pub use planned::{Others, Planned, Push, Queued};
