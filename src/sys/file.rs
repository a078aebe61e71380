//! Files and folders of the state: who may read them, what is on disk, what of a log takes up
//! space.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, FallocateFlags, RenameFlags, fallocate, renameat2};
use nix::sys::stat::futimens;
use nix::sys::time::TimeSpec;
use nix::unistd::{Whence, lseek};

/// The modes of the state's folders and files, set explicitly: the umask is whoever's pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    folder: u32,
    file: u32,
}

impl Sharing {
    /// For the owner alone.
    pub const PRIVATE: Self = Self {
        folder: 0o700,
        file: 0o600,
    };

    /// What `core.sharedRepository` says (git-config(1)).
    #[must_use]
    pub fn from_git(value: Option<&str>) -> Self {
        let group = Self {
            folder: 0o2770,
            file: 0o660,
        };
        let all = Self {
            folder: 0o2775,
            file: 0o664,
        };
        match value.map(str::to_ascii_lowercase).as_deref() {
            Some("group" | "true" | "yes" | "on" | "1" | "") => group,
            Some("all" | "world" | "everybody" | "2") => all,
            Some(octal) if octal.starts_with('0') && octal.len() > 1 => {
                match u32::from_str_radix(octal, 8) {
                    Ok(mode) => {
                        let file = (mode & 0o666) | 0o600;
                        Self {
                            folder: 0o2000 | file | (file & 0o444) >> 2,
                            file,
                        }
                    }
                    Err(_) => Self::PRIVATE,
                }
            }
            _ => Self::PRIVATE,
        }
    }

    /// What a folder of the state that is already there was made with.
    ///
    /// # Errors
    /// The folder can't be looked at.
    pub fn of_folder(folder: &Path) -> io::Result<Self> {
        let mode = fs::metadata(folder)?.mode() & 0o7777;
        Ok(Self {
            folder: mode,
            file: mode & 0o666,
        })
    }

    /// Whether the group may write.
    #[must_use]
    pub fn is_with_group(self) -> bool {
        self.file & 0o020 != 0
    }

    /// Makes a folder, and those above it, where they are missing.
    ///
    /// # Errors
    /// It can't be made.
    pub fn create_folder(self, folder: &Path) -> io::Result<()> {
        match fs::create_dir(folder) {
            Ok(()) => fs::set_permissions(folder, Permissions::from_mode(self.folder)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.create_folder(folder.parent().ok_or(error)?)?;
                self.create_folder(folder)
            }
            Err(error) => Err(error),
        }
    }

    /// Gives a file that was just made its mode. Where another user was faster, it is theirs to
    /// give.
    ///
    /// # Errors
    /// The mode can't be set.
    pub fn apply_to_file(self, file: &File) -> io::Result<()> {
        match file.set_permissions(Permissions::from_mode(self.file)) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            done => done,
        }
    }
}

/// Waits until a folder's entries are on disk.
///
/// # Errors
/// The folder can't be opened or synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Says that a file or folder was changed now. Unlike with a time of one's own choice, whoever may
/// write to it may do that (utimensat(2)).
///
/// # Errors
/// It can't be opened or its time not be set.
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

/// Waits until everything written to a folder's file system is on disk: a tree of files is not
/// complete before.
///
/// # Errors
/// The folder can't be opened or its file system not be synced.
pub fn sync_file_system(folder: &Path) -> io::Result<()> {
    Ok(nix::unistd::syncfs(File::open(folder)?.as_fd())?)
}

/// Gives back the space of a part of a file; its size stays. `false` where the file system can't.
///
/// # Errors
/// It failed otherwise.
pub fn punch_hole(file: &File, start: u64, length: u64) -> io::Result<bool> {
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    let (Ok(start), Ok(length)) = (i64::try_from(start), i64::try_from(length)) else {
        return Ok(false);
    };
    match fallocate(file.as_fd(), flags, start, length) {
        Ok(()) => Ok(true),
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Where the next data of a file begin, at or after an offset: the end of a hole. `None`: there are
/// none. Moves the file's offset.
///
/// # Errors
/// The file can't be asked.
pub fn next_data(file: &File, offset: u64) -> io::Result<Option<u64>> {
    let Ok(start) = i64::try_from(offset) else {
        return Ok(None);
    };
    match lseek(file.as_fd(), start, Whence::SeekData) {
        Ok(at) => Ok(u64::try_from(at).ok()),
        Err(Errno::ENXIO) => Ok(None),
        Err(Errno::EINVAL | Errno::EOPNOTSUPP) => Ok(Some(offset)),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_somebody_has_is_not_taken_away() {
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

    #[test]
    fn sharing_follows_git() {
        let table = [
            (None, 0o700, 0o600),
            (Some("umask"), 0o700, 0o600),
            (Some("false"), 0o700, 0o600),
            (Some("0"), 0o700, 0o600),
            (Some("group"), 0o2770, 0o660),
            (Some("true"), 0o2770, 0o660),
            (Some("1"), 0o2770, 0o660),
            (Some("all"), 0o2775, 0o664),
            (Some("0640"), 0o2750, 0o640),
            (Some("0660"), 0o2770, 0o660),
        ];
        for (value, folder, file) in table {
            assert_eq!(
                Sharing::from_git(value),
                Sharing { folder, file },
                "{value:?}"
            );
        }
    }
}
