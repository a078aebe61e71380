//! Trees that porcelain git would not make: each entry as given, nothing sorted or checked.

use std::path::Path;

use crate::run::run;
use crate::world::World;

pub const FILE: &str = "100644";
pub const EXECUTABLE: &str = "100755";
pub const SYMLINK: &str = "120000";
pub const FOLDER: &str = "40000";
pub const SUBMODULE: &str = "160000";

/// Writes objects into a repository of a world.
pub struct Trees<'w> {
    world: &'w World,
    folder: &'w str,
}

impl<'w> Trees<'w> {
    /// For the repository in a folder of the world.
    pub fn new(world: &'w World, folder: &'w str) -> Self {
        Self { world, folder }
    }

    fn object(&self, kind: &str, content: &[u8]) -> String {
        let mut command = self.world.command("git", Path::new(self.folder));
        command.args(["hash-object", "-w", "--literally", "--stdin", "-t", kind]);
        run(&mut command, content).ok().line().to_owned()
    }

    /// A file's or symlink's content.
    pub fn blob(&self, content: impl AsRef<[u8]>) -> String {
        self.object("blob", content.as_ref())
    }

    /// A tree of (mode, name, object).
    pub fn tree(&self, entries: &[(&str, &[u8], &str)]) -> String {
        let mut content = Vec::new();
        for (mode, name, object) in entries {
            content.extend([mode.as_bytes(), b" ", name, b"\0"].concat());
            let digits = |at: usize| u8::from_str_radix(&object[at..at + 2], 16).unwrap();
            content.extend((0..object.len()).step_by(2).map(digits));
        }
        self.object("tree", &content)
    }

    /// A tree with one path of folders down to one entry.
    pub fn path(&self, mode: &str, path: &[u8], object: &str) -> String {
        let mut names: Vec<_> = path.split(|b| *b == b'/').collect();
        let mut tree = self.tree(&[(mode, names.pop().unwrap(), object)]);
        while let Some(name) = names.pop() {
            tree = self.tree(&[(FOLDER, name, &tree)]);
        }
        tree
    }

    /// A commit of a tree without parents, or upon one.
    pub fn commit(&self, tree: &str, parent: Option<&str>) -> String {
        let mut arguments = vec!["commit-tree", "-m", "By hand", tree];
        arguments.extend(parent.into_iter().flat_map(|parent| ["-p", parent]));
        self.world.git_in(self.folder, &arguments)
    }
}
