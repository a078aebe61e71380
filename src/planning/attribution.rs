//! Which commit asked for each path, and who pushed it.

use std::collections::{BTreeMap, BTreeSet};

use super::planned::Push;
use super::push_effect::push_commits;
use crate::candidate::Candidate;
use crate::deploy_repository::DeployRepository;
use crate::git::{self, Provenance};
use crate::id::Revision;
use crate::identity::Identity;
use crate::store::{Fault, Source};

/// Which commit asked for each path of a range, and who pushed it.
#[derive(Debug)]
pub(super) struct Attribution {
    by_path: BTreeMap<Vec<u8>, Provenance>,
    /// The tip of the range, which stands for a commit that was not found. `None`: there is no
    /// branch any more.
    tip: Option<Provenance>,
    /// The commits that the pusher pushed; `None`: the whole range.
    pushed: Option<BTreeSet<Revision>>,
    pusher: Option<Identity>,
    /// The paths that the range does not change and that are only judged again, with who pushed
    /// them then.
    judged_again: BTreeMap<Vec<u8>, Option<Identity>>,
}

impl Attribution {
    /// Reads the history of the range once, for all candidates and for what is judged again. If
    /// the history is damaged, the tip is named for everything, because it has what is deployed.
    ///
    /// # Errors
    /// The history can't be read now.
    pub(super) fn find(
        deploy: &DeployRepository,
        (old, new): (Option<&Revision>, Option<&Revision>),
        (candidates, touched): (&[Candidate], &BTreeSet<Vec<u8>>),
        push: Option<&Push>,
        faults: &[Fault],
    ) -> Result<Self, git::Error> {
        // Each path, and the commit at which its range begins.
        let mut paths: BTreeMap<Vec<u8>, Option<&Revision>> = candidates
            .iter()
            .map(|candidate| (candidate.change.path.clone(), old))
            .collect();
        for Fault { path, since, .. } in faults {
            paths.insert(path.clone(), since.as_ref());
        }

        let (repository, root) = (&deploy.repository, &deploy.config.root);
        let tip = new.map(|new| Provenance::of(repository, new)).transpose()?;
        let by_path = match new {
            Some(new) if !paths.is_empty() => {
                match git::deploy_commits(repository, root, new, paths) {
                    Err(error) if error.is_damage() => BTreeMap::new(),
                    read => read?,
                }
            }
            _ => BTreeMap::new(),
        };

        let judged_again = faults
            .iter()
            .filter(|fault| !touched.contains(&fault.path))
            .map(|fault| (fault.path.clone(), fault.pusher.clone()));
        Ok(Self {
            by_path,
            tip,
            pushed: pushed(deploy, old, new, push)?,
            pusher: push.and_then(|push| push.pusher.clone()),
            judged_again: judged_again.collect(),
        })
    }

    /// Who pushed the whole range, if one push did. This is also known if the branch was deleted,
    /// though no commit asks for that.
    pub(super) fn pusher_of_all(&self) -> Option<&Identity> {
        self.pusher.as_ref().filter(|_| self.pushed.is_none())
    }

    /// The commit that asked for what is at a path, and who pushed it; `None`: there is no branch
    /// any more, and so no commit asks for anything.
    pub(super) fn source(&self, path: &[u8]) -> Option<Source> {
        let found = self.by_path.get(path);
        let Provenance { commit, author } = found.or(self.tip.as_ref())?.clone();
        // Whoever pushed the tip need not have pushed the commit that was not found.
        let is_pushed = || match &self.pushed {
            None => true,
            Some(pushed) => found.is_some() && pushed.contains(&commit),
        };
        let pusher = match self.judged_again.get(path) {
            Some(earlier) => earlier.clone(),
            None => self.pusher.clone().filter(|_| is_pushed()),
        };

        Some(Source {
            deploy_commit: commit,
            author,
            pusher,
        })
    }
}

/// The commits of a push; `None`: the whole range from `old` to `new`.
fn pushed(
    deploy: &DeployRepository,
    old: Option<&Revision>,
    new: Option<&Revision>,
    push: Option<&Push>,
) -> Result<Option<BTreeSet<Revision>>, git::Error> {
    Ok(match push {
        Some(push) if push.old.as_ref() == old && push.new.as_ref() == new => None,
        Some(Push {
            old,
            new: Some(new),
            ..
        }) => {
            let commits = push_commits(deploy, old.as_ref(), new)?;
            Some(commits.into_iter().collect())
        }
        _ => Some(BTreeSet::new()),
    })
}
