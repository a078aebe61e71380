//! How commits of an application repository are related.
//!
//! Answers are found by walking the history from both sides at once, with a commit-graph where
//! there is one. So the time grows with what lies between two commits, and not with the whole
//! history. An answer is only given where the history is complete. For a shallow repository, the
//! answer is that it is shallow.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use gix::hash::{ObjectId, Prefix, oid};
use gix::objs::Kind;
use gix::revision::plumbing::merge_base;
use gix::revwalk::Graph;
use gix::revwalk::graph::Commit as GraphCommit;

use super::command::{OBJECTS_ONLY, SHORT_MAX, answer};
use super::commits::refs_with;
use super::error::Error;
use super::look::at;
use super::range;
use super::reach;
use super::refs::is_named_by;
use super::repository::Repository;
use crate::id::Revision;
use crate::policy::{BranchMove, Direction, RevisionFact};
use crate::sys::open;

/// The largest list that is read of commits at which a history is cut off, in bytes.
const CUT_MAX: u64 = 1024 * 1024;

impl Repository {
    /// Whether the history is cut off somewhere (git-clone(1), `--depth`).
    ///
    /// # Errors
    /// It can't be found out.
    pub fn is_shallow(&self) -> Result<bool, Error> {
        let found = at(&self.path().join("shallow"), Path::metadata)?;
        Ok(found.is_some_and(|found| found.len() > 0))
    }

    /// The commits whose parents are cut off.
    ///
    /// # Errors
    /// They can't be found out.
    pub(super) fn cut_at(&self) -> Result<HashSet<ObjectId>, Error> {
        let file = self.path().join("shallow");
        let list = at(&file, |path| open::read_text(path, CUT_MAX))?.unwrap_or_default();
        let id = |line: &str| ObjectId::from_hex(line.as_bytes());
        let found: Result<HashSet<ObjectId>, _> = list.lines().map(id).collect();
        found.map_err(|error| Error::new(&file, error))
    }

    /// The error of a shallow repository.
    ///
    /// # Errors
    /// The history is cut off somewhere.
    fn check_not_shallow(&self) -> Result<(), Error> {
        if self.is_shallow()? {
            return Err(self.error("the history is cut off (a shallow repository)"));
        }
        Ok(())
    }

    /// Where an application repository has a revision.
    #[must_use]
    pub fn find_revision(&self, revision: &Revision, allowed_refs: &[String]) -> RevisionFact {
        self.revision_fact(revision, allowed_refs)
            .unwrap_or_else(|error| RevisionFact::Unreadable(error.to_string()))
    }

    fn revision_fact(
        &self,
        revision: &Revision,
        allowed_refs: &[String],
    ) -> Result<RevisionFact, Error> {
        let Some(id) = self.object_id(revision)? else {
            return Ok(RevisionFact::Missing);
        };
        match self.kind_of(&id)? {
            None => return Ok(RevisionFact::Missing),
            Some(Kind::Commit) => {}
            Some(Kind::Tag) => return Ok(RevisionFact::NotACommit("tag")),
            Some(Kind::Tree) => return Ok(RevisionFact::NotACommit("tree")),
            Some(Kind::Blob) => return Ok(RevisionFact::NotACommit("blob")),
        }
        if self.is_shallow()? {
            return Ok(RevisionFact::Shallow);
        }

        if let Some(name) = self.reached_from(id, allowed_refs)? {
            return Ok(RevisionFact::On(name));
        }
        let others = refs_with(self.path(), revision);
        for name in others.iter().flatten() {
            let mut patterns = allowed_refs.iter();
            if patterns.any(|pattern| is_named_by(name, pattern)) {
                let message = format!("git finds {revision} on {name}, where it was not found");
                return Err(self.error(message));
            }
        }
        for pattern in allowed_refs {
            if self.has_ref(pattern)? {
                return Ok(RevisionFact::Elsewhere(others));
            }
        }
        Ok(match allowed_refs {
            [] => RevisionFact::Elsewhere(others),
            _ => RevisionFact::NoAllowedRef(others),
        })
    }

