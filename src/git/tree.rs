//! What differs between the deploy files of two commits.
//!
//! Deploy files stand two levels below the root, so two trees are walked side by side over two
//! levels, and only where their ids differ. Nothing is assumed about a tree's order: a pusher can
//! write one that is not sorted or names an entry twice.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use gix::hash::{ObjectId, oid};
use gix::objs::tree::{EntryKind, EntryMode, EntryRef};
use gix::objs::{Kind, TreeRefIter};

use super::error::Error;
use super::repository::Repository;
use crate::change::{Change, Depth, Node};
use crate::deployfile::{EXTENSION, SIZE_MAX};
use crate::id::Revision;

/// How many paths too deep for a deploy file are reported for one range.
const TOO_DEEP_MAX: usize = 100;

/// Where deploy files at the wrong depth are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeepScan {
    /// Below every folder that differs: what pre-receive and `check` do.
    Everywhere,
    /// Below folders that hold deploy files: what post-receive does, so that its time does not grow
    /// with unrelated changes.
    EnvironmentFolders,
}

/// An entry of a tree, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    mode: EntryMode,
    id: ObjectId,
}

/// What differs under one name. More than one new entry: the tree names it twice.
#[derive(Debug, Default)]
struct Difference {
    old: Option<Entry>,
    new: Vec<Entry>,
}

impl Difference {
    fn old_tree(&self) -> Option<&oid> {
        self.old
            .as_ref()
            .filter(|entry| entry.mode.is_tree())
            .map(|entry| entry.id.as_ref())
    }

    fn new_tree(&self) -> Option<&oid> {
        self.new
            .first()
            .filter(|entry| entry.mode.is_tree())
            .map(|entry| entry.id.as_ref())
    }
}

type Differences = BTreeMap<Vec<u8>, Difference>;

impl Repository {
    /// The deploy files that are not the same in two commits, in the order of their paths; `None`
    /// stands for a branch that does not exist.
    ///
    /// # Errors
    /// An object can't be read; [`Error::is_missing_object`] tells whether one is gone.
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
        let old = old
            .map(|commit| self.root_tree(commit, root))
            .transpose()?
            .flatten();
        let new = new
            .map(|commit| self.root_tree(commit, root))
            .transpose()?
            .flatten();
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
        walk.top(&prefix, old.as_deref(), new.as_deref())?;
        walk.changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(walk.changes)
    }

    /// The id of the tree of a commit.
    pub(super) fn commit_tree(&self, commit: &Revision) -> Result<ObjectId, Error> {
        let id = self
            .object_id(commit)?
            .ok_or_else(|| self.error(format!("{commit} is of another kind of hash")))?;
        let mut buffer = Vec::new();
        let data = self.find(&id, Kind::Commit, &mut buffer)?;
        gix::objs::CommitRefIter::from_bytes(data, id.kind())
            .tree_id()
            .map_err(|error| self.error(error))
    }

    /// The tree that holds the environments' folders; `None`: the commit has no such folder.
    fn root_tree(&self, commit: &Revision, root: &str) -> Result<Option<ObjectId>, Error> {
        let mut tree = self.commit_tree(commit)?;
        let mut buffer = Vec::new();
        for part in root.split('/').filter(|part| !part.is_empty()) {
            let data = self.find(&tree, Kind::Tree, &mut buffer)?;
            let mut entries = TreeRefIter::from_bytes(data, tree.kind()).filter_map(Result::ok);
            match entries.find(|entry| entry.filename == part && entry.mode.is_tree()) {
                Some(entry) => tree = entry.oid.to_owned(),
                None => return Ok(None),
            }
        }
        Ok(Some(tree))
    }

    /// The bytes of a tree; those of an empty one for `None`.
    fn tree_bytes<'b>(&self, id: Option<&oid>, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Error> {
        match id {
            Some(id) => self.find(id, Kind::Tree, buffer),
            None => Ok(&[]),
        }
    }

    /// What two trees name differently, by a merge of the two.
    fn differences(&self, old: Option<&oid>, new: Option<&oid>) -> Result<Differences, Error> {
        let mut differences = Differences::new();
        if old == new {
            return Ok(differences);
        }
        let kind = self.objects()?.kind;
        let (mut old_buffer, mut new_buffer) = (Vec::new(), Vec::new());
        let mut old =
            TreeRefIter::from_bytes(self.tree_bytes(old, &mut old_buffer)?, kind).peekable();
        let mut new =
            TreeRefIter::from_bytes(self.tree_bytes(new, &mut new_buffer)?, kind).peekable();
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(Ok(old)), Some(Ok(new))) => old.cmp(new),
                (Some(_), Some(_)) => Ordering::Equal,
            };
            let gone = if order.is_le() {
                old.next().transpose().map_err(|error| self.error(error))?
            } else {
                None
            };
            let come = if order.is_ge() {
                new.next().transpose().map_err(|error| self.error(error))?
            } else {
                None
            };
            if gone == come {
                continue;
            }
            let entry = |entry: &EntryRef<'_>| Entry {
                mode: entry.mode,
                id: entry.oid.to_owned(),
            };
            if let Some(gone) = &gone {
                let difference = differences.entry(gone.filename.to_vec()).or_default();
                difference.old.get_or_insert_with(|| entry(gone));
            }
            if let Some(come) = &come {
                differences
                    .entry(come.filename.to_vec())
                    .or_default()
                    .new
                    .push(entry(come));
            }
        }
        // An unsorted tree can show the same entry as gone and come.
        differences.retain(|_, difference| {
            difference.new.len() != 1 || difference.old.as_ref() != difference.new.first()
        });
        Ok(differences)
    }
}

