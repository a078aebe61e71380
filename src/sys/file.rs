//! Steps with files and folders that the standard library does not have.
//!
//! Protocol: each function is one step of the kernel's that either happens or does not. What must
//! survive a crash of the machine is synced: a file's own sync does not make its name durable, its
//! folder's does.
//!
//! It does not promise durability where the disk or a file system over the network lies about it.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, FcntlArg, RenameFlags, fcntl, renameat2};
use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::time::Timestamp;

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

/// Gives an empty file the content of another one, which both share until one of them is written to
/// (`FICLONE`, ioctl_ficlone(2)).
///
/// # Errors
/// The file system can't do it, or the files are on two of them.
pub fn share_content(of: &File, with: &File) -> io::Result<()> {
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    // SAFETY: both descriptors are open, and the call has no other argument.
    let done = unsafe { libc::ioctl(with.as_raw_fd(), libc::FICLONE, of.as_raw_fd()) };
    Ok(Errno::result(done).map(drop)?)
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

/// The name under which [`replace`] writes a file first.
#[must_use]
pub fn new_name(file: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    name.push(".new");
    file.with_file_name(name)
}

/// Gives a file a new content and a mode in one step: it is written beside the old one, under the
/// name `.NAME.new`, and renamed. What is left under that name after a crash is replaced. So only
/// one process at a time may do this for a file. No link is followed in the place of either name.
/// It is not synced: after a power cut there can be the old file, the new one or an empty one.
///
/// # Errors
/// It can't be written or renamed, and the old file is as it was.
pub fn replace(file: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let new = new_name(file);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }

    let mut written = OpenOptions::new().write(true).create_new(true).open(&new)?;
    let renamed = (written.write_all(content))
        .and_then(|()| written.set_permissions(Permissions::from_mode(mode)))
        .and_then(|()| fs::rename(&new, file));
    if renamed.is_err() {
        let _ = fs::remove_file(&new);
    }
    renamed
}

/// Whether an error says that there is nothing, and not that this could not be found out. A circle
/// of links leads nowhere either.
#[must_use]
pub fn is_absence(error: &io::Error) -> bool {
    let kind = error.kind();
    kind == io::ErrorKind::NotFound
        || kind == io::ErrorKind::NotADirectory
        || error.raw_os_error() == Some(Errno::ELOOP as i32)
}

/// Whether anything is there, even a broken link.
///
/// # Errors
/// It can't be found out.
pub fn is_there(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if is_absence(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The target of a link. `None`: there is no link.
///
/// # Errors
/// It can't be found out.
pub fn link_target(path: &Path) -> io::Result<Option<PathBuf>> {
    match fs::read_link(path) {
        Ok(target) => Ok(Some(target)),
        // Something is there and is no link (readlink(2)).
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(None),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// When a file was changed last, or the link that leads to it: its content, its owner, its mode or
/// its name (`st_ctime`, inode(7)). Nobody can set that back, except with the clock.
///
/// # Errors
/// It can't be looked at.
pub fn last_change(file: &Path) -> io::Result<Timestamp> {
    let of = |found: Metadata| found.ctime() * 1000 + found.ctime_nsec() / 1_000_000;
    let changed = of(file.metadata()?).max(of(file.symlink_metadata()?));
    Ok(Timestamp::from_ms(changed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_replaced_whole_and_no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let [file, new, other] = ["a", ".a.new", "other"].map(|name| folder.path().join(name));
        fs::write(&other, "other").unwrap();
        for link in [&file, &new] {
            std::os::unix::fs::symlink("other", link).unwrap();
        }

        replace(&file, b"content", 0o644).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "content");
        assert_eq!(fs::read_to_string(&other).unwrap(), "other");
        let found = file.symlink_metadata().unwrap();
        assert!(found.is_file());
        assert_eq!(found.permissions().mode() & 0o7777, 0o644);
        assert!(!is_there(&new).unwrap());

        fs::create_dir(&new).unwrap();
        replace(&file, b"newer", 0o644).unwrap_err();
        assert_eq!(fs::read_to_string(&file).unwrap(), "content");
    }

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
