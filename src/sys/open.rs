//! Opening files in places where somebody else may have put something unexpected.
//!
//! Protocol: with `O_NONBLOCK`, open(2) does not wait for the other end of a pipe; for a regular
//! file the flag changes nothing. With `O_NOFOLLOW` it fails with `ELOOP` where the last part of
//! the path is a symbolic link, so that nobody can lead this process to a file elsewhere.
//!
//! It does not promise that what was opened is a regular file: the caller looks at the metadata of
//! the open file, which nobody can exchange any more. Links in the folders above are followed.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

/// Opens a file for reading; a pipe is not waited for.
///
/// # Errors
/// The file can't be opened.
pub fn without_waiting(file: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(file)
}

/// Opens a file for reading; a pipe is not waited for and a link not followed.
///
/// # Errors
/// The file can't be opened, or is a link.
pub fn without_following(file: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(O_NOFOLLOW | O_NONBLOCK)
        .open(file)
}

/// Opens a file for writing from its beginning: what was in it is removed, and where it is missing
/// it is made with this mode, less the umask. A pipe is not waited for and a link not followed.
///
/// # Errors
/// The file can't be opened or made, is a link, or is a pipe that nobody reads.
pub fn to_overwrite_without_following(file: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .custom_flags(O_NOFOLLOW | O_NONBLOCK)
        .open(file)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Write};
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mkfifo(&pipe, Mode::from_bits_truncate(0o600)).unwrap();

        let opened = [without_waiting(&pipe), without_following(&pipe)];
        assert!(opened.iter().all(Result::is_ok), "{opened:?}");

        drop(opened);
        to_overwrite_without_following(&pipe, 0o600).unwrap_err();
    }

    #[test]
    fn link_is_followed_only_where_that_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "text").unwrap();
        symlink(&file, &link).unwrap();

        let mut text = String::new();
        without_waiting(&link)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "text");

        without_following(&link).unwrap_err();
        to_overwrite_without_following(&link, 0o600).unwrap_err();
        assert_eq!(fs::read_to_string(&file).unwrap(), "text");
    }

    #[test]
    fn file_is_overwritten_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        for text in ["a longer text", "short"] {
            let mut opened = to_overwrite_without_following(&file, 0o600).unwrap();
            opened.write_all(text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
    }
}
