//! Reading a small text file from a place where somebody else may have put something unexpected.

use std::io::{self, Read};
use std::path::Path;

use crate::sys::open;

/// The largest file that is read, in bytes.
const SIZE_MAX: u64 = 1024 * 1024;

/// The text of a file.
///
/// # Errors
/// There is no such file (`NotFound`), or it can't be read, is no regular file, is larger than
/// 1 MiB or is not UTF-8. A link that leads nowhere is not a missing file: somebody meant to have
/// one there.
pub(super) fn read(file: &Path) -> io::Result<String> {
    // In place of the file there can be a pipe, and that must not be waited for.
    let opened = open::without_waiting(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if file.is_symlink() => {
            io::Error::other("it is a link that leads nowhere")
        }
        _ => error,
    })?;
    if !opened.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }

    let mut text = String::new();
    opened.take(SIZE_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > SIZE_MAX {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}
