//! Reading out the tree of a revision, file by file, in the order in which it can be written.
//!
//! Blobs are read byte for byte: no filter, line ending or attribute of anybody's configuration
//! changes what was reviewed. What git would leave out in silence is refused: a submodule, and the
//! content of a file that Git LFS keeps elsewhere.

use gix::hash::ObjectId;
use gix::objs::Kind;
use gix::objs::tree::EntryKind;

use super::error::Error;
use super::repository::Repository;
use super::survey::{ExportRules, PATH_MAX, TreeItem, survey, tree_items};
use crate::id::Revision;
use crate::text;

/// How large a release may be, in bytes.
const TOTAL_MAX: u64 = 64 * 1024 * 1024 * 1024;

/// How the pointer begins that Git LFS puts in the place of a file (git-lfs, docs/spec.md).
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// How large such a pointer may be, in bytes (the same).
const LFS_POINTER_MAX: usize = 1024;

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
    /// Looks at the whole tree of a revision, but not at the content of files.
    ///
    /// # Errors
    /// An object can't be read, or the revision passes a limit or breaks the rules.
    pub fn open(
        repository: &'r Repository,
        revision: &Revision,
        rules: ExportRules,
    ) -> Result<Self, Error> {
        let tree = repository.commit_tree(revision)?;
        Ok(Self {
            repository,
            tree,
            rules,
            entries: survey(repository, tree, rules)?,
        })
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
        let mut open = vec![ShownFolder::new(repository, Vec::new(), self.tree)?];
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
                    let wrong = |what| repository.error(format!("{} {what}", shown(&open, name)));
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
) -> Result<ExportItem<'a>, &'static str> {
    if kind == EntryKind::Link {
        let can_be_one = !content.is_empty() && content.len() <= PATH_MAX && !content.contains(&0);
        let link = can_be_one.then_some(ExportItem::Link {
            name,
            target: content,
        });
        return link.ok_or("is a symbolic link that leads nowhere: its target is no path");
    }

    let is_pointer = content.len() <= LFS_POINTER_MAX && content.starts_with(LFS_POINTER);
    if is_pointer && !rules.lfs_pointers {
        return Err(
            "is kept in Git LFS, and its content is not in this repository; where the \
                    pointer is meant, set lfs = \"pointers\"",
        );
    }
    Ok(ExportItem::File {
        name,
        is_executable: kind == EntryKind::BlobExecutable,
        content,
    })
}

/// The path of something in the folders that are open, escaped.
fn shown(open: &[ShownFolder], name: &[u8]) -> String {
    let folders = open.iter().skip(1).map(|open| open.name.as_slice());
    let parts: Vec<&[u8]> = folders.chain([name]).collect();
    text::quote(parts.join(&b'/'), 200)
}
