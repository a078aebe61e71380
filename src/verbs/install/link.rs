//! How a hook gets its place, and how the links beside kept hooks are recognized.
//!
//! Protocol: a file or link is made under a name of its own beside its place and then renamed, so
//! that a hook which was there is never missing. A file is on disk before it is renamed: git would
//! accept every push with an empty one. What was left beside a place is replaced by the next call.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::sys::file::{is_absence, link_target, sync_folder};

/// The mode of a hook: everybody may execute it, and only its owner may change it.
const MODE: u32 = 0o755;

/// Where a hook is made before it takes its place.
pub(super) fn aside(hook: &Path) -> PathBuf {
    let name = hook.file_name().unwrap_or_default().to_string_lossy();
    hook.with_file_name(format!(".{name}.deploy-by-code"))
}

/// Puts a link in a place, and replaces what is there.
pub(super) fn replace_by_link(target: &Path, link: &Path) -> io::Result<()> {
    let aside = aside(link);
    remove_if_there(&aside)?;
    symlink(target, &aside)?;
    take_place(&aside, link)
}

/// Puts an executable file with this content in a place, and replaces what is there.
pub(super) fn replace_by_program(content: &[u8], place: &Path) -> io::Result<()> {
    let aside = aside(place);
    remove_if_there(&aside)?;

    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(&aside)?;
    file.write_all(content)?;
    // The mode in the call above is less the umask.
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.sync_all()?;
    take_place(&aside, place)
}

fn take_place(aside: &Path, place: &Path) -> io::Result<()> {
    fs::rename(aside, place)?;
    place.parent().map_or(Ok(()), sync_folder)
}

/// Removes a file or link, if there is one.
pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if !is_absence(&error) => Err(error),
        _ => Ok(()),
    }
}

/// The target of a link in the folder of kept hooks that leads to a file beside that folder.
pub(super) fn target_beside(name: impl AsRef<Path>) -> PathBuf {
    Path::new("..").join(name)
}

/// The entries of a folder; none where there is no folder.
pub(super) fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if is_absence(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The links in the folder of kept hooks that lead to files beside that folder, as an install makes
/// them.
pub(super) fn links_beside(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut links = Vec::new();
    for path in entries(folder)? {
        if link_target(&path)?.is_some_and(|link| {
            path.file_name()
                .is_some_and(|name| link == target_beside(name))
        }) {
            links.push(path);
        }
    }
    Ok(links)
}
