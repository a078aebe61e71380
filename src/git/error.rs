//! Why a repository could not be read.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::text;

/// A repository could not be read. The message names it.
#[derive(Debug)]
pub struct Error {
    repository: PathBuf,
    source: Box<dyn std::error::Error + Send + Sync>,
    missing_object: bool,
}

impl Error {
    /// An error of some library, or words.
    pub(super) fn new(
        repository: &Path,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            repository: repository.to_owned(),
            source: source.into(),
            missing_object: false,
        }
    }

    pub(super) fn missing(repository: &Path, id: &gix::hash::oid) -> Self {
        Self {
            missing_object: true,
            ..Self::new(repository, format!("object {id} is missing"))
        }
    }

    /// Whether an object was asked for that the repository does not have.
    #[must_use]
    pub fn is_missing_object(&self) -> bool {
        self.missing_object
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repository = self.repository.as_os_str().as_encoded_bytes();
        let source = text::escape(self.source.to_string(), 400);
        write!(f, "{}: {source}", text::escape(repository, 200))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The message has the words of the source itself.
        self.source.source()
    }
}
