//! Gathers the facts that the rules need to know.

use std::collections::{BTreeMap, BTreeSet};

use super::application_repositories::ApplicationRepositories;
use super::error::Error;
use super::inputs::Inputs;
use super::needs;
use super::recorded::Recorded;
use super::subject::Subject;
use super::wanted::deploy_files;
use crate::candidate::Candidate;
use crate::change::Node;
use crate::config::NearSection;
use crate::deployfile::ContentError;
use crate::git::ExportRules;
use crate::id::{Application, Revision, RevisionError, Target};
use crate::identity::Identity;
use crate::policy::{
    Base, ExceptionKind, Facts, Hold, Newest, Promotion, RevisionFact, Survey, TargetFacts,
    Trailers, Unknown,
};
use crate::store::{NewestRecord, Reader};
use crate::sys::clock;
use crate::text;

/// Gathers the facts that the rules need to know. If something about an application can't be found
/// out, this is a fact too.
pub(super) fn gather(
    inputs: &Inputs<'_>,
    repositories: &mut ApplicationRepositories<'_>,
) -> Result<Facts, Error> {
    let now = clock::now();
    let freezes = match inputs.record {
        Some(record) => record.freezes(now)?,
        None => BTreeMap::new(),
    };
    let mut facts = Facts {
        now,
        stage: inputs.subject.stage(),
        branch: inputs.deploy.branch.clone(),
        branch_move: inputs.range_facts.branch_move.clone(),
        has_record: inputs.record.is_some(),
        freezes,
        targets: BTreeMap::new(),
    };

    let mut asked = Vec::new();
    for candidate in inputs.candidates {
        if let Some(target) = &candidate.target {
            let recorded = Recorded::read(inputs, target, candidate)?;
            asked.push((target, candidate, recorded));
        }
    }
    let mut questions = Vec::new();
    for (target, candidate, recorded) in &asked {
        let path = repositories.folder(inputs.deploy, target);
        questions.extend(recorded.questions(inputs, target, candidate, path));
    }
    repositories.prepare(questions);

    let mut applications = None;
    for (target, candidate, recorded) in asked {
        let mut known = target_facts(inputs, target, candidate, recorded, repositories)?;
        if candidate.revision().is_some() {
            known.slips = slips(inputs, target, &mut applications)?;
            known.misspelt_sections = misspelt_sections(inputs, target, &mut applications)?;
        }
        facts.targets.insert(target.clone(), known);
    }
    Ok(facts)
}

/// The applications that `after` and `together` name for a target and of which nothing is known,
/// each with the known one that was probably meant.
fn slips(
    inputs: &Inputs<'_>,
    target: &Target,
    applications: &mut Option<BTreeSet<Application>>,
) -> Result<Vec<(Application, Application)>, Error> {
    let unnamed = inputs.deploy.config.unnamed_others(target);
    if unnamed.is_empty() {
        return Ok(Vec::new());
    }

    let known = known_applications(inputs, applications)?;
    let meant = |name: &Application| {
        let is_meant = |known: &&Application| {
            **known != target.application && text::is_slip(name.as_str(), known.as_str())
        };
        known.iter().find(is_meant).cloned()
    };
    Ok(unnamed
        .into_iter()
        .filter(|name| !known.contains(name))
        .filter_map(|name| Some((name.clone(), meant(&name)?)))
        .collect())
}

/// The sections that set a safeguard for an application of which nothing is known, and whose names
/// are probably slips for that of a target.
fn misspelt_sections(
    inputs: &Inputs<'_>,
    target: &Target,
    applications: &mut Option<BTreeSet<Application>>,
) -> Result<Vec<NearSection>, Error> {
    let mut near = inputs.deploy.config.near_sections(target);
    if !near.is_empty() {
        let known = known_applications(inputs, applications)?;
        near.retain(|section| !known.contains(&section.named));
    }
    Ok(near)
}

