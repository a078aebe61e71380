//! Where a repository is, by the path that a person gives.

use std::path::{Path, PathBuf};

use super::error::Error;
use super::look::{at, is_folder, is_git_dir};
use super::repository::{LINK_MAX, Repository};
use crate::sys::open;

/// The git folder at or above a folder: a bare repository, `.git`, or the folder that a `.git` file
/// names. `None`: there is none.
///
/// # Errors
/// A folder can't be looked at. What is above it may be another repository.
pub fn find_repository(start: &Path) -> Result<Option<PathBuf>, Error> {
    let Some(start) = at(start, Path::canonicalize)? else {
        return Ok(None);
    };
    for folder in start.ancestors() {
        let has = |name| at(&folder.join(name), Path::symlink_metadata);
        let is_linked = has("commondir")?.is_some() && has("HEAD")?.is_some();
        if is_linked || is_git_dir(folder)? {
            return Ok(Some(folder.to_owned()));
        }

        let dot_git = folder.join(".git");
        if is_folder(&dot_git)? {
            if is_git_dir(&dot_git)? {
                return Ok(Some(dot_git));
            }
        } else if let Some(git_dir) = linked(&dot_git)? {
            return Ok(Some(git_dir));
        }
    }
    Ok(None)
}

/// The git folder that a `.git` file names (gitrepository-layout(5)).
fn linked(dot_git: &Path) -> Result<Option<PathBuf>, Error> {
    let link = at(dot_git, |path| open::read_text(path, LINK_MAX))?;
    let target = link
        .as_deref()
        .and_then(|link| link.strip_prefix("gitdir:"));
    let folder = dot_git.parent();
    Ok(target
        .zip(folder)
        .map(|(target, folder)| folder.join(target.trim())))
}

/// Opens an application repository by the path that the configuration names: a bare repository, or
/// a folder with `.git` in it.
///
/// # Errors
/// There is no repository, or it can't be read.
pub fn open_application(path: &Path) -> Result<Repository, Error> {
    let dot_git = path.join(".git");
    if is_folder(&dot_git)? {
        return Repository::open(&dot_git);
    }
    match linked(&dot_git)? {
        Some(git_dir) => Repository::open(&git_dir),
        None => Repository::open(path),
    }
}
