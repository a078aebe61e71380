//! A folder that is held open, and what is in it.
//!
//! Protocol: a folder is opened once. After that, everything in it is named by the open folder and
//! one name, never by a path (openat(2) and its relatives), and no symbolic link is followed. So
//! whoever renames folders meanwhile, or puts links in their place, leads nothing elsewhere: it all
//! happens in the folder that was opened.
//!
//! It does not promise that the folder keeps its place or its name. Who may change what is in it is
//! decided by the kernel, by the rights of this process.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{Mode, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, linkat, symlinkat, unlinkat};

use super::file_status::{FileKind, FileStatus};
use super::user::User;

/// How many parts a path may have, those of the links in it included, and how often a folder on
/// the way may vanish again.
const PARTS_MAX: usize = 1000;

/// How many names of one folder are read at most where others may have made them.
const NAMES_MAX: usize = 200_000;

/// A folder that is held open.
#[derive(Debug)]
pub struct OpenFolder(File);

impl AsFd for OpenFolder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl OpenFolder {
    /// Opens a folder by its absolute path, and makes it and those above it where they are missing.
    /// Links in the path are followed; but where this process is root's, only links that root made.
    ///
    /// # Errors
    /// It can't be made or opened, or the path leads over a link of another user.
    pub fn create_all(path: &Path) -> io::Result<Self> {
        let mut folder = Self::by_path(Path::new("/"))?;
        let mut left = parts(path);

        for _ in 0..PARTS_MAX {
            let Some(name) = left.pop() else {
                return folder.open(OsStr::new("."), OFlag::O_DIRECTORY).map(Self);
            };
            let found = match folder.open(&name, OFlag::O_PATH) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    folder.make(&name)?;
                    left.push(name);
                    continue;
                }
                found => found?,
            };

