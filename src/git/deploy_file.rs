//! One deploy file at one commit.

use gix::objs::Kind;
use gix::objs::tree::EntryKind;

use super::error::Error;
use super::repository::Repository;
use crate::deployfile::{EXTENSION, SIZE_MAX};
use crate::id::{Revision, Target};

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
        let mut buffer = Vec::new();
        for entry in self.entries(Some(&folder), &mut buffer)? {
            let entry = entry.map_err(|error| Error::damaged(self.path(), error))?;
            let is_file = matches!(
                entry.mode.kind(),
                EntryKind::Blob | EntryKind::BlobExecutable
            );
            if entry.filename != name.as_str() || !is_file {
                continue;
            }
            if self.size(entry.oid)? > SIZE_MAX {
                return Ok(None);
            }
            return Ok(Some(
                self.find(entry.oid, Kind::Blob, &mut Vec::new())?.to_vec(),
            ));
        }
        Ok(None)
    }
}
