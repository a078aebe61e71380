//! One file at one commit.

use gix::hash::oid;
use gix::objs::Kind;
use gix::objs::tree::EntryKind;

use super::error::Error;
use super::repository::Repository;
use crate::deployfile::{EXTENSION, SIZE_MAX};
use crate::id::{Revision, Target};

/// The largest other file that is read, in bytes.
const FILE_MAX: u64 = 32 * 1024 * 1024;

impl Repository {
    /// The content of a target's deploy file at a commit. `root` is the folder above the
    /// environments' folders. `None`: there is none, or it is no regular file, or too large.
    ///
    /// # Errors
    /// The commit can't be read.
    pub fn deploy_file(
        &self,
        commit: &Revision,
        root: &str,
        target: &Target,
    ) -> Result<Option<Vec<u8>>, Error> {
        let folder = match root {
            "" => target.environment.to_string(),
            root => format!("{root}/{}", target.environment),
        };
        let Some(folder) = self.root_tree(commit, &folder)? else {
            return Ok(None);
        };

        let name = format!("{}{EXTENSION}", target.application);
        self.file_in(&folder, &name, SIZE_MAX)
    }

    /// The content of a file at the top of a commit; otherwise as [`Repository::deploy_file`].
    ///
    /// # Errors
    /// The commit can't be read.
    pub fn file(&self, commit: &Revision, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let tree = self.commit_tree(commit)?;
        self.file_in(&tree, name, FILE_MAX)
    }

    /// The content of a file in a folder, if it has at most `most` bytes.
    fn file_in(&self, folder: &oid, name: &str, most: u64) -> Result<Option<Vec<u8>>, Error> {
        let mut buffer = Vec::new();
        for entry in self.entries(Some(folder), &mut buffer)? {
            let entry = entry.map_err(|error| Error::damaged(self.path(), error))?;
            let is_file = matches!(
                entry.mode.kind(),
                EntryKind::Blob | EntryKind::BlobExecutable
            );
            if entry.filename != name || !is_file {
                continue;
            }
            if self.size(entry.oid)? > most {
                return Ok(None);
            }
            return Ok(Some(
                self.find(entry.oid, Kind::Blob, &mut Vec::new())?.to_vec(),
            ));
        }
        Ok(None)
    }
}
