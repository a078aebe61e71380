//! Looking at the whole tree of a revision before anything of it is written out.
//!
//! A tree that occurs in many places is read once. So a repository of a few hundred bytes that
//! stands for thousands of millions of files is refused at once, and nothing is walked without end.
//! What is known of a folder is kept, so that of the next revision only what differs is read.
//!
//! Of the files, only symbolic links are read, and, below a folder whose `.gitattributes` names
//! Git LFS, the small ones. A pointer that no such file announces is only found when the release
//! is exported.

use std::collections::{HashMap, HashSet};

use gix::hash::ObjectId;
use gix::objs::TreeRefIter;
use gix::objs::tree::{EntryKind, EntryRef};
use gix::validate::path::component;

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::repository::Repository;
use super::special_files::{ATTRIBUTES, PATH_MAX};
use super::totals::{Inside, Totals};
use crate::id::Revision;
use crate::policy::{ExportObstacle, ObstacleKind, Survey};
use crate::sys::clock::Deadline;

/// How many files and folders a release may have.
const ENTRIES_MAX: u64 = 1_000_000;

/// How deep its folders may be.
const DEPTH_MAX: usize = 128;

/// How large the object of one folder may be, in bytes.
const FOLDER_MAX: u64 = 32 * 1024 * 1024;

/// Which names a tree may have: what git itself accepts on Linux, except for names that some file
/// system treats as `.git`. Names that Windows does not allow are allowed here.
const VALIDATE: component::Options = component::Options {
    protect_windows: false,
    protect_hfs: true,
    protect_ntfs: true,
};

/// Of how many folders it is remembered what is in them, when the next revision comes.
const KNOWN_MAX: usize = 100_000;

/// What a revision may have that an export can't give the content of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExportRules {
    /// The pointers of Git LFS are written in place of the files that they stand for.
    pub lfs_pointers: bool,
    /// Submodules become empty folders.
    pub empty_submodules: bool,
}

/// What decides what is found in a folder.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FolderKey {
    pub(super) tree: ObjectId,
    /// Whether Git LFS may keep files of the folder that it is in.
    may_use_lfs: bool,
    rules: ExportRules,
}

/// A folder on the way down.
struct LookedAt {
    name: Vec<u8>,
    folder: FolderKey,
    totals: Totals,
    /// The folders in it that are still to be looked at, the last one first.
    left: Vec<(Vec<u8>, FolderKey)>,
    /// Whether there was time to look at all files in it.
    is_whole: bool,
}

impl LookedAt {
    /// How many entries it has.
    fn entries(&self) -> u64 {
        self.totals.entries + self.left.len() as u64
    }
}

/// Looks at revisions of one repository, and remembers what is in their folders.
#[derive(Default)]
pub struct Surveyor {
    known: HashMap<FolderKey, Totals>,
}

impl Surveyor {
    /// Looks at everything that a revision stands for, or one `subdirectory` of it. When `end` has
    /// come, what is left is not looked at any more, and the survey says so.
    ///
    /// # Errors
    /// An object can't be read.
    pub fn survey(
        &mut self,
        repository: &Repository,
        revision: &Revision,
        subdirectory: Option<&str>,
        rules: ExportRules,
        end: Deadline,
    ) -> Result<Survey, Error> {
        if self.known.len() > KNOWN_MAX {
            self.known.clear();
        }
        let root = match find_root(repository, revision, subdirectory, rules)? {
            Ok(root) => root,
            Err(obstacle) => {
                return Ok(Survey {
                    entries: 0,
                    files: 0,
                    obstacles: vec![obstacle],
                    is_whole: true,
                });
            }
        };

        let mut survey = self.survey_folder(repository, root, end)?;
        for obstacle in &mut survey.obstacles {
            let parts = [subdirectory.unwrap_or_default().as_bytes(), &obstacle.path];
            obstacle.path = join(parts.into_iter());
        }
        Ok(survey)
    }

    /// How much is below each folder that was looked at, in the order of their ids.
    pub(super) fn into_folders(self) -> Vec<(ObjectId, Inside)> {
        let known = self.known.into_iter();
        let mut folders: Vec<_> = known
            .map(|(folder, totals)| (folder.tree, totals.inside()))
            .collect();
        folders.sort_unstable_by_key(|(tree, _)| *tree);
        folders
    }

