//! Permissions of the files that decide what is deployed.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::finding::Finding;
use super::installation::{Installation, shown};
use crate::store::{FOLDERS as STATE_FOLDERS, Store};
use crate::sys::access::may_create_in;

/// Whether the configuration file is protected from other users.
pub(super) fn configuration(installation: &Installation<'_>) -> Finding {
    let Some(file) = &installation.deploy.config_file else {
        return Finding::ok("no file");
    };

    match is_open_to_others(file) {
        Ok(false) => Finding::ok("not writable by everybody"),
        Ok(true) => open_to_others(file, "chmod o-w"),
        Err(error) => unknown(file, &error),
    }
}

/// Whether the state is protected from other users.
pub(super) fn state(_: &Installation<'_>, store: &mut Store) -> Finding {
    let folder = store.folder();

    match is_open_to_others(folder) {
        Ok(false) => Finding::ok(shown(folder)),
        Ok(true) => open_to_others(folder, "chmod -R o-w"),
        Err(error) => unknown(folder, &error),
    }
}

/// Whether this user can use the folders of the state: locks, logs and work.
pub(super) fn state_folders(_: &Installation<'_>, store: &mut Store) -> Finding {
    for part in STATE_FOLDERS {
        let folder = store.folder().join(part);
        let path = shown(&folder);
        match fs::metadata(&folder) {
            Err(error) => {
                let fix = format!("remove what is in its place, and make the folder: mkdir {path}");
                return Finding::problem(format!("{path}: {error}"), fix);
            }
            Ok(found) if !found.is_dir() => {
                let fix = format!("move it away, and make the folder: mkdir {path}");
                return Finding::problem(format!("{path} is not a folder"), fix);
            }
            Ok(found) if !may_create_in(&folder) => {
                return Finding::problem(
                    format!(
                        "{path}: this user can't make files there; it belongs to user {}",
                        found.uid()
                    ),
                    "give it to the user who owns the state, with the mode of the state's folder",
                );
            }
            Ok(_) => {}
        }
    }
    Finding::ok(STATE_FOLDERS.join(", "))
}

/// Whether users who are neither the owner nor in the group may write to a file or folder.
fn is_open_to_others(path: &Path) -> io::Result<bool> {
    fs::metadata(path).map(|metadata| metadata.mode() & 0o002 != 0)
}

fn open_to_others(path: &Path, command: &str) -> Finding {
    let path = shown(path);
    let fix = format!("{command} {path}");
    Finding::problem(format!("{path} is writable by everybody"), fix)
}

fn unknown(path: &Path, error: &io::Error) -> Finding {
    let found = format!("{}: {error}", shown(path));
    Finding::problem(found, "check that this user may read it")
}
