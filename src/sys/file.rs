//! Steps with files and folders that the standard library does not have.
//!
//! Protocol: each function is one step of the kernel's that either happens or does not. What must
//! survive a crash of the machine is synced: a file's own sync does not make its name durable, its
//! folder's does; and a whole tree is durable once its file system was synced.
//!
//! It does not promise durability where the disk or a file system over the network lies about it.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::stat::futimens;
use nix::sys::time::TimeSpec;

/// Waits until the entries of a folder are on disk.
///
/// # Errors
/// The folder can't be opened or synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Waits until everything that was written to a folder's file system is on disk: a tree of files is
/// not complete before.
///
/// # Errors
/// The folder can't be opened, or its file system can't be synced.
pub fn sync_file_system(folder: &Path) -> io::Result<()> {
    Ok(nix::unistd::syncfs(File::open(folder)?.as_fd())?)
}

/// Sets the time when a file or folder was last changed to now. Everybody who may write to the file
/// may do this. Only its owner may set another time (utimensat(2)).
///
/// # Errors
/// It can't be opened, or its time can't be set.
pub fn touch(path: &Path) -> io::Result<()> {
    Ok(futimens(
        File::open(path)?.as_fd(),
        &TimeSpec::UTIME_NOW,
        &TimeSpec::UTIME_NOW,
    )?)
}

/// Gives a file another name that nobody has yet (renameat2(2), `RENAME_NOREPLACE`). On a file
/// system that can't promise this, whatever has the name is replaced.
///
/// # Errors
/// The file can't be renamed; `AlreadyExists`: something has the name.
pub fn rename_to_free_name(from: &Path, to: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        Err(Errno::EINVAL) => fs::rename(from, to),
        renamed => Ok(renamed?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_that_somebody_has_is_not_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        fs::write(&from, "new").unwrap();
        fs::write(&to, "old").unwrap();

        let error = rename_to_free_name(&from, &to).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&to).unwrap(), "old");

        fs::remove_file(&to).unwrap();
        rename_to_free_name(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "new");
    }
}
