//! Why a verb did not do what it was asked for.

use std::io;

use thiserror::Error;

use super::install;
use crate::{clone, deploy_repository, git, judging, planning, runner, store};

/// What to do where a lock can't be taken.
const LOCK_HINT: &str = "if it is root's, run as root: deploy-by-code install; if it is another \
                         user's, give it to the state's owner with chown; then: deploy-by-code \
                         reconcile";

/// What kind of error it is. The command line turns it into an exit code, a page into a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is refused, or what was asked about failed.
    Refused,
    /// The question itself is wrong.
    Usage,
    /// The configuration can't be used.
    Configuration,
    /// The state or a repository can't be read or changed, or the system refused something else.
    State,
}

/// A verb did not do what it was asked for. The message says what was found, [`Error::hint`] what
/// to do. The cause, where there is one, is the error's source.
#[derive(Debug, Error)]
pub enum Error {
    /// Something is in the way that the person can do something about.
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
    /// A clone can't be used.
    #[error(transparent)]
    Clone(#[from] clone::Error),
    /// The state can't be read or changed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// What was pushed can't be planned.
    #[error(transparent)]
    Planning(#[from] planning::Error),
    /// What is asked for can't be judged.
    #[error(transparent)]
    Judging(#[from] judging::Error),
    /// The runner can't continue.
    #[error(transparent)]
    Runner(#[from] runner::Error),
    /// The hooks can't be put in or taken out.
    #[error(transparent)]
    Install(#[from] install::Error),
    /// The system refused something.
    #[error("{what}")]
    System {
        /// What could not be done.
        what: String,
        /// What to do.
        hint: &'static str,
        /// Why not.
        source: io::Error,
    },
}

impl Error {
    /// It is refused: what was found, and what to do.
    #[must_use]
    pub fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::advised(Kind::Refused, message, hint)
    }

    /// The question itself is wrong: what was found, and what to do.
    #[must_use]
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::advised(Kind::Usage, message, hint)
    }

    /// An error that says what to do.
    pub(super) fn advised(kind: Kind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Advised {
            kind,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// Makes an error of what the system answered: what could not be done, and what to do.
    pub fn system(what: impl Into<String>, hint: &'static str) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, hint, source }
    }

    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Advised { kind, .. } => *kind,
            Self::Install(error) if error.is_refusal() => Kind::Refused,
            Self::Clone(clone::Error::Unnamed { .. }) => Kind::Refused,
            Self::Deploy(deploy_repository::Error::Config(_))
            | Self::Runner(runner::Error::Config(_)) => Kind::Configuration,
            Self::Deploy(deploy_repository::Error::Git(_))
            | Self::Git(_)
            | Self::Clone(_)
            | Self::Store(_)
            | Self::Planning(_)
            | Self::Judging(_)
            | Self::Runner(_)
            | Self::Install(_)
            | Self::System { .. } => Kind::State,
        }
    }

    /// What to do; `None`: the message says it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Advised { hint, .. } => Some(hint),
            Self::System { hint, .. } => Some(hint),

            Self::Clone(error) => error.hint(),

            Self::Store(error)
            | Self::Planning(planning::Error::Store(error))
            | Self::Judging(judging::Error::Store(error))
            | Self::Runner(runner::Error::Store(error))
            | Self::Install(install::Error::Store(error)) => Some(error.hint()),

            Self::Git(error)
            | Self::Deploy(deploy_repository::Error::Git(error))
            | Self::Planning(planning::Error::Git(error))
            | Self::Judging(judging::Error::Git(error))
            | Self::Install(install::Error::Git(error)) => error.hint(),

            Self::Planning(planning::Error::Overtaken(_))
            | Self::Judging(judging::Error::NotInMemory) => Some("run the command again"),
            Self::Runner(runner::Error::Lock(..)) => Some(LOCK_HINT),
            Self::Runner(runner::Error::Unseen(_)) => {
                Some("mount /proc where hooks and runners work, so that they see their processes")
            }
            Self::Runner(runner::Error::Held(_)) => Some(
                "run reconcile where the deployment was started; if you know that it has ended: \
                 deploy-by-code release ENV",
            ),

            // Each mistake in a configuration has a hint of its own.
            Self::Deploy(deploy_repository::Error::Config(_))
            | Self::Runner(runner::Error::Config(_)) => None,
            Self::Planning(planning::Error::OtherBranch { .. } | planning::Error::NotInstalled) => {
                None
            }
            Self::Install(error) => error.hint(),
        }
    }
}
