//! Why nothing can be judged.

use thiserror::Error;

use crate::{git, store};

/// Nothing can be judged.
#[derive(Debug, Error)]
pub enum Error {
    /// The deploy repository can't be read.
    #[error(transparent)]
    Git(#[from] git::Error),
    /// The state can't be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Inside of [`super::ApplicationRepositories::from_memory`], a question has no answer in
    /// memory.
    #[error("an application repository would have to be asked while the state is locked")]
    NotInMemory,
}
