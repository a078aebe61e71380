//! What differs at one path between two trees of the deploy branch. The git layer reads it, and the
//! rules judge it.

use crate::deployfile::{Comparison, ContentError};
use crate::id::Revision;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A regular file that asks for this revision. It can be executable.
    File(Result<Revision, ContentError>),
    /// A regular file of this many bytes. It is too large to be read.
    TooLarge(u64),
    /// A symbolic link.
    Symlink,
    /// A submodule.
    Submodule,
    /// A folder.
    Folder,
}

/// Whether a path whose name ends in `.deploy` is where deploy files belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Yes: it is `<root>/<environment>/<application>.deploy`.
    Right,
    /// No: it is directly in the root.
    TooShallow,
    /// No: it is in a subfolder of an environment's folder.
    TooDeep,
}

/// A path that ends in `.deploy` and that is not the same in two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path from the top of the repository. It can have any bytes except NUL.
    pub path: Vec<u8>,
    /// Whether it is where deploy files belong.
    pub depth: Depth,
    /// What was there in the old tree.
    pub old: Option<Node>,
    /// What is there in the new tree.
    pub new: Option<Node>,
    /// How the new content is related to the old one. `None`: there are not two contents, or the
    /// old one can't be read any more.
    pub comparison: Option<Comparison>,
    /// What the newest entry of the new content says, in one line; see
    /// [`deployfile::summary`](crate::deployfile::summary).
    pub summary: Option<String>,
    /// Another path in the new tree that differs from this one only in upper and lower case. If the
    /// new tree has this path twice, it is this path itself.
    pub twin: Option<Vec<u8>>,
}

impl Change {
    /// The names of the folder and the file. They are meaningful only at the right depth.
    pub(crate) fn names(&self) -> (&[u8], &[u8]) {
        let mut parts = self.path.rsplitn(3, |b| *b == b'/');
        let file = parts.next().unwrap_or_default();
        let folder = parts.next().unwrap_or_default();
        (folder, file)
    }
}
