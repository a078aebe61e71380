//! `check`: the configuration and every deploy file against every rule.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::applications::applications;
use super::error::Error;
use super::ownership::owner;
use super::people::examine_people;
use super::place::Place;
use super::plan::{common_commit, unknown};
use super::programs::{ProgramFault, check_programs};
use super::shared_paths::{SharedFault, check_shared};
use crate::config::UnknownName;
use crate::deploy_repository::DeployRepository;
use crate::git;
use crate::id::{Application, NotifyName, Revision, Target};
use crate::judging::{self, ApplicationRepositories, NotDeployed, Subject};
use crate::policy::{APPROVALS, BranchMove, Facts, MirrorFact, Objection, Refusal};
use crate::publish::{TargetFault, target_faults};
use crate::signers::KeyFault;
use crate::store::{Reader, Store};
use crate::sys::user::User;

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
    /// The programs of commands that can't be executed.
    pub programs: BTreeSet<ProgramFault>,
    /// What can't be provided of what releases share.
    pub shared: Vec<SharedFault>,
    /// What keeps some people from signing.
    pub key_faults: Vec<KeyFault>,
    /// What keeps those from being told who are told of what happens.
    pub target_faults: Vec<(NotifyName, TargetFault)>,
    /// The files that may have been meant to be deploy files.
    pub near_misses: Vec<NotDeployed>,
}

/// How long the first fetch of an application repository may take: a person can wait for it, and a
/// push can't.
const FIRST_FETCH_MAX: Duration = Duration::from_secs(60 * 60);

/// Judges every deploy file of a commit. `None` stands for the tip of the deploy branch. `fetching`
/// gets to know whose repository is fetched from another host.
///
/// # Errors
/// The commit is unknown, or something can't be read.
pub fn check(
    place: &Place,
    revision: Option<&str>,
    fetching: impl FnMut(&Application),
) -> Result<Checked, Error> {
    let deploy = place.deploy()?;
    let mut store = deploy.find_store_to_look()?;
    let tip = deploy.repository.branch_tip(&deploy.branch)?;
    let commit = match revision {
        Some(name) => {
            let found = deploy.repository.resolve(name)?;
            Some(found.ok_or_else(|| unknown(name))?)
        }
        None => tip.clone(),
    };

    let record = store.as_mut().map(Store::read).transpose()?;
    let subject = Subject::Branch {
        commit: commit.as_ref(),
        tip: tip.as_ref(),
    };
    let mut repositories = applications(place, FIRST_FETCH_MAX, fetching);
    let (prepared, judged) =
        judging::judge(&deploy, &subject, record.as_deref(), &mut repositories)?;

    let mut refusals = judged.plan.refusals;
    if revision.is_none() {
        refusals.extend(deploy.missing_branch()?.map(|missing| Refusal {
            path: missing.branch.clone().into_bytes(),
            message: missing.to_string(),
            hint: missing.hint(),
            is_fault: true,
        }));
    }
    if let Some(commit) = commit.as_ref().filter(|_| revision.is_some()) {
        refusals.extend(missing_approvals(
            &deploy,
            tip.as_ref(),
            commit,
            record.as_deref(),
            &mut repositories,
        )?);
    }
    refusals.extend(broken_repositories(
        &deploy,
        &judged.facts,
        &mut repositories,
    ));
    let is_owner = owner(place)? == User::own_number();
    let mut key_faults = Vec::new();
    if is_owner {
        let (errors, others) = examine_people(&deploy)
            .faults
            .into_iter()
            .partition(|fault| fault.is_error);
        key_faults = others;
        refusals.extend(errors.into_iter().map(refusal_of));
    }

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

    let wanted = judging::wanted(&deploy, commit.as_ref())?;
    let programs: BTreeSet<ProgramFault> = wanted
        .iter()
        .flat_map(|(target, revision)| check_programs(&deploy, target, revision))
        .filter_map(Result::err)
        .collect();
    let shared = wanted
        .iter()
        .flat_map(|(target, revision)| check_shared(&deploy, target, revision))
        .filter_map(Result::err)
        .collect();
    let near_misses = match &commit {
        // This only warns. What can't be read is an error of the judgement above.
        Some(commit) => judging::near_misses(&deploy, None, commit).unwrap_or_default(),
        None => Vec::new(),
    };
    let targets = judged.facts.targets.into_iter();
    let without_repository = targets.filter(|(_, known)| known.revision.is_none());
    Ok(Checked {
        name: revision.unwrap_or(&deploy.branch).to_owned(),
        files: prepared.candidates.len(),
        refusals,
        unknown_names,
        without_repository: without_repository.map(|(target, _)| target).collect(),
        programs,
        shared,
        key_faults,
        target_faults: if is_owner {
            target_faults_of(&deploy)
        } else {
            Vec::new()
        },
        near_misses,
    })
}

