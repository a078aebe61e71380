//! Programs in the tree of a revision.

use gix::bstr::ByteSlice;
use gix::objs::tree::EntryKind;
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
        let mut id = self.commit_tree(revision)?;
        let mut buffer = Vec::new();
        let mut parts = path.split('/').peekable();

        while let Some(part) = parts.next() {
            let data = self.find(&id, Kind::Tree, &mut buffer)?;
            let mut entries = TreeRefIter::from_bytes(data, id.kind()).filter_map(Result::ok);
            let Some(entry) = entries.find(|entry| entry.filename.as_bytes() == part.as_bytes())
            else {
                return Ok(TreeProgram::Missing);
            };
            let (kind, is_last) = (entry.mode.kind(), parts.peek().is_none());
            id = entry.oid.to_owned();

            match kind {
                EntryKind::Tree if !is_last => {}
                EntryKind::Blob | EntryKind::BlobExecutable if is_last => {
                    let head = if self.size(&id)? > LOOK_MAX {
                        None
                    } else {
                        let content = self.find(&id, Kind::Blob, &mut buffer)?;
                        Some(content[..content.len().min(head_max)].to_owned())
                    };
                    return Ok(TreeProgram::File {
                        is_executable: kind == EntryKind::BlobExecutable,
                        head,
                    });
                }
                _ => return Ok(TreeProgram::Other),
            }
        }
        Ok(TreeProgram::Other)
    }
}
