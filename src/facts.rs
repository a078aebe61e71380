//! Finding out what the rules ask for.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use crate::change::Node;
use crate::deploy_repository::DeployRepository;
use crate::deployfile::{self, ContentError};
use crate::git::{self, Bound, DeclaredNeed, DeepScan, Repository};
use crate::id::{Revision, RevisionError, Target};
use crate::plan::{self, Candidate};
use crate::policy::{
    Base, Dependant, Direction, Facts, Hold, Need, NeedState, Newest, Promotion, Stage, TargetFacts,
};
use crate::status::Status;
use crate::store::{self, Deployment, Fault, Transaction};
use crate::sys::clock;

/// What is to be judged.
pub struct Question<'a> {
    /// The deploy repository.
    pub deploy: &'a DeployRepository,
    /// What is asked for.
    pub candidates: &'a [Candidate],
    /// The record of what was deployed, where there is one.
    pub state: Option<&'a Transaction<'a>>,
    /// From where to where the deploy branch moves.
    pub range: (Option<&'a Revision>, Option<&'a Revision>),
    /// Whether there is still something to refuse.
    pub stage: Stage,
    /// Who pushes.
    pub pusher: Option<&'a str>,
    /// What is judged again, and where the branch was before it.
    pub faults: &'a [Fault],
}

/// Gathers what the rules need to know. What can't be found out about an application is a fact
/// about it; each repository is opened once.
///
/// # Errors
/// The state can't be read.
pub fn gather(question: &Question<'_>) -> Result<Facts, store::Error> {
    let Question {
        deploy,
        candidates,
        state,
        range: (old, new),
        stage,
        pusher,
        faults,
    } = *question;
    let now = clock::now();
    let mut facts = Facts {
        now,
        stage,
        pusher: pusher.map(str::to_owned),
        branch: (deploy.branch.clone(), crate::policy::BranchMove::Forward),
        has_record: state.is_some(),
        freezes: state
            .map(|state| state.freezes(now))
            .transpose()?
            .unwrap_or_default(),
        targets: BTreeMap::new(),
    };
    let mut reasons = BTreeMap::new();
    if stage != Stage::Look {
        // A tip that can't be read fails everywhere else; a range that can't be walked any more
        // gives no reasons.
        facts.branch.1 = deploy.repository.branch_move(old, new).unwrap_or_default();
        let read = new
            .filter(|_| !candidates.is_empty())
            .map(|new| deploy.repository.reasons(&deploy.config.root, old, new));
        reasons = read.and_then(Result::ok).unwrap_or_default();
        for (since, paths) in by_since(faults) {
            let read = new.map(|new| deploy.repository.reasons(&deploy.config.root, since, new));
            let mut read = read.and_then(Result::ok).unwrap_or_default();
            reasons.extend(paths.into_iter().filter_map(|path| read.remove_entry(path)));
        }
    }
    let mut gatherer = Gatherer {
        question,
        repositories: HashMap::new(),
        wanted_before: None,
    };
    for candidate in candidates {
        let Some(target) = &candidate.target else {
            continue;
        };
        let mut known = gatherer.about(target, candidate)?;
        known.trailers = reasons.remove(&candidate.change.path).unwrap_or_default();
        facts.targets.insert(target.clone(), known);
    }
    Ok(facts)
}

/// The paths that are judged again, by where the branch was before them: history is walked once for
/// each of these.
fn by_since(faults: &[Fault]) -> BTreeMap<Option<&Revision>, Vec<&[u8]>> {
    let mut paths: BTreeMap<Option<&Revision>, Vec<&[u8]>> = BTreeMap::new();
    for Fault { path, since, .. } in faults {
        paths.entry(since.as_ref()).or_default().push(path);
    }
    paths
}

struct Gatherer<'q> {
    question: &'q Question<'q>,
    repositories: HashMap<PathBuf, Result<Repository, String>>,
    /// What the deploy files asked for before the push; read only where there is no record to ask.
    wanted_before: Option<BTreeMap<Target, Revision>>,
}

