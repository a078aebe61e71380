//! What keeps a file from being executed, in words that say more than execve(2) does: for a script
//! whose interpreter is missing, that fails with "No such file or directory", though the script is
//! there.
//!
//! Protocol: the file's type, its mode and its first line are looked at, as the kernel does
//! (execve(2), "Interpreter scripts").
//!
//! It does not promise that a file without an obstacle can be executed: a file system can be
//! mounted `noexec`, a folder can be closed to the user, and a program can be for another machine.

use std::fmt;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::open::without_waiting;
use crate::text;

/// How much of a file the kernel reads for the first line, in bytes (`BINPRM_BUF_SIZE`).
pub const HEAD_MAX: usize = 256;

/// What keeps a file from being executed. The text goes after the name of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// There is no such file.
    Missing,
    /// It is a folder or something else.
    NotAFile,
    /// Nobody may execute it.
    NotExecutable,
    /// Its first line ends with a carriage return, which the kernel takes for a part of it.
    CarriageReturn,
    /// Its first line names this interpreter, which can't be executed.
    NoInterpreter(String),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is not there"),
            Self::NotAFile => f.write_str("is not a regular file"),
            Self::NotExecutable => f.write_str("is not executable"),
            Self::CarriageReturn => f.write_str(
                "has lines that end with a carriage return (CRLF), so its interpreter is not found",
            ),
            Self::NoInterpreter(interpreter) => write!(
                f,
                "names the interpreter {} in its first line, which is not there",
                text::escape(interpreter, 100)
            ),
        }
    }
}

impl Obstacle {
    /// What keeps a file from being executed whose content begins with `head`; `None`: nothing that
    /// can be seen in it.
    #[must_use]
    pub fn in_head(head: &[u8]) -> Option<Self> {
        // Where no interpreter is named, execvp(3) lets a shell run the file.
        let line = head.strip_prefix(b"#!")?;
        let line = line.split(|b| *b == b'\n').next().unwrap_or_default();
        if line.ends_with(b"\r") {
            return Some(Self::CarriageReturn);
        }

        let line = String::from_utf8_lossy(line);
        let mut words = line.split_ascii_whitespace();
        let interpreter = words.next().unwrap_or_default();
        if !Path::new(interpreter).is_file() {
            return Some(Self::NoInterpreter(interpreter.to_owned()));
        }
        // env(1) looks for the program that its first argument names.
        let named = words.next().filter(|name| {
            interpreter.ends_with("/env") && !name.starts_with('-') && !name.contains('=')
        })?;
        let is_found = find(named, Path::new("/"), super::surroundings::PATH).is_some();
        (!is_found).then(|| Self::NoInterpreter(named.to_owned()))
    }

    /// What keeps a file from being executed; `None`: nothing that can be seen.
    #[must_use]
    pub fn of(file: &Path) -> Option<Self> {
        let Ok(found) = std::fs::metadata(file) else {
            return Some(Self::Missing);
        };
        if !found.is_file() {
            return Some(Self::NotAFile);
        }
        if found.mode() & 0o111 == 0 {
            return Some(Self::NotExecutable);
        }

        // A program need not be readable for everybody. Then nothing can be seen in it.
        let mut head = Vec::new();
        let opened = without_waiting(file).ok()?;
        opened.take(HEAD_MAX as u64).read_to_end(&mut head).ok()?;
        Self::in_head(&head)
    }
}

/// The file that a command's first word names: by its path, from `folder` on, or in the folders of
/// a search path. `None`: none of these folders has it.
#[must_use]
pub fn find(program: &str, folder: &Path, search_path: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(folder.join(program));
    }
    let mut files = search_path.split(':').map(|at| Path::new(at).join(program));
    files.find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn first_line_shows_what_is_in_the_way() {
        let missing = |name: &str| Some(Obstacle::NoInterpreter(name.to_owned()));
        let table: [(&[u8], Option<Obstacle>); 11] = [
            (b"#!/bin/sh\ntrue\n", None),
            (b"#! /bin/sh -e\n", None),
            (b"#!/usr/bin/env sh\n", None),
            (b"\x7fELF\x02\x01\x01\0", None),
            (b"#!/bin/sh\r\ntrue\r\n", Some(Obstacle::CarriageReturn)),
            (b"#!/usr/bin/env sh\r\n", Some(Obstacle::CarriageReturn)),
            (b"#!/no/such/shell\n", missing("/no/such/shell")),
            (b"#!/usr/bin/env nosuchshell\n", missing("nosuchshell")),
            (b"#!\n", missing("")),
            (b"echo hello\n", None),
            (b"", None),
        ];
        for (head, expect) in table {
            assert_eq!(Obstacle::in_head(head), expect, "{head:?}");
        }
    }

    #[test]
    fn file_is_looked_at_before_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deploy.sh");
        assert_eq!(Obstacle::of(&file), Some(Obstacle::Missing));
        assert_eq!(Obstacle::of(folder.path()), Some(Obstacle::NotAFile));

        fs::write(&file, "#!/bin/sh\r\n").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(Obstacle::of(&file), Some(Obstacle::NotExecutable));
        fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(Obstacle::of(&file), Some(Obstacle::CarriageReturn));
    }

    #[test]
    fn program_is_found_by_its_path_or_in_the_search_path() {
        let at = Path::new("/srv");
        assert_eq!(find("./a", at, "/bin"), Some("/srv/./a".into()));
        assert_eq!(find("/a", at, "/bin"), Some("/a".into()));
        assert_eq!(find("sh", at, "/nowhere:/bin"), Some("/bin/sh".into()));
        assert_eq!(find("nosuchprogram", at, "/bin"), None);
    }
}