/// The approvals that are missing for what a commit changes that is not on the deploy branch.
fn missing_approvals(
    deploy: &DeployRepository,
    tip: Option<&Revision>,
    commit: &Revision,
    record: Option<&Reader<'_>>,
    repositories: &mut ApplicationRepositories<'_>,
) -> Result<Vec<Refusal>, Error> {
    let common = common_commit(deploy, tip, Some(commit))?;
    let old = common.as_ref().map_or(tip, |common| Some(&common.base));
    if deploy.repository.branch_move(old, Some(commit))? != BranchMove::Forward {
        // The branch has it already: nothing is missing that could be given.
        return Ok(Vec::new());
    }
    let subject = Subject::Push {
        old,
        new: Some(commit),
        pusher: None,
    };
    let (_, judged) = judging::judge(deploy, &subject, record, repositories)?;

    let judgements = judged.plan.judgements.iter();
    let refusals = judgements.flat_map(|judgement| {
        let gates = judgement.gates.iter();
        let gates = gates.filter(|gate| gate.rule == APPROVALS);
        let objections = gates.filter_map(|gate| gate.answer.as_ref().err());
        objections.map(|objection: &Objection| objection.at(&judgement.path))
    });
    Ok(refusals.collect())
}

/// A fault because of which nobody can deploy somewhere.
fn refusal_of(fault: KeyFault) -> Refusal {
    Refusal {
        path: fault.key.into_bytes(),
        message: fault.found,
        hint: fault.fix,
        is_fault: true,
    }
}

/// What keeps those from being told who are told of what happens. Only the repository's owner can
/// see this: the files with secrets are for nobody else.
fn target_faults_of(deploy: &DeployRepository) -> Vec<(NotifyName, TargetFault)> {
    let sections = deploy.config.notify.iter();
    let faults = sections.flat_map(|(name, section)| {
        let faults = target_faults(&section.kind).into_iter();
        faults.map(|fault| (name.clone(), fault))
    });
    faults.collect()
}

/// The repositories that can't be read, of the applications that the configuration names and that
/// have no deploy file. Those with a deploy file are judged by the rules.
fn broken_repositories(
    deploy: &DeployRepository,
    facts: &Facts,
    repositories: &mut ApplicationRepositories<'_>,
) -> Vec<Refusal> {
    let mut seen = BTreeSet::new();
    let named = deploy.config.named_targets().into_iter();
    let targets = named.filter(|target| !facts.targets.contains_key(target));
    let folders = targets.filter_map(|target| {
        let folder = repositories.folder(deploy, &target)?;
        seen.insert(folder.clone()).then_some((target, folder))
    });
    let folders: Vec<(Target, PathBuf)> = folders.collect();
    repositories.fetch_old(folders.iter().map(|(_, folder)| folder.as_path()));

    let broken = folders.iter().filter_map(|(target, folder)| {
        let application = &target.application;
        let (message, hint) = match repositories.mirror(folder) {
            Some(MirrorFact {
                url,
                failure: Some(why),
                ..
            }) => (
                format!("the repository of {application} can't be fetched from {url}: {why}"),
                "make sure that the user of the hooks can fetch it".to_owned(),
            ),
            _ => (
                format!(
                    "the repository of {application} can't be read: {}",
                    git::open_application(folder).err()?
                ),
                "make sure that it exists and that this user can read it".to_owned(),
            ),
        };
        Some(Refusal {
            path: target.to_string().into_bytes(),
            message,
            hint,
            is_fault: true,
        })
    });
    broken.collect()
}
