//! When a mirror was fetched, and why it could not be.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::place::Mirror;
use crate::sys::file::{is_absence, new_name};
use crate::sys::open;
use crate::sys::sharing::Sharing;
use crate::time::Timestamp;

/// The largest record that is read, in bytes.
const RECORD_MAX: u64 = 4096;

/// The file in a mirror that says when the last fetch began that succeeded.
pub(super) const FETCHED: &str = "deploy-by-code.fetched";

/// A fetch that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchFailure {
    /// When it had failed, in milliseconds since 1970.
    at_ms: i64,
    /// Why, escaped.
    pub why: String,
}

impl FetchFailure {
    pub(super) fn new(at: Timestamp, why: String) -> Self {
        let at_ms = at.as_ms();
        Self { at_ms, why }
    }

    /// When it had failed.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        Timestamp::from_ms(self.at_ms)
    }
}

impl Mirror {
    /// When the last fetch began that succeeded: what is known is what was there then, or later.
    /// `None`: there was none, or that is not known.
    ///
    /// # Errors
    /// It can't be looked at.
    pub fn fetched(&self) -> io::Result<Option<Timestamp>> {
        let text = read(&self.folder().join(FETCHED))?;
        let ms = text.and_then(|text| text.trim().parse().ok());
        Ok(ms.map(Timestamp::from_ms))
    }

    /// The last fetch that failed. `None`: none did, or that is not known.
    ///
    /// # Errors
    /// It can't be looked at.
    pub fn failed(&self) -> io::Result<Option<FetchFailure>> {
        let text = read(&self.file("failed"))?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    pub(super) fn record_failure(&self, sharing: Sharing, failure: &FetchFailure) {
        // It only saves others the time to find out the same.
        let written = serde_json::to_string(failure).map_err(io::Error::from);
        let _ = written.and_then(|text| replace(&self.file("failed"), &text, sharing));
    }
}

/// Notes in the folder of a mirror when a fetch began that has succeeded.
pub(super) fn record_fetched(folder: &Path, began: Timestamp, sharing: Sharing) -> io::Result<()> {
    let text = format!("{}\n", began.as_ms());
    replace(&folder.join(FETCHED), &text, sharing)
}

/// Gives a file of a mirror a new content in one step. After a power cut it can be empty. One
/// process at a time does this: the one that holds the mirror's lock.
pub(super) fn replace(file: &Path, text: &str, sharing: Sharing) -> io::Result<()> {
    let new: PathBuf = new_name(file);
    let mut written = sharing.open_file(&new, OpenOptions::new().write(true))?;
    written.set_len(0)?;
    written.write_all(text.as_bytes())?;
    fs::rename(new, file)
}

/// The text of a small file; `None`: there is none, or it is none of this program's.
fn read(file: &Path) -> io::Result<Option<String>> {
    match open::read_text(file, RECORD_MAX) {
        Ok(text) => Ok(Some(text)),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(error),
    }
}
