//! Writing a release's files as they arrive. Every file is named by the open folder that it is in.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::Arc;

use super::error::{CheckoutError, at, explain};
use super::manifest::{Manifest, ManifestItem, ManifestWriter};
use super::stream::{Head, HeadKind, copy, receive, receive_target};
use super::work::{Batch, Feeder, FileSource, Maker, NewFile, ReleaseFolder, with_workers};
use crate::git::ExportItem;
use crate::sys::folder::OpenFolder;

/// A file of more bytes is written as it arrives.
const COLLECTED_MAX: u64 = 256 * 1024;

/// Writes everything that arrives into an empty folder, until the end is told. `base` is the list
/// of the release from which files are taken. Returns the list of what was written, if it could be
/// written, too.
///
/// # Errors
/// Something can't be written, the sender went away, or the list of the base is damaged.
pub(super) fn write_tree(
    input: &mut impl BufRead,
    root: &OpenFolder,
    maker: &Maker<'_>,
    (list, base): (Option<ManifestWriter>, Option<Manifest>),
    workers: usize,
) -> Result<Option<ManifestWriter>, CheckoutError> {
    let mut writer = TreeWriter {
        list,
        base,
        ..TreeWriter::open(root, maker)?
    };
    with_workers(workers, maker, |feeder| writer.receive_all(input, feeder))?;
    Ok(writer.list)
}

/// Writes the files that could not be taken from the base, as they arrive. Their folders are there.
///
/// # Errors
/// As for [`write_tree`].
pub(super) fn write_needed(
    input: &mut impl BufRead,
    root: &OpenFolder,
    maker: &Maker<'_>,
    needed: Vec<usize>,
    workers: usize,
) -> Result<(), CheckoutError> {
    let mut writer = TreeWriter {
        needed: Some(needed.into_iter()),
        ..TreeWriter::open(root, maker)?
    };
    with_workers(workers, maker, |feeder| writer.receive_all(input, feeder))?;
    match writer.needed.and_then(|mut left| left.next()) {
        None => Ok(()),
        // The list of the base had more than the tree has.
        Some(_) => Err(CheckoutError::BaseChanged),
    }
}

/// A folder on the way down.
struct OpenedFolder {
    folder: Arc<ReleaseFolder>,
    /// Whether the list of the base entered the same folder, and has to leave it.
    is_in_base: bool,
}

/// What is known while a tree is written.
struct TreeWriter<'w> {
    maker: &'w Maker<'w>,
    /// The root comes first, and stays.
    open: Vec<OpenedFolder>,
    batch: Batch,
    list: Option<ManifestWriter>,
    base: Option<Manifest>,
    /// How many files there were.
    files: usize,
    /// The numbers of the files that still come, where only some come and the folders are there.
    needed: Option<std::vec::IntoIter<usize>>,
}

impl<'w> TreeWriter<'w> {
    fn open(root: &OpenFolder, maker: &'w Maker<'w>) -> Result<Self, CheckoutError> {
        let dot = OsStr::new(".");
        let root = ReleaseFolder {
            folder: root.folder(dot).map_err(at(maker.path))?,
            base: maker.base.and_then(|base| base.folder.folder(dot).ok()),
            path: PathBuf::new(),
        };
        Ok(Self {
            maker,
            open: vec![OpenedFolder {
                folder: Arc::new(root),
                is_in_base: false,
            }],
            batch: Batch::default(),
            list: None,
            base: None,
            files: 0,
            needed: None,
        })
    }

