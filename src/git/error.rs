//! Why a repository could not be read.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::text;

/// A repository could not be read. The message names it.
#[derive(Debug)]
pub struct Error {
    repository: PathBuf,
    cause: Box<dyn std::error::Error + Send + Sync>,
    missing_object: bool,
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
            cause: cause.into(),
            missing_object: false,
            is_about_content: false,
        }
    }

    /// The error of something that can be read, and that is more or other than what is accepted.
    pub(super) fn about_content(repository: &Path, what: &str) -> Self {
        let advice = "take it out of what is pushed, or push it in smaller parts";
        Self {
            is_about_content: true,
            ..Self::new(repository, format!("{what}; {advice}"))
        }
    }

    /// The error of an object that the repository does not have.
    pub(super) fn missing(repository: &Path, id: &gix::hash::oid) -> Self {
        Self {
            missing_object: true,
            ..Self::new(repository, format!("object {id} is missing"))
        }
    }

    /// Whether the repository does not have an object that was asked for.
    #[must_use]
    pub fn is_missing_object(&self) -> bool {
        self.missing_object
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
        write!(f, "{}: {cause}", text::escape(repository, 200))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The message has the text of the cause. So the source is the cause of that cause.
        self.cause.source()
    }
}
