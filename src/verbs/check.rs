//! `check`: the configuration and every deploy file against every rule.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use super::place::Place;
use super::plan::unknown;
use crate::config::UnknownName;
use crate::deploy_repository::DeployRepository;
use crate::git;
use crate::id::Target;
use crate::judging::{self, Subject};
use crate::policy::{Facts, Refusal};
use crate::store::{Reader, Store};

/// What was found in a commit of the deploy branch.
#[derive(Debug)]
pub struct Checked {
    /// The commit, as it was named.
    pub name: String,
    /// How many deploy files there are.
    pub files: usize,
    /// What would be refused.
    pub refusals: Vec<Refusal>,
    /// The names in the configuration of which nothing is known.
    pub unknown_names: Vec<UnknownName>,
    /// The targets that have no repository in the configuration, so that the rules about the
    /// history of commits can't be judged for them.
    pub without_repository: Vec<Target>,
}

/// Judges every deploy file of a commit. `None` stands for the tip of the deploy branch.
///
/// # Errors
/// The commit is unknown, or something can't be read.
pub fn check(place: &Place, revision: Option<&str>) -> Result<Checked, Error> {
    let deploy = place.deploy()?;
    let mut store = deploy.find_store_to_look()?;
    let commit = match revision {
        Some(name) => {
            let found = deploy.repository.resolve(name)?;
            Some(found.ok_or_else(|| unknown(name))?)
        }
        None => deploy.repository.branch_tip(&deploy.branch)?,
    };

    let record = store.as_mut().map(Store::read).transpose()?;
    let subject = Subject::Branch {
        commit: commit.as_ref(),
    };
    let (prepared, judged) = judging::judge(&deploy, &subject, record.as_deref())?;

    let mut refusals = judged.plan.refusals;
    refusals.extend(broken_repositories(&deploy, &judged.facts));

    let recorded = record.as_deref().map(Reader::newest).transpose()?;
    let recorded = recorded.into_iter().flat_map(BTreeMap::into_keys);
    let known = judged
        .facts
        .targets
        .keys()
        .cloned()
        .chain(recorded)
        .collect();
    let unknown_names = deploy.config.unknown_names(&known);

    let targets = judged.facts.targets.into_iter();
    let without_repository = targets.filter(|(_, known)| known.revision.is_none());
    Ok(Checked {
        name: revision.unwrap_or(&deploy.branch).to_owned(),
        files: prepared.candidates.len(),
        refusals,
        unknown_names,
        without_repository: without_repository.map(|(target, _)| target).collect(),
    })
}

/// The repositories that can't be read, of the applications that the configuration names and that
/// have no deploy file. Those with a deploy file are judged by the rules.
fn broken_repositories(deploy: &DeployRepository, facts: &Facts) -> Vec<Refusal> {
    let mut seen = BTreeSet::new();
    let named = deploy.config.named_targets().into_iter();
    let targets = named.filter(|target| !facts.targets.contains_key(target));

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
            hint: "make sure that it exists and that this user can read it".to_owned(),
            is_fault: true,
        })
    });
    broken.collect()
}