            let status = fstat(&found)?;
            match FileStatus::from(status).kind {
                FileKind::Folder => folder = Self(found),
                FileKind::Link if User::is_root() && status.st_uid != 0 => {
                    return Err(io::Error::other(format!(
                        "{} on the way is a link that another user made, and root follows none",
                        name.display()
                    )));
                }
                FileKind::Link => {
                    let target = PathBuf::from(readlinkat(&found, "")?);
                    if target.is_absolute() {
                        folder = Self::by_path(Path::new("/"))?;
                    }
                    left.extend(parts(&target));
                }
                FileKind::Other => return Err(Errno::ENOTDIR.into()),
            }
        }
        Err(Errno::ELOOP.into())
    }

    /// A folder by its path, for naming what is in it. Links are followed.
    pub(super) fn by_path(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self(openat(AT_FDCWD, path, flags, Mode::empty())?.into()))
    }

    /// Opens something in the folder.
    fn open(&self, name: &OsStr, flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        Ok(openat(self, name, flags, Mode::empty())?.into())
    }

    /// Something in the folder, opened only to be looked at and to be named by.
    ///
    /// # Errors
    /// It can't be opened.
    pub(super) fn entry(&self, name: &OsStr) -> io::Result<Self> {
        self.open(name, OFlag::O_PATH).map(Self)
    }

    /// Makes a folder, unless something has its name.
    fn make(&self, name: &OsStr) -> io::Result<()> {
        match mkdirat(self, name, Mode::from_bits_truncate(0o777)) {
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens a folder in this one.
    ///
    /// # Errors
    /// It can't be opened, or is no folder; a link to a folder is none.
    pub fn folder(&self, name: &OsStr) -> io::Result<Self> {
        self.open(name, OFlag::O_DIRECTORY).map(Self)
    }

    /// Opens a folder that is somewhere below this one. No symbolic link on the way is followed.
    ///
    /// # Errors
    /// As for [`OpenFolder::folder`], or the path leads up.
    pub fn below(&self, path: &Path) -> io::Result<Self> {
        let mut folder = self.folder(OsStr::new("."))?;
        for part in path.components() {
            let Component::Normal(name) = part else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            folder = folder.folder(name)?;
        }
        Ok(folder)
    }

    /// Opens a folder in this one, and makes it where it is missing.
    ///
    /// # Errors
    /// As for [`OpenFolder::folder`], or it can't be made.
    pub fn folder_or_new(&self, name: &OsStr) -> io::Result<Self> {
        self.make(name)?;
        self.folder(name)
    }

    /// Makes a folder in this one.
    ///
    /// # Errors
    /// It can't be made; `AlreadyExists`: something has the name.
    pub fn new_folder(&self, name: &OsStr) -> io::Result<Self> {
        mkdirat(self, name, Mode::from_bits_truncate(0o777))?;
        self.folder(name)
    }

    /// Makes a file in this folder and opens it for writing.
    ///
    /// # Errors
    /// It can't be made; `AlreadyExists`: something has the name.
    pub fn new_file(&self, name: &OsStr, is_executable: bool) -> io::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let mode = if is_executable { 0o777 } else { 0o666 };
        Ok(openat(self, name, flags, Mode::from_bits_truncate(mode))?.into())
    }

    /// Makes a file on this folder's file system that has no name, and opens it for reading and
    /// writing. It vanishes with its last descriptor (`O_TMPFILE`, open(2)).
    ///
    /// # Errors
    /// It can't be made; not every file system can do it.
    pub fn unnamed_file(&self) -> io::Result<File> {
        let flags = OFlag::O_RDWR | OFlag::O_TMPFILE | OFlag::O_CLOEXEC;
        Ok(openat(self, ".", flags, Mode::S_IRUSR | Mode::S_IWUSR)?.into())
    }

    /// Gives a file that is in this folder the same name in another folder, too. A symbolic link is
    /// not followed.
    ///
    /// # Errors
    /// The kernel refuses; `AlreadyExists`: something has the name.
    pub fn link_into(&self, name: &OsStr, other: &Self) -> io::Result<()> {
        Ok(linkat(self, name, other, name, AtFlags::empty())?)
    }

    /// Makes a symbolic link in this folder.
    ///
    /// # Errors
    /// It can't be made; `AlreadyExists`: something has the name.
    pub fn new_link(&self, name: &OsStr, target: &OsStr) -> io::Result<()> {
        Ok(symlinkat(target, self, name)?)
    }

    /// Opens a file in this folder for reading. A pipe is not waited for.
    ///
    /// # Errors
    /// It can't be opened, or is a link.
    pub fn file(&self, name: &OsStr) -> io::Result<File> {
        self.open(name, OFlag::O_RDONLY)
    }

    /// The same for a file of this process's user, without noting in the file that it was read.
    /// That would be something to write for each file (`O_NOATIME`, open(2)).
    ///
    /// # Errors
    /// As for [`OpenFolder::file`], or the file is another user's.
    pub fn own_file(&self, name: &OsStr) -> io::Result<File> {
        self.open(name, OFlag::O_RDONLY | OFlag::O_NOATIME)
    }

    /// Where a symbolic link in this folder leads.
    ///
    /// # Errors
    /// It can't be read; `InvalidInput`: it is no link.
    pub fn target(&self, name: &OsStr) -> io::Result<PathBuf> {
        Ok(readlinkat(self, name)?.into())
    }

    /// What has a name in this folder; `None`: nothing has it.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn status(&self, name: &OsStr) -> io::Result<Option<FileStatus>> {
        match fstatat(self, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(status) => Ok(Some(status.into())),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Gives something in this folder another name. Where a file or link has that name, it is
    /// replaced.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(renameat(self, from, self, to)?)
    }

    /// Moves something in this folder to another folder, where it keeps its name. Nothing that has
    /// the name there is lost: only an empty folder can be replaced, by a folder. If the process
    /// dies in the middle, a file is in both places.
    ///
    /// # Errors
    /// The kernel refuses; `AlreadyExists`: something has the name there; `CrossesDevices`: the
    /// other folder is on another file system.
    pub fn move_to(&self, name: &OsStr, other: &Self) -> io::Result<()> {
        let status = self.status(name)?;
        if status.is_some_and(|status| status.kind == FileKind::Folder) {
            return Ok(renameat(self, name, other, name)?);
        }
        // renameat(2) would replace a file, and not every file system can be told not to.
        linkat(self, name, other, name, AtFlags::empty())?;
        Ok(unlinkat(self, name, UnlinkatFlags::NoRemoveDir)?)
    }

    /// The names in this folder, in any order.
    ///
    /// # Errors
    /// They can't be read.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        self.names_at_most(usize::MAX)
    }

    /// Some names in this folder, at most 200,000. So the memory is bounded, whoever makes them.
    ///
    /// # Errors
    /// They can't be read.
    pub(super) fn some_names(&self) -> io::Result<Vec<OsString>> {
        self.names_at_most(NAMES_MAX)
    }

    fn names_at_most(&self, most: usize) -> io::Result<Vec<OsString>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut folder = Dir::openat(self, ".", flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in folder.iter().take(most.saturating_add(2)) {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name.to_vec()));
            }
        }
        Ok(names)
    }

    /// Removes what is no folder, or is missing already; `false`: it is a folder.
    pub(super) fn remove_file(&self, name: &OsStr) -> io::Result<bool> {
        match unlinkat(self, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(true),
            Err(Errno::EISDIR | Errno::EPERM) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens the lock file of this folder, and makes it where it is missing. Only who may write to
    /// it can open it: whoever could only read it could hold the lock (flock(2)) for ever.
    ///
    /// # Errors
    /// It can't be made or opened, or is a link.
    pub fn lock_file(&self, name: &OsStr, is_shared: bool) -> io::Result<File> {
        let flags = OFlag::O_RDWR
            | OFlag::O_CREAT
            | OFlag::O_NOFOLLOW
            | OFlag::O_NONBLOCK
            | OFlag::O_CLOEXEC;
        let mode = if is_shared { 0o660 } else { 0o600 };
        Ok(openat(self, name, flags, Mode::from_bits_truncate(mode))?.into())
    }

    /// Waits until the names in this folder are on disk.
    ///
    /// # Errors
    /// They can't be written.
    pub fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    /// Waits until everything on the folder's file system is on disk: a tree of files is not
    /// complete before.
    ///
    /// # Errors
    /// It can't be written.
    pub fn sync_file_system(&self) -> io::Result<()> {
        Ok(nix::unistd::syncfs(self)?)
    }
}

/// The parts of a path, the first one last.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev().filter_map(|part| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn name(name: &str) -> &OsStr {
        OsStr::from_bytes(name.as_bytes())
    }

    #[test]
    fn path_is_made_and_its_links_are_followed() {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir_all(base.path().join("real/inner")).unwrap();
        symlink("real/../real", base.path().join("relative")).unwrap();
        symlink(base.path().join("real"), base.path().join("absolute")).unwrap();

        for path in ["relative/inner/a", "absolute/inner/b", "real/c/d"] {
            let folder = OpenFolder::create_all(&base.path().join(path)).unwrap();
            folder.new_file(name("file"), false).unwrap();
        }
        for path in ["real/inner/a/file", "real/inner/b/file", "real/c/d/file"] {
            assert!(base.path().join(path).is_file(), "{path}");
        }

        symlink("circle", base.path().join("circle")).unwrap();
        OpenFolder::create_all(&base.path().join("circle/x")).unwrap_err();
        fs::write(base.path().join("file"), "").unwrap();
        OpenFolder::create_all(&base.path().join("file/x")).unwrap_err();
    }

    #[test]
    fn root_follows_no_link_of_another_user() {
        if !User::is_root() {
            return;
        }
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(base.path().join("secret")).unwrap();
        let link = base.path().join("link");
        symlink(base.path().join("secret"), &link).unwrap();
        OpenFolder::create_all(&link.join("x")).unwrap();

        std::os::unix::fs::lchown(&link, Some(65534), Some(65534)).unwrap();
        let error = OpenFolder::create_all(&link.join("y")).unwrap_err();
        assert!(error.to_string().contains("another user"), "{error}");
        assert!(!base.path().join("secret/y").exists());
    }

    #[test]
    fn nothing_in_a_folder_is_followed_and_nothing_replaced() {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(base.path().join("elsewhere")).unwrap();
        fs::create_dir(base.path().join("own")).unwrap();
        for link in ["folder", "file"] {
            symlink("../elsewhere", base.path().join("own").join(link)).unwrap();
        }
        let own = OpenFolder::create_all(&base.path().join("own")).unwrap();

        own.folder(name("folder")).unwrap_err();
        own.folder_or_new(name("folder")).unwrap_err();
        own.new_folder(name("folder")).unwrap_err();
        own.new_file(name("file"), false).unwrap_err();
        own.file(name("file")).unwrap_err();
        own.new_link(name("file"), name("x")).unwrap_err();
        assert_eq!(
            fs::read_dir(base.path().join("elsewhere")).unwrap().count(),
            0
        );
    }

    #[test]
    fn folder_that_is_moved_away_still_gets_what_is_written() {
        let base = tempfile::tempdir().unwrap();
        let own = OpenFolder::create_all(&base.path().join("own")).unwrap();
        fs::rename(base.path().join("own"), base.path().join("moved")).unwrap();
        symlink("/nonexistent", base.path().join("own")).unwrap();

        let mut file = own.new_file(name("file"), true).unwrap();
        file.write_all(b"text").unwrap();
        let moved = fs::read(base.path().join("moved/file")).unwrap();
        assert_eq!(moved, b"text");
    }

    #[test]
    fn what_is_moved_replaces_nothing() {
        let base = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| {
            let folder = base.path().join(name);
            OpenFolder::create_all(&folder).unwrap()
        });
        let write = |path: &str| {
            let path = base.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        for moved in ["file", "folder/inner"] {
            write(&format!("from/{moved}"));
            let name = name(moved.split('/').next().unwrap());
            from.move_to(name, &to).unwrap();
            assert_eq!(from.status(name).unwrap(), None);
            assert!(base.path().join("to").join(moved).is_file(), "{moved}");
        }

        // What is there now has another content or another type.
        for (moved, there) in [
            ("file", "file"),
            ("folder/inner", "folder"),
            ("file/inner", "file"),
            ("folder", "folder"),
        ] {
            let _ = from.remove(name("file"));
            let _ = from.remove(name("folder"));
            write(&format!("from/{moved}"));
            let before = to.status(name(there)).unwrap();
            from.move_to(name(there), &to).unwrap_err();
            assert_eq!(to.status(name(there)).unwrap(), before, "{moved}");
            assert!(base.path().join("from").join(moved).is_file(), "{moved}");
        }
    }

    #[test]
    fn lock_file_is_its_writers_alone() {
        let base = tempfile::tempdir().unwrap();
        let folder = OpenFolder::create_all(base.path()).unwrap();
        let [one, other] = [(); 2].map(|()| folder.lock_file(name("lock"), false).unwrap());
        one.try_lock().unwrap();
        other.try_lock().unwrap_err();
        // A child that another test has just made may have a copy of the file.
        one.unlock().unwrap();
        other.try_lock().unwrap();
        let mode = fs::metadata(base.path().join("lock")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);

        symlink("lock", base.path().join("link")).unwrap();
        folder.lock_file(name("link"), false).unwrap_err();
    }
}
