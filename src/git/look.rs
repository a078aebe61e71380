//! What is in a folder, where "it is not there" and "nobody could look" are two answers.

use std::io;
use std::path::Path;

use super::error::Error;

/// Whether a folder looks like a git folder. git itself asks the same (`is_git_directory` in its
/// setup.c).
///
/// # Errors
/// It can't be looked at.
pub(super) fn is_git_dir(folder: &Path) -> Result<bool, Error> {
    Ok(at(&folder.join("HEAD"), Path::symlink_metadata)?.is_some()
        && is_folder(&folder.join("objects"))?
        && at(&folder.join("refs"), Path::metadata)?.is_some())
}

/// Whether there is a folder at a path.
///
/// # Errors
/// It can't be looked at.
pub(super) fn is_folder(path: &Path) -> Result<bool, Error> {
    Ok(at(path, Path::metadata)?.is_some_and(|found| found.is_dir()))
}

/// What is at a path; `None`: there is nothing.
///
/// # Errors
/// It can't be looked at.
pub(super) fn at<'p, T>(
    path: &'p Path,
    look: impl FnOnce(&'p Path) -> io::Result<T>,
) -> Result<Option<T>, Error> {
    match look(path) {
        Ok(found) => Ok(Some(found)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(Error::new(path, error)),
    }
}
