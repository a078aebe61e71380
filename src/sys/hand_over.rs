//! Giving what root made in a folder to the owner of the folder.
//!
//! Protocol: everything is looked at and changed through a descriptor of the thing itself
//! (openat(2) with `O_PATH | O_NOFOLLOW`, then fstat(2), then fchownat(2) with `AT_EMPTY_PATH`). So
//! nobody can exchange it in between, and no symbolic link is followed. The folder has to be the
//! owner's already. Only what root owns, what is on the same file system and what the caller
//! expects under this name is given away. A file with several names is not: one of them can be
//! elsewhere. Nor is a file with something in it: the owner can move what root has put into another
//! folder of the owner, and nobody can tell whether root made it here. Only who may write to a
//! folder can move the folder itself (rename(2)).
//!
//! It does not promise to give away everything: what is left out stays root's, and is not an error.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use nix::fcntl::AtFlags;
use nix::sys::stat::{FileStat, SFlag, fstat};
use nix::unistd::{Gid, Uid, fchownat};

use super::folder::OpenFolder;

/// What is expected under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedFile {
    /// A folder. What is in it is looked at too.
    Folder,
    /// A regular file with nothing in it.
    EmptyFile,
}

/// Gives what root has in a folder, and in the folders that are expected there, to the user
/// `owner`, to whom the folder belongs. `expected` says what belongs under a path from the folder;
/// `None`: something else, which stays as it is. Returns the paths. With `is_dry_run` nothing is
/// changed.
///
/// # Errors
/// Something can't be looked at or changed.
pub fn hand_over(
    folder: &Path,
    owner: u32,
    expected: impl Fn(&Path) -> Option<ExpectedFile>,
    is_dry_run: bool,
) -> io::Result<Vec<PathBuf>> {
    let top = match OpenFolder::by_path(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    let found = fstat(&top)?;
    if found.st_uid != owner || owner == 0 {
        return Ok(Vec::new());
    }
    let (device, group) = (found.st_dev, found.st_gid);

    let mut given = Vec::new();
    let mut folders = vec![(PathBuf::new(), top)];
    while let Some((path, folder)) = folders.pop() {
        for name in folder.some_names()? {
            let path = path.join(&name);
            let Some(expected) = expected(&path) else {
                continue;
            };
            let Some(entry) = open(&folder, &name)? else {
                continue;
            };
            let status = fstat(&entry)?;
            if status.st_dev != device || !expected.fits(&status) {
                continue;
            }

            let is_roots = status.st_uid == 0;
            if is_roots && !is_dry_run {
                let (user, group) = (Uid::from_raw(owner), Gid::from_raw(group));
                fchownat(&entry, "", Some(user), Some(group), AtFlags::AT_EMPTY_PATH)?;
            }
            if expected == ExpectedFile::Folder && (is_roots || status.st_uid == owner) {
                folders.push((path.clone(), entry));
            }
            if is_roots {
                given.push(path);
            }
        }
    }
    given.sort();
    Ok(given)
}

impl ExpectedFile {
    fn fits(self, status: &FileStat) -> bool {
        let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
        match self {
            Self::Folder => kind == SFlag::S_IFDIR,
            Self::EmptyFile => {
                kind == SFlag::S_IFREG && status.st_nlink == 1 && status.st_size == 0
            }
        }
    }
}

/// Something in a folder, opened only to be looked at; `None`: it is gone.
fn open(folder: &OpenFolder, name: &OsString) -> io::Result<Option<OpenFolder>> {
    match folder.entry(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, chown, symlink};

    use super::*;
    use crate::sys::user::User;

    const OWNER: u32 = 65534;

    fn expected(path: &Path) -> Option<ExpectedFile> {
        match path.to_str()? {
            "folder" | "link" | "not-a-folder" => Some(ExpectedFile::Folder),
            "folder/file" | "linked" | "symlink" | "pipe" | "empty" | "full" => {
                Some(ExpectedFile::EmptyFile)
            }
            _ => None,
        }
    }

    #[test]
    fn only_what_is_expected_and_has_one_name_is_given_away() {
        if !User::is_root() {
            return;
        }
        let base = tempfile::tempdir().unwrap();
        let path = |name: &str| base.path().join("state").join(name);
        let outside = base.path().join("outside");
        fs::create_dir_all(path("folder")).unwrap();
        fs::create_dir(&outside).unwrap();
        for name in ["folder/other", "full", "other", "not-a-folder"] {
            fs::write(path(name), "text").unwrap();
        }
        for file in [path("empty"), path("folder/file"), outside.join("file")] {
            fs::write(file, "").unwrap();
        }
        fs::hard_link(outside.join("file"), path("linked")).unwrap();
        symlink(outside.join("file"), path("symlink")).unwrap();
        symlink(&outside, path("link")).unwrap();
        nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();

        let give = |is_dry_run| hand_over(&path(""), OWNER, expected, is_dry_run).unwrap();
        assert!(give(false).is_empty(), "the folder is root's");
        chown(path(""), Some(OWNER), Some(7)).unwrap();

        let given = ["empty", "folder", "folder/file"].map(PathBuf::from);
        assert_eq!(give(true), given);
        assert_eq!(fs::metadata(path("empty")).unwrap().uid(), 0);
        assert_eq!(give(false), given);
        assert!(give(false).is_empty(), "all of it is given away");

        for name in given {
            let found = fs::metadata(path(name.to_str().unwrap())).unwrap();
            assert_eq!((found.uid(), found.gid()), (OWNER, 7), "{}", name.display());
        }
        for name in [
            "folder/other",
            "full",
            "other",
            "linked",
            "symlink",
            "link",
            "pipe",
        ] {
            assert_eq!(fs::symlink_metadata(path(name)).unwrap().uid(), 0, "{name}");
        }
        assert_eq!(fs::metadata(outside.join("file")).unwrap().uid(), 0);
        let missing = hand_over(&path("none"), OWNER, expected, false);
        assert!(missing.unwrap().is_empty());
    }
}
