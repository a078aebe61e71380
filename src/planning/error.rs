//! Why nothing was planned.

use thiserror::Error;

use crate::{git, judging, store};

/// Planning failed. The cursor did not move, so the next process that plans finds the same range
/// again.
#[derive(Debug, Error)]
pub enum Error {
    /// The state can't be read or changed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The deploy repository can't be read.
    #[error(transparent)]
    Git(#[from] git::Error),
    /// The state belongs to another branch than the one in the configuration.
    #[error(
        "the recorded state belongs to the branch {state}, but the configuration names {config}; \
         to start from the tip of {config}, run: deploy-by-code install"
    )]
    OtherBranch {
        /// The branch in the state.
        state: String,
        /// The branch in the configuration.
        config: String,
    },
    /// Nothing was installed here, so nobody knows what is deployed already.
    #[error("deploy-by-code is not installed in this repository; run: deploy-by-code install")]
    NotInstalled,
    /// Other processes changed the state this many times while the range was judged.
    #[error("nothing was planned, because other processes changed the state {0} times meanwhile")]
    Overtaken(usize),
}

impl From<judging::Error> for Error {
    fn from(error: judging::Error) -> Self {
        match error {
            judging::Error::Git(error) => Self::Git(error),
            judging::Error::Store(error) => Self::Store(error),
            // The record changed, and now more must be asked. So everything begins again.
            judging::Error::NotInMemory => Self::Overtaken(1),
        }
    }
}
