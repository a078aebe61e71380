//! Reading out the tree of a revision, file by file, in the order in which it can be written.
//!
//! Blobs are read byte for byte: no filter, line ending or attribute of anybody's configuration
//! changes what was reviewed. What git would leave out in silence is refused: a submodule, and the
//! content of a file that Git LFS keeps elsewhere.

use std::time::Duration;

use gix::hash::{self, ObjectId};
use gix::objs::tree::{EntryKind, EntryRef};
use gix::objs::{Kind, TreeRefIter};

use super::error::Error;
use super::repository::Repository;
use super::special_files::{is_lfs_pointer, is_link_target};
use super::survey::{ExportRules, Surveyor, find_root, join};
use super::totals::Inside;
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
///
/// The base is another tree, of which the receiver has everything already. What is the same there
/// comes in the same order as in the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportItem<'a> {
    /// What comes next is in this tree.
    Root {
        /// Its id, in hexadecimal digits.
        tree: &'a str,
    },
    /// A folder begins that the base has not. What comes next is in it.
    Folder {
        /// Its name.
        name: &'a [u8],
    },
    /// A folder begins that the base has, too, with other things in it.
    ChangedFolder {
        /// Its name.
        name: &'a [u8],
    },
    /// A folder that is the same in the base, with everything below it, which is not shown.
    SameFolder {
        /// Its name.
        name: &'a [u8],
        /// What is below it.
        inside: Inside,
    },
    /// The folder that began last is complete.
    Up,
    /// A file.
    File {
        /// Its name.
        name: &'a [u8],
        /// Whether it may be executed.
        is_executable: bool,
        /// How long its content is, in bytes.
        size: u64,
        /// The beginning of its content. What is missing comes next.
        content: &'a [u8],
    },
    /// What comes next of the content of the last file.
    Piece(&'a [u8]),
    /// A file that is the same in the base.
    SameFile {
        /// Its name.
        name: &'a [u8],
        /// Whether it may be executed.
        is_executable: bool,
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

/// The tree of a revision that can be exported.
pub struct ReleaseTree<'r> {
    repository: &'r Repository,
    tree: ObjectId,
    /// Where the tree is in the revision; `None`: it is all of it.
    subdirectory: Option<String>,
    rules: ExportRules,
    /// How much is below each folder, in the order of their ids.
    folders: Vec<(ObjectId, Inside)>,
    contents: FileContents<'r>,
    /// How many files it has. A symbolic link and a submodule count as one.
    pub files: u64,
}

/// A tree of which the receiver of another one has everything already.
#[derive(Debug, Clone, Copy)]
pub struct BaseTree(ObjectId);

/// A folder on the way down, and what is still to be shown of it.
struct ShownFolder {
    name: Vec<u8>,
    left: OpenTree,
    /// What is left of the same folder in the base; `None`: it has none.
    base: Option<OpenTree>,
}

/// A tree of which one entry is read after the other. Neither their names nor their number is
/// checked.
struct OpenTree {
    data: Vec<u8>,
    at: usize,
    kind: hash::Kind,
}

/// An entry of a tree, owned.
struct TreeItem {
    name: Vec<u8>,
    kind: EntryKind,
    id: ObjectId,
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
                subdirectory: subdirectory.map(str::to_owned),
                rules,
                folders: surveyor.into_folders(),
                contents: FileContents::open(repository),
                files: survey.files,
            }),
        }
    }

    /// The tree that a release of another revision was made of. `None`: it can't be found out, or
    /// its id is another one than `expected`.
    #[must_use]
    pub fn base(&self, revision: &Revision, expected: &str) -> Option<BaseTree> {
        let subdirectory = self.subdirectory.as_deref();
        let root = find_root(self.repository, revision, subdirectory, self.rules).ok()?;
        let tree = root.ok()?.tree;
        (tree == expected).then_some(BaseTree(tree))
    }

    /// Shows everything in the tree, except for what is the same in the base. What can't be read of
    /// the base is shown.
    ///
    /// # Errors
    /// An object can't be read, a file passes a limit or breaks the rules, or `show` fails.
    pub fn export<E: From<Error>>(
        &mut self,
        base: Option<BaseTree>,
        mut show: impl FnMut(ExportItem<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let repository = self.repository;
        show(ExportItem::Root {
            tree: &self.tree.to_string(),
        })?;

        let mut open = self.open_root(base)?;
        while let Some(folder) = open.last_mut() {
            let Some((item, same_name)) = folder.next(repository)? else {
                open.pop();
                if !open.is_empty() {
                    show(ExportItem::Up)?;
                }
                continue;
            };

            let is_same = same_name
                .as_ref()
                .is_some_and(|old| old.kind == item.kind && old.id == item.id);
            let name = item.name.as_slice();
            match item.kind {
                EntryKind::Tree => {
                    let inside = self.inside(item.id);
                    if let Some(inside) = inside.filter(|_| is_same) {
                        show(ExportItem::SameFolder { name, inside })?;
                        continue;
                    }
                    let old = same_name.map(|old| old.id);
                    let inner = ShownFolder::new(repository, name.to_vec(), item.id, old)?;
                    show(match inner.base {
                        Some(_) => ExportItem::ChangedFolder { name },
                        None => ExportItem::Folder { name },
                    })?;
                    open.push(inner);
                }
                EntryKind::Commit => {
                    show(ExportItem::Folder { name })?;
                    show(ExportItem::Up)?;
                }
                EntryKind::Link => {
                    let target = self.contents.read(&item.id)?;
                    let target = target.filter(|target| is_link_target(target));
                    let Some(target) = target else {
                        return Err(wrong(repository, &open, name, ObstacleKind::LinkTarget).into());
                    };
                    show(ExportItem::Link { name, target })?;
                }
                kind if is_same => show(ExportItem::SameFile {
                    name,
                    is_executable: kind == EntryKind::BlobExecutable,
                })?,
                _ => {
                    if let Err(kind) = self.show_file(&item, &mut show)? {
                        return Err(wrong(repository, &open, name, kind).into());
                    }
                }
            }
        }
        show(ExportItem::End)
    }

    /// Shows some files, each in its folder. They are named by their numbers, in order: the first
    /// file of the tree with a content of its own has the number 0, as it would be shown.
    ///
    /// # Errors
    /// As for [`ReleaseTree::export`].
    pub fn export_some<E: From<Error>>(
        &mut self,
        numbers: &[u64],
        mut show: impl FnMut(ExportItem<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let repository = self.repository;
        let mut wanted = numbers.iter().copied().peekable();
        let mut number = 0_u64;
        let mut open = self.open_root(None)?;
        while let Some(folder) = open.last_mut() {
            let Some((item, _)) = folder.next(repository)? else {
                open.pop();
                if !open.is_empty() {
                    show(ExportItem::Up)?;
                }
                continue;
            };

            let name = item.name.as_slice();
            match item.kind {
                EntryKind::Tree => {
                    let after = self.inside(item.id).map(|inside| number + inside.contents);
                    if let Some(after) = after.filter(|after| {
                        let next = wanted.peek();
                        next.is_none_or(|next| next >= after)
                    }) {
                        number = after;
                        continue;
                    }
                    show(ExportItem::Folder { name })?;
                    let inner = ShownFolder::new(repository, name.to_vec(), item.id, None)?;
                    open.push(inner);
                }
                EntryKind::Commit | EntryKind::Link => {}
                EntryKind::Blob | EntryKind::BlobExecutable => {
                    if wanted.next_if_eq(&number).is_some()
                        && let Err(kind) = self.show_file(&item, &mut show)?
                    {
                        return Err(wrong(repository, &open, name, kind).into());
                    }
                    number += 1;
                }
            }
        }
        show(ExportItem::End)
    }

    fn open_root(&self, base: Option<BaseTree>) -> Result<Vec<ShownFolder>, Error> {
        let place = self.subdirectory.as_deref().unwrap_or_default();
        let base = base.map(|base| base.0);
        let root = ShownFolder::new(self.repository, place.into(), self.tree, base)?;
        Ok(vec![root])
    }

    /// How much is below a folder.
    fn inside(&self, tree: ObjectId) -> Option<Inside> {
        let at = self.folders.binary_search_by_key(&tree, |(tree, _)| *tree);
        at.ok()
            .and_then(|at| self.folders.get(at))
            .map(|(_, inside)| *inside)
    }

    /// Shows a file. The inner error: it is one that a release may not have.
    fn show_file<E: From<Error>>(
        &mut self,
        item: &TreeItem,
        show: &mut impl FnMut(ExportItem<'_>) -> Result<(), E>,
    ) -> Result<Result<(), ObstacleKind>, E> {
        let repository = self.repository;
        let whole = self.contents.read(&item.id)?;
        if !self.rules.lfs_pointers && whole.is_some_and(is_lfs_pointer) {
            return Ok(Err(ObstacleKind::LfsPointer));
        }

        let size = whole.map(|content| content.len() as u64);
        let size = size.map_or_else(|| repository.size(&item.id), Ok)?;
        let is_whole = whole.is_some();
        show(ExportItem::File {
            name: &item.name,
            is_executable: item.kind == EntryKind::BlobExecutable,
            size,
            content: whole.unwrap_or_default(),
        })?;
        self.contents.count(size)?;
        if !is_whole {
            let piece = |piece: &[u8]| show(ExportItem::Piece(piece));
            repository.stream_blob(&item.id, size, piece)?;
        }
        Ok(Ok(()))
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
    fn new(
        repository: &Repository,
        name: Vec<u8>,
        tree: ObjectId,
        base: Option<ObjectId>,
    ) -> Result<Self, Error> {
        Ok(Self {
            name,
            left: OpenTree::read(repository, tree)?,
            base: base.and_then(|base| OpenTree::read(repository, base).ok()),
        })
    }

    /// What comes next, and what has the same name in the base, if both are folders or none is.
    /// What the base has before that is passed over: the entries come in the order of trees.
    fn next(
        &mut self,
        repository: &Repository,
    ) -> Result<Option<(TreeItem, Option<TreeItem>)>, Error> {
        let Some((entry, next)) = self.left.peek(repository)? else {
            return Ok(None);
        };
        let mut same_name = None;
        while let Some(base) = self.base.as_mut()
            && let Ok(Some((old, next))) = base.peek(repository)
        {
            let order = old.cmp(&entry);
            same_name = order.is_eq().then(|| TreeItem::from(&old));
            if order.is_gt() {
                break;
            }
            base.at = next;
            if order.is_eq() {
                break;
            }
        }
        let item = TreeItem::from(&entry);
        self.left.at = next;
        Ok(Some((item, same_name)))
    }
}

impl OpenTree {
    fn read(repository: &Repository, tree: ObjectId) -> Result<Self, Error> {
        let mut data = Vec::new();
        repository.find(&tree, Kind::Tree, &mut data)?;
        Ok(Self {
            data,
            at: 0,
            kind: tree.kind(),
        })
    }

    /// The entry that comes next, and where the one after it is.
    fn peek(&self, repository: &Repository) -> Result<Option<(EntryRef<'_>, usize)>, Error> {
        let left = self.data.get(self.at..).unwrap_or_default();
        let mut entries = TreeRefIter::from_bytes(left, self.kind);
        let entry = entries.next().transpose();
        let entry = entry.map_err(|error| repository.error(error))?;
        Ok(entry.map(|entry| (entry, self.at + entries.offset_to_next_entry(left))))
    }
}

impl From<&EntryRef<'_>> for TreeItem {
    fn from(entry: &EntryRef<'_>) -> Self {
        Self {
            name: entry.filename.to_vec(),
            kind: entry.mode.kind(),
            id: entry.oid.to_owned(),
        }
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
