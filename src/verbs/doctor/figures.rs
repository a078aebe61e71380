//! The file of the figures: whether it can be written, and who else can do that.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::super::metrics::metrics_file;
use super::finding::Finding;
use super::installation::{Installation, shown};
use crate::sys::access::{lets_others_replace, may_create_in, may_replace};
use crate::sys::file::new_name;

/// Whether the figures can be written where the configuration wants them, and whether nobody else
/// can put others in their place.
pub(super) fn metrics(installation: &Installation<'_>) -> Vec<Finding> {
    let folder = installation.deploy.config.metrics_textfile.as_ref();
    let finding = |folder| {
        look_at(installation, folder).unwrap_or_else(|error| {
            let found = format!("{} (metrics_textfile): {error}", shown(folder));
            Finding::problem(found, "let this user look at it")
        })
    };
    folder.map(|folder| finding(folder)).into_iter().collect()
}

fn look_at(installation: &Installation<'_>, folder: &Path) -> io::Result<Finding> {
    let folder_shown = shown(folder);
    if !folder.is_dir() {
        let found = format!("{folder_shown}, which metrics_textfile names, is not a folder");
        return Ok(Finding::problem(
            found,
            "make it, or correct metrics_textfile",
        ));
    }
    if !may_create_in(folder) {
        let found = format!("this user can't write to {folder_shown} (metrics_textfile)");
        let fix = "give the folder to a group that this user is in";
        return Ok(Finding::problem(found, fix));
    }

    let file = metrics_file(installation.deploy, folder);
    for path in [new_name(&file), file] {
        if may_replace(&path)? {
            continue;
        }
        let (found, path) = (path.symlink_metadata()?, shown(&path));
        let found = match found.is_dir() {
            true => format!("{path} is a folder, so the figures can't be written there"),
            false => format!(
                "{path} belongs to user {}, who alone can replace it in this folder, which is \
                 sticky",
                found.uid()
            ),
        };
        return Ok(Finding::problem(
            found,
            format!("look who made it, and remove it: {path}"),
        ));
    }

    if lets_others_replace(folder)? {
        let found = format!(
            "written to {folder_shown}, where other users can put false figures in their place"
        );
        return Ok(Finding::warning(found, format!("chmod +t {folder_shown}")));
    }
    Ok(Finding::ok(format!("written to {folder_shown}")))
}
