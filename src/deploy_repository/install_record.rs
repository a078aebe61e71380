//! What `install` writes down in the repository itself: which branch, which state and which
//! configuration were meant. So this is known also while the configuration can't be read.
//!
//! Protocol: the record is one small file of JSON in the repository. It is replaced in one step and
//! is on disk before `install` goes on to the hooks, and `uninstall` removes it after the hooks.
//! So wherever this program's `install` put hooks, there is a record. A record that can't be read
//! is an error, and never the same as no record.
//!
//! It does not promise that what it names is still there. And a repository in which an older
//! version was installed, or whose hooks were linked by hand, has no record.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::text_file;
use crate::sys::{file, open};

/// The record's name in the repository.
const NAME: &str = "deploy-by-code.installed";

/// The name under which a record is written before it takes its place.
const NEW_NAME: &str = "deploy-by-code.installed.new";

/// The mode of a record. Everybody who can enter the repository may read it, because every pusher's
/// hook reads it.
const MODE: u32 = 0o644;

/// What was meant when the hooks were installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallRecord {
    /// The deploy branch's full name.
    pub branch: String,
    /// Where the configuration put the state; `None`: in the repository.
    pub state_dir: Option<PathBuf>,
    /// The configuration file, relative to the repository where it is inside of it; `None`: there
    /// was none, or it was named on the command line, where hooks do not find it.
    pub configuration: Option<PathBuf>,
}

impl InstallRecord {
    /// Where the record of a repository is, by the repository's git folder.
    #[must_use]
    pub fn file(git_dir: &Path) -> PathBuf {
        git_dir.join(NAME)
    }

    /// The same, and where a `write` that was stopped has left a file.
    #[must_use]
    pub fn files(git_dir: &Path) -> [PathBuf; 2] {
        [git_dir.join(NEW_NAME), Self::file(git_dir)]
    }

    /// Reads the record of a repository. `None`: nothing was installed there, or only by a version
    /// that wrote no record.
    ///
    /// # Errors
    /// The record can't be read. Then it is not known what was meant.
    pub fn read(git_dir: &Path) -> io::Result<Option<Self>> {
        let text = match text_file::read(&Self::file(git_dir)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };

        let record: Self = serde_json::from_str(&text)?;
        let is_branch = record.branch.starts_with("refs/heads/");
        if !is_branch || record.state_dir.as_deref().is_some_and(Path::is_relative) {
            return Err(io::Error::other("it is not what install writes there"));
        }
        Ok(Some(record))
    }

    /// Writes the record of a repository. After a crash there is the old one or the new one.
    ///
    /// # Errors
    /// It can't be written. Then the old one is still there.
    pub fn write(&self, git_dir: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        let new = git_dir.join(NEW_NAME);

        let mut opened = open::to_overwrite_without_following(&new, MODE)?;
        // The umask is that of whoever types `install`.
        opened.set_permissions(Permissions::from_mode(MODE))?;
        writeln!(opened, "{text}")?;
        opened.sync_all()?;

        fs::rename(&new, Self::file(git_dir))?;
        file::sync_folder(git_dir)
    }

    /// Removes the record of a repository, and what a `write` that was stopped has left. It is no
    /// error if neither is there.
    ///
    /// # Errors
    /// It can't be removed.
    pub fn remove(git_dir: &Path) -> io::Result<()> {
        for file in Self::files(git_dir) {
            match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        file::sync_folder(git_dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> InstallRecord {
        InstallRecord {
            branch: "refs/heads/a\"b".to_owned(),
            state_dir: Some("/var/lib/a\nb".into()),
            configuration: Some("deploy-by-code.toml".into()),
        }
    }

    #[test]
    fn record_is_read_as_it_was_written_and_can_be_replaced_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let git_dir = folder.path();
        assert_eq!(InstallRecord::read(git_dir).unwrap(), None);

        let other = InstallRecord {
            state_dir: None,
            configuration: None,
            ..record()
        };
        for record in [record(), other] {
            record.write(git_dir).unwrap();
            assert_eq!(InstallRecord::read(git_dir).unwrap(), Some(record));
        }
        let mode = fs::metadata(InstallRecord::file(git_dir)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, MODE);

        for _ in 0..2 {
            InstallRecord::remove(git_dir).unwrap();
            assert_eq!(InstallRecord::read(git_dir).unwrap(), None);
        }
    }

    #[test]
    fn record_that_cannot_be_read_is_not_the_same_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = InstallRecord::file(folder.path());

        let relative = "{\"branch\": \"refs/heads/a\", \"state_dir\": \"x\"}";
        let no_branch = "{\"branch\": \"refs/tags/a\"}";
        for text in ["", "{}", "[", "\u{0}", relative, no_branch] {
            fs::write(&file, text).unwrap();
            InstallRecord::read(folder.path()).unwrap_err();
        }
        fs::write(&file, [0xff]).unwrap();
        InstallRecord::read(folder.path()).unwrap_err();

        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("nowhere", &file).unwrap();
        InstallRecord::read(folder.path()).unwrap_err();
    }
}
