//! What root left in a state that belongs to another user.
//!
//! Version 0.1.0 made the files of the state as whoever pushed. After a push of root, the owner
//! could not open them.

use std::io;
use std::path::{Path, PathBuf};

use crate::id::{DeploymentId, Environment};
use crate::store::FOLDERS;
use crate::sys::hand_over::{ExpectedFile, hand_over};

/// Gives what root has in the state to the state's owner. Returns the paths from the state. With
/// `is_dry_run` nothing is changed.
pub(super) fn give(state: &Path, owner: u32, is_dry_run: bool) -> io::Result<Vec<PathBuf>> {
    hand_over(state, owner, expected, is_dry_run)
}

/// What belongs under a path of the state. What commands leave in `work` is theirs.
fn expected(path: &Path) -> Option<ExpectedFile> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent()?.to_str()?;
    let is = |fits: bool, expected: ExpectedFile| fits.then_some(expected);
    match folder {
        "" if name == "wake" || FOLDERS.contains(&name) => Some(ExpectedFile::Folder),
        "" => is(
            ["state.db", "state.db-wal", "state.db-shm"].contains(&name),
            ExpectedFile::File,
        ),
        "locks" => {
            let environment = name.strip_suffix(".lock")?;
            is(
                Environment::new(environment).is_ok(),
                ExpectedFile::EmptyFile,
            )
        }
        "wake" => is(Environment::new(name).is_ok(), ExpectedFile::EmptyFile),
        "logs" => {
            let number = name.strip_suffix(".log")?;
            is(number.parse::<DeploymentId>().is_ok(), ExpectedFile::File)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_state_has_is_expected() {
        let (folder, file, empty) = (
            ExpectedFile::Folder,
            ExpectedFile::File,
            ExpectedFile::EmptyFile,
        );
        let table = [
            ("locks", Some(folder)),
            ("logs", Some(folder)),
            ("work", Some(folder)),
            ("wake", Some(folder)),
            ("state.db", Some(file)),
            ("state.db-wal", Some(file)),
            ("locks/production.lock", Some(empty)),
            ("wake/production", Some(empty)),
            ("logs/7.log", Some(file)),
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
