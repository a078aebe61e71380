//! Why a runner can't go on.

use std::io;

use thiserror::Error;

use crate::deploy_repository::ConfigError;
use crate::store;

/// A runner can't go on. Deployments that are queued stay queued.
#[derive(Debug, Error)]
pub enum Error {
    /// The state can't be read or changed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The environment's lock can't be taken, or the kernel does not tell who this process is.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
}
