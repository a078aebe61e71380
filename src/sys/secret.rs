//! Secrets that stand in files.
//!
//! Protocol: the file is opened once, without waiting, and its owner and mode are asked of the open
//! file. It must belong to this user or to root, and users outside of its group must neither read
//! nor write it; the group must not write it. The group may read it, as Debian has it for the
//! password files of mail servers (`root:Debian-exim`, mode 0640).
//!
//! It does not promise that nobody read the file earlier, nor that nobody can replace it: whoever
//! may write to its folder can.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::geteuid;

use super::open;

/// How large the file can be, in bytes.
const SIZE_MAX: u64 = 8 * 1024;

/// A text that nobody may see. It can't be printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Reads a secret: the text of a file without white space around it.
///
/// # Errors
/// The file can't be read, is empty or too large, or others than those who may know it can read or
/// change it. No error holds any of its text.
pub fn read(path: &Path) -> io::Result<Secret> {
    let file = open::regular(open::without_waiting(path)?)?;
    check(&file)?;

    let mut bytes = Vec::new();
    file.take(SIZE_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SIZE_MAX {
        return Err(io::Error::other("it is too large for a secret"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| io::Error::other("it is not UTF-8"))?;
    match text.trim() {
        "" => Err(io::Error::other("it is empty")),
        text => Ok(Secret(text.to_owned())),
    }
}

/// Checks who may read and change an open file.
fn check(file: &File) -> io::Result<()> {
    let found = file.metadata()?;
    let (owner, mode) = (found.uid(), found.mode());
    if owner != 0 && owner != geteuid().as_raw() {
        return Err(io::Error::other(format!(
            "it belongs to user {owner}, and not to this user or root"
        )));
    }
    if mode & 0o007 != 0 {
        return Err(io::Error::other(
            "other users can read or change it; run: chmod o= on it",
        ));
    }
    if mode & 0o020 != 0 {
        return Err(io::Error::other(
            "its group can change it; run: chmod g-w on it",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn file_that_others_can_read_is_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let table = [
            (0o600, true),
            (0o400, true),
            (0o640, true),
            (0o644, false),
            (0o604, false),
            (0o602, false),
            (0o660, false),
        ];
        for (mode, is_good) in table {
            fs::write(&path, "  hunter2\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let read = read(&path);
            assert_eq!(read.is_ok(), is_good, "{mode:o} {read:?}");
            let shown = format!("{read:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
            fs::remove_file(&path).unwrap();
        }

        fs::write(&path, " \n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read(&path).unwrap_err().to_string(), "it is empty");
        assert!(read(&folder.path().join("missing")).is_err());
        assert!(read(folder.path()).is_err());
    }
}
