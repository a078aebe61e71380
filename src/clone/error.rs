//! Why a clone can't be used.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use thiserror::Error;

use crate::{git, text};

/// A clone can't be used. The message says what was found, [`Error::hint`] what to do.
#[derive(Debug, Error)]
pub enum Error {
    /// git did not begin.
    #[error("git could not be started")]
    Start(#[source] io::Error),
    /// What git printed can't be read.
    #[error("the answer of git {call} could not be read")]
    Read {
        /// The command of git.
        call: String,
        /// Why not.
        source: io::Error,
    },
    /// git printed more than any right answer has.
    #[error("git {call} printed more than {max_bytes} bytes")]
    TooLarge {
        /// The command of git.
        call: String,
        /// The limit.
        max_bytes: u64,
    },
    /// git failed, and has said why on standard error.
    #[error("git {call} failed in {} ({status})", shown(.folder))]
    Failed {
        /// The folder.
        folder: PathBuf,
        /// The command of git.
        call: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// git printed something else than what it documents.
    #[error("git {call} printed {printed}, which can't be understood")]
    Unexpected {
        /// The command of git.
        call: String,
        /// What it printed, escaped and in quotes.
        printed: String,
    },
    /// Something is missing that the person can name.
    #[error("{message}")]
    Unnamed {
        /// What was found.
        message: String,
        /// What to do.
        hint: String,
    },
    /// Something in the clone can't be read.
    #[error(transparent)]
    Git(#[from] git::Error),
}

impl Error {
    /// Something is missing that the person can name: what was found, and what to do.
    pub(super) fn unnamed(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Unnamed {
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// What to do; `None`: the message says it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Start(_) => Some("install git, and make sure that PATH names its folder"),
            Self::Failed { .. } => Some("the lines above are git's own, and say why"),
            Self::Unnamed { hint, .. } => Some(hint),
            Self::Git(error) => error.hint(),
            Self::Read { .. } | Self::TooLarge { .. } | Self::Unexpected { .. } => None,
        }
    }
}

/// A path for a message.
fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 200)
}
