//! What the gained commits say and need, and which applications need a commit that is lost.

use std::collections::BTreeMap;
use std::path::Path;

use super::application_repositories::ApplicationRepositories;
use super::error::Error;
use super::inputs::Inputs;
use super::wanted::wanted;
use crate::candidate::Candidate;
use crate::git::{Bound, DeclaredNeed, Gained};
use crate::id::{Revision, Target};
use crate::policy::{
    Base, Dependant, Direction, Need, NeedState, RevisionFact, TargetFacts, Unknown,
};
use crate::store::Reader;

/// Adds needs and dependants to the facts about a target.
pub(super) fn gather(
    inputs: &Inputs<'_>,
    target: &Target,
    candidate: &Candidate,
    deployed: Option<&Revision>,
    known: &mut TargetFacts,
    repositories: &mut ApplicationRepositories<'_>,
) -> Result<(), Error> {
    let Some(revision) = candidate.revision() else {
        return Ok(());
    };

    // Going back gains no commits, so nothing new is needed. From a commit that was removed, the
    // rule "backwards" only allows to go back.
    let is_behind = |base: &Base| {
        matches!(
            base.direction,
            Direction::Behind(_) | Direction::FromRemoved
        )
    };
    let is_there = deployed == Some(revision)
        || inputs.record.is_none() && candidate.from.as_ref() == Some(revision);
    if !is_there && !known.deployed.as_ref().is_some_and(is_behind) {
        let before = candidate.from.as_ref().filter(|from| *from != revision);
        add_needs(
            inputs,
            target,
            deployed.or(before),
            revision,
            known,
            repositories,
        )?;
    }

    let loses = known
        .deployed
        .as_ref()
        .filter(|base| !matches!(base.direction, Direction::Same | Direction::Ahead));
    if let (Some(record), Some(base)) = (inputs.record, loses) {
        let from = base.revision.clone();
        add_dependants(inputs, record, target, &from, revision, known, repositories)?;
    }
    Ok(())
}

/// Whether the revision and what it is compared with can be read. If not, other rules refuse it.
fn is_readable(known: &TargetFacts) -> bool {
    let is_there = matches!(known.revision, Some(RevisionFact::On(_)));
    let is_compared = |base: &Base| {
        !matches!(
            base.direction,
            Direction::Unknown(_) | Direction::FromRemoved
        )
    };
    let mut bases = known.deployed.iter().chain(&known.wanted);
    is_there && bases.all(is_compared)
}

/// Adds what the commits from `base` to `revision` declare to need, and the title of `revision`.
fn add_needs(
    inputs: &Inputs<'_>,
    target: &Target,
    base: Option<&Revision>,
    revision: &Revision,
    known: &mut TargetFacts,
    repositories: &mut ApplicationRepositories<'_>,
) -> Result<(), Error> {
    let Some(path) = repositories.folder(inputs.deploy, target) else {
        return Ok(());
    };
    let Gained {
        needs,
        bound,
        subject,
    } = match repositories.gained(&path, base, revision)? {
        Ok(gained) => gained,
        Err(why) => {
            known.needs_unknown = Some(why.0).filter(|_| is_readable(known));
            return Ok(());
        }
    };

    known.subject = subject;
    known.needs_bound = bound.map(|bound| match bound {
        Bound::Commits(count) => format!("only the newest {count} of the gained commits were read"),
        Bound::Needs(count) => {
            format!("only the newest {count} needs of the gained commits were read")
        }
    });

    // A commit of the application itself is gained together with the commit that needs it.
    let of_others = needs
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
        let deployed = deployed_revision(inputs, &needed, &mut wanted_before)?;
        let (commit, state) = need_state(inputs, &needed, commit, deployed, repositories)?;
        known.needs.push(Need {
            declared_by,
            application: needed.application,
            commit,
            state,
        });
    }
    Ok(())
}

/// The revision of a needed application that is deployed. If there is no record of deployments: the
/// revision that its deploy file asked for before the push.
fn deployed_revision(
    inputs: &Inputs<'_>,
    needed: &Target,
    wanted_before: &mut Option<BTreeMap<Target, Revision>>,
) -> Result<Option<Revision>, Error> {
    if let Some(record) = inputs.record {
        return Ok(record.deployed(needed)?.map(|deployed| deployed.revision));
    }

    let wanted = match wanted_before {
        Some(wanted) => wanted,
        None => wanted_before.insert(wanted(inputs.deploy, inputs.subject.range().0)?),
    };
    Ok(wanted.get(needed).cloned())
}

