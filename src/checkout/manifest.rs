//! The list of what was written into a release, in `<checkout>/.manifests/<release>`.
//!
//! For each file it has what the kernel said of it when it was written. So a later release can take
//! those that nobody has touched since then. The list begins with its version and the number of the
//! rights that files have. Then everything comes that is in the release, as it comes from the
//! reader (see `stream`), but no content. Then there is the number of the status of each file, in
//! the same order, and how many these are; and at the end the CRC-32 of all that. Each number has 8
//! bytes. A list that is damaged, or that another version wrote, says nothing, and then all files
//! are written anew.

use std::ffi::OsString;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::check_sum::{Summed, sum_of};
use super::order::CheckoutOrder;
use super::stream::{HeadKind, receive, receive_target, send};
use crate::git::ExportItem;
use crate::sys::file_status::FileStatus;

/// How many files one list has at most, and how many bytes.
const FILES_MAX: u64 = 1_000_000;
const SIZE_MAX: u64 = 1024 * 1024 * 1024;

/// How a list of this version begins.
const VERSION: &[u8; 8] = b"files 2\n";

/// How long a number is, in bytes.
const NUMBER: u64 = 8;

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

/// A number that is another one where files have other rights, or where another rule decides which
/// of them there may be.
fn rights(order: &CheckoutOrder) -> [u8; 8] {
    let mut hasher = DefaultHasher::new();
    (order.is_shared, order.rules).hash(&mut hasher);
    hasher.finish().to_le_bytes()
}

/// A list that is being written.
pub(super) struct ManifestWriter(Summed<BufWriter<File>>);

impl ManifestWriter {
    /// Begins the list of a release for an order.
    ///
    /// # Errors
    /// It can't be written.
    pub(super) fn begin(file: File, order: &CheckoutOrder) -> io::Result<Self> {
        let mut out = Summed::new(BufWriter::new(file), SIZE_MAX);
        out.write_all(VERSION)?;
        out.write_all(&rights(order))?;
        Ok(Self(out))
    }

    /// Adds what comes next in the release. Of a file, the name counts.
    ///
    /// # Errors
    /// It can't be written, or the list has become too long.
    pub(super) fn add(&mut self, item: ExportItem<'_>) -> io::Result<()> {
        send(item, &mut self.0)
    }

    /// Ends the list with the numbers of the files. Whoever has to know that it is on disk syncs
    /// the file system.
    ///
    /// # Errors
    /// As for [`ManifestWriter::add`].
    pub(super) fn finish(self, statuses: &[u64]) -> io::Result<()> {
        end(self.0, statuses)
    }
}

/// Writes a list again, with other numbers.
///
/// # Errors
/// One of the two can't be read or written.
pub(super) fn renew(old: File, new: File, statuses: &[u64]) -> io::Result<()> {
    let items = old
        .metadata()?
        .len()
        .checked_sub(tail(statuses.len() as u64));
    let items = items.ok_or(io::ErrorKind::InvalidData)?;
    let mut out = Summed::new(BufWriter::new(new), SIZE_MAX);
    io::copy(&mut old.take(items), &mut out)?;
    end(out, statuses)
}

/// How long everything is that comes after the items, in bytes.
fn tail(files: u64) -> u64 {
    NUMBER.saturating_mul(files.saturating_add(2))
}

/// Ends a list.
fn end(mut out: Summed<BufWriter<File>>, statuses: &[u64]) -> io::Result<()> {
    for number in statuses.iter().copied().chain([statuses.len() as u64]) {
        out.write_all(&number.to_le_bytes())?;
    }
    let (mut out, sum) = out.into_parts();
    out.write_all(&u64::from(sum).to_le_bytes())?;
    out.flush()
}

/// What comes next in a list. A name is one part of a path.
pub(super) enum ManifestItem {
    /// A folder begins.
    Folder(OsString),
    /// The folder that began last is complete.
    Up,
    /// A file.
    File {
        name: OsString,
        is_executable: bool,
        /// Which file of the list it is; the first one is 0.
        number: usize,
    },
    /// A symbolic link.
    Link { name: OsString, target: Vec<u8> },
    /// This was everything.
    End,
}

/// A list that is read from its beginning.
pub(super) struct Manifest {
    input: BufReader<io::Take<File>>,
    /// The id of the tree that was written, in hexadecimal digits.
    pub(super) tree: String,
    /// How many files it has, and how many of them were read.
    all: usize,
    files: usize,
}

