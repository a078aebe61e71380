//! Why a release can't be made or used.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::git;
use crate::sys::exec::is_momentary;
use crate::text;

/// Why a release can't be made or used.
#[derive(Debug, Error)]
pub enum CheckoutError {
    /// A file or folder can't be made, read or removed.
    #[error("{path}: {error}", path = shown(.0), error = .1)]
    Io(PathBuf, #[source] io::Error),
    /// The folder belongs to another application, environment or deploy repository.
    #[error(
        "{} belongs to {found}, and not to {wanted}; give each application in each environment of \
         each deploy repository a checkout of its own; if this repository was moved here, change \
         the first line of {}",
        shown(.folder),
        shown(&.folder.join(super::claim::FILE))
    )]
    Taken {
        /// The checkout's folder.
        folder: PathBuf,
        /// To whom it belongs, escaped.
        found: String,
        /// To whom it would have to belong.
        wanted: String,
    },
    /// Something that is not the link stands in its place.
    #[error(
        "{} is not a symbolic link, so no release can become the current one; move it away",
        shown(.0)
    )]
    CurrentIsNoLink(PathBuf),
    /// Something in the revision or in `shared` is in the way of a path that is shared.
    #[error("{} is {found}, so {path} can't be shared; {advice}", shown(.place))]
    NotShareable {
        /// Where it is.
        place: PathBuf,
        /// What it is.
        found: &'static str,
        /// The path that is shared.
        path: String,
        /// What to do.
        advice: &'static str,
    },
    /// A file that is shared is missing.
    #[error(
        "{} is missing; it is shared, and the revision does not have it; put the file there first, \
         or write \"{path}/\" in shared if a folder is meant",
        shown(.place)
    )]
    NoSharedFile {
        /// Where it has to be.
        place: PathBuf,
        /// The path that is shared.
        path: String,
    },
    /// What the revision has can't be moved to `shared`.
    #[error(
        "{} is missing; it is shared, and on another file system than the releases; copy the \
         revision's content there first",
        shown(.0)
    )]
    SharedElsewhere(PathBuf),
    /// There is no repository to export something from.
    #[error("no repository is configured")]
    NoRepository,
    /// The application's repository can't be read.
    #[error(transparent)]
    Git(#[from] git::Error),
    /// The order can't be read.
    #[error("the order can't be read: {0}")]
    Order(#[source] io::Error),
    /// The other process of the export went away.
    #[error("the {0} of the export ended too early: {1}")]
    Gone(&'static str, String),
    /// The process that writes can't be started.
    #[error("the writer of the export can't be started: {0}")]
    Start(#[source] io::Error),
    /// The list of the release from which files are taken is not what the repository says.
    #[error("the list of the files of another release does not agree with its revision")]
    BaseChanged,
    /// What the process that writes has said.
    #[error("{0}")]
    Writer(String),
}

impl CheckoutError {
    /// Whether a fault of the server kept the step from beginning, so that it can be tried again.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Start(error) | Self::Order(error) => is_momentary(error),
            _ => false,
        }
    }
}

fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 200)
}

/// Names the path that an error is about.
pub(super) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> CheckoutError {
    let path = path.into();
    move |error| CheckoutError::Io(path, error)
}

/// Says what it means that a name is taken in a folder that was empty.
pub(super) fn explain(error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::AlreadyExists {
        return error;
    }
    io::Error::other("this file system takes two names of the revision for the same one")
}