    /// The first of some refs whose history has a commit. A commit that a ref points to costs no
    /// walk, and all refs that patterns match are walked at once.
    fn reached_from(&self, id: ObjectId, patterns: &[String]) -> Result<Option<String>, Error> {
        let mut several: Vec<(String, ObjectId)> = Vec::new();
        let mut unread = None;
        for pattern in patterns {
            let tips = self.commits_of_refs(pattern)?;
            unread = unread.or(tips.unread);
            let tips = tips.found;
            if let Some((name, _)) = tips.iter().find(|(_, tip)| *tip == id) {
                return Ok(Some(name.clone()));
            }
            match tips.as_slice() {
                [(name, tip)] if name == pattern => {
                    if self.is_reachable(id, &[*tip])? {
                        return Ok(Some(name.clone()));
                    }
                }
                _ => several.extend(tips),
            }
        }

        let tips: BTreeSet<ObjectId> = several.iter().map(|(_, tip)| *tip).collect();
        let tips: Vec<ObjectId> = tips.into_iter().collect();
        if tips.is_empty() || !self.is_reachable(id, &tips)? {
            // A ref that can't be read may have it.
            return unread.map_or(Ok(None), Err);
        }

        // At least one of them has it. Bisection finds this one with few walks.
        let mut range = several.as_slice();
        while range.len() > 1 {
            let (left, right) = range.split_at(range.len() / 2);
            let tips: Vec<ObjectId> = left.iter().map(|(_, tip)| *tip).collect();
            range = if self.is_reachable(id, &tips)? {
                left
            } else {
                right
            };
        }
        Ok(range.first().map(|(name, _)| name.clone()))
    }

    /// Whether a commit is one of some tips, or in their history.
    ///
    /// # Errors
    /// It can't be found out, for example because a commit of the history is missing.
    fn is_reachable(&self, id: ObjectId, tips: &[ObjectId]) -> Result<bool, Error> {
        // The usual push is one commit on top of the old tip.
        if let [tip] = tips
            && (*tip == id || (self.is_parent(&id, tip) && !self.is_shallow()?))
        {
            return Ok(true);
        }

        let walked = self.walk_commits(|commits| {
            let one = commits.number(id)?;
            let tips: Result<Vec<u32>, Error> =
                tips.iter().map(|tip| commits.number(*tip)).collect();
            reach::is_reachable(commits, one, &tips?)
        });
        match walked {
            Ok(is_reachable) => Ok(is_reachable),
            // git may read what this program can't read.
            Err(_) => self.is_reachable_by_git(id, tips),
        }
    }

    /// Whether a commit is certainly a parent of another one.
    fn is_parent(&self, id: &ObjectId, child: &oid) -> bool {
        let mut buffer = Vec::new();
        let child = self.commit(child, &mut buffer);
        child.is_ok_and(|child| child.parents.contains(id))
    }