impl Manifest {
    /// Opens the list of a release of which a release for an order can take files. Returns the
    /// number of the status of each file, too.
    ///
    /// # Errors
    /// It is not whole, or its release is one for another kind of order.
    pub(super) fn open(mut file: File, order: &CheckoutOrder) -> io::Result<(Self, Vec<u64>)> {
        let damaged = || io::Error::from(io::ErrorKind::InvalidData);
        let whole = file.metadata()?;
        if !whole.is_file() || whole.len() > SIZE_MAX {
            return Err(damaged());
        }
        let summed = whole.len().checked_sub(NUMBER).ok_or_else(damaged)?;
        let sum = u64::from(sum_of(&mut file, summed)?);
        if sum != u64::from_le_bytes(array(&mut file)?) {
            return Err(damaged());
        }

        let mut count = [0; 8];
        let place = whole.len().checked_sub(tail(0)).ok_or_else(damaged)?;
        file.read_exact_at(&mut count, place)?;
        let files = Some(u64::from_le_bytes(count)).filter(|files| *files <= FILES_MAX);
        let files = files.ok_or_else(damaged)?;
        let items = whole.len().checked_sub(tail(files)).ok_or_else(damaged)?;
        file.seek(SeekFrom::Start(items))?;
        let mut numbers = BufReader::new(&file);
        let statuses = (0..files).map(|_| Ok(u64::from_le_bytes(array(&mut numbers)?)));
        let statuses = statuses.collect::<io::Result<Vec<u64>>>()?;

        file.seek(SeekFrom::Start(0))?;
        let mut input = BufReader::new(file.take(items));
        if array(&mut input)? != *VERSION || array(&mut input)? != rights(order) {
            return Err(damaged());
        }
        let root = receive(&mut input)?;
        let tree = String::from_utf8(root.name).map_err(|_| damaged())?;
        let is_id = tree.bytes().all(|byte| byte.is_ascii_hexdigit());
        if root.kind != HeadKind::Root || !is_id {
            return Err(damaged());
        }
        let list = Self {
            input,
            tree,
            all: statuses.len(),
            files: 0,
        };
        Ok((list, statuses))
    }

    /// Reads what comes next.
    ///
    /// # Errors
    /// The list is damaged.
    pub(super) fn next(&mut self) -> io::Result<ManifestItem> {
        let head = receive(&mut self.input)?;
        let name = OsString::from_vec(head.name);
        Ok(match head.kind {
            HeadKind::Folder => ManifestItem::Folder(name),
            HeadKind::Up => ManifestItem::Up,
            HeadKind::SameFile | HeadKind::SameExecutable if self.files < self.all => {
                self.files += 1;
                ManifestItem::File {
                    name,
                    is_executable: head.kind.is_executable(),
                    number: self.files - 1,
                }
            }
            HeadKind::Link => ManifestItem::Link {
                name,
                target: receive_target(&mut self.input, head.number)?,
            },
            HeadKind::End if self.files == self.all => ManifestItem::End,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        })
    }

    /// Goes on to a folder, in the folder that the list is in, and enters it.
    ///
    /// # Errors
    /// It does not come any more, or the list is damaged.
    pub(super) fn enter(&mut self, wanted: &[u8]) -> io::Result<()> {
        loop {
            match self.next()? {
                ManifestItem::Folder(name) if name.as_encoded_bytes() == wanted => return Ok(()),
                ManifestItem::Folder(_) => self.leave()?,
                ManifestItem::File { .. } | ManifestItem::Link { .. } => {}
                ManifestItem::Up | ManifestItem::End => return Err(io::ErrorKind::NotFound.into()),
            }
        }
    }

    /// Passes over the rest of the folder that the list is in.
    ///
    /// # Errors
    /// The list is damaged.
    pub(super) fn leave(&mut self) -> io::Result<()> {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.next()? {
                ManifestItem::Folder(_) => depth += 1,
                ManifestItem::Up => depth -= 1,
                ManifestItem::File { .. } | ManifestItem::Link { .. } => {}
                ManifestItem::End => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        Ok(())
    }

    /// Goes on to a file, in the folder that the list is in, and returns its number.
    ///
    /// # Errors
    /// It does not come any more, or the list is damaged.
    pub(super) fn file(&mut self, wanted: &[u8], must_execute: bool) -> io::Result<usize> {
        loop {
            match self.next()? {
                ManifestItem::File {
                    name,
                    is_executable,
                    number,
                } if name.as_encoded_bytes() == wanted && is_executable == must_execute => {
                    return Ok(number);
                }
                ManifestItem::Folder(_) => self.leave()?,
                ManifestItem::File { .. } | ManifestItem::Link { .. } => {}
                ManifestItem::Up | ManifestItem::End => return Err(io::ErrorKind::NotFound.into()),
            }
        }
    }
}

fn array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(is_shared: bool) -> CheckoutOrder {
        let order = serde_json::json!({
            "folder": "/srv",
            "owner": { "target": "production/a", "state": "id /srv" },
            "repository": null,
            "revision": "0123456789012345678901234567890123456789",
            "id": 1,
            "reusable": null,
            "has_command": false,
            "user": null,
            "is_shared": is_shared,
            "subdirectory": null,
            "shared": [],
            "rules": { "lfs_pointers": false, "empty_submodules": false },
            "link": "Hard",
            "is_alone": false,
            "release": null,
            "succeeded": [],
            "keep": 5,
        });
        serde_json::from_value(order).unwrap()
    }

