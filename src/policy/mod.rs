//! The rules. Each one stands in a module of its own, looks at plain values, and allows or refuses
//! with a reason and a hint.

mod backwards;
mod case;
mod configured;
mod deploy_branch;
mod deploy_file;
mod exception;
mod facts;
mod frozen;
mod needs;
mod place;
mod prepend_only;
mod promotion;
mod reachable;
mod rollback_holds;
mod rules;
#[cfg(test)]
mod testing;
mod together;
mod verdict;

use case::Case;

pub use exception::{Exception, ExceptionKind};
pub use facts::{
    Base, BranchMove, Commit, Commits, Dependant, Direction, Facts, Freeze, Hold, Need, NeedState,
    Newest, Promotion, RevisionFact, Stage, TargetFacts, Trailers, Unknown, freeze_of,
};
pub use rules::{Gate, judge, judge_branch};
pub use verdict::{Answer, Objection, Pass, Refusal};
