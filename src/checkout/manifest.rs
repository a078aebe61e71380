//! The list of the files that were written into a release, in `<checkout>/.manifests/<release>`.
//!
//! For each file it has what the kernel said of it when it was written. So a later release can take
//! those that nobody has touched since then. A folder is the letter `d` with the length of its path
//! and the path; a file in it is `f` with the length of its name, the name, its key and the number
//! of its status. `e` is the end. A list that is damaged, or that another version wrote, says less,
//! and then more files are written anew.

use std::ffi::OsStr;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::file_key::{FileKey, KEY};
use crate::sys::file_status::FileStatus;

/// How many files are read of one list, and how many bytes.
const FILES_MAX: usize = 1_000_000;
const SIZE_MAX: u64 = 1024 * 1024 * 1024;

/// A file of a release.
#[derive(Clone, Copy)]
pub(super) struct ListedFile {
    pub(super) key: FileKey,
    /// The number of the status that it had when it was written.
    pub(super) status: u64,
}

/// The number of a status.
pub(super) fn number(status: &FileStatus) -> u64 {
    let mut hasher = DefaultHasher::new();
    status.hash(&mut hasher);
    hasher.finish()
}

/// What a file adds to the fingerprint of its release. `path` is its path in the release.
pub(super) fn file_print(path: &Path, status: &FileStatus) -> u64 {
    let mut hasher = DefaultHasher::new();
    (path, status).hash(&mut hasher);
    hasher.finish()
}

/// A list that is being written.
pub(super) struct ManifestWriter {
    out: BufWriter<File>,
    folder: Option<PathBuf>,
}

impl ManifestWriter {
    pub(super) fn new(file: File) -> Self {
        Self {
            out: BufWriter::new(file),
            folder: None,
        }
    }

    /// Adds a file of a folder, which is named by its path in the release.
    ///
    /// # Errors
    /// It can't be written.
    pub(super) fn add(&mut self, folder: &Path, name: &OsStr, file: ListedFile) -> io::Result<()> {
        if self.folder.as_deref() != Some(folder) {
            self.begin(b'd', folder.as_os_str())?;
            self.folder = Some(folder.to_owned());
        }
        self.begin(b'f', name)?;
        self.out.write_all(&file.key.0)?;
        self.out.write_all(&file.status.to_le_bytes())
    }

    fn begin(&mut self, letter: u8, name: &OsStr) -> io::Result<()> {
        let length = u16::try_from(name.len()).map_err(io::Error::other)?;
        self.out.write_all(&[letter])?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(name.as_bytes())
    }

    /// Ends the list. Whoever has to know that it is on disk syncs the file system.
    ///
    /// # Errors
    /// It can't be written.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.write_all(b"e")?;
        self.out.flush()
    }
}

/// Shows each file of a list: the path of its folder, its name, and what is noted of it.
///
/// # Errors
/// The list is not whole, or `show` fails.
pub(super) fn read(
    file: File,
    mut show: impl FnMut(&Path, &OsStr, ListedFile) -> io::Result<()>,
) -> io::Result<()> {
    let mut input = BufReader::new(file.take(SIZE_MAX));
    let mut folder = PathBuf::new();
    for _ in 0..=2 * FILES_MAX {
        let [letter] = array(&mut input)?;
        if letter == b'e' {
            return Ok(());
        }
        let mut name = vec![0; usize::from(u16::from_le_bytes(array(&mut input)?))];
        input.read_exact(&mut name)?;
        let name = OsStr::from_bytes(&name);
        match letter {
            b'd' => folder = PathBuf::from(name),
            b'f' => {
                let file = ListedFile {
                    key: FileKey(array::<KEY>(&mut input)?),
                    status: u64::from_le_bytes(array(&mut input)?),
                };
                show(&folder, name, file)?;
            }
            _ => break,
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

fn array<const N: usize>(input: &mut impl BufRead) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(file: &Path) -> io::Result<Vec<(PathBuf, String, u64)>> {
        let mut found = Vec::new();
        read(File::open(file)?, |folder, name, file| {
            found.push((folder.to_owned(), name.display().to_string(), file.status));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn list_is_read_as_it_was_written_and_never_in_part() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("list");
        let key = FileKey([7; KEY]);
        let mut list = ManifestWriter::new(File::create(&path).unwrap());
        let files = [
            ("", "a\n", 1),
            ("", "b", 2),
            ("c/d", "e", u64::MAX),
            ("", "f", 4),
        ];
        for (folder, name, status) in files {
            let file = ListedFile { key, status };
            list.add(Path::new(folder), OsStr::new(name), file).unwrap();
        }
        list.finish().unwrap();

        let expected = files.map(|(folder, name, status)| (folder.into(), name.into(), status));
        assert_eq!(listed(&path).unwrap(), expected);

        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            listed(&path).unwrap_err();
        }
        std::fs::write(&path, "?".repeat(100_000)).unwrap();
        listed(&path).unwrap_err();
    }
}