    const TREE: &str = "0123456789abcdef0123456789abcdef01234567";

    /// Writes a list with three files.
    fn write(path: &Path) {
        let file = |name| ExportItem::SameFile {
            name,
            is_executable: name == b"x",
        };
        let mut list = ManifestWriter::begin(File::create(path).unwrap(), &order(false)).unwrap();
        let items = [
            ExportItem::Root { tree: TREE },
            file(b"a\n"),
            ExportItem::Folder { name: b"f" },
            ExportItem::Folder { name: b"empty" },
            ExportItem::Up,
            file(b"x"),
            ExportItem::Link {
                name: b"y",
                target: b"../x",
            },
            ExportItem::Up,
            file(b"z"),
            ExportItem::End,
        ];
        for item in items {
            list.add(item).unwrap();
        }
        list.finish(&[1, 2, u64::MAX]).unwrap();
    }

    fn open(path: &Path) -> io::Result<(Manifest, Vec<u64>)> {
        Manifest::open(File::open(path)?, &order(false))
    }

    /// Everything in a list, and the numbers of its files.
    fn read(path: &Path) -> io::Result<(Vec<String>, Vec<u64>)> {
        let (mut list, statuses) = open(path)?;
        assert_eq!(list.tree, TREE);
        let mut found = Vec::new();
        loop {
            found.push(match list.next()? {
                ManifestItem::Folder(name) => format!("{}/", name.display()),
                ManifestItem::Up => "..".to_owned(),
                ManifestItem::File {
                    name,
                    is_executable,
                    number,
                } => format!("{} {is_executable} {number}", name.display()),
                ManifestItem::Link { name, target } => {
                    format!("{} -> {}", name.display(), target.escape_ascii())
                }
                ManifestItem::End => return Ok((found, statuses)),
            });
        }
    }

    #[test]
    fn list_is_read_as_it_was_written_and_never_if_it_is_damaged() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("list");
        write(&path);
        let items = [
            "a\n false 0",
            "f/",
            "empty/",
            "..",
            "x true 1",
            "y -> ../x",
            "..",
            "z false 2",
        ];
        let items = items.map(str::to_owned).to_vec();
        assert_eq!(read(&path).unwrap(), (items.clone(), vec![1, 2, u64::MAX]));

        let new = base.path().join("new");
        let files = [&path, &new].map(|path| {
            File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .unwrap()
        });
        let [old_file, new_file] = files;
        renew(old_file, new_file, &[4, 5, 6]).unwrap();
        assert_eq!(read(&new).unwrap(), (items, vec![4, 5, 6]));

        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            read(&path).unwrap_err();

            let mut other = whole.clone();
            other[length] ^= 1;
            std::fs::write(&path, &other).unwrap();
            assert!(open(&path).is_err(), "another byte at {length}");
        }
        std::fs::write(&path, "?".repeat(100_000)).unwrap();
        read(&path).unwrap_err();
    }

    #[test]
    fn list_of_another_kind_of_release_is_none() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("list");
        write(&path);
        open(&path).unwrap();
        assert!(Manifest::open(File::open(&path).unwrap(), &order(true)).is_err());
        assert!(Manifest::open(File::open("/dev/zero").unwrap(), &order(false)).is_err());
    }

    #[test]
    fn what_is_passed_over_is_not_found_again() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("list");
        write(&path);
        let list = || open(&path).unwrap().0;

        let mut found = list();
        assert_eq!(found.file(b"z", false).unwrap(), 2);
        found.file(b"a\n", false).unwrap_err();

        let mut found = list();
        found.enter(b"f").unwrap();
        found.file(b"x", false).unwrap_err();

        let mut found = list();
        found.enter(b"f").unwrap();
        assert_eq!(found.file(b"x", true).unwrap(), 1);
        found.leave().unwrap();
        assert_eq!(found.file(b"z", false).unwrap(), 2);

        for missing in ["x", "empty", "g"] {
            list().enter(missing.as_bytes()).unwrap_err();
        }
    }
}
