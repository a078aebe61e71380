//! Files with holes: parts that take up no space on disk and read as zeroes.
//!
//! Protocol: a hole is punched with fallocate(2) and found with lseek(2), `SEEK_DATA`. The size of
//! the file stays as it is, so a process that appends to it meanwhile is not disturbed.
//!
//! It does not promise holes on every file system: where there are none, both functions say so by
//! their result and not by an error.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::unistd::{Whence, lseek};

/// Gives back the space of a part of a file, from the byte `start` on, `length` bytes long.
/// `false`: the file system cannot do this.
///
/// # Errors
/// It failed for another reason.
pub fn punch_hole(file: &File, start: u64, length: u64) -> io::Result<bool> {
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;

    let (Ok(start), Ok(length)) = (i64::try_from(start), i64::try_from(length)) else {
        return Ok(false);
    };

    match fallocate(file.as_fd(), flags, start, length) {
        Ok(()) => Ok(true),
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Where the next data of a file begin, at or after an offset: the end of a hole. `None`: there are
/// none. Where the file system knows no holes, that is the offset itself. The file's own offset
/// moves.
///
/// # Errors
/// The file can't be asked.
pub fn next_data(file: &File, offset: u64) -> io::Result<Option<u64>> {
    let Ok(start) = i64::try_from(offset) else {
        return Ok(None);
    };

    match lseek(file.as_fd(), start, Whence::SeekData) {
        Ok(at) => Ok(u64::try_from(at).ok()),
        Err(Errno::ENXIO) => Ok(None),
        Err(Errno::EINVAL | Errno::EOPNOTSUPP) => Ok(Some(offset)),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use super::*;

    #[test]
    fn data_after_a_hole_are_found() {
        const HOLE: u64 = 64 * 1024;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .unwrap();
        let content = vec![b'x'; usize::try_from(2 * HOLE).unwrap()];
        file.write_all(&content).unwrap();

        let is_punched = punch_hole(&file, 0, HOLE).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 2 * HOLE);

        let expect = if is_punched { HOLE } else { 0 };
        assert_eq!(next_data(&file, 0).unwrap(), Some(expect));
        assert_eq!(next_data(&file, HOLE + 5).unwrap(), Some(HOLE + 5));
        if is_punched {
            assert_eq!(next_data(&file, 2 * HOLE).unwrap(), None);
        }
    }
}
