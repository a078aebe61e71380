//! What keeps the files of a revision from being checked out, in words.

use std::fmt;

use crate::text;

/// What is wrong with something in a revision that can't be checked out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObstacleKind {
    /// It is a submodule: its files are in another repository.
    Submodule,
    /// It is a pointer of Git LFS: the content of the file is elsewhere.
    LfsPointer,
    /// It is a symbolic link, and its target is no path.
    LinkTarget,
    /// It has a name that could lead out of the release, for this reason.
    Name(String),
    /// Its folder has its name more than once.
    Twice,
    /// It passes this limit.
    TooLarge(String),
    /// It is this, or is missing, where `subdirectory` needs a folder.
    NoFolder(Option<&'static str>),
}

/// Something in a revision because of which the revision can't be checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportObstacle {
    /// Its path in the revision; empty: it is the whole revision.
    pub path: Vec<u8>,
    /// What is wrong with it.
    pub kind: ObstacleKind,
}

impl ExportObstacle {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self.kind {
            ObstacleKind::Submodule => {
                "deploy a revision that has the files themselves; where an empty folder is meant, \
                 set submodules = \"empty\" in the server's configuration"
            }
            ObstacleKind::LfsPointer => {
                "deploy a revision that has the file itself; where the pointer is meant, set lfs = \
                 \"pointers\" in the server's configuration"
            }
            ObstacleKind::LinkTarget
            | ObstacleKind::Name(_)
            | ObstacleKind::Twice
            | ObstacleKind::TooLarge(_) => "deploy a revision without it",
            ObstacleKind::NoFolder(_) => {
                "deploy a revision that has this folder, or correct subdirectory in the server's \
                 configuration"
            }
        }
    }
}

impl fmt::Display for ExportObstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_slice() {
            [] => f.write_str("it ")?,
            path => write!(f, "{} ", text::quote(path, 200))?,
        }
        match &self.kind {
            ObstacleKind::Submodule => f.write_str("is a submodule, whose files would be missing"),
            ObstacleKind::LfsPointer => {
                f.write_str("is kept in Git LFS, and its content is not in the repository")
            }
            ObstacleKind::LinkTarget => {
                f.write_str("is a symbolic link that leads nowhere: its target is no path")
            }
            ObstacleKind::Name(why) => write!(f, "has a name that is not allowed: {why}"),
            ObstacleKind::Twice => f.write_str("is in its folder more than once"),
            ObstacleKind::TooLarge(limit) => write!(f, "is too large: {limit}"),
            ObstacleKind::NoFolder(None) => f.write_str("is missing, and subdirectory leads there"),
            ObstacleKind::NoFolder(Some(what)) => {
                write!(f, "is {what} and no folder, and subdirectory leads there")
            }
        }
    }
}
