//! A deploy repository with its configuration. Every command and every hook begins with one.

mod error;
mod load;
mod missing_branch;
mod repository;

pub use error::{ConfigError, Error};
pub use missing_branch::MissingBranch;
pub use repository::{DeployRepository, folder_values};
