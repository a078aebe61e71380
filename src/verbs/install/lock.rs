//! Prevents two installs or uninstalls of one repository from disturbing each other.
//!
//! Protocol: the repository's folder itself is locked, which leaves no file behind. Everybody who
//! may read the repository can hold that lock, so the wait for it has a limit.
//!
//! It does not promise that nobody else changes the repository meanwhile: a caller who does not get
//! the lock continues with a warning, and git does not use this lock. So no step replaces what the
//! plan did not find.

use std::path::Path;
use std::time::Duration;

use super::error::Error;
use crate::sys::clock::{self, Deadline};
use crate::sys::lock::{Lock, try_lock_folder};

/// How long another install of the same repository is waited for. [`super::Warning`] names it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the lock is tried.
const LOOK: Duration = Duration::from_millis(20);

/// Locks a repository's folder until the returned value is dropped; `None`: somebody else has held
/// the lock for 10 s.
///
/// # Errors
/// The folder can't be opened or locked.
pub fn lock(repository: &Path) -> Result<Option<Lock>, Error> {
    let deadline = Deadline::after(PATIENCE);
    loop {
        match try_lock_folder(repository).map_err(Error::at(repository))? {
            Some(lock) => return Ok(Some(lock)),
            None if deadline.is_over() => return Ok(None),
            None => clock::sleep(LOOK),
        }
    }
}
