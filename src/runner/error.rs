//! Why a runner can't go on.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::deploy_repository::ConfigError;
use crate::store;
use crate::sys::unseen::Unseen;
use crate::text;

/// A runner can't go on. Deployments that are queued stay queued.
#[derive(Debug, Error)]
pub enum Error {
    /// The state can't be read or changed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The file of the environment's lock can't be opened or locked.
    #[error("the lock {} can't be taken", text::escape(.0.as_os_str().as_encoded_bytes(), 200))]
    Lock(PathBuf, #[source] io::Error),
    /// The kernel does not tell who this process is.
    #[error(transparent)]
    Unseen(#[from] Unseen),
    /// It can't be seen from here whether what a dead runner left has ended.
    #[error("{0}")]
    Held(String),
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
}
