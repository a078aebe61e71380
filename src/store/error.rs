//! What can go wrong with the state.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::text;

/// The state could not be read or changed.
#[derive(Debug)]
pub enum Error {
    /// There is no state here yet.
    Missing(PathBuf),
    /// The database was made by a newer version of this program.
    TooNew {
        /// The database's file.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// SQLite can't do what was asked.
    Database(PathBuf, rusqlite::Error),
    /// A file or folder of the state can't be used.
    Io(PathBuf, io::Error),
    /// The database says something that this program never writes.
    Damaged(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &Path| text::escape(path.as_os_str().as_encoded_bytes(), 200);
        match self {
            Self::Missing(file) => write!(f, "{}: there is no state here", shown(file)),
            Self::TooNew { file, found, known } => write!(
                f,
                "{}: the database is of a newer deploy-by-code: it has version {found}, and this program knows up to {known}",
                shown(file)
            ),
            Self::Database(file, error) => write!(
                f,
                "{}: {}",
                shown(file),
                text::escape(error.to_string(), 300)
            ),
            Self::Io(path, error) => write!(f, "{}: {error}", shown(path)),
            Self::Damaged(what) => {
                write!(f, "the database is damaged: {}", text::escape(what, 300))
            }
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing(_) => {
                "run: deploy-by-code install; if it was there, see that its file system is mounted"
            }
            Self::TooNew { .. } => "install the newer deploy-by-code again; the state is as it was",
            Self::Database(..) | Self::Io(..) => {
                "see that this user may write there and that the disk is not full"
            }
            Self::Damaged(_) => "run: deploy-by-code doctor",
        }
    }
}
