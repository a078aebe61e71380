//! The rules. Each rule is one module: a pure function that looks at plain values, and that allows
//! or refuses with a reason and a hint.

mod approvals;
mod backwards;
mod case;
mod commits;
mod configured;
mod deploy_branch;
mod deploy_file;
mod exception;
mod exportable;
mod facts;
mod first_word;
mod freeze;
mod frozen;
mod mirror_fact;
mod needs;
mod note;
mod obstacle;
mod place;
mod prepend_only;
mod promotion;
mod reachable;
mod reviewed;
mod rollback_holds;
mod rules;
#[cfg(test)]
mod testing;
mod together;
mod uncounted;
mod unknown;
mod verdict;

use case::Case;

pub use commits::{Commit, Commits, CommitsInFolder, count_in_words, gained_and_lost};
pub use exception::{Exception, ExceptionKind};
pub use facts::{
    Base, BranchMove, Dependant, Direction, Facts, Hold, Need, NeedState, Newest, Promotion,
    RevisionFact, Stage, Survey, TargetFacts, Trailers,
};
pub use freeze::{Freeze, freeze_of};
pub use mirror_fact::MirrorFact;
pub use note::Note;
pub use obstacle::{ExportObstacle, ObstacleKind};
pub use reviewed::{Approval, Review, SignatureFact, TracedFile, VoidApproval, VoidReason};
pub use rules::{APPROVALS, FROZEN, Gate, judge, judge_branch};
pub use uncounted::UncountedReason;
pub use unknown::Unknown;
pub use verdict::{Answer, Objection, Pass, Refusal};