/// Whether two entry names are one on a file system that folds case.
fn is_twin(a: &[u8], b: &[u8]) -> bool {
    a != b && a.eq_ignore_ascii_case(b)
}

fn is_deploy_name(name: &[u8]) -> bool {
    name.ends_with(EXTENSION.as_bytes())
}

struct Walk<'r> {
    repository: &'r Repository,
    deep: DeepScan,
    changes: Vec<Change>,
    /// Contents that were read, so that a thousand entries for one blob cost one.
    contents: HashMap<ObjectId, Arc<[u8]>>,
    too_deep: usize,
}

impl Walk<'_> {
    fn top(&mut self, prefix: &[u8], old: Option<&oid>, new: Option<&oid>) -> Result<(), Error> {
        let differences = self.repository.differences(old, new)?;
        let folders = self.twins(
            new,
            differences
                .iter()
                .filter(|(_, difference)| difference.new_tree().is_some()),
        )?;
        for (name, difference) in &differences {
            let path = [prefix, name].concat();
            if is_deploy_name(name) {
                self.change(path, Depth::TooShallow, difference, None)?;
            } else if name.contains(&b'/') {
                // One entry named like a path: it must not pass for the folder that its last part
                // names.
                let tree = |tree: Option<&oid>| tree.map(ToOwned::to_owned);
                self.below(vec![(
                    path,
                    tree(difference.old_tree()),
                    tree(difference.new_tree()),
                )])?;
            } else {
                let twin = folders
                    .get(name.as_slice())
                    .map(|twin| [prefix, twin].concat());
                self.environment(&path, difference, twin.as_deref())?;
            }
        }
        Ok(())
    }

    fn environment(
        &mut self,
        folder: &[u8],
        difference: &Difference,
        twin: Option<&[u8]>,
    ) -> Result<(), Error> {
        let (old, new) = (difference.old_tree(), difference.new_tree());
        let differences = self.repository.differences(old, new)?;
        let files = || differences.iter().filter(|(name, _)| is_deploy_name(name));
        let twins = self.twins(new, files())?;
        for (name, difference) in files() {
            let path = [folder, b"/", name.as_slice()].concat();
            let twin = match (twins.get(name.as_slice()), twin) {
                (Some(twin), _) => Some([folder, b"/", twin].concat()),
                (None, Some(folder)) => Some([folder, b"/", name.as_slice()].concat()),
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
        let scan = self.deep == DeepScan::Everywhere || self.holds_deploy_files(new)?;
        let mut below = Vec::new();
        for (name, difference) in differences
            .iter()
            .filter(|(name, _)| scan && !is_deploy_name(name))
        {
            let tree = |tree: Option<&oid>| tree.map(ToOwned::to_owned);
            below.push((
                [folder, b"/", name.as_slice()].concat(),
                tree(difference.old_tree()),
                tree(difference.new_tree()),
            ));
        }
        self.below(below)
    }

    /// Looks for deploy files in folders where there must be none. Each pair of trees is read once:
    /// a small push can name the same tree a billion times.
    fn below(
        &mut self,
        mut folders: Vec<(Vec<u8>, Option<ObjectId>, Option<ObjectId>)>,
    ) -> Result<(), Error> {
        let mut seen = HashSet::new();
        while let Some((folder, old, new)) = folders.pop() {
            if new.is_none() || self.too_deep >= TOO_DEEP_MAX || !seen.insert((old, new)) {
                continue;
            }
            for (name, difference) in self
                .repository
                .differences(old.as_deref(), new.as_deref())?
            {
                let path = [&folder, b"/".as_slice(), &name].concat();
                if is_deploy_name(&name) {
                    self.too_deep += 1;
                    self.change(path, Depth::TooDeep, &difference, None)?;
                } else if let Some(tree) = difference.new_tree() {
                    folders.push((
                        path,
                        difference.old_tree().map(ToOwned::to_owned),
                        Some(tree.to_owned()),
                    ));
                }
            }
        }
        Ok(())
    }

    fn holds_deploy_files(&self, tree: Option<&oid>) -> Result<bool, Error> {
        let mut buffer = Vec::new();
        let data = self.repository.tree_bytes(tree, &mut buffer)?;
        let kind = self.repository.objects()?.kind;
        Ok(TreeRefIter::from_bytes(data, kind)
            .filter_map(Result::ok)
            .any(|entry| is_deploy_name(entry.filename)))
    }

    /// For names that are new in a tree, another entry of it that differs in case only.
    fn twins<'d>(
        &self,
        tree: Option<&oid>,
        names: impl Iterator<Item = (&'d Vec<u8>, &'d Difference)>,
    ) -> Result<HashMap<&'d [u8], Vec<u8>>, Error> {
        let mut by_folded: HashMap<Vec<u8>, Vec<&[u8]>> = HashMap::new();
        for (name, _) in names.filter(|(_, difference)| !difference.new.is_empty()) {
            by_folded
                .entry(name.to_ascii_lowercase())
                .or_default()
                .push(name);
        }
        let mut twins = HashMap::new();
        if by_folded.is_empty() {
            return Ok(twins);
        }
        let lengths: HashSet<usize> = by_folded.keys().map(Vec::len).collect();
        let mut buffer = Vec::new();
        let data = self.repository.tree_bytes(tree, &mut buffer)?;
        let kind = self.repository.objects()?.kind;
        for entry in TreeRefIter::from_bytes(data, kind).filter_map(Result::ok) {
            let name: &[u8] = entry.filename;
            if !lengths.contains(&name.len()) {
                continue;
            }
            for candidate in by_folded
                .get(&name.to_ascii_lowercase())
                .into_iter()
                .flatten()
            {
                if is_twin(candidate, name) {
                    twins.insert(*candidate, name.to_vec());
                }
            }
        }
        Ok(twins)
    }

    fn change(
        &mut self,
        path: Vec<u8>,
        depth: Depth,
        difference: &Difference,
        twin: Option<Vec<u8>>,
    ) -> Result<(), Error> {
        let old = difference
            .old
            .as_ref()
            .map(|entry| self.node(entry, depth))
            .transpose()?;
        let new = difference
            .new
            .first()
            .map(|entry| self.node(entry, depth))
            .transpose()?;
        self.changes.push(Change {
            path,
            depth,
            old,
            new,
            twin,
        });
        Ok(())
    }

    fn node(&mut self, entry: &Entry, depth: Depth) -> Result<Node, Error> {
        Ok(match entry.mode.kind() {
            EntryKind::Tree => Node::Folder,
            EntryKind::Link => Node::Symlink,
            EntryKind::Commit => Node::Submodule,
            // What stands at the wrong depth is refused whatever it says.
            EntryKind::Blob | EntryKind::BlobExecutable if depth != Depth::Right => {
                Node::File(Arc::default())
            }
            EntryKind::Blob | EntryKind::BlobExecutable => self.file(&entry.id)?,
        })
    }

    fn file(&mut self, id: &oid) -> Result<Node, Error> {
        if let Some(content) = self.contents.get(id) {
            return Ok(Node::File(content.clone()));
        }
        let size = self.repository.size(id)?;
        if size > SIZE_MAX {
            return Ok(Node::TooLarge(size));
        }
        let mut buffer = Vec::new();
        let content: Arc<[u8]> = self.repository.find(id, Kind::Blob, &mut buffer)?.into();
        self.contents.insert(id.to_owned(), content.clone());
        Ok(Node::File(content))
    }
}