    /// Looks at everything in a folder and below it. The paths begin in this folder.
    fn survey_folder(
        &mut self,
        repository: &Repository,
        root: FolderKey,
        end: Deadline,
    ) -> Result<Survey, Error> {
        let mut above: Vec<LookedAt> = Vec::new();
        let Some(mut here) = open_folder(repository, Vec::new(), root, end)? else {
            return Ok(too_large(&above, b"", folder_limit()));
        };
        let (mut read, mut is_whole) = (here.entries(), here.is_whole);

        loop {
            if read > ENTRIES_MAX || above.len() > DEPTH_MAX || passes_a_limit(&here.totals) {
                return Ok(too_large(&above, &here.name, limits()));
            }

            if let Some((name, folder)) = here.left.pop() {
                if let Some(inside) = self.known.get(&folder) {
                    here.totals.add_folder(&name, inside);
                } else if end.is_over() {
                    is_whole = false;
                } else {
                    above.push(here);
                    let Some(opened) = open_folder(repository, name.clone(), folder, end)? else {
                        return Ok(too_large(&above, &name, folder_limit()));
                    };
                    here = opened;
                    read = read.saturating_add(here.entries());
                    is_whole &= here.is_whole;
                }
                continue;
            }

            let Some(folder_above) = above.pop() else {
                return Ok(here.totals.survey(is_whole));
            };
            let done = std::mem::replace(&mut here, folder_above);
            here.totals.add_folder(&done.name, &done.totals);
            if is_whole {
                self.known.insert(done.folder, done.totals);
            }
        }
    }
}

/// The folder of a revision that a release is made of; otherwise why there is none.
///
/// # Errors
/// An object can't be read.
pub(super) fn find_root(
    repository: &Repository,
    revision: &Revision,
    subdirectory: Option<&str>,
    rules: ExportRules,
) -> Result<Result<FolderKey, ExportObstacle>, Error> {
    let mut root = FolderKey {
        tree: repository.commit_tree(revision)?,
        may_use_lfs: false,
        rules,
    };
    let mut path: Vec<&[u8]> = Vec::new();
    for part in subdirectory.iter().flat_map(|path| path.split('/')) {
        let obstacle = |path: &[&[u8]], kind| {
            let path = join(path.iter().copied());
            Ok(Err(ExportObstacle { path, kind }))
        };
        if repository.size(&root.tree)? > FOLDER_MAX {
            return obstacle(&path, ObstacleKind::TooLarge(folder_limit()));
        }
        let mut buffer = Vec::new();
        let entries = repository.entries(Some(&root.tree), &mut buffer)?;
        root.may_use_lfs |= !rules.lfs_pointers && names_lfs(repository, entries)?;

        path.push(part.as_bytes());
        let mut named = None;
        for entry in entries {
            let entry = entry.map_err(|error| repository.error(error))?;
            if entry.filename != part {
                continue;
            }
            if named.replace(entry).is_some() {
                return obstacle(&path, ObstacleKind::Twice);
            }
        }
        let Some(entry) = named else {
            return obstacle(&path, ObstacleKind::NoFolder(None));
        };
        let found = match entry.mode.kind() {
            EntryKind::Tree => {
                root.tree = entry.oid.to_owned();
                continue;
            }
            EntryKind::Commit => "a submodule",
            EntryKind::Link => "a symbolic link",
            EntryKind::Blob | EntryKind::BlobExecutable => "a file",
        };
        return obstacle(&path, ObstacleKind::NoFolder(Some(found)));
    }
    Ok(Ok(root))
}

/// A path of some parts, without the empty ones.
pub(super) fn join<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let parts: Vec<&[u8]> = parts.filter(|part| !part.is_empty()).collect();
    parts.join(&b'/')
}

fn passes_a_limit(totals: &Totals) -> bool {
    totals.entries > ENTRIES_MAX || totals.depth > DEPTH_MAX || totals.path > PATH_MAX
}

fn limits() -> String {
    format!(
        "at most {ENTRIES_MAX} files and folders, {DEPTH_MAX} folders deep, with paths of \
         {PATH_MAX} bytes"
    )
}

fn folder_limit() -> String {
    format!("at most {FOLDER_MAX} bytes for the list of what is in a folder")
}