/// The applications that have a deploy file or a deployment on record. Both are read once:
/// `applications` keeps what is known.
fn known_applications<'a>(
    inputs: &Inputs<'_>,
    applications: &'a mut Option<BTreeSet<Application>>,
) -> Result<&'a BTreeSet<Application>, Error> {
    if let Some(known) = applications {
        return Ok(known);
    }
    let (_, new) = inputs.subject.range();
    let recorded = inputs.record.map(Reader::newest).transpose()?;
    let recorded = recorded.into_iter().flat_map(BTreeMap::into_keys);
    let files = deploy_files(inputs.deploy, new)?.into_keys();
    let known = files.chain(recorded).map(|known| known.application);
    Ok(applications.insert(known.collect()))
}

/// The facts about one target.
fn target_facts(
    inputs: &Inputs<'_>,
    target: &Target,
    candidate: &Candidate,
    recorded: Recorded,
    repositories: &mut ApplicationRepositories<'_>,
) -> Result<TargetFacts, Error> {
    let mut known = TargetFacts {
        pusher: pusher(inputs, candidate).cloned(),
        trailers: trailers(inputs, candidate)?,
        review: inputs.range_facts.reviews.get(target).cloned(),
        newest: newest(inputs, recorded.state.newest.as_ref())?,
        ..TargetFacts::default()
    };
    let Some(revision) = candidate.revision() else {
        known.whole_hash = whole_hash(inputs, target, candidate, repositories)?;
        return Ok(known);
    };

    if let Some(path) = repositories.folder(inputs.deploy, target) {
        let allowed_refs = inputs.deploy.config.settings(target).allowed_refs;
        let folder = inputs.deploy.subdirectory(target);
        known.revision = Some(repositories.find(&path, revision, &allowed_refs)?);
        known.mirror = repositories.mirror(&path);

        let mut base = |from: Option<&Revision>| -> Result<Option<Base>, Error> {
            let Some(from) = from else { return Ok(None) };
            Ok(Some(Base {
                revision: from.clone(),
                direction: repositories.direction(&path, from, revision, folder.clone())?,
            }))
        };
        known.wanted = base(recorded.wanted.as_ref())?;
        known.deployed = base(recorded.state.deployed.as_ref())?;
        known.under_way = base(recorded.under_way(revision))?;
    }
    if let Some(record) = inputs.record {
        if recorded.state.has_holds {
            known.holds = holds(inputs, record, target, revision, repositories)?;
        }
        known.succeeded_here = recorded.state.has_succeeded;
        known.promotion = promotion(inputs, record, target, revision)?;
    }

    needs::gather(
        inputs,
        target,
        candidate,
        recorded.state.deployed.as_ref(),
        &mut known,
        repositories,
    )?;
    known.survey = survey(
        inputs,
        target,
        revision,
        known.revision.as_ref(),
        repositories,
    )?;
    Ok(known)
}

/// What a checkout of a revision would write; `None`: there is none, or nobody could read it.
fn survey(
    inputs: &Inputs<'_>,
    target: &Target,
    revision: &Revision,
    found: Option<&RevisionFact>,
    repositories: &mut ApplicationRepositories<'_>,
) -> Result<Option<Result<Survey, Unknown>>, Error> {
    let settings = inputs.deploy.config.settings(target);
    let path = repositories.folder(inputs.deploy, target);
    let (Some(path), Some(_), true) = (
        path,
        settings.checkout.as_ref(),
        found.is_some_and(RevisionFact::is_comparable),
    ) else {
        return Ok(None);
    };

    let rules = ExportRules {
        lfs_pointers: settings.lfs_pointers,
        empty_submodules: settings.empty_submodules,
    };
    let subdirectory = inputs.deploy.subdirectory(target);
    let survey = repositories.survey(&path, revision, subdirectory, rules)?;
    Ok(Some(survey))
}

/// Who pushed the change that a candidate is about. If it is only judged again, this is the person
/// who pushed it then.
fn pusher<'a>(inputs: &Inputs<'a>, candidate: &Candidate) -> Option<&'a Identity> {
    let path = &candidate.change.path;
    if inputs.touched.contains(path) {
        return inputs.subject.pusher();
    }
    let mut faults = inputs.subject.faults().iter();
    faults.find(|fault| fault.path == *path)?.pusher.as_ref()
}

