//! A repository on the person's machine.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::users_git::{UsersGit, unexpected};
use crate::git::Repository;
use crate::id::Revision;
use crate::text;

/// A repository on the person's machine: a clone with a work tree, or a bare one.
pub struct LocalClone {
    /// git in the top folder of the work tree; in a bare repository, in its git folder.
    pub git: UsersGit,
    /// The repository, opened for reading. It is shared by all of its work trees.
    pub repository: Repository,
    /// Whether it has a work tree.
    pub has_work_tree: bool,
}

impl LocalClone {
    /// Opens the repository at or above a folder.
    ///
    /// # Errors
    /// git finds none there, or refuses to work in it, or it can't be read.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let git = UsersGit::in_folder(folder);
        let found = git.answer(&["rev-parse", "--is-inside-work-tree", "--absolute-git-dir"])?;
        let (has_work_tree, git_dir) = if let Some(git_dir) = found.strip_prefix(b"true\n") {
            (true, git_dir)
        } else if let Some(git_dir) = found.strip_prefix(b"false\n") {
            (false, git_dir)
        } else {
            return Err(unexpected("rev-parse", &found));
        };

        let git_dir = path(git_dir.to_vec());
        let top = if has_work_tree {
            path(git.answer(&["rev-parse", "--show-toplevel"])?)
        } else {
            git_dir.clone()
        };
        Ok(Self {
            git: UsersGit::in_folder(&top),
            repository: Repository::open(&git_dir)?,
            has_work_tree,
        })
    }

    /// The top folder of the work tree; of a bare repository, its git folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.git.folder()
    }

    /// A setting of git (git-config(1)). `None`: it is not set.
    ///
    /// # Errors
    /// git can't be asked, or the value is not UTF-8.
    pub fn setting(&self, key: &str) -> Result<Option<String>, Error> {
        self.text_if_any(&["config", "--get", key])
    }

    /// A setting of git that is a path; `~/` stands for the home folder, and a path that is not
    /// absolute begins at the top folder. `None`: it is not set.
    ///
    /// # Errors
    /// As for [`LocalClone::setting`].
    pub fn path_setting(&self, key: &str) -> Result<Option<PathBuf>, Error> {
        let value = self
            .git
            .answer_if_any(&["config", "--type=path", "--get", key])?;
        Ok(value.map(|value| self.folder().join(path(value))))
    }

    /// The commit that the work tree is at. `None`: there is no commit yet.
    ///
    /// # Errors
    /// git can't be asked.
    pub fn head(&self) -> Result<Option<Revision>, Error> {
        self.resolve("HEAD")
    }

    /// The branch that the work tree is on, without `refs/heads/`. `None`: it is on none.
    ///
    /// # Errors
    /// git can't be asked.
    pub fn branch(&self) -> Result<Option<String>, Error> {
        self.text_if_any(&["symbolic-ref", "--quiet", "--short", "HEAD"])
    }

    /// The commit that git takes a name for (gitrevisions(7)). `None`: it names no commit.
    ///
    /// # Errors
    /// git can't be asked.
    pub fn resolve(&self, name: &str) -> Result<Option<Revision>, Error> {
        let commit = format!("{name}^{{commit}}");
        let arguments = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &commit,
        ];
        let hash = self.git.answer_if_any(&arguments)?;
        let revision =
            |hash: Vec<u8>| Revision::new(&hash).map_err(|_| unexpected("rev-parse", &hash));
        hash.map(revision).transpose()
    }

    /// What a command of git printed that exits with 1 to say that there is no answer.
    pub(super) fn text_if_any(&self, arguments: &[&str]) -> Result<Option<String>, Error> {
        let printed = self.git.answer_if_any(arguments)?;
        let call = arguments.first().copied().unwrap_or_default();
        let utf_8 = |printed: Vec<u8>| {
            String::from_utf8(printed).map_err(|error| unexpected(call, error.as_bytes()))
        };
        printed.map(utf_8).transpose()
    }
}

/// A path that git printed.
fn path(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes))
}

/// The folder of a clone, for a message.
impl std::fmt::Display for LocalClone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let folder = self.folder().as_os_str().as_encoded_bytes();
        f.write_str(&text::escape(folder, 200))
    }
}
