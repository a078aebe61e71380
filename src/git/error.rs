//! Why a repository could not be read.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::id::Revision;
use crate::text;

/// A repository could not be read. The message names it.
#[derive(Debug)]
pub struct Error {
    repository: PathBuf,
    /// Where in the repository: a commit or a range.
    at: Option<String>,
    cause: Box<dyn std::error::Error + Send + Sync>,
    is_damage: bool,
    is_about_content: bool,
}

impl Error {
    /// An error with its cause: the error of a library, or words.
    pub(super) fn new(
        repository: &Path,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            repository: repository.to_owned(),
            at: None,
            cause: cause.into(),
            is_damage: false,
            is_about_content: false,
        }
    }

    /// The error of something that can be read, and that is more or other than what is accepted.
    pub(super) fn about_content(repository: &Path, what: &str) -> Self {
        let advice = "take it out of what is pushed, or push it in smaller parts";
        Self {
            is_about_content: true,
            ..Self::damaged(repository, format!("{what}; {advice}"))
        }
    }

    /// The error of an object that is not what it should be.
    pub(super) fn damaged(
        repository: &Path,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            is_damage: true,
            ..Self::new(repository, cause)
        }
    }

    /// The error of an object that the repository does not have.
    pub(super) fn missing(repository: &Path, id: &gix::hash::oid) -> Self {
        Self::damaged(repository, format!("object {id} is missing"))
    }

    /// The error with the commits that were read.
    pub(super) fn reading(self, old: Option<&Revision>, new: Option<&Revision>) -> Self {
        let at = match (old, new) {
            (Some(old), Some(new)) => Some(format!("commits {} and {}", old.short(), new.short())),
            (commit, None) | (None, commit) => {
                commit.map(|commit| format!("commit {}", commit.short()))
            }
        };
        Self { at, ..self }
    }

    /// Why, without the name of the repository.
    pub(super) fn cause(&self) -> &(dyn std::error::Error + Send + Sync) {
        &*self.cause
    }

    /// Whether an object is certainly missing, can't be parsed, or is of the wrong kind. To look
    /// again does not help. `false`: it could not be looked at, and the next look may succeed.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        self.is_damage
    }

    /// What to do about it. `None`: the message says it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        (!self.is_about_content).then_some("make sure that this user can read the repository")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repository = self.repository.as_os_str().as_encoded_bytes();
        let cause = text::escape(self.cause.to_string(), 400);
        write!(f, "{}: ", text::escape(repository, 200))?;
        if let Some(at) = &self.at {
            write!(f, "{at}: ")?;
        }
        f.write_str(&cause)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The message has the text of the cause. So the source is the cause of that cause.
        self.cause.source()
    }
}
