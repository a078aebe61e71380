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
mod history;
mod refs;
mod repository;
mod trailers;
mod tree;

use std::fmt;
use std::path::Path;

pub use checkout::export;
pub use command::{
    commits_between, config_bool, config_value, hooks_folder, scratch, set_config_value, trusts,
};
pub use history::{Provenance, deploy_commits, first_parents};
pub use repository::{Quarantine, Repository, find_repository, open_application};
pub use trailers::{Bound, DeclaredNeed};
pub use tree::DeepScan;

use crate::text;

/// A repository could not be read. The message names it.
#[derive(Debug)]
pub struct Error {
    message: String,
    missing_object: bool,
}

impl Error {
    fn new(repository: &Path, message: impl fmt::Display) -> Self {
        let message = text::escape(message.to_string(), 400);
        Self {
            message: format!("{}: {message}", shown(repository)),
            missing_object: false,
        }
    }

    fn missing(repository: &Path, id: &gix::hash::oid) -> Self {
        Self {
            missing_object: true,
            ..Self::new(repository, format_args!("object {id} is missing"))
        }
    }

    /// Whether an object was asked for that the repository does not have.
    #[must_use]
    pub fn is_missing_object(&self) -> bool {
        self.missing_object
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// A path for people.
fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 200)
}
