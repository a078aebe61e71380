//! The links that an install makes: how one replaces what stands in its place, and how those beside
//! kept hooks are known again.
//!
//! Protocol: a link is made under a name of its own beside its place and then renamed, so that
//! there is no moment without a hook where one stood. A link that was left beside its place is
//! replaced by the next call.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Where a link is made before it takes its place.
pub(super) fn aside(link: &Path) -> PathBuf {
    let name = link.file_name().unwrap_or_default().to_string_lossy();
    link.with_file_name(format!(".{name}.deploy-by-code"))
}

/// Puts a link in a place, over what stands there.
pub(super) fn replace_by_link(target: &Path, link: &Path) -> io::Result<()> {
    let aside = aside(link);
    let _ = fs::remove_file(&aside);
    symlink(target, &aside)?;
    fs::rename(&aside, link)
}

/// The words of the link in the folder of kept hooks to what lies beside that folder.
pub(super) fn target_beside(name: impl AsRef<Path>) -> PathBuf {
    Path::new("..").join(name)
}

/// The links in the folder of kept hooks to what lies beside it, as an install makes them.
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
