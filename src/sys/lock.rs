//! A lock that ends with its holder.
//!
//! Protocol: flock(2) on a file that is opened close-on-exec, so that no command inherits it, and
//! never removed, so that no second taker can lock another file of the same name. The kernel
//! releases the lock when the holder ends, even if it is killed. So there is no stale lock.
//!
//! It does not promise anything on a file system that does not carry flock between machines (NFS
//! before Linux 2.6.12), and it does not stop a process that does not ask for the lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use nix::libc::O_DIRECTORY;

use super::clock::{self, Deadline};
use super::file::is_absence;
use super::open;
use super::sharing::Sharing;

/// A lock that is held. Dropping it releases the lock.
#[derive(Debug)]
pub struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // A child that was forked and has not executed its program yet has a copy of the file. So
        // closing the file is not enough. If this fails, closing it is what is left.
        let _ = self.0.unlock();
    }
}

/// Takes the lock of a file if nobody holds it; `None` when somebody does. The file is made where
/// it is missing.
///
/// # Errors
/// The file can't be opened or locked.
pub fn try_lock(path: &Path, sharing: Sharing) -> io::Result<Option<Lock>> {
    lock_now(sharing.open_file(path, OpenOptions::new().read(true).write(true))?)
}

/// How often a lock that is taken is tried again.
const LOOK: Duration = Duration::from_millis(20);

/// Takes the lock of a file as [`try_lock`], and waits for it a moment: somebody may only be asking
/// whether it is taken.
///
/// # Errors
/// As for [`try_lock`].
pub fn try_lock_a_moment(path: &Path, sharing: Sharing) -> io::Result<Option<Lock>> {
    let end = Deadline::after(LOOK * 10);
    loop {
        match try_lock(path, sharing)? {
            None if !end.is_over() => clock::sleep(LOOK),
            taken => return Ok(taken),
        }
    }
}

/// Takes the lock of a folder itself, which leaves no file behind; otherwise as [`try_lock`].
/// Everybody who may read the folder can hold the lock.
///
/// # Errors
/// The folder can't be opened or locked.
pub fn try_lock_folder(folder: &Path) -> io::Result<Option<Lock>> {
    lock_now(
        OpenOptions::new()
            .read(true)
            .custom_flags(O_DIRECTORY)
            .open(folder)?,
    )
}

/// Whether somebody holds the lock of a file, in whichever namespace. Where the file is missing,
/// nobody does. For a moment, this keeps others from taking the lock.
///
/// # Errors
/// The file can't be opened or asked.
pub fn is_taken(path: &Path) -> io::Result<bool> {
    let file = match open::without_following(path) {
        Err(error) if is_absence(&error) => return Ok(false),
        opened => opened?,
    };
    // A shared lock, so that two who ask at the same time do not take each other for a holder.
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn lock_now(file: File) -> io::Result<Option<Lock>> {
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_is_taken_as_long_as_somebody_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert!(!is_taken(&path).unwrap(), "it is not there");

        let lock = try_lock(&path, Sharing::PRIVATE).unwrap().unwrap();
        assert!(is_taken(&path).unwrap());
        drop(lock);
        assert!(!is_taken(&path).unwrap());
        assert!(try_lock(&path, Sharing::PRIVATE).unwrap().is_some());
    }
}
