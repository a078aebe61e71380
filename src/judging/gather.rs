//! Finding out what the rules ask for.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::applications::{Applications, Question};
use super::case::Case;
use super::error::Error;
use super::needs;
use super::subject::Subject;
use crate::candidate::Candidate;
use crate::change::Node;
use crate::deployfile::{self, ContentError};
use crate::id::{Revision, RevisionError, Target};
use crate::policy::{Base, ExceptionKind, Facts, Hold, Newest, Promotion, TargetFacts, Trailers};
use crate::status::Status;
use crate::store::{Deployment, Reader};
use crate::sys::clock;

/// Gathers what the rules need to know. What can't be found out about an application is a fact
/// about it.
pub(super) fn gather(case: &Case<'_>, applications: &mut Applications) -> Result<Facts, Error> {
    let now = clock::now();
    let freezes = match case.record {
        Some(record) => record.freezes(now)?,
        None => BTreeMap::new(),
    };
    let mut facts = Facts {
        now,
        stage: case.subject.stage(),
        pusher: case.subject.pusher().cloned(),
        branch: case.deploy.branch.clone(),
        branch_move: case.reasons.moves.clone(),
        has_record: case.record.is_some(),
        freezes,
        targets: BTreeMap::new(),
    };

    let mut asked = Vec::new();
    for candidate in case.candidates {
        if let Some(target) = &candidate.target {
            asked.push((target, candidate, Recorded::read(case, target, candidate)?));
        }
    }
    let questions = asked
        .iter()
        .flat_map(|(target, candidate, recorded)| recorded.questions(case, target, candidate));
    applications.prepare(questions.collect());

    for (target, candidate, recorded) in asked {
        let known = about(case, target, candidate, recorded, applications)?;
        facts.targets.insert(target.clone(), known);
    }
    Ok(facts)
}

/// What the record says about a target, before any repository is asked.
struct Recorded {
    /// What was wanted before the change, and was accepted.
    wanted: Option<Revision>,
    /// What is deployed.
    deployed: Option<Revision>,
    /// The newest deployment.
    newest: Option<Deployment>,
}

impl Recorded {
    fn read(case: &Case<'_>, target: &Target, candidate: &Candidate) -> Result<Self, Error> {
        let Some(record) = case.record else {
            return Ok(Self {
                wanted: candidate.from.clone(),
                deployed: None,
                newest: None,
            });
        };

        let newest = record.newest_of(target)?;
        // Where what the file asked for was refused after the branch had moved, what was accepted
        // last counts.
        let wanted = if record.has_problem(&candidate.change.path)? {
            newest.as_ref().map(|newest| newest.revision.clone())
        } else {
            candidate.from.clone()
        };
        let deployed = record.deployed(target)?;
        Ok(Self {
            wanted,
            deployed: deployed.map(|deployed| deployed.revision),
            newest,
        })
    }

    /// What may still take effect: the newest deployment, where that is another revision.
    fn under_way(&self, revision: &Revision) -> Option<&Revision> {
        let newest = self.newest.as_ref()?;
        let may_arrive = matches!(
            newest.status,
            Status::Queued | Status::Running | Status::Interrupted
        );
        (may_arrive && newest.revision != *revision).then_some(&newest.revision)
    }

    /// What will be asked of the application's repository in any case.
    fn questions(
        &self,
        case: &Case<'_>,
        target: &Target,
        candidate: &Candidate,
    ) -> Vec<(PathBuf, Question)> {
        let (Some(path), Some(revision)) = (
            case.deploy.application_repository(target),
            candidate.revision(),
        ) else {
            return Vec::new();
        };

        let find = Question::Find {
            revision: revision.clone(),
            allowed_refs: case.deploy.config.settings(target).allowed_refs,
        };
        let bases = [
            self.wanted.as_ref(),
            self.deployed.as_ref(),
            self.under_way(revision),
        ];
        let directions = bases.into_iter().flatten().map(|from| Question::Direction {
            from: from.clone(),
            to: revision.clone(),
        });
        [find]
            .into_iter()
            .chain(directions)
            .map(|question| (path.clone(), question))
            .collect()
    }
}

