//! The program of this process, and whether another one has taken its place.
//!
//! Protocol: a process keeps the file that it was started from, also when a package puts another
//! file in its place. So it remembers which file was at the path when it began, by device and
//! inode, and goes on as the new program when another one is there. The new one must have been
//! there for a moment, because a file that is not renamed into its place can be half written. A
//! process compares with what it found when it began. So it hands over at most once for each file
//! that is put there, and two programs can't hand over to each other for ever.
//!
//! It does not promise to notice a file whose content was changed. The kernel forbids that while
//! the program runs (`ETXTBSY`).

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::clock;
use super::file::last_change;

/// How long another program must have been in its place before a process goes on as that one.
const SETTLED: Duration = Duration::from_secs(2);

/// The path of this program, even if a newer file has replaced it meanwhile.
///
/// # Errors
/// The system does not say it.
pub fn own_program() -> io::Result<PathBuf> {
    let program = env::current_exe()?;
    let path = program.as_os_str().as_bytes();
    Ok(path
        .strip_suffix(b" (deleted)")
        .map_or(program.clone(), |path| {
            PathBuf::from(OsStr::from_bytes(path))
        }))
}

/// The file that was at the program's path when this was made.
#[derive(Debug, Clone)]
pub struct OwnProgram(Option<(PathBuf, (u64, u64))>);

impl OwnProgram {
    /// The file that is there now. Where that can't be seen, it never counts as replaced.
    #[must_use]
    pub fn find() -> Self {
        Self(own_program().ok().and_then(Self::at))
    }

    fn at(path: PathBuf) -> Option<(PathBuf, (u64, u64))> {
        let file = identity(&path)?;
        Some((path, file))
    }

    /// Whether another file is there, and has been for a moment.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        let Some((path, file)) = &self.0 else {
            return false;
        };
        identity(path).is_some_and(|found| found != *file)
            && last_change(path).is_ok_and(|changed| clock::now().since(changed) >= SETTLED)
    }

    /// Goes on as the program that is there now, with the arguments and the environment of this
    /// process. Everything that this process has open is closed, and its locks are released.
    /// Returns only where that is not possible.
    #[must_use]
    pub fn go_on_as_it(&self) -> io::Error {
        match &self.0 {
            Some((path, _)) => Command::new(path).args(env::args_os().skip(1)).exec(),
            None => io::Error::from(io::ErrorKind::NotFound),
        }
    }
}

/// The device and the inode of a file.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = path.metadata().ok()?;
    Some((found.dev(), found.ino()))
}