    fn receive_all(
        &mut self,
        input: &mut impl BufRead,
        feeder: &Feeder<'_>,
    ) -> Result<(), CheckoutError> {
        loop {
            let head = receive(input).map_err(gone)?;
            let name = head.name.as_slice();
            match head.kind {
                HeadKind::Root => {
                    let tree = std::str::from_utf8(name);
                    let tree = tree.map_err(|error| gone(io::Error::other(error)))?;
                    self.note(ExportItem::Root { tree });
                }
                HeadKind::End if self.open.len() == 1 => {
                    self.note(ExportItem::End);
                    return feeder.feed(std::mem::take(&mut self.batch));
                }
                HeadKind::Up if self.open.len() > 1 => {
                    if self.open.last().is_some_and(|place| place.is_in_base) {
                        self.base()?.leave().map_err(changed)?;
                    }
                    self.up(feeder)?;
                }
                HeadKind::End | HeadKind::Up => {
                    return Err(gone(io::ErrorKind::InvalidData.into()));
                }
                HeadKind::Folder => self.folder(name, false)?,
                HeadKind::ChangedFolder => {
                    self.base()?.enter(name).map_err(changed)?;
                    self.folder(name, true)?;
                }
                HeadKind::SameFolder => self.same_folder(name, head.number, feeder)?,
                HeadKind::SameFile | HeadKind::SameExecutable => {
                    let is_executable = head.kind.is_executable();
                    let known = self.base()?.file(name, is_executable).map_err(changed)?;
                    self.file_of_base(OsString::from_vec(head.name), is_executable, known)?;
                }
                HeadKind::Link => {
                    let target = receive_target(input, head.number).map_err(gone)?;
                    self.link(name, &target)?;
                }
                HeadKind::File | HeadKind::Executable => {
                    let place = Arc::clone(&self.place()?.folder);
                    let number = match &mut self.needed {
                        Some(numbers) => numbers.next().ok_or(CheckoutError::BaseChanged)?,
                        None => self.count_file(name, head.kind.is_executable()),
                    };
                    receive_file(input, &head, &place, number, self.maker, &mut self.batch)?;
                }
            }
            if self.batch.is_full() {
                feeder.feed(std::mem::take(&mut self.batch))?;
            }
        }
    }

    /// Makes a folder with everything that is below it in the base, which has to be `entries` files
    /// and folders.
    fn same_folder(
        &mut self,
        name: &[u8],
        entries: u64,
        feeder: &Feeder<'_>,
    ) -> Result<(), CheckoutError> {
        self.base()?.enter(name).map_err(changed)?;
        self.folder(name, true)?;
        let (mut left, mut depth) = (entries, 1_u32);
        while depth > 0 {
            let listed = self.base()?.next().map_err(changed)?;
            if !matches!(listed, ManifestItem::Up) {
                left = left.checked_sub(1).ok_or(CheckoutError::BaseChanged)?;
            }
            // Nobody has checked what the list says. What can't be made may be the list's fault.
            match listed {
                ManifestItem::Folder(name) => {
                    self.folder(name.as_bytes(), true).map_err(changed)?;
                    depth += 1;
                }
                ManifestItem::Up => {
                    self.up(feeder)?;
                    depth -= 1;
                }
                ManifestItem::File {
                    name,
                    is_executable,
                    number,
                } => self.file_of_base(name, is_executable, number)?,
                ManifestItem::Link { name, target } => {
                    self.link(name.as_bytes(), &target).map_err(changed)?;
                }
                ManifestItem::End => return Err(CheckoutError::BaseChanged),
            }
            if self.batch.is_full() {
                feeder.feed(std::mem::take(&mut self.batch))?;
            }
        }
        match left {
            0 => Ok(()),
            _ => Err(CheckoutError::BaseChanged),
        }
    }

    fn base(&mut self) -> Result<&mut Manifest, CheckoutError> {
        self.base.as_mut().ok_or(CheckoutError::BaseChanged)
    }

    fn place(&self) -> Result<&OpenedFolder, CheckoutError> {
        let last = self.open.last();
        last.ok_or_else(|| gone(io::ErrorKind::InvalidData.into()))
    }