/// All that the rules need to know about one target.
fn about(
    case: &Case<'_>,
    target: &Target,
    candidate: &Candidate,
    recorded: Recorded,
    applications: &mut Applications,
) -> Result<TargetFacts, Error> {
    let mut known = TargetFacts {
        trailers: trailers(case, candidate)?,
        newest: newest(case, recorded.newest.as_ref())?,
        ..TargetFacts::default()
    };
    let Some(revision) = candidate.revision() else {
        known.whole_hash = whole_hash(case, target, candidate, applications)?;
        return Ok(known);
    };

    if let Some(path) = case.deploy.application_repository(target) {
        let allowed = case.deploy.config.settings(target).allowed_refs;
        known.revision = Some(applications.find(&path, revision, &allowed)?);

        let mut base = |from: Option<&Revision>| -> Result<Option<Base>, Error> {
            let Some(from) = from else { return Ok(None) };
            Ok(Some(Base {
                revision: from.clone(),
                direction: applications.direction(&path, from, revision)?,
            }))
        };
        known.wanted = base(recorded.wanted.as_ref())?;
        known.deployed = base(recorded.deployed.as_ref())?;
        known.under_way = base(recorded.under_way(revision))?;
    }
    if let Some(record) = case.record {
        known.holds = holds(case, record, target, revision, applications)?;
        known.succeeded_here = record.first_success(target, revision)?.is_some();
        known.promotion = promotion(case, record, target, revision)?;
    }

    needs::gather(
        case,
        target,
        candidate,
        &recorded.deployed,
        &mut known,
        applications,
    )?;
    Ok(known)
}

/// The reasons that count for a candidate: those of the commits that touch it, or those that the
/// deployment came with which is tried again.
fn trailers(case: &Case<'_>, candidate: &Candidate) -> Result<Trailers, Error> {
    let (Subject::Retry { deployment, .. }, Some(record)) = (case.subject, case.record) else {
        let given = case.reasons.by_path.get(&candidate.change.path);
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

/// The newest deployment of a target, and why it went back, if it did.
fn newest(case: &Case<'_>, newest: Option<&Deployment>) -> Result<Option<Newest>, Error> {
    let (Some(record), Some(newest)) = (case.record, newest) else {
        return Ok(None);
    };

    let exceptions = record.exceptions(newest.id)?;
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
    case: &Case<'_>,
    record: &Reader<'_>,
    target: &Target,
    revision: &Revision,
    applications: &mut Applications,
) -> Result<Vec<Hold>, Error> {
    let path = case.deploy.application_repository(target);
    let mut holds = Vec::new();

    for (by, from, reason) in record.holds(target)? {
        // What can't be told holds: to go on, somebody has to give a reason.
        let is_contained = match &path {
            Some(path) => applications
                .contains(path, revision, &from)?
                .unwrap_or(true),
            None => true,
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

/// What a revision did in the environment that it must come from; `None`: it need not come from
/// anywhere.
fn promotion(
    case: &Case<'_>,
    record: &Reader<'_>,
    target: &Target,
    revision: &Revision,
) -> Result<Option<Promotion>, Error> {
    let section = case.deploy.config.environment(&target.environment);
    let Some(environment) = section.promotes_from else {
        return Ok(None);
    };
    let there = Target {
        environment,
        application: target.application.clone(),
    };

    let succeeded = record.first_success(&there, revision)?;
    let succeeded = succeeded.and_then(|there| Some((there.id, there.finished_at?)));
    Ok(Some(match succeeded {
        Some((id, at)) => Promotion::Succeeded(id, at),
        None => match record.newest_of_revision(&there, revision)? {
            Some(there) => Promotion::NotSucceeded(there.id, there.status),
            None => Promotion::NeverDeployed,
        },
    }))
}

/// The one commit that an abbreviated hash in a deploy file means.
fn whole_hash(
    case: &Case<'_>,
    target: &Target,
    candidate: &Candidate,
    applications: &mut Applications,
) -> Result<Option<Revision>, Error> {
    let (Some(Node::File(content)), Some(path)) = (
        &candidate.change.new,
        case.deploy.application_repository(target),
    ) else {
        return Ok(None);
    };

    match deployfile::revision(content) {
        Err(ContentError::NotARevision {
            word,
            error: RevisionError::Abbreviated,
            ..
        }) => {
            // It only makes a hint better, so a repository that can't tell makes none.
            let found = applications.complete(&path, &word.to_ascii_lowercase())?;
            Ok(found.unwrap_or_default())
        }
        _ => Ok(None),
    }
}
