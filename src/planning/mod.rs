//! Plans what lies between the last planned commit and the tip of the deploy branch.
//!
//! Hooks can run in the wrong order, twice, at the same time or not at all. So the planner does not
//! rely on the input of a hook. Instead, it reads the cursor (the last planned commit) and the tip,
//! judges and records what lies between them, and moves the cursor to the tip. The process that
//! comes first does the work, and a process that comes later finds nothing to do.
//!
//! Protocol: the range is read and judged *before* the write transaction, so that the write lock
//! never waits for git or for a repository of somebody else. Inside of the transaction, the cursor
//! and the faults must be the same as before. If anything else happened in between, the rules are
//! asked again, by the record as it is now and by the answers that the repositories gave before. If
//! these answers do not suffice, everything begins again.

mod attribution;
mod by_others;
mod error;
mod head_start;
mod judged_range;
mod own_range;
mod plan_tip;
mod planned;
mod push_effect;
mod record;

pub use error::Error;
pub use head_start::{HEAD_START, is_behind, is_left_behind};
pub use plan_tip::plan_tip;
pub use planned::{Planned, PlannedByOthers, Push, Queued, QueuedByOther};
