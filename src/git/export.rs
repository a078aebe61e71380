//! Reading out the tree of a revision, file by file, in the order in which it can be written.
//!
//! Blobs are read byte for byte: no filter, line ending or attribute of anybody's configuration
//! changes what was reviewed. What git would leave out in silence is refused: a submodule, and the
//! content of a file that Git LFS keeps elsewhere.

use std::time::Duration;

use gix::hash::ObjectId;
use gix::objs::Kind;
use gix::objs::tree::EntryKind;

use super::error::Error;
use super::repository::Repository;
use super::special_files::{is_lfs_pointer, is_link_target};
use super::survey::{ExportRules, Surveyor, TreeItem, find_root, join, tree_items};
use crate::id::Revision;
use crate::policy::{ExportObstacle, ObstacleKind};
use crate::sys::clock::Deadline;
use crate::sys::process::resident_memory;

/// How large a release may be, in bytes.
const TOTAL_MAX: u64 = 64 * 1024 * 1024 * 1024;

/// How large one of its files may be, in bytes.
const FILE_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// How much of the packs may be in this process's memory, with everything else that is there, in
/// bytes. They are mapped, and a page that was read stays until they are opened anew.
const RESIDENT_MAX: u64 = 40 * 1024 * 1024;

/// How many files are read between two looks at the memory.
const LOOK_EACH: u32 = 128;

/// One step on the way through a tree. A name is one part of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportItem<'a> {
    /// A folder begins. What comes next is in it.
    Folder {
        /// Its name.
        name: &'a [u8],
    },
    /// The folder that began last is complete.
    Up,
    /// A file.
    File {
        /// Its name.
        name: &'a [u8],
        /// Whether it may be executed.
        is_executable: bool,
        /// The id of its content.
        id: &'a [u8],
        /// How long its content is, in bytes.
        size: u64,
        /// The beginning of its content. What is missing comes next.
        content: &'a [u8],
    },
    /// What comes next of the content of the last file.
    Piece(&'a [u8]),
    /// A file that the receiver has already.
    Known {
        /// Its name.
        name: &'a [u8],
        /// Whether it may be executed.
        is_executable: bool,
        /// The id of its content.
        id: &'a [u8],
    },
    /// A symbolic link.
    Link {
        /// Its name.
        name: &'a [u8],
        /// Where it leads, with whatever bytes the revision has.
        target: &'a [u8],
    },
    /// Everything was shown.
    End,
}

/// Who gets what is in a tree.
pub trait ExportReceiver {
    /// Why it can't take something.
    type Error: From<Error>;

    /// Whether it has a file already, so that the content is not read. `id` is that of the content.
    fn knows(&self, name: &[u8], is_executable: bool, id: &[u8]) -> bool;

    /// Takes the next item.
    ///
    /// # Errors
    /// It can't.
    fn take(&mut self, item: ExportItem<'_>) -> Result<(), Self::Error>;
}

/// The tree of a revision that can be exported.
pub struct ReleaseTree<'r> {
    repository: &'r Repository,
    tree: ObjectId,
    /// Where the tree is in the revision; empty: it is all of it.
    place: Vec<u8>,
    rules: ExportRules,
    /// How many files it has. A symbolic link and a submodule count as one.
    pub files: u64,
}

/// A folder on the way down, and what is still to be shown of it.
struct ShownFolder {
    name: Vec<u8>,
    left: Vec<TreeItem>,
}

impl<'r> ReleaseTree<'r> {
    /// Looks at the whole tree of a revision, or of one `subdirectory` of it, and at the content of
    /// few files only.
    ///
    /// # Errors
    /// An object can't be read, or the revision passes a limit or breaks the rules.
    pub fn open(
        repository: &'r Repository,
        revision: &Revision,
        subdirectory: Option<&str>,
        rules: ExportRules,
    ) -> Result<Self, Error> {
        let root = find_root(repository, revision, subdirectory, rules)?;
        let root = root.map_err(|obstacle| error(repository, &obstacle))?;

        let never = Deadline::after(Duration::MAX);
        let mut surveyor = Surveyor::default();
        let survey = surveyor.survey(repository, revision, subdirectory, rules, never)?;
        match survey.obstacles.first() {
            Some(obstacle) => Err(error(repository, obstacle)),
            None => Ok(Self {
                repository,
                tree: root.tree,
                place: subdirectory.unwrap_or_default().as_bytes().to_vec(),
                rules,
                files: survey.files,
            }),
        }
    }

