//! What the kernel says about a file, with fstat(2) and fstatat(2).
//!
//! Protocol: two statuses of one path that are equal mean that nothing was changed in between,
//! since each change sets the time of the last change to the present.
//!
//! It does not promise to see a change within one tick of the kernel's clock, nor one that root
//! hides by setting the clock back.

use std::fs::File;
use std::io;

use nix::sys::stat::{FileStat, SFlag, fstat};

/// What something in a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A regular file, or something rarer.
    Other,
}

/// What the kernel says about something in a folder. It changes when the thing is changed: nobody
/// but root can set the time of the last change back (inode(7), ctime).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileStatus {
    /// What it is.
    pub kind: FileKind,
    mode: u32,
    inode: u64,
    size: i64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileStatus {
    /// The status of a file that is open.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(fstat(file)?.into())
    }

    /// The size of a regular file, in bytes; `None`: it is something else.
    #[must_use]
    pub fn file_size(&self) -> Option<u64> {
        let is_file = SFlag::from_bits_truncate(self.mode) & SFlag::S_IFMT == SFlag::S_IFREG;
        is_file.then(|| u64::try_from(self.size).unwrap_or(0))
    }

    /// Whether nothing but the number of the file's names can have changed: then only the time of
    /// the last change differs.
    #[must_use]
    pub fn differs_by_links_only(&self, other: &Self) -> bool {
        *self
            == Self {
                changed: self.changed,
                ..*other
            }
    }
}

impl From<FileStat> for FileStatus {
    fn from(status: FileStat) -> Self {
        Self {
            kind: match SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT {
                SFlag::S_IFDIR => FileKind::Folder,
                SFlag::S_IFLNK => FileKind::Link,
                _ => FileKind::Other,
            },
            mode: status.st_mode,
            inode: status.st_ino,
            size: status.st_size,
            modified: (status.st_mtime, status.st_mtime_nsec),
            changed: (status.st_ctime, status.st_ctime_nsec),
        }
    }
}
