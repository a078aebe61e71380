//! What differs between the deploy files of two commits.
//!
//! Deploy files are two levels below the root. So two trees are walked side by side over two
//! levels, and only where their ids differ.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gix::hash::{ObjectId, oid};
use gix::objs::Kind;
use gix::objs::tree::EntryKind;

use super::error::Error;
use super::repository::Repository;
use super::tree::{Difference, Differences, TreeEntry};
use crate::change::{Change, Depth, Node};
use crate::deployfile::{EXTENSION, SIZE_MAX};
use crate::id::Revision;

/// How many paths that are too deep for a deploy file are reported for one range.
const TOO_DEEP_MAX: usize = 100;

/// Where to look for deploy files at the wrong depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeepScan {
    /// Below every folder that differs: pre-receive and `check` do this.
    Everywhere,
    /// Below folders that have deploy files: post-receive does this, so that its time does not grow
    /// with unrelated changes.
    EnvironmentFolders,
}

impl Repository {
    /// The deploy files that differ between two commits, in the order of their paths. `None` stands
    /// for a branch that does not exist.
    ///
    /// # Errors
    /// An object can't be read; [`Error::is_damage`] says whether that will stay so.
    pub fn changes(
        &self,
        root: &str,
        old: Option<&Revision>,
        new: Option<&Revision>,
        deep: DeepScan,
    ) -> Result<Vec<Change>, Error> {
        if old == new {
            return Ok(Vec::new());
        }
        let read = self.read_changes(root, old, new, deep);
        read.map_err(|error| error.reading(old, new))
    }

    fn read_changes(
        &self,
        root: &str,
        old: Option<&Revision>,
        new: Option<&Revision>,
        deep: DeepScan,
    ) -> Result<Vec<Change>, Error> {
        let tree = |commit: Option<&Revision>| -> Result<Option<ObjectId>, Error> {
            let tree = commit.map(|commit| self.root_tree(commit, root));
            Ok(tree.transpose()?.flatten())
        };
        let (old, new) = (tree(old)?, tree(new)?);

        let prefix = if root.is_empty() {
            Vec::new()
        } else {
            format!("{root}/").into_bytes()
        };
        let mut walk = Walk {
            repository: self,
            deep,
            changes: Vec::new(),
            contents: HashMap::new(),
            too_deep: 0,
        };
        walk.root(&prefix, old.as_deref(), new.as_deref())?;
        walk.changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(walk.changes)
    }
}

/// Whether two names of entries are the same name on a file system that ignores case.
fn is_twin(a: &[u8], b: &[u8]) -> bool {
    a != b && a.eq_ignore_ascii_case(b)
}

/// Whether a name is that of a deploy file.
fn is_deploy_name(name: &[u8]) -> bool {
    name.ends_with(EXTENSION.as_bytes())
}

/// A folder in which there must be no deploy files.
struct Folder {
    path: Vec<u8>,
    old: Option<ObjectId>,
    new: Option<ObjectId>,
}

impl Folder {
    fn new(path: Vec<u8>, difference: &Difference) -> Self {
        Self {
            path,
            old: difference.old_tree().map(ToOwned::to_owned),
            new: difference.new_tree().map(ToOwned::to_owned),
        }
    }
}

/// A walk over the trees of two commits.
struct Walk<'r> {
    repository: &'r Repository,
    deep: DeepScan,
    changes: Vec<Change>,
    /// What was read already: a thousand entries can name the same blob, and it is read once.
    contents: HashMap<ObjectId, Arc<[u8]>>,
    /// How many deploy files that are too deep were found.
    too_deep: usize,
}

