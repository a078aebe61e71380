//! Exit codes, and the one edge at which errors become words.

use std::process::ExitCode;

use super::output;
use crate::verbs::{self, Kind};
use crate::{deploy_repository, git, store};

/// The exit codes, as the manual page lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Done = 0,
    /// A refusal, or what was asked about failed.
    Refused = 1,
    Usage = 2,
    Configuration = 3,
    State = 4,
}

impl Exit {
    /// The exit code of something that is as it should be, or not.
    pub(super) fn of(is_good: bool) -> Self {
        if is_good { Self::Done } else { Self::Refused }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Refused => Self::Refused,
            Kind::Usage => Self::Usage,
            Kind::Configuration => Self::Configuration,
            Kind::State => Self::State,
        }
    }
}

/// Says what went wrong, and with which exit code the program ends.
pub(super) fn fail(error: anyhow::Error) -> Exit {
    let is_pipe = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
    // A reader that went away wants to hear nothing, also not that it did.
    if error.downcast_ref::<std::io::Error>().is_some_and(is_pipe) {
        return Exit::State;
    }

    match known(error) {
        Ok(error) => {
            output::complain(&error.to_string(), error.hint());
            error.kind().into()
        }
        Err(error) => {
            output::complain(&format!("{error:#}"), None);
            Exit::State
        }
    }
}

/// An error of a verb, or of what a verb is made of.
fn known(error: anyhow::Error) -> Result<verbs::Error, anyhow::Error> {
    let error = match error.downcast::<verbs::Error>() {
        Ok(error) => return Ok(error),
        Err(error) => error,
    };
    let error = match error.downcast::<store::Error>() {
        Ok(error) => return Ok(error.into()),
        Err(error) => error,
    };
    let error = match error.downcast::<deploy_repository::Error>() {
        Ok(error) => return Ok(error.into()),
        Err(error) => error,
    };
    let error = match error.downcast::<verbs::install::Error>() {
        Ok(error) => return Ok(error.into()),
        Err(error) => error,
    };
    error.downcast::<git::Error>().map(verbs::Error::from)
}
