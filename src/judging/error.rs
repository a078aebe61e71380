//! Why nothing can be judged.

use thiserror::Error;

use crate::{git, store};

/// Something can't be judged at all.
#[derive(Debug, Error)]
pub enum Error {
    /// The deploy repository can't be read.
    #[error(transparent)]
    Git(#[from] git::Error),
    /// The state can't be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// An application repository would have to be asked, inside of
    /// [`super::Applications::from_memory`].
    #[error("an application repository would have to be asked while the state is locked")]
    NotInMemory,
}
