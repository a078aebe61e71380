//! Where an approval goes.

use super::super::error::Error;
use crate::clone::{Branch, DeployClone, NamedCommit, Upstream};
use crate::id::Revision;

/// Where an approval goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApprovalPlace {
    /// How the commit is made.
    pub(super) way: ApprovalWay,
    /// The branch of a remote that it belongs to.
    pub(super) upstream: Upstream,
    /// Where that branch is, as far as the clone knows it; `None`: the branch is also one of the
    /// clone, which can be ahead of the remote.
    pub(super) expected: Option<Revision>,
}

/// How an approval is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ApprovalWay {
    /// As a commit of the current branch, as git makes each commit there: with its hooks.
    Current,
    /// Beside the work tree, for a branch of the clone.
    Local(String),
    /// Beside the work tree, for a branch that only the remote has.
    Remote,
}

impl ApprovalPlace {
    /// Finds the place for the approval of what was named.
    ///
    /// # Errors
    /// What was named is no branch, or git can't be asked.
    pub(super) fn find(
        deploy: &DeployClone,
        named: &NamedCommit,
        tip: &Revision,
        is_merge: bool,
    ) -> Result<Self, Error> {
        let deploy_branch = Upstream {
            remote: deploy.remote.clone(),
            branch: deploy.branch.clone().unwrap_or_default(),
        };
        if is_merge {
            return Self::of_remote(deploy, deploy_branch, tip);
        }
        match &named.branch {
            Some(Branch::OfRemote { remote, name }) => {
                let upstream = Upstream {
                    remote: remote.clone(),
                    branch: name.clone(),
                };
                Self::of_remote(deploy, upstream, &named.commit)
            }
            Some(Branch::Local(name)) => Self::of_local(deploy, name, &named.commit),
            None => Err(Error::refused(
                format!(
                    "{} names a commit, and no branch that an approval could be added to",
                    named.shown
                ),
                "name the branch, or merge it into the deploy branch with --merge",
            )),
        }
    }

    /// The place on a branch of a remote that is at some commit.
    fn of_remote(
        deploy: &DeployClone,
        upstream: Upstream,
        commit: &Revision,
    ) -> Result<Self, Error> {
        let is_current = match deploy.clone.branch()? {
            Some(branch) => deploy.clone.upstream(&branch)?.as_ref() == Some(&upstream),
            None => false,
        };
        let way = match is_current && is_clean_at(deploy, commit)? {
            true => ApprovalWay::Current,
            false => ApprovalWay::Remote,
        };
        Ok(Self {
            way,
            upstream,
            expected: Some(commit.clone()),
        })
    }

    /// The place on a branch of the clone.
    fn of_local(deploy: &DeployClone, name: &str, commit: &Revision) -> Result<Self, Error> {
        let is_current = deploy.clone.branch()?.as_deref() == Some(name);
        let way = match is_current && is_clean_at(deploy, commit)? {
            true => ApprovalWay::Current,
            false => ApprovalWay::Local(name.to_owned()),
        };
        let upstream = deploy.clone.upstream(name)?;
        let own = Upstream {
            remote: deploy.remote.clone(),
            branch: name.to_owned(),
        };
        Ok(Self {
            way,
            upstream: upstream
                .filter(|upstream| upstream.remote != ".")
                .unwrap_or(own),
            expected: None,
        })
    }
}

/// Whether the work tree has what a commit has, and nothing is changed.
fn is_clean_at(deploy: &DeployClone, commit: &Revision) -> Result<bool, Error> {
    if deploy.clone.head()?.as_ref() != Some(commit) {
        return Ok(false);
    }
    let arguments = ["diff", "--no-ext-diff", "--quiet", "HEAD", "--"];
    Ok(deploy.clone.git.answer_if_any(&arguments)?.is_some())
}
