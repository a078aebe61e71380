//! Why a command did not do what it was asked for.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::verbs::install;
use crate::verbs::{self, Kind};
use crate::{git, store, text};

/// A command did not do what it was asked for. The message says what was found, [`Error::hint`]
/// what to do. The cause, where there is one, is the error's source.
#[derive(Debug, Error)]
pub(super) enum Error {
    /// The verb behind the command did not do what it was asked for.
    #[error(transparent)]
    Verb(#[from] verbs::Error),
    /// Nothing can be written to standard output.
    #[error("the output can't be written")]
    Output(#[source] io::Error),
    /// Standard input can't be read: what git writes to a hook, or what a person answers.
    #[error("standard input can't be read")]
    Input(#[source] io::Error),
    /// The hook that was there before can't be run.
    #[error("the earlier hook {} can't be run", shown(.0))]
    KeptHook(PathBuf, #[source] io::Error),
    /// The system does not say which file this program is.
    #[error("the file of this program can't be found")]
    Program(#[source] io::Error),
    /// A folder can't be used.
    #[error("the folder {} can't be used", shown(.0))]
    Folder(PathBuf, #[source] io::Error),
}

impl Error {
    /// What kind of error it is.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Verb(error) => error.kind(),
            Self::Output(_)
            | Self::Input(_)
            | Self::KeptHook(..)
            | Self::Program(_)
            | Self::Folder(..) => Kind::State,
        }
    }

    /// What to do; `None`: the message says it, or there is nothing to do.
    pub(super) fn hint(&self) -> Option<&str> {
        match self {
            Self::Verb(error) => error.hint(),
            Self::KeptHook(..) => Some("correct it or remove it, and push again"),
            Self::Folder(..) => Some("make sure that this user can read it"),
            Self::Output(_) | Self::Input(_) | Self::Program(_) => None,
        }
    }

    /// Whether the reader of the output went away or reads nothing. Then this error is not printed.
    pub(super) fn is_reader_gone(&self) -> bool {
        let gone = [io::ErrorKind::BrokenPipe, io::ErrorKind::TimedOut];
        matches!(self, Self::Output(error) if gone.contains(&error.kind()))
    }
}

fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 200)
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Verb(error.into())
    }
}

impl From<git::Error> for Error {
    fn from(error: git::Error) -> Self {
        Self::Verb(error.into())
    }
}

impl From<install::Error> for Error {
    fn from(error: install::Error) -> Self {
        Self::Verb(error.into())
    }
}