impl Gatherer<'_> {
    /// The repository of a target's application; `None`: none is configured.
    fn repository(&mut self, target: &Target) -> Option<Result<&Repository, String>> {
        let path = self.question.deploy.application_repository(target)?;
        let opened = self.repositories.entry(path);
        let opened = opened.or_insert_with_key(|path| {
            git::open_application(path).map_err(|error| error.to_string())
        });
        Some(opened.as_ref().map_err(Clone::clone))
    }

    fn about(
        &mut self,
        target: &Target,
        candidate: &Candidate,
    ) -> Result<TargetFacts, store::Error> {
        let mut known = TargetFacts::default();
        let Some(revision) = candidate.revision() else {
            if let Some(state) = self.question.state {
                known.newest = newest(state, target)?;
            }
            known.whole_hash = self.whole_hash(target, candidate);
            return Ok(known);
        };
        let settings = self.question.deploy.config.settings(target);
        let find = |repository: Result<&Repository, String>| match repository {
            Ok(repository) => repository.find_revision(revision, &settings.allowed_refs),
            Err(why) => crate::policy::RevisionFact::Unreadable(why),
        };
        known.revision = self.repository(target).map(find);
        let deployed = match self.question.state {
            Some(state) => state.deployed(target)?.map(|deployed| deployed.revision),
            None => None,
        };
        let wanted = self.accepted_before(target, candidate)?;
        known.wanted = wanted
            .as_ref()
            .and_then(|wanted| self.base(target, wanted, revision));
        known.deployed = match &deployed {
            Some(deployed) if wanted.as_ref() == Some(deployed) => known.wanted.clone(),
            Some(deployed) => self.base(target, deployed, revision),
            None => None,
        };
        if let Some(state) = self.question.state {
            self.record(state, target, revision, &mut known)?;
        }
        let is_back = |base: &Option<Base>| {
            matches!(
                base,
                Some(Base {
                    direction: Direction::Behind(_),
                    ..
                })
            )
        };
        // Going back gains nothing that could need something.
        let is_there = deployed.as_ref() == Some(revision)
            || self.question.state.is_none() && candidate.from.as_ref() == Some(revision);
        if !is_there && !is_back(&known.deployed) {
            let base = deployed
                .as_ref()
                .or(candidate.from.as_ref().filter(|from| *from != revision));
            self.needs(target, base, revision, &mut known)?;
        }
        let goes_back = |base: &Base| !matches!(base.direction, Direction::Same | Direction::Ahead);
        if let (Some(state), Some(base)) = (
            self.question.state,
            known.deployed.clone().filter(goes_back),
        ) {
            known.dependants = self.dependants(state, target, &base.revision, revision)?;
        }
        Ok(known)
    }

    /// What was wanted before: what the file asked for, or, where that was refused after the branch
    /// had moved, what was accepted last.
    fn accepted_before(
        &self,
        target: &Target,
        candidate: &Candidate,
    ) -> Result<Option<Revision>, store::Error> {
        let Some(state) = self.question.state else {
            return Ok(candidate.from.clone());
        };
        if !state.has_problem(&candidate.change.path)? {
            return Ok(candidate.from.clone());
        }
        Ok(state.newest_of(target)?.map(|newest| newest.revision))
    }

    /// Where a new revision lies to an earlier one; `None` without a repository to ask.
    fn base(&mut self, target: &Target, from: &Revision, to: &Revision) -> Option<Base> {
        let direction = match self.repository(target)? {
            Ok(repository) => repository.direction(from, to),
            Err(why) => Direction::Unknown(why),
        };
        Some(Base {
            revision: from.clone(),
            direction,
        })
    }

    /// What the state says.
    fn record(
        &mut self,
        state: &Transaction<'_>,
        target: &Target,
        revision: &Revision,
        known: &mut TargetFacts,
    ) -> Result<(), store::Error> {
        for (by, from, reason) in state.holds(target)? {
            // What can't be told holds: going on is said with a reason.
            let is_contained = match self.repository(target) {
                Some(Ok(repository)) => repository.contains(revision, &from).unwrap_or(true),
                Some(Err(_)) | None => true,
            };
            known.holds.push(Hold {
                by,
                from,
                reason,
                is_contained,
            });
        }
        known.newest = newest(state, target)?;
        if let Some(under_way) = state.newest_of(target)?.filter(|newest| {
            matches!(
                newest.status,
                Status::Queued | Status::Running | Status::Interrupted
            ) && newest.revision != *revision
        }) {
            known.under_way = self.base(target, &under_way.revision, revision);
        }
        known.succeeded_here = state.first_success(target, revision)?.is_some();
        let section = self.question.deploy.config.environment(&target.environment);
        if let Some(environment) = section.promotes_from {
            let there = Target {
                environment,
                application: target.application.clone(),
            };
            let succeeded = state.first_success(&there, revision)?;
            known.promotion = Some(
                match succeeded.and_then(|there| Some((there.id, there.finished_at?))) {
                    Some((id, at)) => Promotion::Succeeded(id, at),
                    None => match state.newest_of_revision(&there, revision)? {
                        Some(there) => Promotion::Was(there.id, there.status),
                        None => Promotion::Never,
                    },
                },
            );
        }
        Ok(())
    }

    /// What the commits from `base` to `revision` declare to need.
    fn needs(
        &mut self,
        target: &Target,
        base: Option<&Revision>,
        revision: &Revision,
        known: &mut TargetFacts,
    ) -> Result<(), store::Error> {
        let Some(Ok(repository)) = self.repository(target) else {
            return Ok(());
        };
        // A base that is gone, or a history that can't be walked: the other rules refuse that.
        let Ok((declared, bound)) = repository.declared_needs(base, revision) else {
            return Ok(());
        };
        known.needs_bound = bound.map(|bound| match bound {
            Bound::Commits(count) => {
                format!("only the newest {count} commits gained were looked at")
            }
            Bound::Needs(count) => {
                format!("only the newest {count} of what they need were looked at")
            }
        });
        // A commit of the application itself comes along with it.
        let declared = declared
            .into_iter()
            .filter(|need| need.application != target.application);
        for DeclaredNeed {
            declared_by,
            application,
            commit,
        } in declared
        {
            let needed = Target {
                environment: target.environment.clone(),
                application,
            };
            let (commit, state) = self.need(&needed, commit)?;
            known.needs.push(Need {
                declared_by,
                application: needed.application,
                commit,
                state,
            });
        }
        Ok(())
    }

    /// The whole hash of what is needed, and how things stand with it.
    fn need(
        &mut self,
        needed: &Target,
        commit: String,
    ) -> Result<(String, NeedState), store::Error> {
        let asked = self
            .question
            .candidates
            .iter()
            .find(|candidate| candidate.target.as_ref() == Some(needed));
        let same_push = asked.and_then(Candidate::revision).cloned();
        let there = match self.question.state {
            Some(state) => state.deployed(needed)?.map(|deployed| deployed.revision),
            None => self.wanted_before().get(needed).cloned(),
        };
        let unknown = |why: String| Ok((commit.clone(), NeedState::Unknown(why)));
        let repository = match self.repository(needed) {
            None => return unknown(format!("no repository is configured for {needed}")),
            Some(Err(why)) => return unknown(why),
            Some(Ok(repository)) => repository,
        };
        let whole = Revision::new(&commit)
            .ok()
            .or_else(|| repository.complete(&commit));
        let Some(whole) = whole else {
            return unknown("it is not in that application's repository".to_owned());
        };
        let has = |tip: &Option<Revision>| match tip {
            Some(tip) => repository
                .contains(tip, &whole)
                .map_err(|error| error.to_string()),
            None => Ok(false),
        };
        let state = match (has(&same_push), has(&there)) {
            (Err(why), _) | (_, Err(why)) => NeedState::Unknown(why),
            (Ok(true), Ok(false)) => {
                same_push.map_or(NeedState::Missing(None), NeedState::SamePush)
            }
            (Ok(false), Ok(_)) if same_push.is_some() => {
                same_push.map_or(NeedState::Missing(None), NeedState::TooOld)
            }
            (Ok(_), Ok(true)) => there.map_or(NeedState::Missing(None), NeedState::Deployed),
            (Ok(_), Ok(false)) => NeedState::Missing(there),
        };
        Ok((whole.to_string(), state))
    }

    fn wanted_before(&mut self) -> &BTreeMap<Target, Revision> {
        let Question {
            deploy,
            range: (old, _),
            ..
        } = *self.question;
        self.wanted_before
            .get_or_insert_with(|| wanted(deploy, old).unwrap_or_default())
    }

    /// Who needs a commit that `to` does not have and `from` has.
    fn dependants(
        &mut self,
        state: &Transaction<'_>,
        target: &Target,
        from: &Revision,
        to: &Revision,
    ) -> Result<Vec<Dependant>, store::Error> {
        let mut dependants: Vec<Dependant> = Vec::new();
        for need in state.needs_of(target)? {
            let lost = match self.repository(target) {
                Some(Ok(own)) => {
                    own.contains(from, &need.commit).unwrap_or(false)
                        && !own.contains(to, &need.commit).unwrap_or(false)
                }
                _ => false,
            };
            let Some(deployed) = state.deployed(&need.by)?.filter(|_| lost) else {
                continue;
            };
            let still_needs = match self.repository(&need.by) {
                Some(Ok(repository)) => repository
                    .contains(&deployed.revision, &need.declared_by)
                    .unwrap_or(true),
                _ => true,
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

    /// The one commit that an abbreviated hash in a deploy file means.
    fn whole_hash(&mut self, target: &Target, candidate: &Candidate) -> Option<Revision> {
        let Some(Node::File(content)) = &candidate.change.new else {
            return None;
        };
        match deployfile::revision(content) {
            Err(ContentError::NotARevision {
                word,
                error: RevisionError::Abbreviated,
                ..
            }) => self
                .repository(target)?
                .ok()?
                .complete(&word.to_ascii_lowercase()),
            _ => None,
        }
    }
}

/// The newest deployment of a target, and why it went back, if it did.
fn newest(state: &Transaction<'_>, target: &Target) -> Result<Option<Newest>, store::Error> {
    let Some(Deployment { id, revision, .. }) = state.newest_of(target)? else {
        return Ok(None);
    };
    let went_back = state
        .exceptions(id)?
        .into_iter()
        .find(|exception| exception.kind.goes_back());
    Ok(Some(Newest {
        id,
        revision,
        went_back,
    }))
}

/// The revision that each deploy file of a commit asks for; files that ask for none are left out.
///
/// # Errors
/// The commit or its trees can't be read.
pub fn wanted(
    deploy: &DeployRepository,
    commit: Option<&Revision>,
) -> Result<BTreeMap<Target, Revision>, git::Error> {
    let changes = deploy.repository.changes(
        &deploy.config.root,
        None,
        commit,
        DeepScan::EnvironmentFolders,
    )?;
    let wanted = plan::candidates(changes)
        .into_iter()
        .filter_map(|candidate| {
            let revision = candidate.revision()?.clone();
            Some((candidate.target?, revision))
        });
    Ok(wanted.collect())
}