    /// Makes a folder, or finds it where only some files come, and enters it.
    fn folder(&mut self, name: &[u8], is_in_base: bool) -> Result<(), CheckoutError> {
        self.note(ExportItem::Folder { name });
        let place = &self.place()?.folder;
        let name = OsStr::from_bytes(name);
        let folder = match self.needed {
            Some(_) => place.folder.folder(name),
            None => place.folder.new_folder(name),
        };
        let base = place.base.as_ref().filter(|_| is_in_base);
        let inner = ReleaseFolder {
            folder: folder.map_err(|error| self.error(place, name, error))?,
            base: base.and_then(|base| base.folder(name).ok()),
            path: place.path.join(name),
        };
        self.open.push(OpenedFolder {
            folder: Arc::new(inner),
            is_in_base,
        });
        Ok(())
    }

    fn up(&mut self, feeder: &Feeder<'_>) -> Result<(), CheckoutError> {
        self.note(ExportItem::Up);
        self.open.pop();
        if self.batch.is_worth_it() {
            feeder.feed(std::mem::take(&mut self.batch))?;
        }
        Ok(())
    }

    fn link(&mut self, name: &[u8], target: &[u8]) -> Result<(), CheckoutError> {
        self.note(ExportItem::Link { name, target });
        let place = &self.place()?.folder;
        let (name, target) = (OsStr::from_bytes(name), OsStr::from_bytes(target));
        let made = place.folder.new_link(name, target);
        made.map_err(|error| self.error(place, name, error))
    }

    fn file_of_base(
        &mut self,
        name: OsString,
        is_executable: bool,
        known: usize,
    ) -> Result<(), CheckoutError> {
        let place = Arc::clone(&self.place()?.folder);
        let number = self.count_file(name.as_bytes(), is_executable);
        self.batch.push(NewFile {
            place,
            name,
            is_executable,
            number,
            source: FileSource::Base(known),
        });
        Ok(())
    }

    fn count_file(&mut self, name: &[u8], is_executable: bool) -> usize {
        self.note(ExportItem::SameFile {
            name,
            is_executable,
        });
        self.files += 1;
        self.files - 1
    }

    /// Adds something to the list.
    fn note(&mut self, item: ExportItem<'_>) {
        let added = self.list.as_mut().map(|list| list.add(item));
        if added.is_some_and(|added| added.is_err()) {
            // The release is as good without it.
            self.list = None;
        }
    }

    /// The error of something in a folder.
    fn error(&self, place: &ReleaseFolder, name: &OsStr, error: io::Error) -> CheckoutError {
        at(self.maker.path.join(&place.path).join(name))(explain(error))
    }
}

/// Takes a file that arrives. A large one is written while it arrives.
fn receive_file(
    input: &mut impl BufRead,
    head: &Head,
    place: &Arc<ReleaseFolder>,
    number: usize,
    maker: &Maker<'_>,
    batch: &mut Batch,
) -> Result<(), CheckoutError> {
    let start = batch.content.len();
    let mut file = NewFile {
        place: Arc::clone(place),
        name: OsStr::from_bytes(&head.name).to_owned(),
        is_executable: head.kind.is_executable(),
        number,
        source: FileSource::Here(start..start),
    };
    if head.number > COLLECTED_MAX {
        let mut is_gone = Ok(());
        let made = maker.make_one(&file, |new| match copy(input, head.number, new) {
            Ok(copied) => copied,
            Err(error) => {
                is_gone = Err(gone(error));
                Ok(())
            }
        });
        return is_gone.and(made);
    }

    let copied = copy(input, head.number, &mut batch.content).map_err(gone)?;
    copied.map_err(at(maker.path.join(&place.path).join(&file.name)))?;
    file.source = FileSource::Here(start..batch.content.len());
    batch.push(file);
    Ok(())
}

fn gone(error: io::Error) -> CheckoutError {
    CheckoutError::Gone("reader", error.to_string())
}

/// The error of a base that is not what its list says.
fn changed<E>(_: E) -> CheckoutError {
    CheckoutError::BaseChanged
}