/// What is known of a revision that passes a limit in the folder `name`.
fn too_large(above: &[LookedAt], name: &[u8], limit: String) -> Survey {
    // The first folder is the whole revision, and has no name.
    let folders = above.iter().map(|folder| folder.name.as_slice());
    let path: Vec<&[u8]> = folders.chain([name]).skip(1).collect();
    Survey {
        entries: 0,
        files: 0,
        obstacles: vec![ExportObstacle {
            path: path.join(&b'/'),
            kind: ObstacleKind::TooLarge(limit),
        }],
        is_whole: false,
    }
}

/// Looks at what is in a folder itself. `None`: its object is too large.
fn open_folder(
    repository: &Repository,
    name: Vec<u8>,
    folder: FolderKey,
    end: Deadline,
) -> Result<Option<LookedAt>, Error> {
    if repository.size(&folder.tree)? > FOLDER_MAX {
        return Ok(None);
    }
    let mut buffer = Vec::new();
    let entries = repository.entries(Some(&folder.tree), &mut buffer)?;
    let may_use_lfs =
        folder.may_use_lfs || !folder.rules.lfs_pointers && names_lfs(repository, entries)?;

    let mut opened = LookedAt {
        name,
        folder,
        totals: Totals::default(),
        left: Vec::new(),
        is_whole: true,
    };
    let mut names = HashSet::new();
    for entry in entries {
        let entry = entry.map_err(|error| repository.error(error))?;
        let name: &[u8] = entry.filename;
        let totals = &mut opened.totals;
        if let Some(why) = why_not_allowed(&entry) {
            totals.add_obstacle(ObstacleKind::Name(why), name);
        }
        if !names.insert(name) {
            totals.add_obstacle(ObstacleKind::Twice, name);
        }

        if entry.mode.is_tree() {
            let inner = FolderKey {
                tree: entry.oid.to_owned(),
                may_use_lfs,
                ..folder
            };
            opened.left.push((name.to_vec(), inner));
            continue;
        }
        totals.add(name);
        let is_file = is_file(entry.mode.kind());
        totals.contents += u64::from(is_file);
        let is_read = entry.mode.is_link() || is_file && may_use_lfs;
        if is_read && end.is_over() {
            opened.is_whole = false;
        } else if let Some(kind) = content_obstacle(repository, &entry, may_use_lfs, folder.rules)?
        {
            totals.add_obstacle(kind, name);
        }
    }
    opened.left.reverse();
    Ok(Some(opened))
}

/// Whether the attributes in a folder say that Git LFS may keep files in and below it.
fn names_lfs(repository: &Repository, entries: TreeRefIter<'_>) -> Result<bool, Error> {
    for entry in entries {
        let entry = entry.map_err(|error| repository.error(error))?;
        if is_file(entry.mode.kind())
            && entry.filename == ATTRIBUTES
            && repository.may_use_lfs(entry.oid)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether something in a tree is a file with a content of its own.
fn is_file(kind: EntryKind) -> bool {
    matches!(kind, EntryKind::Blob | EntryKind::BlobExecutable)
}

/// Why something may not have its name, if it may not.
fn why_not_allowed(entry: &EntryRef<'_>) -> Option<String> {
    let mode = entry.mode.is_link().then_some(component::Mode::Symlink);
    let checked = gix::validate::path::component(entry.filename, mode, VALIDATE);
    checked.err().map(|error| error.to_string())
}

/// What is wrong with what something stands for, if anything is.
fn content_obstacle(
    repository: &Repository,
    entry: &EntryRef<'_>,
    may_use_lfs: bool,
    rules: ExportRules,
) -> Result<Option<ObstacleKind>, Error> {
    let (is_wrong, kind) = match entry.mode.kind() {
        EntryKind::Commit => (!rules.empty_submodules, ObstacleKind::Submodule),
        EntryKind::Link => (
            !repository.has_link_target(entry.oid)?,
            ObstacleKind::LinkTarget,
        ),
        EntryKind::Blob | EntryKind::BlobExecutable => (
            may_use_lfs && repository.has_lfs_pointer(entry.oid)?,
            ObstacleKind::LfsPointer,
        ),
        EntryKind::Tree => return Ok(None),
    };
    Ok(is_wrong.then_some(kind))
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
