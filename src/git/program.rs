//! Single paths in the tree of a revision, and the programs at them.

use gix::hash::ObjectId;
use gix::objs::tree::{EntryKind, EntryRef};
use gix::objs::{Kind, TreeRefIter};

use super::error::Error;
use super::repository::Repository;
use crate::id::Revision;

/// The largest program whose content is looked at, in bytes.
const LOOK_MAX: u64 = 1024 * 1024;

/// What is at a path in the tree of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeProgram {
    /// Nothing.
    Missing,
    /// A regular file.
    File {
        /// Whether it is executable.
        is_executable: bool,
        /// Its first bytes, at most as many as were asked for. `None`: the file is large.
        head: Option<Vec<u8>>,
    },
    /// Something else, for example a link. What it leads to is not known.
    Other,
}

/// What kind of thing is at a path in the tree of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreePlace {
    /// Nothing.
    Missing,
    /// A file, or a folder. A submodule is one too.
    There,
    /// A symbolic link.
    Link,
    /// Nothing, because a file or a link is in the place of a folder above it.
    Blocked,
}

/// Where the way to a path in a tree ended.
enum WayEnd {
    /// Before the path.
    Missing,
    /// At something that is no folder, before the path.
    Blocked(EntryKind),
    /// At the path.
    There(EntryKind, ObjectId),
}

impl Repository {
    /// What is at a path in the tree of a revision, with the first `head_max` bytes of it.
    ///
    /// # Errors
    /// The revision is not there, or an object can't be read.
    pub fn program(
        &self,
        revision: &Revision,
        path: &str,
        head_max: usize,
    ) -> Result<TreeProgram, Error> {
        let (kind, id) = match self.walk_to(revision, path)? {
            WayEnd::Missing => return Ok(TreeProgram::Missing),
            WayEnd::There(kind @ (EntryKind::Blob | EntryKind::BlobExecutable), id) => (kind, id),
            _ => return Ok(TreeProgram::Other),
        };
        let head = if self.size(&id)? > LOOK_MAX {
            None
        } else {
            let mut buffer = Vec::new();
            let content = self.find(&id, Kind::Blob, &mut buffer)?;
            Some(content[..content.len().min(head_max)].to_owned())
        };
        Ok(TreeProgram::File {
            is_executable: kind == EntryKind::BlobExecutable,
            head,
        })
    }

    /// What kind of thing is at a path in the tree of a revision.
    ///
    /// # Errors
    /// The revision is not there, or a tree can't be read.
    pub fn tree_place(&self, revision: &Revision, path: &str) -> Result<TreePlace, Error> {
        Ok(match self.walk_to(revision, path)? {
            // A submodule is at most an empty folder.
            WayEnd::Missing | WayEnd::Blocked(EntryKind::Commit) => TreePlace::Missing,
            WayEnd::Blocked(_) => TreePlace::Blocked,
            WayEnd::There(EntryKind::Link, _) => TreePlace::Link,
            WayEnd::There(..) => TreePlace::There,
        })
    }

    fn walk_to(&self, revision: &Revision, path: &str) -> Result<WayEnd, Error> {
        let mut id = self.commit_tree(revision)?;
        let mut buffer = Vec::new();
        let mut kind = EntryKind::Tree;
        for part in path.split('/') {
            if kind != EntryKind::Tree {
                return Ok(WayEnd::Blocked(kind));
            }
            let data = self.find(&id, Kind::Tree, &mut buffer)?;
            let mut entries = TreeRefIter::from_bytes(data, id.kind());
            // What can't be parsed ends the search: nobody knows which names come after it.
            let is_it = |entry: &Result<EntryRef<'_>, _>| match entry {
                Ok(entry) => entry.filename == part,
                Err(_) => true,
            };
            let Some(entry) = entries.find(is_it) else {
                return Ok(WayEnd::Missing);
            };
            let entry = entry.map_err(|error| Error::damaged(self.path(), error))?;
            (kind, id) = (entry.mode.kind(), entry.oid.to_owned());
        }
        Ok(WayEnd::There(kind, id))
    }
}
