//! Writes trees that git's usual commands would not make: every entry is written as given, without
//! sorting or checking.

use std::path::Path;

use crate::run::run;
use crate::world::World;

pub const FILE: &str = "100644";
pub const EXECUTABLE: &str = "100755";
pub const SYMLINK: &str = "120000";
pub const FOLDER: &str = "40000";
pub const SUBMODULE: &str = "160000";

/// A writer of objects into a repository of a world.
pub struct Trees<'w> {
    world: &'w World,
    folder: &'w str,
}

impl<'w> Trees<'w> {
    /// A writer for the repository in a folder of the world.
    pub fn new(world: &'w World, folder: &'w str) -> Self {
        Self { world, folder }
    }

    fn object(&self, kind: &str, content: &[u8]) -> String {
        let mut command = self.world.command("git", Path::new(self.folder));
        command.args(["hash-object", "-w", "--literally", "--stdin", "-t", kind]);
        run(&mut command, content).ok().line().to_owned()
    }

    /// Writes the content of a file or symlink.
    pub fn blob(&self, content: impl AsRef<[u8]>) -> String {
        self.object("blob", content.as_ref())
    }

    /// Writes a tree. Each entry is (mode, name, object).
    pub fn tree(&self, entries: &[(&str, &[u8], &str)]) -> String {
        let mut content = Vec::new();
        for (mode, name, object) in entries {
            content.extend([mode.as_bytes(), b" ", name, b"\0"].concat());
            let digits = |at: usize| u8::from_str_radix(&object[at..at + 2], 16).unwrap();
            content.extend((0..object.len()).step_by(2).map(digits));
        }
        self.object("tree", &content)
    }

    /// Writes a tree that contains one entry, at the end of a path of folders.
    pub fn path(&self, mode: &str, path: &[u8], object: &str) -> String {
        let mut names: Vec<_> = path.split(|b| *b == b'/').collect();
        let mut tree = self.tree(&[(mode, names.pop().unwrap(), object)]);
        while let Some(name) = names.pop() {
            tree = self.tree(&[(FOLDER, name, &tree)]);
        }
        tree
    }

    /// Writes a commit of a tree, with one parent or none.
    pub fn commit(&self, tree: &str, parent: Option<&str>) -> String {
        let mut arguments = vec!["commit-tree", "-m", "By hand", tree];
        arguments.extend(parent.into_iter().flat_map(|parent| ["-p", parent]));
        self.world.git_in(self.folder, &arguments)
    }

    /// Writes a tree with these bytes.
    pub fn damaged_tree(&self, content: &[u8]) -> String {
        self.object("tree", content)
    }

    /// Writes a commit with these bytes.
    pub fn raw_commit(&self, content: impl AsRef<[u8]>) -> String {
        self.object("commit", content.as_ref())
    }
}
