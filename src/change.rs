//! What differs at one path between two trees of the deploy branch, as the git layer reads it and
//! the planner judges it.

use std::sync::Arc;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A regular file, executable or not, with its content.
    File(Arc<[u8]>),
    /// A regular file of this many bytes, more than are read.
    TooLarge(u64),
    /// A symbolic link.
    Symlink,
    /// A submodule.
    Submodule,
    /// A folder.
    Folder,
}

/// Where a path whose name ends like a deploy file's stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// `<root>/<environment>/<application>.deploy`.
    Right,
    /// Directly in the root.
    TooShallow,
    /// In a folder of an environment's folder, or deeper.
    TooDeep,
}

/// A path that ends in `.deploy` and is not the same in two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path from the repository's top. Any bytes but NUL.
    pub path: Vec<u8>,
    /// Whether it stands where deploy files stand.
    pub depth: Depth,
    /// What stood there.
    pub old: Option<Node>,
    /// What stands there now.
    pub new: Option<Node>,
    /// Another path in the new tree that differs from this one in case only; this path itself,
    /// where the tree names it twice.
    pub twin: Option<Vec<u8>>,
}

impl Change {
    /// The names of folder and file, for a path of the right depth.
    pub(crate) fn names(&self) -> (&[u8], &[u8]) {
        let mut parts = self.path.rsplitn(3, |b| *b == b'/');
        let file = parts.next().unwrap_or_default();
        let folder = parts.next().unwrap_or_default();
        (folder, file)
    }
}
