//! Files that are not deploy files, where they differ between two commits: one of them may have
//! been meant to be a deploy file.

use gix::hash::ObjectId;
use gix::objs::Kind;
use gix::objs::tree::{EntryKind, EntryRef};

use super::changes::DIFFERENCES_MAX;
use super::error::Error;
use super::repository::Repository;
use super::tree::Difference;
use crate::deployfile::{self, EXTENSION};
use crate::id::Revision;
use crate::near_miss;

/// How many files are listed of each kind.
const LISTED_MAX: usize = 100;

/// The largest file whose content is looked at, in bytes.
const LOOK_MAX: u64 = 64 * 1024;

/// A file that is not a deploy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherFile {
    /// Its path from the top of the repository.
    pub path: Vec<u8>,
    id: ObjectId,
}

/// Some of the files that are not deploy files and differ between two commits, at most 100 of each
/// kind.
#[derive(Debug, Default)]
pub struct OtherFiles {
    /// In the folder `root` or one level below it, with a name that resembles one of a deploy file.
    pub resembling: Vec<OtherFile>,
    /// In the same folders, with another name.
    pub others: Vec<OtherFile>,
    /// With the name of a deploy file, but not below the folder `root`.
    pub outside: Vec<OtherFile>,
}

impl Repository {
    /// The files that are not deploy files and differ between two commits. They are there in the
    /// new one. Only the folders are read in which environments and deploy files are, and those
    /// that differ.
    ///
    /// # Errors
    /// An object can't be read.
    pub fn other_files(
        &self,
        root: &str,
        old: Option<&Revision>,
        new: &Revision,
    ) -> Result<OtherFiles, Error> {
        let tree = |commit: Option<&Revision>, root: &str| -> Result<Option<ObjectId>, Error> {
            let tree = commit.map(|commit| self.root_tree(commit, root));
            Ok(tree.transpose()?.flatten())
        };
        let is_deploy_file = |file: &OtherFile| file.path.ends_with(EXTENSION.as_bytes());
        let mut found = OtherFiles::default();

        let prefix = if root.is_empty() {
            Vec::new()
        } else {
            format!("{root}/").into_bytes()
        };
        let trees = (tree(old, root)?, tree(Some(new), root)?);
        self.files(&prefix, trees, |file| {
            let name = file.path.rsplit(|b| *b == b'/').next();
            if name.and_then(near_miss::meant).is_some() {
                put(&mut found.resembling, file);
            } else if !is_deploy_file(&file) {
                put(&mut found.others, file);
            }
        })?;

        if !root.is_empty() {
            let trees = (tree(old, "")?, tree(Some(new), "")?);
            self.files(b"", trees, |file| {
                if is_deploy_file(&file) && !file.path.starts_with(&prefix) {
                    put(&mut found.outside, file);
                }
            })?;
        }
        Ok(found)
    }

    /// The revision that is the first word of a file; `None`: there is none, or the file is large.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn first_word(&self, file: &OtherFile) -> Result<Option<Revision>, Error> {
        if self.size(&file.id)? > LOOK_MAX {
            return Ok(None);
        }
        let mut buffer = Vec::new();
        let content = self.find(&file.id, Kind::Blob, &mut buffer)?;
        Ok(deployfile::revision(content).ok())
    }

    /// Hands over the files that differ in two trees and in their folders, one level deep.
    fn files(
        &self,
        prefix: &[u8],
        (old, new): (Option<ObjectId>, Option<ObjectId>),
        mut take: impl FnMut(OtherFile),
    ) -> Result<(), Error> {
        let differences =
            self.differences(old.as_deref(), new.as_deref(), DIFFERENCES_MAX, |_| true)?;
        for (name, difference) in &differences {
            let path = [prefix, name].concat();
            if let Some(id) = file_of(difference) {
                take(OtherFile { path, id });
            } else if let Some(folder) = difference.new_tree() {
                let old = difference.old_tree();
                let is_no_folder = |entry: &EntryRef<'_>| !entry.mode.is_tree();
                let inner = self.differences(old, Some(folder), DIFFERENCES_MAX, is_no_folder)?;
                for (name, difference) in &inner {
                    let path = [&path, b"/".as_slice(), name].concat();
                    if let Some(id) = file_of(difference) {
                        take(OtherFile { path, id });
                    }
                }
            }
        }
        Ok(())
    }
}

/// The new entry of a difference, where it is a file.
fn file_of(difference: &Difference) -> Option<ObjectId> {
    let entry = difference.new.first()?;
    matches!(
        entry.mode.kind(),
        EntryKind::Blob | EntryKind::BlobExecutable
    )
    .then_some(entry.id)
}

fn put(files: &mut Vec<OtherFile>, file: OtherFile) {
    if files.len() < LISTED_MAX {
        files.push(file);
    }
}
