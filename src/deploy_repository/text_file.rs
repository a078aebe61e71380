//! Reading a small text file from a place where somebody else may have put something unexpected.

use std::io;
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
    match open::read_text(file, SIZE_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && file.is_symlink() => {
            Err(io::Error::other("it is a link that leads nowhere"))
        }
        read => read,
    }
}
