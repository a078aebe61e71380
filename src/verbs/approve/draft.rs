//! From what a person names to what would be approved, and where. Nothing is changed but what is
//! fetched.

use std::path::PathBuf;

use super::super::clone_status::clone_status;
use super::super::error::Error;
use super::files::{FilesOfBranch, files};
use super::place::ApprovalPlace;
use crate::clone::{Chosen, DeployClone, LocalClone, NamedCommit};
use crate::id::Revision;
use crate::report::FileToApprove;
use crate::text;
use crate::time::Timestamp;

/// The branch that is approved where nobody names one.
const UPSTREAM: &str = "@{upstream}";

/// What a person asks for.
#[derive(Debug, Clone)]
pub struct ApproveRequest {
    /// The clone.
    pub chosen: Chosen,
    /// What to approve, as git knows it; `None`: the upstream of the current branch.
    pub revision: Option<String>,
    /// Whether the approval is the merge into the deploy branch.
    pub is_merge: bool,
}

/// What would be approved, and where.
pub struct ApprovalDraft {
    /// The clone.
    pub deploy: DeployClone,
    /// What is approved.
    pub named: NamedCommit,
    /// The deploy files that it changes.
    pub files: Vec<FileToApprove>,
    /// What the person should know besides.
    pub warnings: Vec<String>,
    /// When the server said how many approvals are needed; `None`: it publishes nothing.
    pub published_at: Option<Timestamp>,
    /// The commit at the tip of the deploy branch.
    pub(super) tip: Revision,
    /// Whether the approval is the merge into the deploy branch.
    pub(super) is_merge: bool,
    /// Where the approval goes.
    pub(super) place: ApprovalPlace,
}

/// Finds out what would be approved.
///
/// # Errors
/// There is nothing to approve, or it can't be approved.
pub fn draft_approval(request: &ApproveRequest) -> Result<ApprovalDraft, Error> {
    let deploy = DeployClone::open(&request.chosen)?;
    if !request.chosen.is_offline
        && let Some(remote) = deploy.clone.remote(Some(&deploy.remote))?
    {
        remote.fetch(&[])?;
    }
    let Some(tip) = deploy.tip.clone() else {
        return Err(Error::refused(
            format!("there is no branch {}", deploy.shown_branch()),
            "name the deploy branch: --branch BRANCH",
        ));
    };
    let named = named(&deploy, request.revision.as_deref())?;
    let place = ApprovalPlace::find(&deploy, &named, &tip, request.is_merge)?;

    let status = clone_status(&deploy)?;
    let FilesOfBranch { files, warnings } = files(&deploy, &named, &tip, status.as_ref())?;
    deploy.clone.check_can_sign()?;
    Ok(ApprovalDraft {
        deploy,
        named,
        files,
        warnings,
        published_at: status.map(|status| status.at),
        tip,
        is_merge: request.is_merge,
        place,
    })
}

/// The branches of remotes in a clone; for completion, so nothing is fetched. `folder` is in the
/// clone; otherwise the current one is.
///
/// # Errors
/// There is no clone, or it can't be read.
pub fn remote_branches(folder: Option<PathBuf>) -> Result<Vec<String>, Error> {
    let clone = LocalClone::open(&folder.unwrap_or_else(|| PathBuf::from(".")))?;
    Ok(clone.remote_branches()?)
}

/// What a person means.
fn named(deploy: &DeployClone, revision: Option<&str>) -> Result<NamedCommit, Error> {
    let found = deploy.clone.named_commit(revision.unwrap_or(UPSTREAM))?;
    let remote = text::escape(&deploy.remote, 80);
    if let Some(found) = found {
        if let Some(name) = revision {
            check_one_meaning(deploy, name, &found)?;
        }
        return Ok(found);
    }
    Err(match revision {
        Some(revision) => {
            let of_remote = format!("{}/{revision}", deploy.remote);
            let hint = match deploy.clone.named_commit(&of_remote)? {
                Some(branch) => format!("did you mean the branch {}?", branch.shown),
                None => format!(
                    "write a branch of the remote as {remote}/BRANCH; to see them: git branch -r"
                ),
            };
            Error::refused(
                format!(
                    "{} names no commit in {}",
                    text::quote(revision, 100),
                    deploy.clone
                ),
                hint,
            )
        }
        None => Error::refused(
            "the current branch has no upstream branch that could be approved",
            format!("name what to approve: {remote}/BRANCH; to see them: git branch -r"),
        ),
    })
}

/// Checks that a name which git takes for one thing is not that of a branch too: whoever may push a
/// tag could give it the name of the branch.
fn check_one_meaning(deploy: &DeployClone, name: &str, found: &NamedCommit) -> Result<(), Error> {
    for prefix in ["refs/heads/", "refs/remotes/"] {
        let full_name = format!("{prefix}{name}");
        let branch = deploy.clone.named_commit(&full_name)?;
        if branch.is_some_and(|branch| branch.branch != found.branch) {
            return Err(Error::refused(
                format!(
                    "{} has two meanings: it names a branch, and a tag or another branch",
                    text::quote(name, 200)
                ),
                format!("write the full name: {}", text::escape(&full_name, 300)),
            ));
        }
    }
    Ok(())
}
