//! Finds out what is asked for and what the rules need to know, and asks the rules.
//!
//! There is one pipeline: changes, candidates, facts, decision. pre-receive, post-receive, `check`,
//! `plan` and `retry` all use it, each with a [`Subject`] of its own. They call [`judge`], or
//! [`prepare`] and then [`Prepared::judge`]. All that a rule needs to know is gathered here, so a
//! new input of a rule is added in one place.
//!
//! The repositories of applications belong to other people. They are asked on a thread of their
//! own, with a time limit: see [`ApplicationRepositories`].

mod application_repositories;
mod changes;
mod error;
mod gather;
mod inputs;
mod judge;
mod mirrors;
mod needs;
mod not_deployed;
mod questions;
mod range_facts;
mod recorded;
mod reviews;
mod subject;
mod unreadable;
mod wanted;

pub use application_repositories::ApplicationRepositories;
pub use error::Error;
pub use judge::{Judged, Prepared, judge, prepare};
pub use not_deployed::{NotDeployed, near_misses, not_deployed};
pub use questions::LeftThread;
pub use subject::Subject;
pub use unreadable::unreadable_tip;
pub use wanted::{deploy_files, deploy_files_at, wanted};
