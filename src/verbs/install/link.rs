//! The links that an install makes: how a link replaces what is in its place, and how the links
//! beside kept hooks are recognized.
//!
//! Protocol: a link is made under a name of its own beside its place and then renamed, so that a
//! hook which was there is never missing. A link that was left beside its place is replaced by the
//! next call.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Where a link is made before it takes its place.
pub(super) fn aside(link: &Path) -> PathBuf {
    let name = link.file_name().unwrap_or_default().to_string_lossy();
    link.with_file_name(format!(".{name}.deploy-by-code"))
}

/// Puts a link in a place, and replaces what is there.
pub(super) fn replace_by_link(target: &Path, link: &Path) -> io::Result<()> {
    let aside = aside(link);
    let _ = fs::remove_file(&aside);
    symlink(target, &aside)?;
    fs::rename(&aside, link)
}

/// The target of a link in the folder of kept hooks that leads to a file beside that folder.
pub(super) fn target_beside(name: impl AsRef<Path>) -> PathBuf {
    Path::new("..").join(name)
}

/// The links in the folder of kept hooks that lead to files beside that folder, as an install makes
/// them.
pub(super) fn links_beside(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    entries.map(|entry| entry.path()).filter(|path| {
        path.file_name()
            .is_some_and(|name| fs::read_link(path).is_ok_and(|link| link == target_beside(name)))
    })
}
