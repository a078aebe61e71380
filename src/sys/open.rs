//! Opening files in places where somebody else may have put something unexpected.
//!
//! Protocol: with `O_NONBLOCK`, open(2) does not wait for the other end of a pipe; for a regular
//! file the flag changes nothing. With `O_NOFOLLOW` it fails with `ELOOP` where the last part of
//! the path is a symbolic link, so that nobody can lead this process to a file elsewhere.
//!
//! Opening alone does not promise that it is a regular file: [`regular`] looks at the open file,
//! which nobody can exchange any more. Links in the folders above are followed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

/// A mebibyte, in bytes.
const MIB: u64 = 1024 * 1024;

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

/// The bytes of a small regular file. A pipe in its place is not waited for.
///
/// # Errors
/// It can't be read, is not a regular file, or is larger than `max_bytes`.
pub fn read(file: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let file = regular(without_waiting(file)?)?;
    // With room for it, a small file is not read in pieces.
    let mut bytes = Vec::with_capacity(4096);
    file.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        let (count, unit) = if max_bytes.is_multiple_of(MIB) {
            (max_bytes / MIB, "MiB")
        } else {
            (max_bytes, "bytes")
        };
        return Err(io::Error::other(format!(
            "it is larger than {count} {unit}"
        )));
    }
    Ok(bytes)
}

/// [`read`] for text in UTF-8.
///
/// # Errors
/// As for [`read`], or it is not UTF-8.
pub fn read_text(file: &Path, max_bytes: u64) -> io::Result<String> {
    String::from_utf8(read(file, max_bytes)?).map_err(|error| {
        let bytes = error.as_bytes();
        let before = &bytes[..error.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let what = match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it is UTF-16 text".to_owned(),
            _ => format!("line {line} is not UTF-8 text"),
        };
        let message = format!("{what}; save it as UTF-8");
        io::Error::new(io::ErrorKind::InvalidData, message)
    })
}

/// Checks that a path leads to a regular file, to a folder or to nothing, for a library that opens
/// it by its name and would wait for the other end of a pipe.
///
/// # Errors
/// It leads to something else, or can't be looked at.
pub fn no_pipe(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(found) if found.is_file() || found.is_dir() => Ok(()),
        Ok(_) => Err(not_regular()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn not_regular() -> io::Error {
    io::Error::other("it is not a regular file")
}

/// Checks that an open file is a regular one.
///
/// # Errors
/// It is something else, or can't be looked at.
pub fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(not_regular())
    }
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
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn text_of_another_encoding_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let table: [(&[u8], &str); 4] = [
            (b"\xff\xfeb\0", "it is UTF-16 text; save it as UTF-8"),
            (b"\xfe\xff\0b", "it is UTF-16 text; save it as UTF-8"),
            (b"caf\xe9", "line 1 is not UTF-8 text; save it as UTF-8"),
            (b"a\nb\xe9\nc", "line 2 is not UTF-8 text; save it as UTF-8"),
        ];
        for (content, expect) in table {
            fs::write(&file, content).unwrap();
            let error = read_text(&file, 100).unwrap_err();
            assert_eq!(error.to_string(), expect, "{content:?}");
        }

        fs::write(&file, "caf\u{e9}").unwrap();
        assert_eq!(read_text(&file, 100).unwrap(), "caf\u{e9}");
    }

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
