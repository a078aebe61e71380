//! Proposing a deployment in a clone: a new entry on top of deploy files, as a commit to review.

mod application;
mod carry_out;
mod deploy_files;
mod names;
mod prepare;
mod request;
mod situation;
mod step;

pub use names::targets_in_clone;
pub use prepare::{LeftOut, Proposal, propose};
pub use request::ProposeRequest;
