//! Making files that belong to another user.
//!
//! Protocol: while root does the work, this thread's user and group for file systems are others
//! (setfsuid(2)). What it makes then belongs to that user from the beginning, whenever the process
//! dies. And it may do with files only what that user may, so a link that the user has put in the
//! place of a file leads root nowhere. Nothing else of the process changes, and no other thread.
//!
//! It does not promise anything for a process that is not root: it does the work as it is. Nor does
//! it give up root's other groups.

use std::io;

use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

/// The number that no user has. setfsuid(2) changes nothing for it, and tells the present user.
const NOBODY_AT_ALL: u32 = u32::MAX;

/// The user and the group that files are to belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) user: u32,
    pub(super) group: u32,
}

impl Owner {
    /// Does some work with files as this owner, if this process is root; otherwise as it is.
    ///
    /// # Errors
    /// The error of the work, or the kernel does not let this process act for the owner.
    pub(super) fn act<T>(self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if !Uid::effective().is_root() {
            return work();
        }
        let _back = Back;
        setfsgid(Gid::from_raw(self.group));
        setfsuid(Uid::from_raw(self.user));
        // The calls themselves report no error (setfsuid(2), "BUGS").
        let now = setfsuid(Uid::from_raw(NOBODY_AT_ALL)).as_raw();
        if now != self.user {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        work()
    }
}

/// Makes this thread work with files as root again.
struct Back;

impl Drop for Back {
    fn drop(&mut self) {
        setfsuid(Uid::from_raw(0));
        setfsgid(Gid::effective());
    }
}
