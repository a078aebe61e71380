//! Why the state could not be read or changed.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::text;

/// The state could not be read or changed.
#[derive(Debug, Error)]
pub enum Error {
    /// There is no state here yet.
    #[error("{}: there is no state here", shown(.0))]
    Missing(PathBuf),
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
            Self::TooNew { .. } => {
                "install the newer deploy-by-code again; the state was not changed"
            }
            Self::Database(..) | Self::Io(..) => {
                "check that this user may write there and that the disk is not full"
            }
            Self::Damaged(_) => "run: deploy-by-code doctor",
        }
    }
}
