//! Reading a log from its beginning while it grows.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use crate::sys::open;
use crate::sys::sparse::next_data;
use crate::text;

/// How much is read at once, in bytes.
const CHUNK: u64 = 256 * 1024;

/// A log that is followed. It may not exist yet, and it can have holes. When it is replaced by a
/// shorter file at its end, the file that was open is read further.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    file: Option<File>,
    offset: u64,
}

impl Tail {
    /// Follows a file from its beginning.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self::after(path, 0)
    }

    /// Follows a file from a byte of it.
    #[must_use]
    pub fn after(path: PathBuf, offset: u64) -> Self {
        Self {
            path,
            file: None,
            offset,
        }
    }

    /// Up to which byte of the file it was read.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What was written since the last call, or a first piece of it. It is empty if nothing was.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn read(&mut self) -> io::Result<Vec<u8>> {
        self.read_at_most(CHUNK)
    }

    /// The same with at most so many bytes of the file. Where a part of it was left out, there are
    /// some words before them.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn read_at_most(&mut self, most: u64) -> io::Result<Vec<u8>> {
        let file = match &mut self.file {
            Some(file) => file,
            None => match open::without_following(&self.path).and_then(open::regular) {
                Ok(file) => self.file.insert(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => {
                    let path = text::escape(self.path.as_os_str().as_encoded_bytes(), 200);
                    return Err(io::Error::new(error.kind(), format!("{path}: {error}")));
                }
            },
        };

        let mut bytes = Vec::new();
        if let Some(data) = next_data(file, self.offset)?.filter(|data| *data > self.offset) {
            bytes = format!(
                "\n[deploy-by-code: {} bytes left out]\n",
                data - self.offset
            )
            .into_bytes();
            self.offset = data;
        }

        file.seek(SeekFrom::Start(self.offset))?;
        self.offset += file.take(most).read_to_end(&mut bytes)? as u64;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::sparse::punch_hole;
    use std::io::Write;

    #[test]
    fn tail_of_a_growing_file_leaves_out_a_hole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.log");
        let mut tail = Tail::new(path.clone());
        assert_eq!(tail.read().unwrap(), b"");

        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\n").unwrap();
        assert_eq!(tail.read().unwrap(), b"one\n");
        assert_eq!(tail.read().unwrap(), b"");

        file.write_all(&vec![b'x'; 64 * 1024]).unwrap();
        file.write_all(b"\nend\n").unwrap();
        let mut rest = || {
            String::from_utf8(
                std::iter::from_fn(|| tail.read().ok().filter(|b| !b.is_empty()))
                    .flatten()
                    .collect(),
            )
        };

        let holed = punch_hole(&file, 0, 32 * 1024).unwrap();
        let text = rest().unwrap();
        assert!(text.ends_with("x\nend\n"));
        assert_eq!(
            text.contains("\n[deploy-by-code: 32764 bytes left out]\n"),
            holed,
            "{}",
            text.len()
        );
        assert!(!text.contains('\0'));
    }
}
