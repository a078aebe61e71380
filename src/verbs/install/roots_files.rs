//! What root left in a state that belongs to another user.
//!
//! Version 0.1.0 made the files of the state as whoever pushed. After a push of root, the owner
//! could not open them.

use std::io;
use std::path::{Path, PathBuf};

use crate::id::Environment;
use crate::store::FOLDERS;
use crate::sys::hand_over::{ExpectedFile, hand_over};

/// Gives what root has in the state to the state's owner. Returns the paths from the state. With
/// `is_dry_run` nothing is changed.
pub(super) fn give(state: &Path, owner: u32, is_dry_run: bool) -> io::Result<Vec<PathBuf>> {
    hand_over(state, owner, expected, is_dry_run)
}

/// What belongs under a path of the state. Files with something in them are not given away, so the
/// database and the logs are named by `doctor`. What commands leave in `work` is theirs.
fn expected(path: &Path) -> Option<ExpectedFile> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent()?.to_str()?;
    let empty_if = |fits: bool| fits.then_some(ExpectedFile::EmptyFile);
    match folder {
        "" if name == "wake" || FOLDERS.contains(&name) => Some(ExpectedFile::Folder),
        "locks" => {
            let environment = name.strip_suffix(".lock")?;
            empty_if(Environment::new(environment).is_ok())
        }
        "wake" => empty_if(Environment::new(name).is_ok()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_state_has_is_expected() {
        let (folder, empty) = (ExpectedFile::Folder, ExpectedFile::EmptyFile);
        let table = [
            ("locks", Some(folder)),
            ("logs", Some(folder)),
            ("work", Some(folder)),
            ("wake", Some(folder)),
            ("state.db", None),
            ("locks/production.lock", Some(empty)),
            ("wake/production", Some(empty)),
            ("logs/7.log", None),
            ("", None),
            ("id_rsa", None),
            ("locks/x", None),
            ("locks/-.lock", None),
            ("logs/secret.log", None),
            ("logs/7.log.gz", None),
            ("work/file", None),
            ("logs/a/7.log", None),
        ];
        for (path, expect) in table {
            assert_eq!(expected(Path::new(path)), expect, "{path}");
        }
    }
}
