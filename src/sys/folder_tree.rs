//! What is below a folder: looking at it, and removing it.
//!
//! Protocol: the way down goes from open folder to open folder, without recursion, and over no
//! symbolic link; so it never leaves the folder.
//!
//! It does not promise to get to the bottom of a tree that is deeper than the number of descriptors
//! which this process may have: there it fails with `EMFILE`.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::file_status::{FileKind, FileStatus};
use super::folder::OpenFolder;

impl OpenFolder {
    /// Removes something in this folder, and everything below it. What is missing already is no
    /// error.
    ///
    /// # Errors
    /// Something can't be removed; the rest may be gone.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        if self.remove_file(name)? {
            return Ok(());
        }

        let mut levels = vec![TreeLevel::enter_to_empty(self, name.to_owned())?];
        while let Some(level) = levels.last_mut() {
            if let Some(name) = level.names.pop() {
                if !level.folder.remove_file(&name)? {
                    let inner = TreeLevel::enter_to_empty(&level.folder, name)?;
                    levels.push(inner);
                }
                continue;
            }

            let name = level.name.clone();
            levels.pop();
            let above = levels.last().map_or(self, |level| &level.folder);
            unlinkat(above, name.as_os_str(), UnlinkatFlags::RemoveDir)?;
        }
        Ok(())
    }

    /// Shows something in this folder, and everything below it, with its path from here. A folder
    /// comes before what is in it.
    ///
    /// # Errors
    /// Something can't be looked at.
    pub fn walk(&self, name: &OsStr, mut visit: impl FnMut(&Path, &FileStatus)) -> io::Result<()> {
        let mut path = PathBuf::new();
        let mut levels = vec![TreeLevel {
            folder: self.folder(OsStr::new("."))?,
            name: OsString::from("."),
            names: vec![name.to_owned()],
        }];

        while let Some(level) = levels.last_mut() {
            let Some(name) = level.names.pop() else {
                levels.pop();
                path.pop();
                continue;
            };
            // What vanished since the names were read is as good as never seen.
            let Some(status) = level.folder.status(&name)? else {
                continue;
            };

            path.push(&name);
            visit(&path, &status);
            if status.kind == FileKind::Folder {
                let inner = TreeLevel::enter(&level.folder, name)?;
                levels.push(inner);
            } else {
                path.pop();
            }
        }
        Ok(())
    }
}

/// A folder on the way down a tree, and the names in it that are still to be looked at.
struct TreeLevel {
    folder: OpenFolder,
    name: OsString,
    names: Vec<OsString>,
}

impl TreeLevel {
    fn enter(above: &OpenFolder, name: OsString) -> io::Result<Self> {
        let folder = above.folder(&name)?;
        Ok(Self {
            names: folder.names()?,
            folder,
            name,
        })
    }

    /// The same, for removing what is in it: a folder that does not let its own owner do that is
    /// changed first.
    fn enter_to_empty(above: &OpenFolder, name: OsString) -> io::Result<Self> {
        let level = Self::enter(above, name)?;
        // Only the owner may do it. For others the removal says what is wrong.
        let _ = fchmod(&level.folder, Mode::S_IRWXU);
        Ok(level)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn tree_is_removed_without_following_links() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path();
        fs::create_dir_all(path.join("tree/a/b")).unwrap();
        fs::write(path.join("tree/a/b/file"), "").unwrap();
        fs::write(path.join("kept"), "").unwrap();
        symlink("../../kept", path.join("tree/a/link")).unwrap();
        symlink("../..", path.join("tree/a/up")).unwrap();

        let base = OpenFolder::create_all(path).unwrap();
        for gone in ["tree", "tree", "missing"] {
            base.remove(OsStr::new(gone)).unwrap();
        }
        assert_eq!(base.names().unwrap(), ["kept"]);
    }

    #[test]
    fn walk_sees_everything_once_and_notices_changes() {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir_all(base.path().join("a/b")).unwrap();
        fs::write(base.path().join("a/b/file"), "one").unwrap();
        fs::write(base.path().join("z"), "").unwrap();
        let folder = OpenFolder::create_all(base.path()).unwrap();
        let look = || {
            let mut seen = Vec::new();
            for name in folder.names().unwrap() {
                let see = |path: &Path, status: &FileStatus| seen.push((path.to_owned(), *status));
                folder.walk(&name, see).unwrap();
            }
            seen.sort_by(|one, other| one.0.cmp(&other.0));
            seen
        };

        let before = look();
        let paths: Vec<&str> = before
            .iter()
            .map(|(path, _)| path.to_str().unwrap())
            .collect();
        assert_eq!(paths, ["a", "a/b", "a/b/file", "z"]);
        assert_eq!(before, look());

        let modified = fs::metadata(base.path().join("a/b/file")).unwrap();
        fs::write(base.path().join("a/b/file"), "two").unwrap();
        let file = File::options()
            .write(true)
            .open(base.path().join("a/b/file"));
        file.unwrap()
            .set_modified(modified.modified().unwrap())
            .unwrap();
        assert_ne!(before, look(), "a time that is set back hides nothing");
    }
}