    /// [`Repository::is_reachable`], as git has it.
    fn is_reachable_by_git(&self, id: ObjectId, tips: &[ObjectId]) -> Result<bool, Error> {
        let id = id.to_string();
        for tip in tips {
            let tip = tip.to_string();
            let ask = [OBJECTS_ONLY, &["merge-base", "--is-ancestor", &id, &tip]].concat();
            let asked = self.yes_or_no(&ask);
            if asked.map_err(|error| self.broken(&error))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The error of a history that git can't walk.
    fn broken(&self, error: &Error) -> Error {
        self.error(format!("the history is broken: {}", error.cause()))
    }

    /// The best commits that the history of one commit shares with that of some others.
    pub(super) fn merge_bases(
        &self,
        one: ObjectId,
        others: &[ObjectId],
    ) -> Result<Vec<ObjectId>, Error> {
        // Without a commit-graph, because gix believes whatever that says.
        let complete = self.objects()?.complete();
        let mut graph: Graph<'_, '_, GraphCommit<merge_base::Flags>> = Graph::new(&complete, None);
        let bases = gix::revision::plumbing::merge_base(one, others, &mut graph)
            .map_err(|error| self.error(error))?;
        Ok(bases.into_iter().flatten().collect())
    }

    /// The object id of a commit. `None`: it is certainly not there.
    fn commit_if_there(&self, revision: &Revision) -> Result<Option<ObjectId>, Error> {
        let Some(id) = self.object_id(revision)? else {
            return Ok(None);
        };
        let kind = self.kind_of(&id)?;
        Ok(kind.filter(|kind| *kind == Kind::Commit).map(|_| id))
    }

    /// Whether a commit is there.
    ///
    /// # Errors
    /// It can't be found out.
    pub fn has_commit(&self, revision: &Revision) -> Result<bool, Error> {
        Ok(self.commit_if_there(revision)?.is_some())
    }

    /// The object id of a commit that must be there.
    fn commit_id(&self, revision: &Revision) -> Result<ObjectId, Error> {
        self.commit_if_there(revision)?.ok_or_else(|| {
            let message = format!("{} is not a commit of the repository", revision.short());
            Error::damaged(self.path(), message)
        })
    }

    /// Whether the history of `tip`, which includes `tip`, has a commit. A commit that was removed
    /// from the repository is in no history that is complete.
    ///
    /// # Errors
    /// It can't be found out.
    pub fn contains(&self, tip: &Revision, commit: &Revision) -> Result<bool, Error> {
        if tip == commit {
            return Ok(true);
        }
        self.check_not_shallow()?;
        let tip_id = self.commit_id(tip)?;
        match self.commit_if_there(commit)? {
            Some(commit) => self.is_reachable(commit, &[tip_id]),
            None => {
                self.check_complete(tip)?;
                Ok(false)
            }
        }
    }

    /// Checks that nothing is missing from the history of a commit. This walks all of it.
    fn check_complete(&self, tip: &Revision) -> Result<(), Error> {
        let count = ["rev-list", "--count", tip.as_str(), "--"];
        let arguments = [OBJECTS_ONLY, &count].concat();
        let walked = answer(self.path(), &arguments, SHORT_MAX);
        walked.map(drop).map_err(|error| self.broken(&error))
    }

    /// In which direction the history goes from one revision to another. With a `folder`, of the
    /// commits that make the difference, those that change something in it are counted too.
    #[must_use]
    pub fn direction(&self, from: &Revision, to: &Revision, folder: Option<&str>) -> Direction {
        self.find_direction(from, to, folder)
            .unwrap_or_else(|error| Direction::Unknown(error.to_string()))
    }

    fn find_direction(
        &self,
        from: &Revision,
        to: &Revision,
        folder: Option<&str>,
    ) -> Result<Direction, Error> {
        if from == to {
            return Ok(Direction::Same);
        }
        self.check_not_shallow()?;

        let new = self.commit_id(to)?;
        let Some(old) = self.commit_if_there(from)? else {
            return Ok(Direction::FromRemoved);
        };
        if self.is_reachable(old, &[new])? {
            return Ok(Direction::Ahead);
        }

        let (from, to) = ((from, old), (to, new));
        let lost = self.commits_between(to, from, folder)?;
        if self.is_reachable(new, &[old])? {
            return Ok(Direction::Behind(lost));
        }
        let gained = self.commits_between(from, to, folder)?;
        Ok(Direction::Diverged { gained, lost })
    }

    /// How a branch moves from one commit to another.
    ///
    /// # Errors
    /// It can't be found out.
    pub fn branch_move(
        &self,
        old: Option<&Revision>,
        new: Option<&Revision>,
    ) -> Result<BranchMove, Error> {
        let (old, new) = match (old, new) {
            (None, _) => return Ok(BranchMove::Forward),
            (Some(_), None) => return Ok(BranchMove::Deleted),
            (Some(old), Some(new)) => (self.commit_if_there(old)?, self.commit_id(new)?),
        };
        let Some(old) = old else {
            return Ok(BranchMove::FromRemoved);
        };
        if self.is_reachable(old, &[new])? {
            return Ok(BranchMove::Forward);
        }
        Ok(BranchMove::Rewound(self.count_lost(old, new)))
    }

    /// How many commits a branch loses. It is only shown; `None`: that is unknown.
    fn count_lost(&self, old: ObjectId, new: ObjectId) -> Option<u64> {
        let walked = self.walk_commits(|commits| {
            let (old, new) = (commits.number(old)?, commits.number(new)?);
            range::count(commits, new, old)
        });
        walked.ok()
    }

    /// The best commit that is in the history of two others.
    ///
    /// # Errors
    /// A commit can't be read.
    pub fn common_commit(
        &self,
        one: &Revision,
        other: &Revision,
    ) -> Result<Option<Revision>, Error> {
        let bases = self.merge_bases(self.commit_id(one)?, &[self.commit_id(other)?])?;
        let base = bases.first().map(|base| Revision::new(base.to_string()));
        base.transpose().map_err(|error| self.error(error))
    }

    /// The commit whose hash begins with some digits, at least 4 of them. `None`: there is no such
    /// commit, or more than one, or these are no digits.
    ///
    /// # Errors
    /// It can't be found out.
    pub fn complete(&self, abbreviated: &str) -> Result<Option<Revision>, Error> {
        let Ok(prefix) = Prefix::from_hex(abbreviated) else {
            return Ok(None);
        };
        let found = self.objects()?.completions(prefix);
        let found = found.map_err(|error| self.error(error))?;

        let mut commits = Vec::new();
        for id in found {
            if self.kind_of(&id)? == Some(Kind::Commit) {
                commits.push(id);
            }
        }
        let [commit] = commits.as_slice() else {
            return Ok(None);
        };
        let whole = Revision::new(commit.to_string());
        whole.map(Some).map_err(|error| self.error(error))
    }
}

#[cfg(test)]
#[path = "ancestry_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "commit_graph_tests.rs"]
mod commit_graph_tests;
