//! Looking at the whole tree of a revision before anything of it is written out.
//!
//! A tree that occurs in many places is read once. So a repository of a few hundred bytes that
//! stands for thousands of millions of files is refused at once, and nothing is walked without end.

use std::collections::{HashMap, HashSet};

use gix::bstr::BStr;
use gix::hash::ObjectId;
use gix::objs::tree::EntryKind;
use gix::validate::path::component;

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::repository::Repository;
use crate::text;

/// How many files and folders a release may have.
pub(super) const ENTRIES_MAX: u64 = 1_000_000;

/// How deep its folders may be.
pub(super) const DEPTH_MAX: usize = 128;

/// How many bytes a path in it may have, and the target of a link: no program can use longer ones
/// (`PATH_MAX`, path_resolution(7)).
pub(super) const PATH_MAX: usize = 4095;

/// How large the object of one folder may be, in bytes.
const FOLDER_MAX: u64 = 64 * 1024 * 1024;

/// Which names a tree may have: what git itself accepts on Linux, except for names that some file
/// system treats as `.git`. Names that Windows does not allow are allowed here.
const VALIDATE: component::Options = component::Options {
    protect_windows: false,
    protect_hfs: true,
    protect_ntfs: true,
};

/// What a revision may have that an export can't give the content of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRules {
    /// The pointers of Git LFS are written in place of the files that they stand for.
    pub lfs_pointers: bool,
    /// Submodules become empty folders.
    pub empty_submodules: bool,
}

/// An entry of a tree, owned.
pub(super) struct TreeItem {
    pub(super) name: Vec<u8>,
    pub(super) kind: EntryKind,
    pub(super) id: ObjectId,
}

/// What is in a folder and below it.
#[derive(Clone, Copy, Default)]
struct Totals {
    entries: u64,
    /// 0: there is no folder in it.
    depth: usize,
    /// The length of the longest path from here.
    path: usize,
}

impl Totals {
    /// Adds an entry and what is below it.
    fn add(&mut self, name: &[u8], below: Option<Totals>) {
        self.entries = self.entries.saturating_add(1);
        self.path = self.path.max(name.len());
        if let Some(below) = below {
            self.entries = self.entries.saturating_add(below.entries);
            self.depth = self.depth.max(below.depth + 1);
            self.path = self.path.max(name.len() + 1 + below.path);
        }
    }
}

/// A folder on the way down, and the folders in it that are still to be looked at.
struct LookedAt {
    id: ObjectId,
    name: Vec<u8>,
    totals: Totals,
    folders: Vec<TreeItem>,
}

/// Looks at everything that a tree stands for, and returns how many files and folders that is.
///
/// # Errors
/// A tree can't be read, passes a limit, has a name that could lead out of the release or has one
/// twice, or has a submodule where the rules refuse that.
pub(super) fn survey(
    repository: &Repository,
    tree: ObjectId,
    rules: ExportRules,
) -> Result<u64, Error> {
    let mut known: HashMap<ObjectId, Totals> = HashMap::new();
    let mut read = 0_u64;
    let mut open: Vec<LookedAt> = Vec::new();
    let mut next = Some((Vec::new(), tree));

    loop {
        if let Some((name, id)) = next.take() {
            let opened = open_folder(repository, name, id, &open, rules)?;
            let folders = opened.folders.len() as u64;
            read = read.saturating_add(opened.totals.entries + folders);
            let is_deep = open.len() > DEPTH_MAX;
            open.push(opened);
            if read > ENTRIES_MAX || is_deep {
                return Err(too_large(repository));
            }
        }

        let Some(last) = open.last_mut() else {
            return Ok(known.get(&tree).map_or(0, |totals| totals.entries));
        };
        if let Some(folder) = last.folders.pop() {
            match known.get(&folder.id) {
                Some(below) => last.totals.add(&folder.name, Some(*below)),
                None => {
                    next = Some((folder.name.clone(), folder.id));
                    last.folders.push(folder);
                }
            }
            continue;
        }

        let totals = last.totals;
        if totals.entries > ENTRIES_MAX || totals.depth > DEPTH_MAX || totals.path > PATH_MAX {
            return Err(too_large(repository));
        }
        known.insert(last.id, totals);
        open.pop();
    }
}

fn too_large(repository: &Repository) -> Error {
    repository.error(format!(
        "the revision is too large to be checked out: at most {ENTRIES_MAX} files and folders, \
         {DEPTH_MAX} folders deep, with paths of {PATH_MAX} bytes"
    ))
}

/// Reads a folder. `above` is where it is, for errors.
fn open_folder(
    repository: &Repository,
    name: Vec<u8>,
    id: ObjectId,
    above: &[LookedAt],
    rules: ExportRules,
) -> Result<LookedAt, Error> {
    let shown = |entry: &[u8]| {
        let folders = above.iter().map(|open| open.name.as_slice());
        let parts = folders.chain([name.as_slice(), entry]).skip(1);
        text::quote(parts.collect::<Vec<_>>().join(&b'/'), 200)
    };

    let mut totals = Totals::default();
    let mut folders = Vec::new();
    let mut names = HashSet::new();
    for entry in tree_items(repository, id)? {
        let mode = (entry.kind == EntryKind::Link).then_some(component::Mode::Symlink);
        let path: &BStr = entry.name.as_slice().into();
        if let Err(error) = gix::validate::path::component(path, mode, VALIDATE) {
            let path = shown(&entry.name);
            return Err(repository.error(format!("the tree of the revision has {path}: {error}")));
        }
        if !names.insert(entry.name.clone()) {
            let path = shown(&entry.name);
            return Err(repository.error(format!("the tree of the revision has {path} twice")));
        }

        match entry.kind {
            EntryKind::Tree => folders.push(entry),
            EntryKind::Commit if !rules.empty_submodules => {
                return Err(repository.error(format!(
                    "{} is a submodule, whose files would be missing; where that is meant, set \
                     submodules = \"empty\"",
                    shown(&entry.name)
                )));
            }
            _ => totals.add(&entry.name, None),
        }
    }
    Ok(LookedAt {
        id,
        name,
        totals,
        folders,
    })
}

/// The entries of a tree, in its order. Their names are not checked yet.
///
/// # Errors
/// The tree can't be read, or is too large.
pub(super) fn tree_items(repository: &Repository, tree: ObjectId) -> Result<Vec<TreeItem>, Error> {
    if repository.size(&tree)? > FOLDER_MAX {
        return Err(repository.error(format!(
            "the folder {tree} is larger than {FOLDER_MAX} bytes"
        )));
    }

    let mut buffer = Vec::new();
    let entries = repository.entries(Some(&tree), &mut buffer)?;
    let items = entries.map(|entry| {
        let entry = entry.map_err(|error| repository.error(error))?;
        Ok(TreeItem {
            name: entry.filename.to_vec(),
            kind: entry.mode.kind(),
            id: entry.oid.to_owned(),
        })
    });
    items.collect()
}
