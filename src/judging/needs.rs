//! What the commits that a deployment gains declare to need, and who needs what it would lose.

use std::collections::BTreeMap;

use super::applications::Applications;
use super::case::Case;
use super::error::Error;
use super::wanted::wanted;
use crate::candidate::Candidate;
use crate::git::{Bound, DeclaredNeed};
use crate::id::{Revision, Target};
use crate::policy::{Base, Dependant, Direction, Need, NeedState, TargetFacts};
use crate::store::Reader;

/// Adds needs and dependants to what is known about a target.
pub(super) fn gather(
    case: &Case<'_>,
    target: &Target,
    candidate: &Candidate,
    deployed: &Option<Revision>,
    known: &mut TargetFacts,
    applications: &mut Applications,
) -> Result<(), Error> {
    let Some(revision) = candidate.revision() else {
        return Ok(());
    };

    // Going back gains nothing that could need something.
    let is_behind = |base: &Base| matches!(base.direction, Direction::Behind(_));
    let is_there = deployed.as_ref() == Some(revision)
        || case.record.is_none() && candidate.from.as_ref() == Some(revision);
    if !is_there && !known.deployed.as_ref().is_some_and(is_behind) {
        let before = candidate.from.as_ref().filter(|from| *from != revision);
        let base = deployed.as_ref().or(before);
        needs(case, target, base, revision, known, applications)?;
    }

    let loses = known
        .deployed
        .as_ref()
        .filter(|base| !matches!(base.direction, Direction::Same | Direction::Ahead));
    if let (Some(record), Some(base)) = (case.record, loses) {
        known.dependants =
            dependants(case, record, target, &base.revision, revision, applications)?;
    }
    Ok(())
}

/// What the commits from `base` to `revision` declare to need.
fn needs(
    case: &Case<'_>,
    target: &Target,
    base: Option<&Revision>,
    revision: &Revision,
    known: &mut TargetFacts,
    applications: &mut Applications,
) -> Result<(), Error> {
    let Some(path) = case.deploy.application_repository(target) else {
        return Ok(());
    };
    // A base that is gone, or a history that can't be walked: the other rules refuse that.
    let Ok((declared, bound)) = applications.needs(&path, base, revision)? else {
        return Ok(());
    };

    known.needs_bound = bound.map(|bound| match bound {
        Bound::Commits(count) => format!("only the newest {count} commits gained were looked at"),
        Bound::Needs(count) => format!("only the newest {count} of what they need were looked at"),
    });

    // A commit of the application itself comes along with it.
    let of_others = declared
        .into_iter()
        .filter(|need| need.application != target.application);
    let mut wanted_before = None;
    for DeclaredNeed {
        declared_by,
        application,
        commit,
    } in of_others
    {
        let needed = Target {
            environment: target.environment.clone(),
            application,
        };
        let there = there(case, &needed, &mut wanted_before)?;
        let (commit, state) = need(case, &needed, commit, there, applications)?;
        known.needs.push(Need {
            declared_by,
            application: needed.application,
            commit,
            state,
        });
    }
    Ok(())
}

/// What is deployed of what is needed; where there is no record, what its deploy file asked for
/// before the push.
fn there(
    case: &Case<'_>,
    needed: &Target,
    wanted_before: &mut Option<BTreeMap<Target, Revision>>,
) -> Result<Option<Revision>, Error> {
    if let Some(record) = case.record {
        return Ok(record.deployed(needed)?.map(|deployed| deployed.revision));
    }
    let wanted = match wanted_before {
        Some(wanted) => wanted,
        None => wanted_before.insert(wanted(case.deploy, case.subject.range().0)?),
    };
    Ok(wanted.get(needed).cloned())
}

/// The whole hash of what is needed, and how things stand with it.
fn need(
    case: &Case<'_>,
    needed: &Target,
    commit: String,
    there: Option<Revision>,
    applications: &mut Applications,
) -> Result<(String, NeedState), Error> {
    let asked = case
        .candidates
        .iter()
        .find(|candidate| candidate.target.as_ref() == Some(needed));
    let same_push = asked.and_then(Candidate::revision).cloned();

    let Some(path) = case.deploy.application_repository(needed) else {
        let why = format!("no repository is configured for {needed}");
        return Ok((commit, NeedState::Unknown(why)));
    };
    let whole = match Revision::new(&commit) {
        Ok(whole) => Ok(Some(whole)),
        Err(_) => applications.complete(&path, &commit)?,
    };
    let whole = match whole {
        Ok(Some(whole)) => whole,
        Ok(None) => {
            let why = "it is not in that application's repository".to_owned();
            return Ok((commit, NeedState::Unknown(why)));
        }
        Err(why) => return Ok((commit, NeedState::Unknown(why.0))),
    };

    let mut has = |tip: &Option<Revision>| match tip {
        Some(tip) => applications.contains(&path, tip, &whole),
        None => Ok(Ok(false)),
    };
    let (in_push, is_there) = (has(&same_push)?, has(&there)?);
    let state = match (in_push, is_there) {
        (Err(why), _) | (_, Err(why)) => NeedState::Unknown(why.0),
        (Ok(true), Ok(false)) => same_push.map_or(NeedState::Missing(None), NeedState::SamePush),
        (Ok(false), Ok(_)) if same_push.is_some() => {
            same_push.map_or(NeedState::Missing(None), NeedState::TooOld)
        }
        (Ok(_), Ok(true)) => there.map_or(NeedState::Missing(None), NeedState::Deployed),
        (Ok(_), Ok(false)) => NeedState::Missing(there),
    };
    Ok((whole.to_string(), state))
}

/// Who needs a commit that `to` does not have and `from` has.
fn dependants(
    case: &Case<'_>,
    record: &Reader<'_>,
    target: &Target,
    from: &Revision,
    to: &Revision,
    applications: &mut Applications,
) -> Result<Vec<Dependant>, Error> {
    let Some(own) = case.deploy.application_repository(target) else {
        return Ok(Vec::new());
    };
    let mut dependants: Vec<Dependant> = Vec::new();

    for need in record.needs_of(target)? {
        let had = applications.contains(&own, from, &need.commit)?;
        let has = applications.contains(&own, to, &need.commit)?;
        let is_lost = had.unwrap_or(false) && !has.unwrap_or(false);
        let Some(deployed) = record.deployed(&need.by)?.filter(|_| is_lost) else {
            continue;
        };

        let still_needs = match case.deploy.application_repository(&need.by) {
            Some(path) => applications
                .contains(&path, &deployed.revision, &need.declared_by)?
                .unwrap_or(true),
            None => true,
        };
        let dependant = Dependant {
            application: need.by.application,
            deployed: deployed.revision,
            commit: need.commit,
        };
        if still_needs && !dependants.contains(&dependant) {
            dependants.push(dependant);
        }
    }
    Ok(dependants)
}
