//! The lock of a checkout's folder.
//!
//! Protocol: each step holds the kernel's lock of one file (flock(2)) while it works in the folder.
//! The file is never removed: a second process would then lock another one of the same name.
//!
//! It does not promise anything against whoever may write in the folder.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io;

use super::error::{CheckoutError, at};
use super::order::CheckoutOrder;
use crate::sys::folder::OpenFolder;

/// The file whose lock a step holds while it works in the folder.
const LOCK: &str = ".deploy-by-code.lock";

/// Takes the lock of a checkout's folder, which is held until the file is closed. `say` gets told
/// if another process has to be waited for.
///
/// # Errors
/// The lock file can't be opened or locked.
pub(super) fn take_lock(
    order: &CheckoutOrder,
    folder: &OpenFolder,
    say: &mut dyn FnMut(&str),
) -> Result<File, CheckoutError> {
    let at_lock = || at(order.folder.join(LOCK));
    let lock = folder.lock_file(OsStr::new(LOCK), order.is_shared);
    let lock = lock.map_err(at_lock())?;
    match lock.try_lock() {
        Ok(()) => return Ok(lock),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(at_lock()(error)),
    }

    say(&format!(
        "waiting for another process that holds the lock of {}",
        order.folder.display()
    ));
    loop {
        match lock.lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            locked => return locked.map(|()| lock).map_err(at_lock()),
        }
    }
}
