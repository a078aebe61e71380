//! Which commit asked for each path, and who pushed it.

use std::collections::{BTreeMap, BTreeSet};

use super::planned::Push;
use crate::candidate::Candidate;
use crate::deploy_repository::DeployRepository;
use crate::git::{self, Provenance};
use crate::id::Revision;
use crate::identity::Identity;
use crate::policy::BranchMove;
use crate::store::{Fault, Source};

/// Which commit asked for each path of a range, and who pushed it.
#[derive(Debug)]
pub(super) struct Attribution {
    by_path: BTreeMap<Vec<u8>, Provenance>,
    /// The commits of the push that is known; `None`: it brought all of the range.
    pushed: Option<BTreeSet<Revision>>,
    pusher: Option<Identity>,
    /// Who pushed what is judged again.
    earlier_pushers: BTreeMap<Vec<u8>, Identity>,
}

impl Attribution {
    /// Walks the range once for all candidates and for what is judged again.
    pub(super) fn find(
        deploy: &DeployRepository,
        (old, new): (Option<&Revision>, Option<&Revision>),
        candidates: &[Candidate],
        push: Option<&Push>,
        faults: &[Fault],
    ) -> Self {
        // For each path: where its range begins.
        let mut paths: BTreeMap<Vec<u8>, Option<&Revision>> = candidates
            .iter()
            .map(|candidate| (candidate.change.path.clone(), old))
            .collect();
        for Fault { path, since, .. } in faults {
            paths.insert(path.clone(), since.as_ref());
        }

        let find = |new| git::deploy_commits(&deploy.repository, &deploy.config.root, new, paths);
        let by_path = new.map(find).unwrap_or_default();

        let pusher_of = |fault: &Fault| Some((fault.path.clone(), fault.pusher.clone()?));
        Self {
            by_path,
            pushed: pushed(deploy, old, new, push),
            pusher: push.and_then(|push| push.pusher.clone()),
            earlier_pushers: faults.iter().filter_map(pusher_of).collect(),
        }
    }

    /// Who pushed the whole range, where one push did: also the deletion of the branch, which no
    /// commit asks for.
    pub(super) fn pusher_of_all(&self) -> Option<&Identity> {
        self.pusher.as_ref().filter(|_| self.pushed.is_none())
    }

    /// Where what stands at a path comes from; `None`: no commit is known.
    pub(super) fn source(&self, path: &[u8]) -> Option<Source> {
        let Provenance { commit, author } = self.by_path.get(path)?.clone();
        let is_pushed = self
            .pushed
            .as_ref()
            .is_none_or(|pushed| pushed.contains(&commit));
        let pusher = self.pusher.clone().filter(|_| is_pushed);

        Some(Source {
            deploy_commit: commit,
            author,
            pusher: pusher.or_else(|| self.earlier_pushers.get(path).cloned()),
        })
    }
}

/// The commits of a push; `None`: all of the range.
fn pushed(
    deploy: &DeployRepository,
    old: Option<&Revision>,
    new: Option<&Revision>,
    push: Option<&Push>,
) -> Option<BTreeSet<Revision>> {
    match push {
        Some(push) if push.old.as_ref() == old && push.new.as_ref() == new => None,
        Some(Push {
            old,
            new: Some(new),
            ..
        }) => {
            let commits = push_commits(deploy, old.as_ref(), new);
            Some(commits.into_iter().collect())
        }
        _ => Some(BTreeSet::new()),
    }
}

/// The commits that a push brought to the branch; just its tip where that can't be told.
fn push_commits(
    deploy: &DeployRepository,
    old: Option<&Revision>,
    new: &Revision,
) -> Vec<Revision> {
    git::first_parents(&deploy.repository, old, new).unwrap_or_else(|_| vec![new.clone()])
}

/// What a push brought to the branch, for finding what others planned of it.
#[derive(Debug)]
pub(super) enum Brought {
    /// It took the branch forward by these commits.
    Commits(Vec<Revision>),
    /// It made the branch or took it elsewhere: its commits can have been deployed long ago.
    Range {
        old: Option<Revision>,
        new: Revision,
    },
    /// It deleted the branch.
    Deletion,
}

impl Brought {
    pub(super) fn by(deploy: &DeployRepository, push: &Push) -> Self {
        let Some(new) = &push.new else {
            return Self::Deletion;
        };

        let moves = deploy.repository.branch_move(push.old.as_ref(), Some(new));
        let is_forward =
            push.old.is_some() && moves.is_ok_and(|moves| moves == BranchMove::Forward);
        if is_forward {
            Self::Commits(push_commits(deploy, push.old.as_ref(), new))
        } else {
            Self::Range {
                old: push.old.clone(),
                new: new.clone(),
            }
        }
    }
}
