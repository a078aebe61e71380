//! The branch that a person means by a name.

use super::error::Error;
use super::local_clone::LocalClone;
use crate::id::Revision;
use crate::text;

/// A branch of a clone, or of a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Branch {
    /// `refs/heads/NAME` in the clone.
    Local(String),
    /// `refs/heads/NAME` in a remote, which the clone has a copy of.
    OfRemote {
        /// The remote.
        remote: String,
        /// The branch, without `refs/heads/`.
        name: String,
    },
}

/// A commit that a person has named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCommit {
    /// The commit.
    pub commit: Revision,
    /// The branch that was named; `None`: it was named in another way.
    pub branch: Option<Branch>,
    /// The name, escaped.
    pub shown: String,
}

/// The branch of a remote that another branch belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The remote.
    pub remote: String,
    /// The branch there, without `refs/heads/`.
    pub branch: String,
}

impl LocalClone {
    /// The commit that git takes a name for, and the branch. `None`: it names no commit.
    ///
    /// # Errors
    /// git can't be asked.
    pub fn named_commit(&self, name: &str) -> Result<Option<NamedCommit>, Error> {
        let Some(commit) = self.resolve(name)? else {
            return Ok(None);
        };
        let arguments = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--symbolic-full-name",
            "--end-of-options",
            name,
        ];
        let full_name = self.text_if_any(&arguments)?.unwrap_or_default();
        let branch = match full_name.strip_prefix("refs/heads/") {
            Some(branch) => Some(Branch::Local(branch.to_owned())),
            None => self.remote_branch(&full_name)?,
        };
        let shown = match &branch {
            Some(Branch::Local(name)) => text::escape(name, 200),
            Some(Branch::OfRemote { remote, name }) => {
                text::escape(format!("{remote}/{name}"), 200)
            }
            None => text::escape(name, 200),
        };
        Ok(Some(NamedCommit {
            commit,
            branch,
            shown,
        }))
    }

    /// The branch of a remote that a ref below `refs/remotes/` is the copy of. The name of a remote
    /// can have slashes.
    fn remote_branch(&self, full_name: &str) -> Result<Option<Branch>, Error> {
        let Some(rest) = full_name.strip_prefix("refs/remotes/") else {
            return Ok(None);
        };
        let remotes = self.text_if_any(&["remote"])?.unwrap_or_default();
        let branch = |remote: &str| {
            let name = rest.strip_prefix(remote)?.strip_prefix('/')?;
            Some(Branch::OfRemote {
                remote: remote.to_owned(),
                name: name.to_owned(),
            })
        };
        Ok(remotes.lines().find_map(branch))
    }

    /// The branches of remotes that the clone knows, as `REMOTE/BRANCH`, escaped.
    ///
    /// # Errors
    /// git can't be asked.
    pub fn remote_branches(&self) -> Result<Vec<String>, Error> {
        let form = "--format=%(if)%(symref)%(then)%(else)%(refname:lstrip=2)%(end)";
        let printed = self.git.answer(&["for-each-ref", form, "refs/remotes/"])?;
        let names = printed.split(|byte| *byte == b'\n');
        let names = names.filter(|name| !name.is_empty());
        Ok(names.map(|name| text::escape(name, 200)).collect())
    }

    /// The upstream of a branch of the clone. `None`: it has none in a remote.
    ///
    /// # Errors
    /// git can't be asked.
    pub fn upstream(&self, branch: &str) -> Result<Option<Upstream>, Error> {
        let remote = self.setting(&format!("branch.{branch}.remote"))?;
        let merge = self.setting(&format!("branch.{branch}.merge"))?;
        let upstream = |(remote, merge): (String, String)| {
            let branch = merge.strip_prefix("refs/heads/")?.to_owned();
            Some(Upstream { remote, branch })
        };
        Ok(remote.zip(merge).and_then(upstream))
    }
}