/// The reasons that count for a candidate: those in the commits that touch its file. For a retry,
/// those with which the retried deployment came.
fn trailers(inputs: &Inputs<'_>, candidate: &Candidate) -> Result<Trailers, Error> {
    let (Subject::Retry { deployment, .. }, Some(record)) = (inputs.subject, inputs.record) else {
        let given = inputs.range_facts.reasons.get(&candidate.change.path);
        return Ok(given.cloned().unwrap_or_default());
    };

    let exceptions = record.exceptions(deployment.id)?;
    let reason = |kind| {
        let found = exceptions.iter().find(|exception| exception.kind == kind);
        found.map(|exception| exception.reason.clone())
    };
    Ok(Trailers {
        alone: reason(ExceptionKind::Alone),
        release: reason(ExceptionKind::Release),
        ..Trailers::default()
    })
}

/// The newest deployment of a target, and the reason for which it went back, if it did.
fn newest(inputs: &Inputs<'_>, newest: Option<&NewestRecord>) -> Result<Option<Newest>, Error> {
    let (Some(record), Some(newest)) = (inputs.record, newest) else {
        return Ok(None);
    };

    let exceptions = match newest.has_exceptions {
        true => record.exceptions(newest.id)?,
        false => Vec::new(),
    };
    Ok(Some(Newest {
        id: newest.id,
        revision: newest.revision.clone(),
        went_back: exceptions
            .into_iter()
            .find(|exception| exception.kind.goes_back()),
    }))
}

/// What rollbacks took away from a target.
fn holds(
    inputs: &Inputs<'_>,
    record: &Reader<'_>,
    target: &Target,
    revision: &Revision,
    repositories: &mut ApplicationRepositories<'_>,
) -> Result<Vec<Hold>, Error> {
    let path = repositories.folder(inputs.deploy, target);
    let mut holds = Vec::new();

    for (by, from, reason) in record.holds(target)? {
        let is_contained = match &path {
            _ if from == *revision => Ok(true),
            Some(path) => repositories.contains(path, revision, &from)?,
            None => Err(Unknown("no repository is configured".to_owned())),
        };
        holds.push(Hold {
            by,
            from,
            reason,
            is_contained,
        });
    }
    Ok(holds)
}

/// What a revision did in the environment of `promotes_from`; `None`: that is not configured.
fn promotion(
    inputs: &Inputs<'_>,
    record: &Reader<'_>,
    target: &Target,
    revision: &Revision,
) -> Result<Option<Promotion>, Error> {
    let section = inputs.deploy.config.environment(&target.environment);
    let Some(environment) = section.promotes_from else {
        return Ok(None);
    };
    let there = Target {
        environment,
        application: target.application.clone(),
    };

    let success = record.first_success(&there, revision)?;
    let success = success.and_then(|success| Some((success.id, success.finished_at?)));
    Ok(Some(match success {
        Some((id, at)) => Promotion::Succeeded(id, at),
        None => match record.newest_of_revision(&there, revision)? {
            Some(newest) => Promotion::NotSucceeded(newest.id, newest.status),
            None => Promotion::NeverDeployed,
        },
    }))
}

/// If the deploy file has an abbreviated hash that fits exactly one commit: its whole hash.
fn whole_hash(
    inputs: &Inputs<'_>,
    target: &Target,
    candidate: &Candidate,
    repositories: &mut ApplicationRepositories<'_>,
) -> Result<Option<Revision>, Error> {
    let path = repositories.folder(inputs.deploy, target);
    let (Some(Node::File(Err(error))), Some(path)) = (&candidate.change.new, path) else {
        return Ok(None);
    };

    match error {
        ContentError::NotARevision {
            word,
            error: RevisionError::Abbreviated,
            ..
        } => {
            // This only makes a hint better. So it does not matter why a repository gives no
            // answer.
            let found = repositories.complete(&path, &word.to_ascii_lowercase())?;
            Ok(found.ok().flatten())
        }
        _ => Ok(None),
    }
}
