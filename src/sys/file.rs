//! Steps with files and folders that the standard library does not have.
//!
//! Protocol: each function is one step of the kernel's that either happens or does not. What must
//! survive a crash of the machine is synced: a file's own sync does not make its name durable, its
//! folder's does.
//!
//! It does not promise durability where the disk or a file system over the network lies about it.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::fd::AsFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, FcntlArg, RenameFlags, fcntl, renameat2};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// Waits until the entries of a folder are on disk.
///
/// # Errors
/// The folder can't be opened or synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A file that has no name and is kept in memory, with this content; the next read begins at its
/// start. It vanishes with its last descriptor (memfd_create(2)).
///
/// # Errors
/// The kernel has no memory or no descriptor for it.
pub fn in_memory(content: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("deploy-by-code", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file)
}

/// Lets a pipe hold 1 MiB, so that two processes that use it wait for each other less often
/// (`F_SETPIPE_SZ`, fcntl(2)). Where the kernel refuses, the pipe stays as it is.
pub fn widen_pipe(pipe: &impl AsFd) {
    let _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(1024 * 1024));
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
