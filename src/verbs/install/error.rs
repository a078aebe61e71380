//! Why something can't be installed or taken out.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use super::warning::{UNITS_ARE_ROOTS, UNITS_HINT};
use crate::units::UnitError;
use crate::{git, store, text};

/// It can't be installed or taken out. The steps that were taken before stay, and the next call
/// continues from there. The message ends with the cause, where there is one; the cause is also the
/// error's source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository can't be read or configured.
    #[error(transparent)]
    Git(#[from] git::Error),

    /// The state can't be read or made.
    #[error(transparent)]
    Store(#[from] store::Error),

    /// A file can't be changed, or a folder can't be locked.
    #[error("{}: {source}", shown(.path))]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// There is a hook already, and another file is in the place where it would be kept.
    #[error("{} already exists; move it away, or call it from the hook", shown(.0))]
    Taken(PathBuf),

    /// A hook is a broken link.
    #[error(
        "{} is a broken link, which git ignores; if install kept it, it would refuse every push; \
         remove it, or restore the file that it leads to",
        shown(.0)
    )]
    Dangling(PathBuf),

    /// A hook is a link to another hook. Its target would lead to the new hook after it is kept.
    #[error(
        "{} is a link to {sibling} by its path, which is wrong after install has moved both; \
         use the name alone as the link's target: ln -sfn {sibling} {}",
        shown(.hook),
        shown(.hook)
    )]
    LinkByPath {
        /// The link.
        hook: PathBuf,
        /// The hook that it leads to.
        sibling: &'static str,
    },

    /// git runs hooks from a folder outside the repository.
    #[error(
        "core.hooksPath is {}, outside the repository, and other repositories may run the hooks \
         there; to make this repository run its own hooks instead: \
         git -C {} config core.hooksPath {}",
        shown(.folder),
        shown(.repository),
        shown(&.repository.join("hooks"))
    )]
    HooksElsewhere {
        /// The folder.
        folder: PathBuf,
        /// The repository.
        repository: PathBuf,
    },

    /// The repository's folder of hooks is a link to a folder outside.
    #[error(
        "{} is a link to a folder outside the repository, and other repositories may run the hooks \
         there; put a folder in place of the link, with a copy of the hooks that this repository \
         needs",
        shown(.0)
    )]
    HooksLink(PathBuf),

    /// Nobody can push to the deploy branch.
    #[error(
        "{} has a work tree with {} checked out, so git refuses every push to that branch \
         (receive.denyCurrentBranch); deploy from a bare repository: git clone --bare",
        shown(.repository),
        text::escape(.branch, 200)
    )]
    CheckedOut {
        /// The repository.
        repository: PathBuf,
        /// The deploy branch.
        branch: String,
    },

    /// The user who will run the hooks may not execute this program.
    #[error(
        "the hooks run as {user}, who may not execute {}; put the program where everybody may \
         execute it, for example in /usr/local/bin, and call it there",
        shown(.program)
    )]
    ProgramHidden {
        /// The user.
        user: String,
        /// The program.
        program: PathBuf,
    },

    /// A git process holds the lock of git's configuration, or has left it behind.
    #[error(
        "git can't change {key}, because {} exists; if no git process is running there, a dead one \
         has left it: remove it, and run this again",
        shown(.lock)
    )]
    ConfigLocked {
        /// The setting.
        key: &'static str,
        /// The lock file.
        lock: PathBuf,
    },

    /// The repository can't have units.
    #[error(transparent)]
    Units(#[from] UnitError),

    /// The repository's units have to be written, and this process does not run as root.
    #[error("{UNITS_ARE_ROOTS}")]
    UnitsNeedRoot,

    /// systemctl can't be called.
    #[error("systemctl could not be started: {0}")]
    SystemctlMissing(#[source] io::Error),

    /// systemctl failed.
    #[error("systemctl {}: {status}", .words.join(" "))]
    Systemctl {
        /// The words it was called with.
        words: Vec<String>,
        /// How it ended.
        status: ExitStatus,
    },
}

impl Error {
    /// Makes an error from what went wrong with a file.
    pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File {
            path: path.clone(),
            source,
        }
    }

    /// Whether nothing failed: the repository or the machine is so that it must not be done.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Taken(_)
            | Self::Dangling(_)
            | Self::LinkByPath { .. }
            | Self::HooksElsewhere { .. }
            | Self::HooksLink(_)
            | Self::CheckedOut { .. }
            | Self::ProgramHidden { .. }
            | Self::UnitsNeedRoot => true,
            Self::Git(_)
            | Self::Store(_)
            | Self::File { .. }
            | Self::ConfigLocked { .. }
            | Self::Units(_)
            | Self::SystemctlMissing(_)
            | Self::Systemctl { .. } => false,
        }
    }

    /// What to do, where the message does not say it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnitsNeedRoot => Some(UNITS_HINT),
            Self::Store(error) => Some(error.hint()),
            _ => None,
        }
    }
}

fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 300)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_about_a_file_names_it_and_the_cause() {
        let error = Error::at(Path::new("/a/b"))(io::ErrorKind::PermissionDenied.into());
        assert_eq!(error.to_string(), "/a/b: permission denied");
    }
}
