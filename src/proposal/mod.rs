//! What a proposal is: an entry on top of deploy files, and the message of the commit. Pure.

mod entry;
mod message;
mod step;

pub use entry::{Entry, commit_lines, lines_between, revisions_below};
pub use message::{ProposalMessage, proposal_message};
pub use step::{ProposalSource, ProposedFile, ProposedStep};
