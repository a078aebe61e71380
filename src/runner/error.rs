//! Why a runner can't go on.

use std::io;

use thiserror::Error;

use crate::deploy_repository::ConfigError;
use crate::store;

/// A runner can't go on. What is queued stays queued.
#[derive(Debug, Error)]
pub enum Error {
    /// The state can't be read or changed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The lock can't be taken.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
}
