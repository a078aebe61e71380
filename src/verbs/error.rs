//! Why a verb did not do what it was asked for.

use std::io;

use thiserror::Error;

use super::install;
use crate::{deploy_repository, git, judging, planning, runner, store};

/// What kind of error it is. The command line turns it into an exit code, a page into a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is refused, or what was asked about failed.
    Refused,
    /// The question itself is wrong.
    Usage,
    /// The configuration can't be used.
    Configuration,
    /// The state or a repository can't be read or changed.
    State,
}

/// A verb did not do what it was asked for. Its message says what was found, [`Error::hint`] what to
/// do.
#[derive(Debug, Error)]
pub enum Error {
    /// Something stands against it that the person can do something about.
    #[error("{message}")]
    Advised {
        /// What kind of error it is.
        kind: Kind,
        /// What was found.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The deploy repository or its configuration can't be used.
    #[error(transparent)]
    Deploy(#[from] deploy_repository::Error),
    /// A repository can't be read.
    #[error(transparent)]
    Git(#[from] git::Error),
    /// The state can't be read or changed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// What was pushed can't be planned.
    #[error(transparent)]
    Planning(#[from] planning::Error),
    /// What is asked for can't be judged.
    #[error(transparent)]
    Judging(#[from] judging::Error),
    /// The runner can't go on.
    #[error(transparent)]
    Runner(#[from] runner::Error),
    /// The hooks can't be installed or taken out.
    #[error(transparent)]
    Install(#[from] install::Error),
    /// The system refused something.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// It is refused: what was found, and what to do.
    #[must_use]
    pub fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::advised(Kind::Refused, message, hint)
    }

    /// An error that says what to do.
    pub(super) fn advised(kind: Kind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Advised {
            kind,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Advised { kind, .. } => *kind,
            Self::Install(install::Error::UnitsNeedRoot) => Kind::Refused,
            Self::Deploy(deploy_repository::Error::Config(_))
            | Self::Runner(runner::Error::Config(_)) => Kind::Configuration,
            Self::Deploy(_)
            | Self::Git(_)
            | Self::Store(_)
            | Self::Planning(_)
            | Self::Judging(_)
            | Self::Runner(_)
            | Self::Install(_)
            | Self::Io(_) => Kind::State,
        }
    }

    /// What to do, where there is something to say.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        const READ: &str = "see that this user may read the repository";

        match self {
            Self::Advised { hint, .. } => Some(hint),
            Self::Store(error)
            | Self::Planning(planning::Error::Store(error))
            | Self::Judging(judging::Error::Store(error))
            | Self::Runner(runner::Error::Store(error)) => Some(error.hint()),
            Self::Install(error) => error.hint(),
            Self::Git(_) | Self::Judging(judging::Error::Git(_)) => Some(READ),
            Self::Deploy(_)
            | Self::Planning(_)
            | Self::Judging(judging::Error::NotInMemory)
            | Self::Runner(_)
            | Self::Io(_) => None,
        }
    }
}
