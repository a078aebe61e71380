//! What differs between the deploy files of two commits.
//!
//! Deploy files are two levels below the root. So two trees are walked side by side over two
//! levels, and only where their ids differ.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use gix::hash::{ObjectId, oid};
use gix::objs::tree::EntryRef;

use super::contents::{ChangedPath, Contents};
use super::error::Error;
use super::kept_changes::{AskedChanges, DeepScan};
use super::repository::Repository;
use super::tree::{Difference, Differences};
use crate::change::{Change, Depth};
use crate::deployfile::EXTENSION;
use crate::id::Revision;
use crate::text;

/// How many paths that are too deep for a deploy file are reported for one range.
const TOO_DEEP_MAX: usize = 100;

/// How many deploy files may differ in one range.
const DEPLOY_FILES_MAX: usize = 200_000;

/// How many pairs of folders are compared for one range.
const FOLDERS_MAX: usize = 100_000;

/// How many of the entries of one pair of folders that matter here may differ.
pub(super) const DIFFERENCES_MAX: usize = 300_000;

/// The longest path that is followed, in bytes. No path in a work tree is longer on Linux.
const PATH_MAX: usize = 4096;

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
        let asked = AskedChanges {
            root: root.to_owned(),
            old: old.cloned(),
            new: new.cloned(),
            deep,
        };
        let kept = self.kept_changes.borrow().copy(&asked);
        if let Some(changes) = kept {
            return Ok(changes);
        }

        let paths = self.walk(root, old, new, deep)?;
        let mut contents = Contents::new(self);
        let changes = paths.into_iter().map(|found| contents.change(found));
        let changes: Vec<Change> = changes.collect::<Result<_, _>>()?;
        self.kept_changes.borrow_mut().keep(asked, &changes);
        Ok(changes)
    }

    /// The paths of the deploy files that differ between two commits. No file is read for this.
    pub(super) fn changed_paths(
        &self,
        root: &str,
        old: Option<&Revision>,
        new: Option<&Revision>,
        deep: DeepScan,
    ) -> Result<BTreeSet<Vec<u8>>, Error> {
        let paths = self.walk(root, old, new, deep)?;
        Ok(paths.into_iter().map(|found| found.path).collect())
    }

    fn walk(
        &self,
        root: &str,
        old: Option<&Revision>,
        new: Option<&Revision>,
        deep: DeepScan,
    ) -> Result<Vec<ChangedPath>, Error> {
        if old == new {
            return Ok(Vec::new());
        }
        let read = self.walk_trees(root, old, new, deep);
        read.map_err(|error| error.reading(old, new))
    }

    fn walk_trees(
        &self,
        root: &str,
        old: Option<&Revision>,
        new: Option<&Revision>,
        deep: DeepScan,
    ) -> Result<Vec<ChangedPath>, Error> {
        let tree = |commit: Option<&Revision>| -> Result<Option<ObjectId>, Error> {
            let tree = commit.map(|commit| self.root_tree(commit, root));
            Ok(tree.transpose()?.flatten())
        };
        let (old, new) = (tree(old)?, tree(new)?);

        let mut walk = Walk {
            repository: self,
            deep,
            found: Vec::new(),
            too_deep: 0,
            folders: 0,
        };
        walk.root(root.as_bytes(), old.as_deref(), new.as_deref())?;
        walk.found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(walk.found)
    }
}

/// Whether a name is that of a deploy file.
fn is_deploy_name(name: &[u8]) -> bool {
    name.ends_with(EXTENSION.as_bytes())
}

fn is_deploy_file(entry: &EntryRef<'_>) -> bool {
    is_deploy_name(entry.filename)
}

fn is_folder_or_deploy_file(entry: &EntryRef<'_>) -> bool {
    entry.mode.is_tree() || is_deploy_file(entry)
}

/// A folder in which there must be no deploy files.
struct Folder {
    /// The folder that it is in. Many folders share one, which can be long.
    parent: Rc<[u8]>,
    name: Vec<u8>,
    old: Option<ObjectId>,
    new: Option<ObjectId>,
}

impl Folder {
    fn new(parent: &Rc<[u8]>, name: Vec<u8>, difference: &Difference) -> Self {
        Self {
            parent: Rc::clone(parent),
            name,
            old: difference.old_tree().map(ToOwned::to_owned),
            new: difference.new_tree().map(ToOwned::to_owned),
        }
    }
}

/// A walk over the trees of two commits.
struct Walk<'r> {
    repository: &'r Repository,
    deep: DeepScan,
    found: Vec<ChangedPath>,
    /// How many deploy files that are too deep were found.
    too_deep: usize,
    /// How many pairs of folders were compared.
    folders: usize,
}