impl Walk<'_> {
    /// Walks the folder in which the environments' folders are.
    fn root(&mut self, prefix: &[u8], old: Option<&oid>, new: Option<&oid>) -> Result<(), Error> {
        let differences = self.repository.differences(old, new)?;
        let folders = differences
            .iter()
            .filter(|(_, difference)| difference.new_tree().is_some());
        let twins = self.twins(new, folders)?;

        for (name, difference) in &differences {
            let path = [prefix, name].concat();
            if is_deploy_name(name) {
                self.change(path, Depth::TooShallow, difference, None)?;
            } else if name.contains(&b'/') {
                // One entry whose name looks like a path. It must not be taken for the folder that
                // the path would lead to.
                self.below(vec![Folder::new(path, difference)])?;
            } else {
                let twin = twins.get(name.as_slice());
                let twin = twin.map(|twin| [prefix, twin].concat());
                self.environment(&path, difference, twin.as_deref())?;
            }
        }
        Ok(())
    }

    /// Walks the folder of one environment. `twin` is another folder, with the same name on a file
    /// system that ignores case.
    fn environment(
        &mut self,
        folder: &[u8],
        difference: &Difference,
        twin: Option<&[u8]>,
    ) -> Result<(), Error> {
        let (old, new) = (difference.old_tree(), difference.new_tree());
        let differences = self.repository.differences(old, new)?;
        let path_in = |folder: &[u8], name: &[u8]| [folder, b"/", name].concat();

        let files = || differences.iter().filter(|(name, _)| is_deploy_name(name));
        let twins = self.twins(new, files())?;
        for (name, difference) in files() {
            let path = path_in(folder, name);
            let twin = match (twins.get(name.as_slice()), twin) {
                (Some(twin), _) => Some(path_in(folder, twin)),
                (None, Some(folder)) => Some(path_in(folder, name)),
                (None, None) if difference.new.len() > 1 => Some(path.clone()),
                (None, None) => None,
            };
            let depth = if name.contains(&b'/') {
                Depth::TooDeep
            } else {
                Depth::Right
            };
            self.change(path, depth, difference, twin)?;
        }

        if self.deep == DeepScan::EnvironmentFolders && !self.has_deploy_files(new)? {
            return Ok(());
        }
        let others = differences
            .iter()
            .filter(|(name, _)| !is_deploy_name(name))
            .map(|(name, difference)| Folder::new(path_in(folder, name), difference));
        self.below(others.collect())
    }

    /// Looks for deploy files in folders where there must be none. Each pair of trees is read once:
    /// a small push can name the same tree a billion times.
    fn below(&mut self, mut folders: Vec<Folder>) -> Result<(), Error> {
        let mut seen = HashSet::new();
        while let Some(Folder { path, old, new }) = folders.pop() {
            if new.is_none() || self.too_deep >= TOO_DEEP_MAX || !seen.insert((old, new)) {
                continue;
            }

            let differences = self.differences_below(old.as_deref(), new.as_deref())?;
            for (name, difference) in differences {
                let path = [&path, b"/".as_slice(), &name].concat();
                if is_deploy_name(&name) {
                    self.too_deep += 1;
                    self.change(path, Depth::TooDeep, &difference, None)?;
                } else if difference.new_tree().is_some() {
                    folders.push(Folder::new(path, &difference));
                }
            }
        }
        Ok(())
    }

    /// What differs between two folders in which there must be no deploy files. If the old one is
    /// damaged, everything in the new one counts as new.
    fn differences_below(
        &self,
        old: Option<&oid>,
        new: Option<&oid>,
    ) -> Result<Differences, Error> {
        match self.repository.differences(old, new) {
            Err(error) if error.is_damage() => self.repository.differences(None, new),
            read => read,
        }
    }

    /// Whether a folder has deploy files.
    fn has_deploy_files(&self, tree: Option<&oid>) -> Result<bool, Error> {
        let mut buffer = Vec::new();
        for entry in self.repository.entries(tree, &mut buffer)? {
            let entry = entry.map_err(|error| Error::damaged(self.repository.path(), error))?;
            if is_deploy_name(entry.filename) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// For names that are new in a tree: another entry of that tree whose name only differs in
    /// case.
    fn twins<'d>(
        &self,
        tree: Option<&oid>,
        names: impl Iterator<Item = (&'d Vec<u8>, &'d Difference)>,
    ) -> Result<HashMap<&'d [u8], Vec<u8>>, Error> {
        let mut by_folded: HashMap<Vec<u8>, Vec<&[u8]>> = HashMap::new();
        for (name, _) in names.filter(|(_, difference)| !difference.new.is_empty()) {
            let folded = name.to_ascii_lowercase();
            by_folded.entry(folded).or_default().push(name);
        }
        let mut twins = HashMap::new();
        if by_folded.is_empty() {
            return Ok(twins);
        }

        // Comparing lengths first saves most of the work in a tree with very many entries.
        let lengths: HashSet<usize> = by_folded.keys().map(Vec::len).collect();
        let mut buffer = Vec::new();
        for entry in self.repository.entries(tree, &mut buffer)? {
            let entry = entry.map_err(|error| Error::damaged(self.repository.path(), error))?;
            let name: &[u8] = entry.filename;
            if !lengths.contains(&name.len()) {
                continue;
            }
            let candidates = by_folded.get(&name.to_ascii_lowercase());
            for candidate in candidates.into_iter().flatten() {
                if is_twin(candidate, name) {
                    twins.insert(*candidate, name.to_vec());
                }
            }
        }
        Ok(twins)
    }

    /// Adds a deploy file to the result.
    fn change(
        &mut self,
        path: Vec<u8>,
        depth: Depth,
        difference: &Difference,
        twin: Option<Vec<u8>>,
    ) -> Result<(), Error> {
        let old = difference.old.as_ref();
        let old = old.map(|entry| self.node(entry, depth)).transpose()?;
        let new = difference.new.first();
        let new = new.map(|entry| self.node(entry, depth)).transpose()?;

        self.changes.push(Change {
            path,
            depth,
            old,
            new,
            twin,
        });
        Ok(())
    }

    /// What an entry is.
    fn node(&mut self, entry: &TreeEntry, depth: Depth) -> Result<Node, Error> {
        match entry.mode.kind() {
            EntryKind::Tree => Ok(Node::Folder),
            EntryKind::Link => Ok(Node::Symlink),
            EntryKind::Commit => Ok(Node::Submodule),
            // A file at the wrong depth is refused whatever it says.
            EntryKind::Blob | EntryKind::BlobExecutable if depth != Depth::Right => {
                Ok(Node::File(Arc::default()))
            }
            EntryKind::Blob | EntryKind::BlobExecutable => self.file(&entry.id),
        }
    }

    /// A file with its content.
    fn file(&mut self, id: &oid) -> Result<Node, Error> {
        if let Some(content) = self.contents.get(id) {
            return Ok(Node::File(Arc::clone(content)));
        }
        let size = self.repository.size(id)?;
        if size > SIZE_MAX {
            return Ok(Node::TooLarge(size));
        }

        let mut buffer = Vec::new();
        let content: Arc<[u8]> = self.repository.find(id, Kind::Blob, &mut buffer)?.into();
        self.contents.insert(id.to_owned(), Arc::clone(&content));
        Ok(Node::File(content))
    }
}
