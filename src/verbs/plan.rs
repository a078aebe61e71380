//! `plan`: what a push would deploy or have refused.

use super::error::Error;
use super::place::Place;
use crate::deploy_repository::DeployRepository;
use crate::id::{Revision, RevisionError};
use crate::judging::{self, Subject};
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
    /// For a merge request that is behind the deploy branch: the merge request, the deploy branch,
    /// and their common commit, from which it is looked at.
    pub from_common_commit: Option<[Revision; 3]>,
}

/// Judges what a push from one commit to another would do. In a clone, where a merge request is
/// built, there is no record of what is deployed.
///
/// # Errors
/// A commit is unknown, or something can't be read.
pub fn plan(place: &Place, old: &str, new: &str) -> Result<PlannedChange, Error> {
    let deploy = place.deploy()?;
    let mut store = deploy.find_store()?;
    let old = resolve(&deploy, old)?;
    let new = resolve(&deploy, new)?;
    let (old, from_common_commit) = common_base(&deploy, old, new.as_ref())?;

    let record = store.as_mut().map(Store::read).transpose()?;
    let subject = Subject::Push {
        old: old.as_ref(),
        new: new.as_ref(),
        pusher: None,
    };
    let (_, judged) = judging::judge(&deploy, &subject, record.as_deref())?;
    let rows = plan_rows(&deploy, record.as_deref(), &judged.plan, &judged.facts)?;
    Ok(PlannedChange {
        plan: judged.plan,
        rows,
        from_common_commit,
    })
}

/// A commit by name; `None`: the null hash, which in git stands for a branch that does not exist.
fn resolve(deploy: &DeployRepository, name: &str) -> Result<Option<Revision>, Error> {
    if Revision::new(name) == Err(RevisionError::Null) {
        return Ok(None);
    }
    let found = deploy.repository.resolve(name)?;
    found.map(Some).ok_or_else(|| unknown(name))
}

/// A name that is no commit of the deploy repository.
pub(super) fn unknown(name: &str) -> Error {
    let name = text::quote(name, 100);
    Error::refused(
        format!("{name} is no commit of the deploy repository"),
        "name a branch or a commit that was pushed",
    )
}

/// A merge request that is behind the deploy branch is looked at from their common commit: what
/// merging it would do. Otherwise what others deployed meanwhile would look like something that it
/// takes back.
fn common_base(
    deploy: &DeployRepository,
    old: Option<Revision>,
    new: Option<&Revision>,
) -> Result<(Option<Revision>, Option<[Revision; 3]>), Error> {
    let (Some(tip), Some(new)) = (&old, new) else {
        return Ok((old, None));
    };
    if deploy.repository.branch_move(Some(tip), Some(new))? == BranchMove::Forward {
        return Ok((old, None));
    }

    let base = deploy.repository.common_commit(tip, new)?;
    match base.filter(|base| base != new) {
        Some(base) => {
            let commits = [new.clone(), tip.clone(), base.clone()];
            Ok((Some(base), Some(commits)))
        }
        None => Ok((old, None)),
    }
}
