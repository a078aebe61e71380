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

/// How large a release may be, in bytes.
const TOTAL_MAX: u64 = 64 * 1024 * 1024 * 1024;

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
        /// Its content.
        content: &'a [u8],
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
    /// Where the tree is in the revision; empty: it is all of it.
    place: Vec<u8>,
    rules: ExportRules,
    /// How many files and folders it has.
    pub entries: u64,
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
                entries: survey.entries,
            }),
        }
    }

    /// Shows everything in the tree.
    ///
    /// # Errors
    /// An object can't be read, a file passes a limit or breaks the rules, or `show` fails.
    pub fn export<E: From<Error>>(
        &self,
        mut show: impl FnMut(ExportItem<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let repository = self.repository;
        let mut buffer = Vec::new();
        let mut total = 0_u64;
        let mut open = vec![ShownFolder::new(repository, self.place.clone(), self.tree)?];
        while let Some(folder) = open.last_mut() {
            let Some(item) = folder.left.pop() else {
                open.pop();
                if !open.is_empty() {
                    show(ExportItem::Up)?;
                }
                continue;
            };

            let name = item.name.as_slice();
            match item.kind {
                EntryKind::Tree => {
                    show(ExportItem::Folder { name })?;
                    let inner = ShownFolder::new(repository, item.name, item.id)?;
                    open.push(inner);
                }
                EntryKind::Commit => {
                    show(ExportItem::Folder { name })?;
                    show(ExportItem::Up)?;
                }
                kind => {
                    let content = repository.find(&item.id, Kind::Blob, &mut buffer)?;
                    total = total.saturating_add(content.len() as u64);
                    if total > TOTAL_MAX {
                        let message = format!("the revision has more than {TOTAL_MAX} bytes");
                        return Err(repository.error(message).into());
                    }
                    let wrong = |kind| {
                        let path = path(&open, name);
                        error(repository, &ExportObstacle { path, kind })
                    };
                    show(file(kind, name, content, self.rules).map_err(wrong)?)?;
                }
            }
        }
        show(ExportItem::End)
    }
}

impl ShownFolder {
    fn new(repository: &Repository, name: Vec<u8>, tree: ObjectId) -> Result<Self, Error> {
        let mut left = tree_items(repository, tree)?;
        left.reverse();
        Ok(Self { name, left })
    }
}

/// A file or link with its content; otherwise what is wrong with it.
fn file<'a>(
    kind: EntryKind,
    name: &'a [u8],
    content: &'a [u8],
    rules: ExportRules,
) -> Result<ExportItem<'a>, ObstacleKind> {
    if kind == EntryKind::Link {
        let link = is_link_target(content).then_some(ExportItem::Link {
            name,
            target: content,
        });
        return link.ok_or(ObstacleKind::LinkTarget);
    }

    if !rules.lfs_pointers && is_lfs_pointer(content) {
        return Err(ObstacleKind::LfsPointer);
    }
    Ok(ExportItem::File {
        name,
        is_executable: kind == EntryKind::BlobExecutable,
        content,
    })
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
