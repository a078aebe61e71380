//! A clone of the deploy repository.

use std::path::PathBuf;

use super::error::Error;
use super::local_clone::LocalClone;
use super::remote::Remote;
use crate::id::Revision;
use crate::text;

/// The ref of the published status, unless another one is named (docs/published-status.md).
const STATUS_REF: &str = "refs/deploy-by-code/status";

/// What a person has chosen about a clone of the deploy repository. What is `None` is taken from
/// git's configuration of the clone (`deploy-by-code.remote` and so on), or has the default.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// A folder of the clone; otherwise the current one.
    pub folder: Option<PathBuf>,
    /// The remote that is the deploy repository; see [`LocalClone::remote`] for the default.
    pub remote: Option<String>,
    /// The deploy branch; otherwise the branch that HEAD of the remote names.
    pub branch: Option<String>,
    /// The folder above the environments' folders; otherwise the top of the repository.
    pub root: Option<String>,
    /// The full name of the ref with the published status on the remote.
    pub status_ref: Option<String>,
    /// Use what was fetched before, and ask no remote.
    pub is_offline: bool,
}

/// A clone of the deploy repository, and what its remote has.
pub struct DeployClone {
    /// The clone.
    pub clone: LocalClone,
    /// The folder above the environments' folders, without a slash at its end; empty: there is
    /// none.
    pub root: String,
    /// The name of the remote.
    pub remote: String,
    /// The deploy branch, without `refs/heads/`. `None`: the remote has no branch yet.
    pub branch: Option<String>,
    /// The commit at the tip of the deploy branch, whose objects are in the clone. `None`: the
    /// branch does not exist.
    pub tip: Option<Revision>,
    /// The commit with the published status, whose objects are in the clone. `None`: nothing is
    /// published there, or it was never fetched.
    pub status: Option<Revision>,
    /// The full name of the ref with the published status, on the remote.
    pub status_ref: String,
}

impl DeployClone {
    /// Opens a clone, and fetches the deploy branch and the published status.
    ///
    /// # Errors
    /// There is no clone with a work tree, no remote, or nothing can be fetched.
    pub fn open(chosen: &Chosen) -> Result<Self, Error> {
        let folder = chosen.folder.clone().unwrap_or_else(|| PathBuf::from("."));
        let clone = LocalClone::open(&folder)?;
        if !clone.has_work_tree {
            return Err(Error::unnamed(
                format!("{clone} is a git folder without a work tree"),
                "do this in a clone of the deploy repository: git clone URL",
            ));
        }
        let setting = |chosen: &Option<String>, key: &str| match chosen {
            Some(chosen) => Ok(Some(chosen.clone())),
            None => clone.setting(&format!("deploy-by-code.{key}")),
        };
        let root = root(&clone, chosen.root.as_deref())?;
        let branch = setting(&chosen.branch, "branch")?;
        let status_ref = setting(&chosen.status_ref, "statusRef")?;
        let status_ref = status_ref.unwrap_or_else(|| STATUS_REF.to_owned());
        let remote = setting(&chosen.remote, "remote")?;
        let Some(remote) = clone.remote(remote.as_deref())? else {
            return Err(Error::unnamed(
                format!("{clone} has no remote"),
                "do this in a clone of the deploy repository: git clone URL",
            ));
        };

        let (branch, tip, status) = if chosen.is_offline {
            remembered(&remote, branch.as_deref())?
        } else {
            fetched(&remote, branch.as_deref(), &status_ref)?
        };
        check_is_there(&clone, &remote, tip.as_ref())?;
        check_is_there(&clone, &remote, status.as_ref())?;
        let remote = remote.name;
        Ok(Self {
            clone,
            root,
            remote,
            branch,
            tip,
            status,
            status_ref,
        })
    }

    /// The deploy branch, for a message: `origin/main`.
    #[must_use]
    pub fn shown_branch(&self) -> String {
        let branch = self.branch.as_deref().unwrap_or("HEAD");
        text::escape(format!("{}/{branch}", self.remote), 200)
    }

    /// A file of the published status. `None`: nothing is published, or there is no such file, or
    /// it is too large.
    ///
    /// # Errors
    /// It can't be read.
    pub fn published_file(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match &self.status {
            Some(commit) => Ok(self.clone.repository.file(commit, name)?),
            None => Ok(None),
        }
    }
}

/// The folder above the environments' folders of a clone: the one that is named, or else that of
/// git's configuration. It has no slash at its end.
///
/// # Errors
/// git can't be asked.
pub fn root(clone: &LocalClone, named: Option<&str>) -> Result<String, Error> {
    let root = match named {
        Some(named) => Some(named.to_owned()),
        None => clone.setting("deploy-by-code.root")?,
    };
    Ok(root.unwrap_or_default().trim_matches('/').to_owned())
}

/// A branch, its tip and the commit with the published status.
type Known = (Option<String>, Option<Revision>, Option<Revision>);

/// Where the clone keeps the published status of a remote.
fn kept_status(remote: &Remote<'_>) -> String {
    format!("refs/deploy-by-code/{}/status", remote.name)
}

/// What the remote has, after it was fetched.
fn fetched(remote: &Remote<'_>, branch: Option<&str>, status_ref: &str) -> Result<Known, Error> {
    let mut tip = remote.ask(branch, &[status_ref])?;
    let status = tip.others.remove(status_ref);

    let mut refspecs = Vec::new();
    if let (Some(branch), Some(_)) = (&tip.branch, &tip.commit) {
        refspecs.push(format!("refs/heads/{branch}"));
    }
    if status.is_some() {
        refspecs.push(format!("+{status_ref}:{}", kept_status(remote)));
    }
    if !refspecs.is_empty() {
        remote.fetch(&refspecs)?;
    }
    Ok((tip.branch, tip.commit, status))
}

/// What the clone knows of the remote.
fn remembered(remote: &Remote<'_>, branch: Option<&str>) -> Result<Known, Error> {
    let kept = kept_status(remote);
    let mut tip = remote.remembered(branch, &[&kept])?;
    let status = tip.others.remove(&kept);
    Ok((tip.branch, tip.commit, status))
}

/// Checks that a commit that a remote has was fetched.
fn check_is_there(
    clone: &LocalClone,
    remote: &Remote<'_>,
    commit: Option<&Revision>,
) -> Result<(), Error> {
    match commit {
        Some(commit) if !clone.repository.has_commit(commit)? => Err(Error::unnamed(
            format!(
                "{} has moved away from {} while it was fetched",
                remote.shown(),
                commit.short()
            ),
            "run the command again",
        )),
        _ => Ok(()),
    }
}
