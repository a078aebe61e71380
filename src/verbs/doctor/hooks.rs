//! The links through which git starts this program as a hook.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::finding::Finding;
use super::installation::{Installation, shown};
use crate::hook_files::is_own_link;

/// A problem, if git does not say where the hooks are. Then the checks of the links are left out.
pub(super) fn folder(installation: &Installation<'_>) -> Vec<Finding> {
    let error = installation.hooks.as_ref().err();
    error
        .map(|error| Finding::problem(error.to_string(), "check that git is installed"))
        .into_iter()
        .collect()
}

/// Whether the link of one hook leads to a program that can be executed. Not every host has every
/// hook.
pub(super) fn link(installation: &Installation<'_>, name: &str) -> Vec<Finding> {
    let places = installation.hooks.as_deref().unwrap_or_default();
    places
        .iter()
        .filter(|(hook, _)| *hook == name)
        .map(|(_, link)| look_at(installation, link))
        .collect()
}

fn look_at(installation: &Installation<'_>, link: &Path) -> Finding {
    let hook = shown(link);
    let program = shown(installation.request.program);
    let install = installation.run("install");

    if link.symlink_metadata().is_err() {
        return Finding::problem(format!("{hook} is missing"), install);
    }
    if !is_own_link(link) {
        let fix = format!("{install}; it keeps the other hook and runs it too");
        return Finding::problem(format!("{hook} is a hook of another program"), fix);
    }

    // This is about the program: the mode of a link means nothing.
    match fs::metadata(link) {
        Err(error) => Finding::problem(format!("{hook} is a broken link: {error}"), install),
        Ok(metadata) if metadata.mode() & 0o111 == 0 => Finding::problem(
            format!("{hook} is not executable"),
            format!("chmod +x {program}"),
        ),
        Ok(metadata) if metadata.mode() & 0o022 != 0 => Finding::problem(
            format!("{hook} is writable by others than its owner"),
            format!("chmod go-w {program}"),
        ),
        Ok(_) => Finding::ok(hook),
    }
}
