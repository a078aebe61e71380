//! A deploy repository with its configuration. Every command and every hook begins with one.

mod error;
mod install_record;
mod load;
mod repository;
mod text_file;

pub use error::{ConfigError, Error};
pub use install_record::InstallRecord;
pub use repository::{DeployRepository, folder_values};