impl Walk<'_> {
    /// Walks the folder in which the environments' folders are.
    fn root(&mut self, root: &[u8], old: Option<&oid>, new: Option<&oid>) -> Result<(), Error> {
        let differences = self.differences(old, new, is_folder_or_deploy_file)?;
        let folders = differences
            .iter()
            .filter(|(_, difference)| difference.new_tree().is_some());
        let twins = self.twins(new, folders)?;

        for (name, difference) in &differences {
            let path = self.path_in(root, name)?;
            if is_deploy_name(name) {
                self.change(path, Depth::TooShallow, difference, None)?;
            } else if name.contains(&b'/') {
                // One entry whose name looks like a path. It must not be taken for the folder that
                // the path would lead to.
                self.below(vec![Folder::new(&root.into(), name.clone(), difference)])?;
            } else {
                let twin = twins.get(name.as_slice());
                let twin = twin.map(|twin| self.path_in(root, twin)).transpose()?;
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
        // Most folders of a repository are no environments, and can have many folders.
        let goes_below = self.deep == DeepScan::Everywhere || self.has_deploy_files(new)?;
        let differences = if goes_below {
            self.differences(old, new, is_folder_or_deploy_file)?
        } else {
            self.differences(old, new, is_deploy_file)?
        };

        let files = || differences.iter().filter(|(name, _)| is_deploy_name(name));
        let twins = self.twins(new, files())?;
        for (name, difference) in files() {
            let path = self.path_in(folder, name)?;
            let twin = match (twins.get(name.as_slice()), twin) {
                (Some(twin), _) => Some(self.path_in(folder, twin)?),
                (None, Some(folder)) => Some(self.path_in(folder, name)?),
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

        let folder = folder.into();
        let others = differences
            .iter()
            .filter(|(name, _)| !is_deploy_name(name))
            .map(|(name, difference)| Folder::new(&folder, name.clone(), difference));
        self.below(others.collect())
    }

    /// Looks for deploy files in folders where there must be none. Each pair of trees is read once:
    /// a small push can name the same tree a billion times.
    fn below(&mut self, mut folders: Vec<Folder>) -> Result<(), Error> {
        let mut seen = HashSet::new();
        while let Some(folder) = folders.pop() {
            let (old, new) = (folder.old, folder.new);
            if new.is_none() || self.too_deep >= TOO_DEEP_MAX || !seen.insert((old, new)) {
                continue;
            }

            let folder: Rc<[u8]> = self.path_in(&folder.parent, &folder.name)?.into();
            let differences = self.differences_below(old.as_deref(), new.as_deref())?;
            for (name, difference) in differences {
                if is_deploy_name(&name) {
                    self.too_deep += 1;
                    let path = self.path_in(&folder, &name)?;
                    self.change(path, Depth::TooDeep, &difference, None)?;
                } else if difference.new_tree().is_some() {
                    folders.push(Folder::new(&folder, name, &difference));
                }
            }
        }
        Ok(())
    }

    /// The path of an entry of a folder.
    fn path_in(&self, folder: &[u8], name: &[u8]) -> Result<Vec<u8>, Error> {
        let path = match folder {
            [] => name.to_vec(),
            folder => [folder, b"/", name].concat(),
        };
        if path.len() > PATH_MAX {
            let shown = text::escape(&path, 60);
            let message = format!("a path has more than {PATH_MAX} bytes: {shown}");
            return Err(self.repository.unacceptable(message));
        }
        Ok(path)
    }

    /// What differs between two folders in which there must be no deploy files. If the old one is
    /// damaged, everything in the new one counts as new.
    fn differences_below(
        &mut self,
        old: Option<&oid>,
        new: Option<&oid>,
    ) -> Result<Differences, Error> {
        self.count_folder()?;
        let differences = |old| {
            let repository = self.repository;
            repository.differences_once(old, new, DIFFERENCES_MAX, is_folder_or_deploy_file)
        };
        match differences(old) {
            Err(error) if error.is_damage() => differences(None),
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
        let names = names.filter(|(_, difference)| !difference.new.is_empty());
        let names: Vec<&[u8]> = names.map(|(name, _)| name.as_slice()).collect();
        if names.is_empty() {
            return Ok(HashMap::new());
        }

        // For each name in lower case, the first two names of the tree that it stands for: one of
        // them is another name.
        let folded = names
            .iter()
            .map(|name| (name.to_ascii_lowercase(), Vec::new()));
        let mut found: HashMap<Vec<u8>, Vec<Vec<u8>>> = folded.collect();
        // Comparing lengths first saves most of the work in a tree with very many entries.
        let lengths: HashSet<usize> = found.keys().map(Vec::len).collect();
        let mut buffer = Vec::new();
        for entry in self.repository.entries(tree, &mut buffer)? {
            let entry = entry.map_err(|error| Error::damaged(self.repository.path(), error))?;
            let name: &[u8] = entry.filename;
            if !lengths.contains(&name.len()) {
                continue;
            }
            if let Some(found) = found.get_mut(&name.to_ascii_lowercase())
                && found.len() < 2
                && found.iter().all(|other| other != name)
            {
                found.push(name.to_vec());
            }
        }

        let twin = |name: &'d [u8]| {
            let mut found = found.get(&name.to_ascii_lowercase())?.iter();
            let twin = found.find(|other| *other != name)?;
            Some((name, twin.clone()))
        };
        Ok(names.into_iter().filter_map(twin).collect())
    }

    /// What differs between two folders, of what matters.
    fn differences(
        &mut self,
        old: Option<&oid>,
        new: Option<&oid>,
        matters: fn(&EntryRef<'_>) -> bool,
    ) -> Result<Differences, Error> {
        self.count_folder()?;
        self.repository
            .differences(old, new, DIFFERENCES_MAX, matters)
    }

    /// Counts a pair of folders that is compared.
    fn count_folder(&mut self) -> Result<(), Error> {
        self.folders += 1;
        if self.folders > FOLDERS_MAX {
            let message = format!("more than {FOLDERS_MAX} folders differ");
            return Err(self.repository.unacceptable(message));
        }
        Ok(())
    }

    /// Adds a deploy file to the result.
    fn change(
        &mut self,
        path: Vec<u8>,
        depth: Depth,
        difference: &Difference,
        twin: Option<Vec<u8>>,
    ) -> Result<(), Error> {
        if self.found.len() >= DEPLOY_FILES_MAX {
            let message = format!("more than {DEPLOY_FILES_MAX} deploy files differ");
            return Err(self.repository.unacceptable(message));
        }
        self.found.push(ChangedPath {
            path,
            depth,
            old: difference.old.clone(),
            new: difference.new.first().cloned(),
            twin,
        });
        Ok(())
    }
}
