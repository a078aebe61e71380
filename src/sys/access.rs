//! What this process may do with a file or folder.
//!
//! Protocol: the kernel is asked with access(2), which knows owners, groups, access control lists
//! and file systems that are mounted read-only; the modes alone do not answer the question.
//!
//! It does not promise that the answer still holds when the file is used: somebody may change it
//! meanwhile. The answer is for messages and for choosing a way, not for security. It is about the
//! real user of this process, which is also the effective one: this program is not installed
//! set-user-ID.

use std::io;
use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::AccessFlags;

/// Whether the file may be written, or files be made and removed in the folder if it may be
/// searched too.
#[must_use]
pub fn may_write(path: &Path) -> bool {
    may(path, AccessFlags::W_OK)
}

/// Whether the file may be read.
#[must_use]
pub fn may_read(file: &Path) -> bool {
    may(file, AccessFlags::R_OK)
}

/// Whether the file may be executed.
#[must_use]
pub fn may_execute(file: &Path) -> bool {
    may(file, AccessFlags::X_OK)
}

/// Whether files may be made in the folder.
#[must_use]
pub fn may_create_in(folder: &Path) -> bool {
    may(folder, AccessFlags::W_OK | AccessFlags::X_OK)
}

/// Whether programs may be executed that are in a folder's file system (mount(8), `noexec`).
///
/// # Errors
/// It can't be found out.
pub fn allows_programs(folder: &Path) -> io::Result<bool> {
    Ok(!statvfs(folder)?.flags().contains(FsFlags::ST_NOEXEC))
}

fn may(path: &Path, what: AccessFlags) -> bool {
    nix::unistd::access(path, what).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn file_without_the_bit_may_not_be_executed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();

        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        assert!(may_write(&file) && !may_execute(&file));

        fs::set_permissions(&file, Permissions::from_mode(0o700)).unwrap();
        assert!(may_execute(&file));
    }

    #[test]
    fn files_may_be_made_in_an_own_folder_and_not_in_a_missing_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(may_create_in(folder.path()));
        assert!(!may_create_in(&folder.path().join("missing")));
    }
}
