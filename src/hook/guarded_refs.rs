//! Which refs of a push pre-receive looks at, and which of them it refuses by name.

use std::collections::{BTreeMap, BTreeSet};

use super::touched::Concerned;
use crate::config::OWN_REFS;
use crate::git::{self, RefTargets, Repository};
use crate::policy::Refusal;
use crate::refs::{RefUpdate, Updates, exclude_each_other};
use crate::text;

/// Refs below this make git read one object in the place of another (git-replace(1)).
const REPLACE: &[u8] = b"refs/replace/";

/// The refs that matter: each possible deploy branch, what this program publishes, each symbolic
/// ref that leads to one of these, and what replaces objects.
pub(super) struct GuardedRefs<'r> {
    leads: RefTargets<'r>,
    branches: &'r Concerned,
    /// The ref at which the status is published; `None`: nowhere.
    published: Option<&'r str>,
    /// The ref that each branch leads to: itself, unless it is a symbolic ref. `None`: not asked
    /// yet.
    targets: Option<BTreeMap<Vec<u8>, String>>,
    /// The refs of the push that lead to a branch, though they have other names, and that branch.
    aliases: BTreeMap<Vec<u8>, String>,
    /// The refs of the push that this program alone writes, and those that lead to one.
    own: BTreeSet<Vec<u8>>,
    /// Why it can't be found out where a ref leads to.
    fault: Option<git::Error>,
}

impl<'r> GuardedRefs<'r> {
    pub(super) fn new(
        repository: &'r Repository,
        branches: &'r Concerned,
        published: Option<&'r str>,
    ) -> Self {
        Self {
            leads: RefTargets::new(repository),
            branches,
            published,
            targets: None,
            aliases: BTreeMap::new(),
            own: BTreeSet::new(),
            fault: None,
        }
    }

    /// Whether a ref of a push matters.
    pub(super) fn matters(&mut self, name: &[u8]) -> bool {
        if self.branches.has(name) || name.starts_with(REPLACE) {
            return true;
        }
        let target = match self.leads.leads_to(name) {
            Ok(target) => target,
            Err(error) => {
                self.fault.get_or_insert(error);
                return true;
            }
        };
        let target = target.as_deref().unwrap_or(name);
        if self.is_own(name) || self.is_own(target) {
            self.own.insert(name.to_owned());
            return true;
        }

        match self.alias_of(target) {
            Ok(Some(branch)) => {
                self.aliases.insert(name.to_owned(), branch);
                true
            }
            Ok(None) => false,
            Err(error) => {
                self.fault.get_or_insert(error);
                true
            }
        }
    }

    /// Whether a ref is one that this program alone writes, or would be in the way of one.
    fn is_own(&self, name: &[u8]) -> bool {
        let own = OWN_REFS.trim_end_matches('/');
        let mut own = [Some(own), self.published].into_iter().flatten();
        own.any(|own| exclude_each_other(name, own.as_bytes()))
    }

    /// The branch that a push to a ref of another name would move, which leads to `target`; `None`:
    /// it moves none.
    fn alias_of(&mut self, target: &[u8]) -> Result<Option<String>, git::Error> {
        let branches = match self.branches {
            Concerned::Branches(branches) => branches,
            Concerned::EveryBranch => {
                let branch = self.branches.has(target);
                return Ok(branch.then(|| String::from_utf8_lossy(target).into_owned()));
            }
        };

        let targets = match &self.targets {
            Some(targets) => targets,
            None => {
                let mut found = BTreeMap::new();
                for branch in branches {
                    let target = self.leads.leads_to(branch.as_bytes())?;
                    let target = target.unwrap_or_else(|| branch.clone().into_bytes());
                    found.insert(target, branch.clone());
                }
                self.targets.insert(found)
            }
        };
        Ok(targets.get(target).cloned())
    }

    /// Splits the updates of a push that matter into those of the branches and the refusals of all
    /// others. A branch that is named twice is refused too, and is not among the updates.
    ///
    /// # Errors
    /// It could not be found out where a ref leads to.
    pub(super) fn sort(
        self,
        updates: Updates,
    ) -> Result<(Vec<RefUpdate>, Vec<Refusal>), git::Error> {
        if let Some(error) = self.fault {
            return Err(error);
        }

        let Updates { wanted, twice } = updates;
        let mut refusals: Vec<Refusal> = twice.iter().map(|name| named_twice(name)).collect();
        let once = wanted
            .into_iter()
            .filter(|update| !twice.contains(&update.name));

        let mut of_branches = Vec::new();
        for update in once {
            if let Some(branch) = self.aliases.get(&update.name) {
                refusals.push(alias(&update.name, branch));
            } else if self.own.contains(&update.name) {
                refusals.push(own(update.name));
            } else if update.name.starts_with(REPLACE) {
                refusals.push(replacement(update.name));
            } else {
                of_branches.push(update);
            }
        }
        Ok((of_branches, refusals))
    }
}

fn named_twice(name: &[u8]) -> Refusal {
    Refusal {
        path: name.to_owned(),
        message: "the push updates this ref more than once, and git carries out only one of the \
                  updates"
            .to_owned(),
        hint: "push one update of it".to_owned(),
        is_fault: false,
    }
}

fn alias(name: &[u8], branch: &str) -> Refusal {
    let branch = text::escape(branch, 200);
    Refusal {
        path: name.to_owned(),
        message: format!(
            "on the server this is another name of the deploy branch {branch} (a symbolic ref), \
             and deploy files are only judged under that name"
        ),
        hint: format!("push to {branch}"),
        is_fault: false,
    }
}

fn own(name: Vec<u8>) -> Refusal {
    Refusal {
        path: name,
        message: "only deploy-by-code writes this ref: what is deployed is published there"
            .to_owned(),
        hint: "push to another ref".to_owned(),
        is_fault: false,
    }
}

fn replacement(name: Vec<u8>) -> Refusal {
    Refusal {
        path: name,
        message: "replacement objects can forge what the server reads".to_owned(),
        hint: "push to a ref outside of refs/replace/".to_owned(),
        is_fault: false,
    }
}
