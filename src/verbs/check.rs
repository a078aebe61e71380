//! `check`: the configuration and every deploy file against every rule.

use std::collections::BTreeSet;

use super::error::Error;
use super::place::Place;
use super::plan::unknown;
use crate::deploy_repository::DeployRepository;
use crate::git;
use crate::id::Target;
use crate::judging::{self, Subject};
use crate::policy::{Facts, Refusal};
use crate::store::Store;

/// What was found in a commit of the deploy branch.
#[derive(Debug)]
pub struct Checked {
    /// The commit, as it was named.
    pub name: String,
    /// How many deploy files there are.
    pub files: usize,
    /// What would be refused.
    pub refusals: Vec<Refusal>,
    /// Where no repository is configured, so that the history can't be judged.
    pub without_repository: Vec<Target>,
}

/// Looks at every deploy file of a commit; `None`: of the deploy branch's tip.
///
/// # Errors
/// The commit is unknown, or something can't be read.
pub fn check(place: &Place, revision: Option<&str>) -> Result<Checked, Error> {
    let deploy = place.deploy()?;
    let mut store = deploy.find_store()?;
    let commit = match revision {
        Some(name) => Some(
            deploy
                .repository
                .resolve(name)?
                .ok_or_else(|| unknown(name))?,
        ),
        None => deploy.repository.branch_tip(&deploy.branch)?,
    };

    let record = store.as_mut().map(Store::read).transpose()?;
    let subject = Subject::Branch {
        commit: commit.as_ref(),
    };
    let (prepared, judged) = judging::judge(&deploy, &subject, record.as_deref())?;

    let mut refusals = judged.plan.refusals;
    refusals.extend(broken_repositories(&deploy, &judged.facts));
    let unjudged = judged.facts.targets.into_iter();
    Ok(Checked {
        name: revision.unwrap_or(&deploy.branch).to_owned(),
        files: prepared.candidates.len(),
        refusals,
        without_repository: unjudged
            .filter(|(_, known)| known.revision.is_none())
            .map(|(target, _)| target)
            .collect(),
    })
}

/// The repositories of applications that the configuration names and no deploy file asks for.
fn broken_repositories(deploy: &DeployRepository, facts: &Facts) -> Vec<Refusal> {
    let mut seen = BTreeSet::new();
    let targets = deploy
        .config
        .named_targets()
        .into_iter()
        .filter(|target| !facts.targets.contains_key(target));

    let broken = targets.filter_map(|target| {
        let path = deploy
            .application_repository(&target)
            .filter(|path| seen.insert(path.clone()))?;
        let error = git::open_application(&path).err()?;
        Some(Refusal {
            path: target.to_string().into_bytes(),
            message: format!(
                "the repository of {} can't be read: {error}",
                target.application
            ),
            hint: "see that it is there and that this user may read it".to_owned(),
            is_fault: true,
        })
    });
    broken.collect()
}
