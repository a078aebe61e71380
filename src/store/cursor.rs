//! The cursor: up to which commit the deploy branch is planned.

use rusqlite::params;

use super::columns::text;
use super::error::Error;
use super::reader::Reader;
use super::transaction::Transaction;
use crate::id::Revision;

/// Up to which commit the deploy branch is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The branch's full name.
    pub branch: String,
    /// The commit; `None`: the branch did not exist.
    pub commit: Option<Revision>,
}

impl Reader<'_> {
    /// Up to which commit the deploy branch is planned. `None`: nothing was ever planned, and
    /// nothing was installed.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn cursor(&self) -> Result<Option<Cursor>, Error> {
        let row = self.first("SELECT branch, commit_id FROM cursor", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?))
        })?;
        let Some((branch, commit)) = row else {
            return Ok(None);
        };

        let commit = commit.map(Revision::new).transpose();
        let commit =
            commit.map_err(|_| Error::Damaged("the cursor is not a commit hash".to_owned()))?;
        Ok(Some(Cursor { branch, commit }))
    }
}

impl Transaction<'_> {
    /// Records that everything up to a commit of a branch is planned.
    ///
    /// # Errors
    /// The state can't be changed.
    pub fn move_cursor(&self, branch: &str, commit: Option<&Revision>) -> Result<(), Error> {
        self.execute(
            "INSERT INTO cursor (id, branch, commit_id) VALUES (1, ?, ?)
             ON CONFLICT (id) DO UPDATE SET branch = excluded.branch,
                 commit_id = excluded.commit_id",
            params![branch, text(commit)],
        )?;
        Ok(())
    }
}
