//! What deploy files say, read one after the other.
//!
//! Of each file, only what the rules need to know is kept: a push can change thousands of files
//! with a megabyte in each.

use std::collections::HashMap;

use gix::hash::{ObjectId, oid};
use gix::objs::Kind;
use gix::objs::tree::EntryKind;

use super::error::Error;
use super::repository::Repository;
use super::tree::TreeEntry;
use crate::change::{Change, Depth, Node};
use crate::deployfile::{self, Comparison, ContentError, SIZE_MAX};

/// How many bytes of deploy files are read for one range.
const BYTES_MAX: u64 = 8 * 1024 * 1024 * 1024;

/// A path at which a deploy file differs.
pub(super) struct ChangedPath {
    pub(super) path: Vec<u8>,
    pub(super) depth: Depth,
    pub(super) old: Option<TreeEntry>,
    pub(super) new: Option<TreeEntry>,
    /// See [`Change::twin`].
    pub(super) twin: Option<Vec<u8>>,
}

/// Reads deploy files of one range.
pub(super) struct Contents<'r> {
    repository: &'r Repository,
    /// What was found in each file: a thousand paths can lead to the same file, which is read once.
    nodes: HashMap<ObjectId, Node>,
    /// How each new content is related to the old one at its path.
    comparisons: HashMap<(ObjectId, ObjectId), Comparison>,
    old_buffer: Vec<u8>,
    new_buffer: Vec<u8>,
    /// How many bytes may still be read.
    left: u64,
}

impl<'r> Contents<'r> {
    pub(super) fn new(repository: &'r Repository) -> Self {
        Self {
            repository,
            nodes: HashMap::new(),
            comparisons: HashMap::new(),
            old_buffer: Vec::new(),
            new_buffer: Vec::new(),
            left: BYTES_MAX,
        }
    }

    /// Reads what was and what is at a path.
    pub(super) fn change(&mut self, found: ChangedPath) -> Result<Change, Error> {
        let ChangedPath {
            path,
            depth,
            old,
            new,
            twin,
        } = found;
        let mut node = |entry: &Option<TreeEntry>| {
            let entry = entry.as_ref();
            entry.map(|entry| self.node(entry, depth)).transpose()
        };
        let (old_node, new_node) = (node(&old)?, node(&new)?);

        let comparison = match (&old, &new, &old_node, &new_node) {
            (Some(old), Some(new), Some(Node::File(_)), Some(Node::File(_)))
                if depth == Depth::Right =>
            {
                Some(self.compare(&old.id, &new.id)?)
            }
            _ => None,
        };
        Ok(Change {
            path,
            depth,
            old: old_node,
            new: new_node,
            comparison,
            twin,
        })
    }

    /// What an entry is.
    fn node(&mut self, entry: &TreeEntry, depth: Depth) -> Result<Node, Error> {
        match entry.mode.kind() {
            EntryKind::Tree => Ok(Node::Folder),
            EntryKind::Link => Ok(Node::Symlink),
            EntryKind::Commit => Ok(Node::Submodule),
            // A file at the wrong depth is refused whatever it says.
            EntryKind::Blob | EntryKind::BlobExecutable if depth != Depth::Right => {
                Ok(Node::File(Err(ContentError::NoRevision)))
            }
            EntryKind::Blob | EntryKind::BlobExecutable => self.file(&entry.id),
        }
    }

    /// A file, with what it says.
    fn file(&mut self, id: &oid) -> Result<Node, Error> {
        if let Some(node) = self.nodes.get(id) {
            return Ok(node.clone());
        }

        let size = self.repository.size(id)?;
        let node = if size > SIZE_MAX {
            Node::TooLarge(size)
        } else {
            let mut buffer = std::mem::take(&mut self.new_buffer);
            let node = self.read(id, &mut buffer).map(deployfile::revision);
            self.new_buffer = buffer;
            Node::File(node?)
        };
        self.nodes.insert(id.to_owned(), node.clone());
        Ok(node)
    }

    /// How the new content at a path is related to the old one.
    fn compare(&mut self, old: &ObjectId, new: &ObjectId) -> Result<Comparison, Error> {
        if let Some(comparison) = self.comparisons.get(&(*old, *new)) {
            return Ok(comparison.clone());
        }

        let mut buffers = (
            std::mem::take(&mut self.old_buffer),
            std::mem::take(&mut self.new_buffer),
        );
        let old_content = self.read(old, &mut buffers.0)?;
        let new_content = self.read(new, &mut buffers.1)?;
        let comparison = deployfile::compare(old_content, new_content);
        (self.old_buffer, self.new_buffer) = buffers;
        self.comparisons.insert((*old, *new), comparison.clone());
        Ok(comparison)
    }

    fn read<'b>(&mut self, id: &oid, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Error> {
        let content = self.repository.find(id, Kind::Blob, buffer)?;
        let left = self.left.checked_sub(content.len() as u64);
        self.left = left.ok_or_else(|| {
            self.repository.error(format!(
                "the deploy files that differ have more than {BYTES_MAX} bytes together"
            ))
        })?;
        Ok(content)
    }
}
