//! Trees of commits, and what differs between two of them.
//!
//! Nothing is assumed about the order of a tree: a pusher can write one that is not sorted, or that
//! names an entry twice.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use gix::hash::{self, ObjectId, oid};
use gix::objs::tree::{EntryMode, EntryRef};
use gix::objs::{Kind, TreeRefIter};

use super::error::Error;
use super::repository::Repository;
use crate::id::Revision;

/// An entry of a tree, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TreeEntry {
    pub(super) mode: EntryMode,
    pub(super) id: ObjectId,
}

impl From<&EntryRef<'_>> for TreeEntry {
    fn from(entry: &EntryRef<'_>) -> Self {
        Self {
            mode: entry.mode,
            id: entry.oid.to_owned(),
        }
    }
}

/// What differs under one name.
#[derive(Debug, Default)]
pub(super) struct Difference {
    pub(super) old: Option<TreeEntry>,
    /// More than one: the new tree has the name more than once.
    pub(super) new: Vec<TreeEntry>,
}

impl Difference {
    /// The old entry, where it is a folder.
    pub(super) fn old_tree(&self) -> Option<&oid> {
        tree_of(self.old.as_ref())
    }

    /// The new entry, where it is a folder.
    pub(super) fn new_tree(&self) -> Option<&oid> {
        tree_of(self.new.first())
    }
}

fn tree_of(entry: Option<&TreeEntry>) -> Option<&oid> {
    entry
        .filter(|entry| entry.mode.is_tree())
        .map(|entry| entry.id.as_ref())
}

/// What differs between two trees, by name.
pub(super) type Differences = BTreeMap<Vec<u8>, Difference>;

impl Repository {
    /// The id of the tree of a commit.
    pub(super) fn commit_tree(&self, commit: &Revision) -> Result<ObjectId, Error> {
        let id = self.own_id(commit)?;
        Ok(self.commit(&id, &mut Vec::new())?.tree)
    }

    /// Whether two commits have the same files.
    ///
    /// # Errors
    /// One of them can't be read.
    pub fn has_same_files(&self, one: &Revision, other: &Revision) -> Result<bool, Error> {
        Ok(self.commit_tree(one)? == self.commit_tree(other)?)
    }

    /// The tree that holds the environments' folders. `None`: the commit has no folder `root`.
    pub(super) fn root_tree(
        &self,
        commit: &Revision,
        root: &str,
    ) -> Result<Option<ObjectId>, Error> {
        let mut tree = self.commit_tree(commit)?;
        let mut buffer = Vec::new();
        for part in root.split('/').filter(|part| !part.is_empty()) {
            let data = self.find(&tree, Kind::Tree, &mut buffer)?;
            let mut below = None;
            for entry in TreeRefIter::from_bytes(data, tree.kind()) {
                let entry = entry.map_err(|error| Error::damaged(self.path(), error))?;
                if entry.filename == part && entry.mode.is_tree() {
                    below = Some(entry.oid.to_owned());
                    break;
                }
            }
            match below {
                Some(folder) => tree = folder,
                None => return Ok(None),
            }
        }
        Ok(Some(tree))
    }

    /// The entries of a tree; `None` stands for an empty one.
    pub(super) fn entries<'b>(
        &self,
        id: Option<&oid>,
        buffer: &'b mut Vec<u8>,
    ) -> Result<TreeRefIter<'b>, Error> {
        let data = self.tree_data(id, buffer)?;
        Ok(TreeRefIter::from_bytes(data, self.objects()?.kind))
    }

    fn tree_data<'b>(&self, id: Option<&oid>, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Error> {
        match id {
            Some(id) => self.find(id, Kind::Tree, buffer),
            None => Ok(&[]),
        }
    }

    /// What differs between two trees, of the entries that matter. Both are walked side by
    /// side, as when two sorted lists are merged. `None` stands for an empty tree. If more than
    /// `most` names differ, this is an error.
    pub(super) fn differences(
        &self,
        old: Option<&oid>,
        new: Option<&oid>,
        most: usize,
        matters: impl Fn(&EntryRef<'_>) -> bool,
    ) -> Result<Differences, Error> {
        if old == new {
            return Ok(Differences::new());
        }
        let (mut old_buffer, mut new_buffer) = (Vec::new(), Vec::new());
        let old = self.tree_data(old, &mut old_buffer)?;
        let new = self.tree_data(new, &mut new_buffer)?;
        self.differences_of(old, new, most, matters)
    }

    /// [`Repository::differences`] between two trees that are probably not asked for again.
    pub(super) fn differences_once(
        &self,
        old: Option<&oid>,
        new: Option<&oid>,
        most: usize,
        matters: impl Fn(&EntryRef<'_>) -> bool,
    ) -> Result<Differences, Error> {
        let (mut old_buffer, mut new_buffer) = (Vec::new(), Vec::new());
        let once = |id: &oid, buffer| self.find_once(id, Kind::Tree, buffer);
        let old = old.map(|id| once(id, &mut old_buffer)).transpose()?;
        let new = new.map(|id| once(id, &mut new_buffer)).transpose()?;
        self.differences_of(
            old.unwrap_or_default(),
            new.unwrap_or_default(),
            most,
            matters,
        )
    }

    /// What differs between the bytes of two trees.
    fn differences_of(
        &self,
        mut old: &[u8],
        mut new: &[u8],
        most: usize,
        matters: impl Fn(&EntryRef<'_>) -> bool,
    ) -> Result<Differences, Error> {
        let mut differences = Differences::new();
        let kind = self.objects()?.kind;
        let damaged = |error| Error::damaged(self.path(), error);
        loop {
            let same = same_beginning(old, new, kind);
            (old, new) = (&old[same..], &new[same..]);
            let mut old_entries = TreeRefIter::from_bytes(old, kind);
            let mut new_entries = TreeRefIter::from_bytes(new, kind);
            let gone = old_entries.next().transpose().map_err(damaged)?;
            let come = new_entries.next().transpose().map_err(damaged)?;
            let order = match (&gone, &come) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(gone), Some(come)) => gone.cmp(come),
            };

            let gone = gone.filter(|_| order.is_le());
            let come = come.filter(|_| order.is_ge());
            if gone.is_some() {
                old = &old[old_entries.offset_to_next_entry(old)..];
            }
            if come.is_some() {
                new = &new[new_entries.offset_to_next_entry(new)..];
            }
            if differences.len() > most {
                let message = format!("a folder has more than {most} changes");
                return Err(self.unacceptable(message));
            }

            if let Some(gone) = gone.filter(&matters) {
                let difference = differences.entry(gone.filename.to_vec()).or_default();
                difference.old.get_or_insert_with(|| (&gone).into());
            }
            if let Some(come) = come.filter(&matters) {
                let difference = differences.entry(come.filename.to_vec()).or_default();
                difference.new.push((&come).into());
            }
        }

        // In a tree that is not sorted, the same entry can seem to be removed in one place and
        // added in another.
        differences.retain(|_, difference| {
            difference.new.len() != 1 || difference.old.as_ref() != difference.new.first()
        });
        Ok(differences)
    }
}

/// How many bytes the entries have with which two trees begin alike. Where they can't be read, that
/// is for the caller to find.
fn same_beginning(old: &[u8], new: &[u8], kind: hash::Kind) -> usize {
    let mut entries = TreeRefIter::from_bytes(old, kind);
    let mut same = 0;
    while let Some(Ok(_)) = entries.next() {
        let next = entries.offset_to_next_entry(old);
        if old.get(same..next) != new.get(same..next) {
            break;
        }
        same = next;
    }
    same
}
