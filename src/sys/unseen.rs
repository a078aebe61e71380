//! What the kernel does not show.
//!
//! Protocol: a question about a process has three answers: it runs, it has ended, or this can't be
//! seen from here. The third one is an error of this type and never becomes one of the others, so
//! that whoever asks has to say what it means there. What is not known to have ended is alive.
//!
//! It does not promise that another process can't see it: that one may be in other namespaces.

use std::io;
use std::path::PathBuf;

use crate::text;

/// The kernel does not show what was asked for: the path that was looked at, and why not.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", text::escape(.path.as_os_str().as_encoded_bytes(), 200))]
pub struct Unseen {
    path: PathBuf,
    #[source]
    error: io::Error,
}

impl Unseen {
    /// What could not be looked at, and why.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, error: impl Into<io::Error>) -> Self {
        Self {
            path: path.into(),
            error: error.into(),
        }
    }

    /// Whether it is only this user who may not look.
    pub(super) fn is_forbidden(&self) -> bool {
        self.error.kind() == io::ErrorKind::PermissionDenied
    }

    /// The same as [`Unseen::new`], with the reason in words.
    #[must_use]
    pub fn because(path: impl Into<PathBuf>, why: &str) -> Self {
        Self::new(path, io::Error::other(why))
    }
}
