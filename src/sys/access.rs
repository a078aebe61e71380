//! What this process may do with a file or folder.
//!
//! Protocol: the kernel is asked with access(2), which knows owners, groups, access control lists
//! and file systems that are mounted read-only; the modes alone do not answer the question.
//!
//! Whether others than root can change a path follows from owners and modes alone, of every part of
//! the path. An access control list that lets somebody write shows in the mode of the group
//! (acl(5)).
//!
//! It does not promise that an answer of access(2) still holds when the file is used: somebody may
//! change it meanwhile. Such an answer is for messages and for choosing a way, not for security. It
//! is about the real user of this process, which is also the effective one: this program is not
//! installed set-user-ID.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
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

/// Whether a file may be removed, or another one be renamed to its name, in a folder in which files
/// may be made. In a sticky folder, only root and the owners of the two may do that (inode(7)). A
/// folder is no file. `true`: also where nothing has the name.
///
/// # Errors
/// The file or its folder can't be looked at.
pub fn may_replace(file: &Path) -> io::Result<bool> {
    let found = match file.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        found => found?,
    };
    let folder = file.parent().unwrap_or(file).metadata()?;
    let user = nix::unistd::geteuid().as_raw();
    let owns_one = [found.uid(), folder.uid()].contains(&user);
    let may_remove = folder.mode() & 0o1000 == 0 || user == 0 || owns_one;
    Ok(may_remove && !found.is_dir())
}

/// Whether users other than the owner may remove and replace the files of others in a folder.
///
/// # Errors
/// The folder can't be looked at.
pub fn lets_others_replace(folder: &Path) -> io::Result<bool> {
    let mode = folder.metadata()?.mode();
    Ok(mode & 0o022 != 0 && mode & 0o1000 == 0)
}

/// Whether programs may be executed that are in a folder's file system (mount(8), `noexec`).
///
/// # Errors
/// It can't be found out.
pub fn allows_programs(folder: &Path) -> io::Result<bool> {
    Ok(!statvfs(folder)?.flags().contains(FsFlags::ST_NOEXEC))
}

/// How many symbolic links of a path are followed, as the kernel does (path_resolution(7)).
const LINKS_MAX: usize = 40;

/// The first part of a path that users other than root and `owner` can change, or replace by
/// something else: the file, a folder on the way to it, or a link. `None`: only these two can. A
/// folder that is sticky, as /tmp is, protects what they have in it. What is missing is theirs,
/// since only they could make it.
///
/// # Errors
/// A part can't be looked at, or there are too many links.
pub fn changeable_by_others(path: &Path, owner: u32) -> io::Result<Option<PathBuf>> {
    let parts = |path: &Path| -> Vec<OsString> {
        let parts = path.components().rev();
        parts.map(|part| part.as_os_str().to_owned()).collect()
    };
    let mut left = parts(&std::path::absolute(path)?);
    let mut at = PathBuf::new();
    let mut is_above_sticky = false;
    let mut links = 0;

    while let Some(part) = left.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        let here = at.join(part);
        let found = match here.symlink_metadata() {
            Ok(found) => found,
            // Below a file there is nothing either: it was looked at itself.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(is_above_sticky.then_some(at));
            }
            Err(error) => return Err(error),
        };
        if found.uid() != 0 && found.uid() != owner {
            return Ok(Some(here));
        }

        if found.is_symlink() {
            links += 1;
            if links > LINKS_MAX {
                return Err(Errno::ELOOP.into());
            }
            left.extend(parts(&fs::read_link(&here)?));
            continue;
        }
        let is_writable = found.mode() & 0o022 != 0;
        let is_sticky = found.is_dir() && found.mode() & 0o1000 != 0;
        // Others can put something into the last folder, even if it is sticky.
        if is_writable && (left.is_empty() || !is_sticky) {
            return Ok(Some(here));
        }
        is_above_sticky = is_writable;
        at = here;
    }
    Ok(None)
}

fn may(path: &Path, what: AccessFlags) -> bool {
    nix::unistd::access(path, what).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

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

    #[test]
    fn file_of_another_user_in_a_sticky_folder_may_not_be_replaced() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("folder");
        fs::create_dir(&folder).unwrap();
        let [file, below] = ["file", "below"].map(|name| folder.join(name));
        fs::write(&file, "").unwrap();
        fs::create_dir(&below).unwrap();
        for (mode, lets_others) in [
            (0o755, false),
            (0o775, true),
            (0o777, true),
            (0o1775, false),
        ] {
            fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
            assert_eq!(lets_others_replace(&folder).unwrap(), lets_others);
            assert!(may_replace(&file).unwrap(), "{mode:o}");
            assert!(may_replace(&folder.join("missing")).unwrap());
            assert!(!may_replace(&below).unwrap(), "it is a folder");
        }
    }

    #[test]
    fn every_part_of_a_path_is_roots_or_is_named() {
        if !nix::unistd::Uid::effective().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().canonicalize().unwrap().join(name);
        let mode = |path: &str, mode| {
            fs::set_permissions(at(path), Permissions::from_mode(mode)).unwrap();
        };
        let found = |path: &str| changeable_by_others(&at(path), 0).unwrap();
        for name in ["a", "a/b", "shared", "sticky", "theirs"] {
            fs::create_dir(at(name)).unwrap();
        }
        for file in ["a/b/file", "shared/file", "sticky/file", "theirs/file"] {
            fs::write(at(file), "").unwrap();
        }
        mode("shared", 0o775);
        mode("sticky", 0o1777);
        chown(at("theirs"), Some(65534), None).unwrap();
        for (link, target) in [
            ("to-file", "a/b/file"),
            ("to-shared", "a/../shared/file"),
            ("to-link", "to-shared"),
            ("loop", "loop"),
            ("their-link", "a/b/file"),
        ] {
            symlink(target, at(link)).unwrap();
        }
        std::os::unix::fs::lchown(at("their-link"), Some(65534), None).unwrap();

        for path in [
            "a/b/file",
            "a/b/file/x",
            "to-file",
            "a/missing/file",
            "sticky/file",
        ] {
            assert_eq!(found(path), None, "{path}");
        }
        for (path, part) in [
            ("shared/file", "shared"),
            ("shared/missing", "shared"),
            ("to-shared", "shared"),
            ("to-link", "shared"),
            ("theirs/file", "theirs"),
            ("sticky", "sticky"),
            ("sticky/missing", "sticky"),
            ("their-link", "their-link"),
        ] {
            assert_eq!(found(path), Some(at(part)), "{path}");
        }
        changeable_by_others(&at("loop"), 0).unwrap_err();

        mode("a/b/file", 0o620);
        assert_eq!(found("to-file"), Some(at("a/b/file")));
    }
}
