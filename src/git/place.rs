//! Where a repository is, by the path that a person gives.

use std::path::{Path, PathBuf};

use super::error::Error;
use super::repository::{LINK_MAX, Repository, is_git_dir};
use crate::sys::open;

/// The git folder at or above a folder: a bare repository, `.git`, or the folder that a `.git` file
/// names. `None`: there is none.
#[must_use]
pub fn find_repository(start: &Path) -> Option<PathBuf> {
    let start = start.canonicalize().ok()?;
    start.ancestors().find_map(|folder| {
        let is_linked = folder.join("commondir").exists() && folder.join("HEAD").exists();
        if is_linked || is_git_dir(folder) {
            return Some(folder.to_owned());
        }

        let dot_git = folder.join(".git");
        if dot_git.is_dir() {
            return is_git_dir(&dot_git).then_some(dot_git);
        }
        linked(&dot_git)
    })
}

/// The git folder that a `.git` file names (gitrepository-layout(5)).
fn linked(dot_git: &Path) -> Option<PathBuf> {
    let link = open::read_text(dot_git, LINK_MAX).ok()?;
    let target = link.strip_prefix("gitdir:")?.trim();
    Some(dot_git.parent()?.join(target))
}

/// Opens an application repository by the path that the configuration names: a bare repository, or
/// a folder with `.git` in it.
///
/// # Errors
/// There is no repository, or it can't be read.
pub fn open_application(path: &Path) -> Result<Repository, Error> {
    let dot_git = path.join(".git");
    match linked(&dot_git) {
        Some(git_dir) => Repository::open(&git_dir),
        None if dot_git.is_dir() => Repository::open(&dot_git),
        None => Repository::open(path),
    }
}
