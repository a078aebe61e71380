//! `plan`: what a push would deploy or have refused.

use std::time::Duration;

use super::applications::applications;
use super::error::{Error, Kind};
use super::place::Place;
use crate::deploy_repository::DeployRepository;
use crate::id::{Application, Revision, RevisionError};
use crate::judging::{self, NotDeployed, Subject};
use crate::plan::Plan;
use crate::policy::BranchMove;
use crate::report::{PlanRow, plan_rows};
use crate::store::Store;
use crate::text;

/// What a push would do.
#[derive(Debug)]
pub struct PlannedChange {
    /// What the rules decided.
    pub plan: Plan,
    /// A row for each application.
    pub rows: Vec<PlanRow>,
    /// What changed and deploys nothing.
    pub not_deployed: Vec<NotDeployed>,
    /// For a merge request that is behind the deploy branch: where the comparison starts.
    pub compared_from: Option<CommonCommit>,
}

/// Where a merge request and the deploy branch parted.
#[derive(Debug)]
pub struct CommonCommit {
    /// The merge request's commit.
    pub request: Revision,
    /// The deploy branch's commit.
    pub branch: Revision,
    /// Their common commit.
    pub base: Revision,
}

/// The two commits that somebody named: by two words, or by one word as git writes a range.
///
/// # Errors
/// Only one commit is named.
pub fn two_commits<'a>(old: &'a str, new: Option<&'a str>) -> Result<(&'a str, &'a str), Error> {
    let range = match new {
        Some(new) => Some((old, new)),
        None => old.split_once(".."),
    };
    range
        .filter(|(old, new)| !old.is_empty() && !new.is_empty() && !new.starts_with('.'))
        .ok_or_else(|| {
            Error::advised(
                Kind::Usage,
                format!("{} does not name two commits", text::quote(old, 100)),
                "write: deploy-by-code plan OLD NEW, or: deploy-by-code plan OLD..NEW",
            )
        })
}

/// Judges what a push from one commit to another would do. A clone, in which a merge request is
/// built, has no record of what is deployed. `fetching` gets to know whose repository is fetched
/// from another host.
///
/// # Errors
/// A commit is unknown, or something can't be read.
pub fn plan(
    place: &Place,
    (old, new): (&str, &str),
    fetching: impl FnMut(&Application),
) -> Result<PlannedChange, Error> {
    let deploy = place.deploy()?;
    let mut store = deploy.find_store_to_look()?;
    let old = resolve(&deploy, old)?;
    let new = resolve(&deploy, new)?;
    let compared_from = common_commit(&deploy, old.as_ref(), new.as_ref())?;
    let old = match &compared_from {
        Some(common) => Some(common.base.clone()),
        None => old,
    };

    let record = store.as_mut().map(Store::read).transpose()?;
    let subject = Subject::Push {
        old: old.as_ref(),
        new: new.as_ref(),
        pusher: None,
    };
    let mut repositories = applications(place, Duration::ZERO, fetching);
    let (_, judged) = judging::judge(&deploy, &subject, record.as_deref(), &mut repositories)?;
    let rows = plan_rows(&deploy, record.as_deref(), &judged.plan, &judged.facts)?;
    let not_deployed = match &new {
        Some(new) => judging::not_deployed(&deploy, old.as_ref(), new)?,
        None => Vec::new(),
    };
    Ok(PlannedChange {
        plan: judged.plan,
        rows,
        not_deployed,
        compared_from,
    })
}

/// A commit by its name. `None` stands for the null hash, which git writes for a branch that does
/// not exist.
fn resolve(deploy: &DeployRepository, name: &str) -> Result<Option<Revision>, Error> {
    if Revision::new(name) == Err(RevisionError::Null) {
        return Ok(None);
    }
    let found = deploy.repository.resolve(name)?;
    found.map(Some).ok_or_else(|| unknown(name))
}

/// The error for a name that is not a commit of the deploy repository.
pub(super) fn unknown(name: &str) -> Error {
    let name = text::quote(name, 100);
    Error::refused(
        format!("{name} is not a commit of the deploy repository"),
        "name a branch or a commit that was pushed",
    )
}

/// The commit from which a merge request is compared that is behind the deploy branch. Compared
/// with the branch's tip, what others deployed meanwhile would look like something that the merge
/// request takes back. `None`: it is not behind.
pub(super) fn common_commit(
    deploy: &DeployRepository,
    old: Option<&Revision>,
    new: Option<&Revision>,
) -> Result<Option<CommonCommit>, Error> {
    let (Some(branch), Some(request)) = (old, new) else {
        return Ok(None);
    };
    let moves = deploy.repository.branch_move(Some(branch), Some(request))?;
    if moves == BranchMove::Forward {
        return Ok(None);
    }

    let base = deploy.repository.common_commit(branch, request)?;
    let base = base.filter(|base| base != request);
    Ok(base.map(|base| CommonCommit {
        request: request.clone(),
        branch: branch.clone(),
        base,
    }))
}
