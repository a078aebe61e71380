//! Permissions of the files that decide what is deployed.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::finding::Finding;
use super::installation::{Installation, shown};
use crate::store::{FOLDERS as STATE_FOLDERS, Store};
use crate::sys::access::{may_create_in, may_write};

/// How many files of the state are looked at.
const FILES_MAX: usize = 10_000;

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

/// Whether this user can open the files of the state. A file that is not this user's, and that this
/// user may not write to, keeps a runner from its work.
pub(super) fn state_files(installation: &Installation<'_>) -> Finding {
    if installation.request.untried.is_some() {
        let fix = "run doctor again as the repository's owner";
        return Finding::warning("not looked at: this user only reads here", fix);
    }

    let state = installation.deploy.state_dir();
    let folders = ["", "locks", "logs", "wake"].map(|name| state.join(name));
    let files = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let files = files
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .take(FILES_MAX);
    let mut closed = files.filter(|path| !may_write(path));

    let Some(path) = closed.next() else {
        return Finding::ok("this user can write to them");
    };
    // What root made, install gives to the owner, except files with something in them.
    let is_given = fs::symlink_metadata(&path)
        .is_ok_and(|found| found.uid() == 0 && (found.is_dir() || found.len() == 0));
    let (path, others) = (shown(&path), closed.count());
    let more = if others == 0 {
        String::new()
    } else {
        format!(", nor to {others} others")
    };
    let fix = if is_given {
        format!("as root: {}", installation.run("install"))
    } else {
        let state = shown(&state);
        format!("look whether it belongs there; if so, as root: chown --reference={state} {path}")
    };
    Finding::problem(format!("this user can't write to {path}{more}"), fix)
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
