//! The deploy repository and the application repositories, read.
//!
//! Protocol:
//! * Objects are read through gix's object database, below `gix::open`: no configuration is needed
//!   for it, it works in the quarantine of pre-receive, on SHA-1 and SHA-256, with alternates,
//!   linked work trees and reftable, and never honours replacement objects.
//! * Refs are read from the files backend by gix. Where gix can't (reftable), and before a branch
//!   is taken for deleted, git is asked.
//! * git is called with an explicit `--git-dir`, plumbing commands only, and without the hook's own
//!   `GIT_*` variables.
//!
//! It does not promise a consistent view of several refs, and reads nothing that a ref's present
//! value does not lead to.

mod ancestry;
mod checkout;
mod command;
mod error;
mod history;
mod refs;
mod repository;
mod trailers;
mod tree;

pub use checkout::export;
pub use command::{
    commits_between, config_bool, config_value, hooks_folder, scratch, set_config_value, trusts,
};
pub use error::Error;
pub use history::{Provenance, deploy_commits, first_parents};
pub use repository::{Quarantine, Repository, find_repository, open_application};
pub use trailers::{Bound, DeclaredNeed};
pub use tree::DeepScan;
