//! Why the state could not be read or changed.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

use super::schema::VERSION;
use crate::id::DeploymentId;
use crate::sys::user::User;
use crate::text;

/// The state could not be read or changed.
#[derive(Debug, Error)]
pub enum Error {
    /// There is no state here yet.
    #[error("{}: there is no state here", shown(.0))]
    Missing(PathBuf),
    /// There was a state here, and its database is gone.
    #[error("{}: there is no state here, although there was one", shown(.0))]
    Lost(PathBuf),
    /// There is no state here, because it was in another folder at the last install.
    #[error(
        "{}: there is no state here; the state of this repository was in {} at the last install",
        shown(.file),
        shown(.earlier)
    )]
    Elsewhere {
        /// The database's file, where the configuration has the state now.
        file: PathBuf,
        /// The folder at the last install.
        earlier: PathBuf,
    },
    /// What is here is not a database of this program, or not any more.
    #[error("{}: the database of the state can't be used: {}", shown(.file), .what)]
    Unusable {
        /// The database's file.
        file: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// This user may not use the database.
    #[error(
        "{}: Permission denied: {user} may not {} it; it belongs to {owner}",
        shown(.file),
        if *.is_read { "change" } else { "read" }
    )]
    NoAccess {
        /// The database's file.
        file: PathBuf,
        /// The user of this process.
        user: String,
        /// Whom the state belongs to.
        owner: String,
        /// Whether the user may read it at least.
        is_read: bool,
        /// Whether root left it in a state that is this user's.
        is_left: bool,
    },
    /// The database is older than the logs.
    #[error(
        "the database of the state is older than its logs, for example restored from a backup: the \
         next deployment would be {id}, and {} is there already",
        shown(.log)
    )]
    Behind {
        /// The number that was about to be used a second time.
        id: DeploymentId,
        /// The log of the deployment that had it.
        log: PathBuf,
    },
    /// Another process makes a state here.
    #[error("{}: another process has been working on this state for 10 s", shown(.0))]
    Locked(PathBuf),
    /// A newer version of this program made the database.
    #[error(
        "{}: the database was made by a newer deploy-by-code: it has version {found}, and this \
         program knows up to {known}",
        shown(.file)
    )]
    TooNew {
        /// The database's file.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// An older version of this program made the database, and this process may not change it.
    #[error(
        "{}: the database has the old version {found}, and only a process that may change it can \
         bring it to version {VERSION}",
        shown(.file)
    )]
    TooOld {
        /// The database's file.
        file: PathBuf,
        /// Its version.
        found: i64,
    },
    /// The database's write-ahead log is missing, and this process may not make it.
    #[error("{}: no process that may change it has opened the database yet", shown(.0))]
    Unopened(PathBuf),
    /// SQLite reports an error.
    #[error("{}: {}", shown(.0), text::escape(.1.to_string(), 300))]
    Database(PathBuf, #[source] rusqlite::Error),
    /// A file or folder of the state can't be used.
    #[error("{}: {}", shown(.0), .1)]
    Io(PathBuf, #[source] io::Error),
    /// The database says something that this program never writes.
    #[error("the database is damaged: {}", text::escape(.0, 300))]
    Damaged(String),
}

/// A path as messages show it.
fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 200)
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing(_) => {
                "run: deploy-by-code install; if it was there, check that its file system is \
                 mounted"
            }
            Self::Elsewhere { .. } => "move it, or undo the change of state_dir",
            Self::TooNew { .. } => {
                "install the newer deploy-by-code again; the state was not changed"
            }
            Self::TooOld { .. } | Self::Unopened(_) => {
                "as the owner of the state, run: deploy-by-code status"
            }
            Self::NoAccess { is_left: true, .. } => {
                "as root, give it to the owner of the state with chown"
            }
            Self::NoAccess { .. } => {
                "work as that user; if several users push, share the repository and its state \
                 with a group: git config core.sharedRepository group, chgrp -R, chmod -R g+rwX"
            }
            Self::Locked(_) => "run this again",
            Self::Damaged(_) => "run: deploy-by-code doctor",
            Self::Behind { .. } => {
                "the administrator lets the numbers continue after those of the logs: \
                 deploy-by-code rebuild"
            }
            Self::Lost(_) => {
                "check that its file system is mounted; if it is lost, the administrator restores \
                 it from a backup, or makes a new one from the deploy branch and the logs: \
                 deploy-by-code rebuild"
            }
            damaged if damaged.is_damage() => {
                "the administrator restores it from a backup, or makes a new one from the deploy \
                 branch and the logs: deploy-by-code rebuild"
            }
            _ => "check that this user may write there and that the disk is not full",
        }
    }

    /// Whether it says that the database itself is gone or damaged. Then to try again is of no use.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Unusable { .. } | Self::Damaged(_) => true,
            Self::Database(_, error) => match error.sqlite_error_code() {
                // The last one is what SQLite says about tables that are not as they should be.
                Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) => {
                    true
                }
                Some(_) => false,
                // A value that this program never writes.
                None => true,
            },
            Self::Missing(_)
            | Self::Elsewhere { .. }
            | Self::TooNew { .. }
            | Self::TooOld { .. }
            | Self::Unopened(_)
            | Self::NoAccess { .. }
            | Self::Locked(_)
            | Self::Behind { .. }
            | Self::Io(..) => false,
        }
    }

    /// The error of a user who may not read or change the state's database.
    pub(super) fn no_access(file: &Path, is_read: bool) -> Self {
        let name =
            |number| User::by_number(number).map_or(format!("user {number}"), |user| user.name);
        let own = User::own_number();
        let of = |path: Option<&Path>| path.and_then(|path| path.metadata().ok());
        let (of_file, of_folder) = (of(Some(file)), of(file.parent()));
        let is_left = of_file.as_ref().is_some_and(|found| found.uid() == 0)
            && of_folder.as_ref().is_some_and(|found| found.uid() == own);
        // Where the folder may not be entered, its owner is that of the file too.
        let owner = of_file.or(of_folder);
        Self::NoAccess {
            file: file.to_owned(),
            user: name(own),
            owner: owner.map_or("another user".to_owned(), |found| name(found.uid())),
            is_read,
            is_left: is_left && own != 0,
        }
    }
}
