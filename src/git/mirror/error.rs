//! Why a mirror could not be fetched.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::git::error::Error;
use crate::text;
use crate::time::show_duration;

/// A mirror could not be fetched. The message names neither the URL nor the application.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// git said why.
    #[error("{0}")]
    Git(String),
    /// It took too long, and was ended.
    #[error("it gave no whole answer within {}", show_duration(*.0))]
    TooLong(Duration),
    /// Another process fetched it all the time.
    #[error("another process has been fetching it for {}", show_duration(*.0))]
    Busy(Duration),
    /// There is no state that the mirror could be in.
    #[error("{}: there is no state yet; make it: deploy-by-code install", shown(.0))]
    NoState(PathBuf),
    /// Something of the mirror can't be made, read or written.
    #[error("{}: {}", shown(.0), .1)]
    Io(PathBuf, #[source] io::Error),
    /// The mirror can't be looked at.
    #[error(transparent)]
    Unreadable(#[from] Error),
    /// The mirror can't be used any more.
    #[error("the mirror {} is damaged ({why}); remove it, and it is made anew", shown(.folder))]
    Damaged {
        /// The mirror.
        folder: PathBuf,
        /// What was found.
        why: String,
    },
}

impl FetchError {
    pub(super) fn damaged(folder: &Path, why: impl ToString) -> Self {
        Self::Damaged {
            folder: folder.to_owned(),
            why: text::escape(why.to_string(), 200),
        }
    }
}

/// Names the path that an error is about.
pub(super) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> FetchError {
    let path = path.into();
    move |error| FetchError::Io(path, error)
}

fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 300)
}