    /// Shows everything in the tree.
    ///
    /// # Errors
    /// An object can't be read, a file passes a limit or breaks the rules, or the receiver fails.
    pub fn export<R: ExportReceiver>(&self, receiver: &mut R) -> Result<(), R::Error> {
        let repository = self.repository;
        let mut files = FileContents::open(repository);
        let mut open = vec![ShownFolder::new(repository, self.place.clone(), self.tree)?];
        while let Some(folder) = open.last_mut() {
            let Some(item) = folder.left.pop() else {
                open.pop();
                if !open.is_empty() {
                    receiver.take(ExportItem::Up)?;
                }
                continue;
            };

            let name = item.name.as_slice();
            match item.kind {
                EntryKind::Tree => {
                    receiver.take(ExportItem::Folder { name })?;
                    let inner = ShownFolder::new(repository, item.name, item.id)?;
                    open.push(inner);
                }
                EntryKind::Commit => {
                    receiver.take(ExportItem::Folder { name })?;
                    receiver.take(ExportItem::Up)?;
                }
                EntryKind::Link => {
                    let target = files.read(&item.id)?;
                    let target = target.filter(|target| is_link_target(target));
                    let Some(target) = target else {
                        return Err(wrong(repository, &open, name, ObstacleKind::LinkTarget).into());
                    };
                    receiver.take(ExportItem::Link { name, target })?;
                }
                kind => {
                    let is_executable = kind == EntryKind::BlobExecutable;
                    let id = item.id.as_slice();
                    if receiver.knows(name, is_executable, id) {
                        receiver.take(ExportItem::Known {
                            name,
                            is_executable,
                            id,
                        })?;
                        continue;
                    }

                    let whole = files.read(&item.id)?;
                    if !self.rules.lfs_pointers && whole.is_some_and(is_lfs_pointer) {
                        return Err(wrong(repository, &open, name, ObstacleKind::LfsPointer).into());
                    }
                    let size = whole.map(|content| content.len() as u64);
                    let size = size.map_or_else(|| repository.size(&item.id), Ok)?;
                    let is_whole = whole.is_some();
                    receiver.take(ExportItem::File {
                        name,
                        is_executable,
                        id,
                        size,
                        content: whole.unwrap_or_default(),
                    })?;
                    files.count(size)?;
                    if !is_whole {
                        let show = |piece: &[u8]| receiver.take(ExportItem::Piece(piece));
                        repository.stream_blob(&item.id, size, show)?;
                    }
                }
            }
        }
        receiver.take(ExportItem::End)
    }
}

/// The contents of files, read one after the other.
struct FileContents<'r> {
    repository: &'r Repository,
    opened: Repository,
    buffer: Vec<u8>,
    total: u64,
    read: u32,
}

impl<'r> FileContents<'r> {
    fn open(repository: &'r Repository) -> Self {
        Self {
            repository,
            opened: repository.to_read_files(),
            buffer: Vec::new(),
            total: 0,
            read: 0,
        }
    }

    /// Reads a file. `None`: it is too large to be read at once.
    fn read(&mut self, id: &ObjectId) -> Result<Option<&[u8]>, Error> {
        self.read = self.read.wrapping_add(1);
        if self.read.is_multiple_of(LOOK_EACH) && resident_memory() > RESIDENT_MAX {
            self.opened = self.repository.to_read_files();
        }
        match self.opened.find(id, Kind::Blob, &mut self.buffer) {
            Ok(_) => Ok(Some(&self.buffer)),
            Err(error) => match self.repository.size(id)? {
                size if size > FILE_MAX => Err(self
                    .repository
                    .error(format!("the object {id} has more than {FILE_MAX} bytes"))),
                size if Repository::is_streamed(size) => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Counts the bytes of a file.
    fn count(&mut self, size: u64) -> Result<(), Error> {
        self.total = self.total.saturating_add(size);
        if self.total > TOTAL_MAX {
            let message = format!("the revision has more than {TOTAL_MAX} bytes");
            return Err(self.repository.error(message));
        }
        Ok(())
    }
}

impl ShownFolder {
    fn new(repository: &Repository, name: Vec<u8>, tree: ObjectId) -> Result<Self, Error> {
        let mut left = tree_items(repository, tree)?;
        left.reverse();
        Ok(Self { name, left })
    }
}

/// The error of something in the folders that are open.
fn wrong(repository: &Repository, open: &[ShownFolder], name: &[u8], kind: ObstacleKind) -> Error {
    let path = path(open, name);
    error(repository, &ExportObstacle { path, kind })
}

/// The path of something in the folders that are open.
fn path(open: &[ShownFolder], name: &[u8]) -> Vec<u8> {
    let folders = open.iter().map(|open| open.name.as_slice());
    join(folders.chain([name]))
}

/// The error of a revision that can't be exported.
fn error(repository: &Repository, obstacle: &ExportObstacle) -> Error {
    repository.error(format!("{obstacle}; {}", obstacle.advice()))
}
