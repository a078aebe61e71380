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

/// What was and what is at a path.
#[derive(Clone)]
struct Read {
    old: Option<Node>,
    new: Option<Node>,
    /// How the two contents are related.
    comparison: Option<Comparison>,
    /// See [`Change::summary`].
    summary: Option<String>,
}

/// Reads deploy files of one range.
pub(super) struct Contents<'r> {
    repository: &'r Repository,
    /// What was found for each pair of an old and a new file: a thousand paths can have the same
    /// files, which are read once.
    known: HashMap<(Option<ObjectId>, Option<ObjectId>), Read>,
    /// Room for an old and for a new content.
    buffers: (Vec<u8>, Vec<u8>),
    /// How many bytes may still be read.
    left: u64,
}

impl<'r> Contents<'r> {
    pub(super) fn new(repository: &'r Repository) -> Self {
        Self {
            repository,
            known: HashMap::new(),
            buffers: (Vec::new(), Vec::new()),
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
        let is_file = |entry: &&TreeEntry| entry.mode.is_blob() && depth == Depth::Right;
        let id = |entry: &Option<TreeEntry>| entry.as_ref().filter(is_file).map(|file| file.id);
        let read = self.files(id(&old), id(&new))?;

        let other = |entry: Option<TreeEntry>| entry.map(|entry| other_node(entry.mode.kind()));
        Ok(Change {
            path,
            depth,
            old: read.old.or_else(|| other(old)),
            new: read.new.or_else(|| other(new)),
            comparison: read.comparison,
            summary: read.summary,
            twin,
        })
    }

    /// Reads an old and a new file, where there are such files.
    fn files(&mut self, old: Option<ObjectId>, new: Option<ObjectId>) -> Result<Read, Error> {
        if let Some(known) = self.known.get(&(old, new)) {
            return Ok(known.clone());
        }

        let (mut old_buffer, mut new_buffer) = std::mem::take(&mut self.buffers);
        let old_content = old.map(|id| self.read(&id, &mut old_buffer)).transpose()?;
        let new_content = new.map(|id| self.read(&id, &mut new_buffer)).transpose()?;
        let comparison = match (&old_content, &new_content) {
            (Some(Ok(old)), Some(Ok(new))) => Some(deployfile::compare(old, new)),
            _ => None,
        };
        let summary = match &new_content {
            Some(Ok(new)) => deployfile::summary(new),
            _ => None,
        };
        let node = |content: Result<&[u8], Node>| match content {
            Ok(content) => Node::File(deployfile::revision(content)),
            Err(too_large) => too_large,
        };
        let read = Read {
            old: old_content.map(node),
            new: new_content.map(node),
            comparison,
            summary,
        };

        self.buffers = (old_buffer, new_buffer);
        self.known.insert((old, new), read.clone());
        Ok(read)
    }

    /// The content of a file, or what it is if that is too large to be read.
    fn read<'b>(
        &mut self,
        id: &oid,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Result<&'b [u8], Node>, Error> {
        let size = match self.repository.find_once(id, Kind::Blob, buffer) {
            Ok(content) => content.len() as u64,
            // It may be larger than what is read of any object.
            Err(error) => match self.repository.size(id) {
                Ok(size) if size > SIZE_MAX => return Ok(Err(Node::TooLarge(size))),
                _ => return Err(error),
            },
        };
        self.left = self.left.checked_sub(size).ok_or_else(|| {
            self.repository.unacceptable(format!(
                "the deploy files that differ have more than {BYTES_MAX} bytes together"
            ))
        })?;
        if size > SIZE_MAX {
            return Ok(Err(Node::TooLarge(size)));
        }
        Ok(Ok(buffer))
    }
}

/// What an entry is whose content is not read.
fn other_node(kind: EntryKind) -> Node {
    match kind {
        EntryKind::Tree => Node::Folder,
        EntryKind::Link => Node::Symlink,
        EntryKind::Commit => Node::Submodule,
        // A file at the wrong depth is refused whatever it says.
        EntryKind::Blob | EntryKind::BlobExecutable => Node::File(Err(ContentError::NoRevision)),
    }
}