/// The whole hash of a needed commit, and whether the need is fulfilled.
fn need_state(
    inputs: &Inputs<'_>,
    needed: &Target,
    commit: String,
    deployed: Option<Revision>,
    repositories: &mut ApplicationRepositories<'_>,
) -> Result<(String, NeedState), Error> {
    let Some(path) = repositories.folder(inputs.deploy, needed) else {
        let why = format!("no repository is configured for {needed}");
        return Ok((commit, NeedState::Unknown(why)));
    };
    let whole = match whole_hash(&path, needed, &commit, repositories)? {
        Ok(whole) => whole,
        Err(why) => return Ok((commit, NeedState::Unknown(why.0))),
    };

    let pushed = inputs
        .candidates
        .iter()
        .find(|candidate| candidate.target.as_ref() == Some(needed))
        .and_then(Candidate::revision)
        .cloned();
    let mut contains = |tip: &Option<Revision>| match tip {
        Some(tip) => repositories.contains(&path, tip, &whole),
        None => Ok(Ok(false)),
    };
    let (in_pushed, in_deployed) = (contains(&pushed)?, contains(&deployed)?);

    let state = match (in_pushed, in_deployed) {
        (Err(why), _) | (_, Err(why)) => NeedState::Unknown(why.0),
        (Ok(true), Ok(false)) => pushed.map_or(NeedState::Missing(None), NeedState::SamePush),
        (Ok(false), Ok(_)) if pushed.is_some() => {
            pushed.map_or(NeedState::Missing(None), NeedState::TooOld)
        }
        (Ok(_), Ok(true)) => deployed.map_or(NeedState::Missing(None), NeedState::Deployed),
        (Ok(_), Ok(false)) => NeedState::Missing(deployed),
    };
    Ok((whole.to_string(), state))
}

/// The whole hash of a commit that a trailer names, or why it can't be found out.
fn whole_hash(
    path: &Path,
    needed: &Target,
    commit: &str,
    repositories: &mut ApplicationRepositories<'_>,
) -> Result<Result<Revision, Unknown>, Error> {
    if let Ok(whole) = Revision::new(commit) {
        return Ok(Ok(whole));
    }
    Ok(match repositories.complete(path, commit)? {
        Ok(Some(whole)) => Ok(whole),
        Ok(None) => Err(Unknown(format!(
            "the commit is not in the repository of {}",
            needed.application
        ))),
        Err(why) => Err(why),
    })
}

/// Adds the applications that need a commit of the target which `from` contains and `to` does not.
fn add_dependants(
    inputs: &Inputs<'_>,
    record: &Reader<'_>,
    target: &Target,
    from: &Revision,
    to: &Revision,
    known: &mut TargetFacts,
    repositories: &mut ApplicationRepositories<'_>,
) -> Result<(), Error> {
    let Some(own) = repositories.folder(inputs.deploy, target) else {
        return Ok(());
    };

    for need in record.needs_of(target)? {
        let had = repositories.contains(&own, from, &need.commit)?;
        let has = repositories.contains(&own, to, &need.commit)?;
        match (had, has) {
            (Ok(true), Ok(false)) => {}
            (Ok(false), _) | (_, Ok(true)) => continue,
            (Err(Unknown(why)), _) | (_, Err(Unknown(why))) => {
                known.dependants_unknown.get_or_insert(why);
                continue;
            }
        }
        let Some(deployed) = record.deployed(&need.by)? else {
            continue;
        };

        // The commit that declared the need may have been taken away since. If nobody can tell, the
        // need counts.
        let still_needs = match repositories.folder(inputs.deploy, &need.by) {
            Some(path) => repositories
                .contains(&path, &deployed.revision, &need.declared_by)?
                .unwrap_or(true),
            None => true,
        };
        let dependant = Dependant {
            application: need.by.application,
            deployed: deployed.revision,
            commit: need.commit,
        };
        if still_needs && !known.dependants.contains(&dependant) {
            known.dependants.push(dependant);
        }
    }
    Ok(())
}
