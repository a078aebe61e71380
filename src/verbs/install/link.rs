//! How a hook gets its place, and how the links beside kept hooks are recognized.
//!
//! Protocol: a file or link is made under a name of its own beside its place and then renamed, so
//! that a hook which was there is never missing. A file is on disk before it is renamed: git would
//! accept every push with an empty one. What was left beside a place is replaced by the next call.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::sys::file::{is_absence, link_target, rename_to_free_name, sync_folder};
use crate::sys::open;

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
    make_aside(&aside, content, MODE)?;
    take_place(&aside, place)
}

/// Makes a copy of a hook under a name that nobody has yet. The hook stays in its place. The copy
/// belongs to who makes it.
pub(super) fn copy_to_free_name(hook: &Path, copy: &Path) -> io::Result<()> {
    if let Some(target) = link_target(hook)? {
        return symlink(target, copy);
    }
    let file = open::regular(open::without_waiting(hook)?)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    let aside = aside(hook);
    make_aside(&aside, file, mode)?;
    rename_to_free_name(&aside, copy)
}

/// Makes a file beside a place, and gets it onto the disk.
fn make_aside(aside: &Path, mut content: impl Read, mode: u32) -> io::Result<()> {
    remove_if_there(aside)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(aside)?;
    io::copy(&mut content, &mut file)?;
    // The mode in the call above is less the umask.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Whether two paths are regular files with the same content.
pub(super) fn have_same_content(first: &Path, second: &Path) -> io::Result<bool> {
    let (found, other) = (first.symlink_metadata()?, second.symlink_metadata()?);
    if !found.is_file() || !other.is_file() || found.len() != other.len() {
        return Ok(false);
    }
    let open =
        |path| Ok::<_, io::Error>(BufReader::new(open::regular(open::without_waiting(path)?)?));
    let mut rest = open(second)?.bytes();
    for byte in open(first)?.bytes() {
        if Some(byte?) != rest.next().transpose()? {
            return Ok(false);
        }
    }
    Ok(rest.next().transpose()?.is_none())
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
