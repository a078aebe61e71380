//! What a fetch that was killed leaves in a mirror.
//!
//! git writes everything under another name first: packs and their indexes as `tmp_…`, refs as
//! `….lock`. It removes these files itself unless it is killed, and a lock that is left keeps every
//! later fetch from moving the ref.

use std::fs;
use std::io;
use std::path::Path;

use crate::sys::file::is_absence;
use crate::sys::lock::{Lock, try_lock};
use crate::sys::sharing::Sharing;

/// Takes the lock of the process that tidies up the objects of a mirror, if nobody holds it.
pub(super) fn tidying(folder: &Path, sharing: Sharing) -> io::Result<Option<Lock>> {
    try_lock(&folder.with_extension("tidy.lock"), sharing)
}

/// Removes what fetches that were killed have left. The caller holds the mirror's lock, so no git
/// fetches into it. Files of objects stay while another process tidies these up.
pub(super) fn remove_leftovers(folder: &Path, sharing: Sharing) -> io::Result<()> {
    remove_in(folder, false, is_lock)?;
    remove_in(&folder.join("refs"), true, is_lock)?;
    let Some(_tidying) = tidying(folder, sharing)? else {
        return Ok(());
    };
    let is_of_objects = |name: &str| {
        is_lock(name) || name.starts_with("tmp_") || name.starts_with(".tmp-") || {
            // git keeps a pack with it until the refs are moved.
            name.ends_with(".keep")
        }
    };
    remove_in(&folder.join("objects"), true, is_of_objects)
}

/// No ref can have such a name (git-check-ref-format(1)).
fn is_lock(name: &str) -> bool {
    name.ends_with(".lock")
}

/// Removes the files in a folder whose names are of some kind. No link is followed.
fn remove_in(folder: &Path, with_folders: bool, is_left: fn(&str) -> bool) -> io::Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if is_absence(&error) => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.extend(with_folders.then(|| entry.path()));
            } else if is_left(&entry.file_name().to_string_lossy()) {
                remove_if_there(fs::remove_file(entry.path()))?;
            }
        }
    }
    Ok(())
}

/// Removes a mirror that was not finished.
pub(super) fn remove_unfinished(folder: &Path) -> io::Result<()> {
    remove_if_there(fs::remove_dir_all(folder))
}

fn remove_if_there(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
