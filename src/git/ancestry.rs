//! How commits of an application repository are related.
//!
//! Answers are found by walking the history from both sides at once (gix's merge base), with a
//! commit-graph where there is one. So the time grows with what lies between two commits, and not
//! with the whole history. An answer is only given where the history is complete. For a shallow
//! repository, the answer is that it is shallow.

use std::collections::BTreeSet;

use gix::hash::ObjectId;
use gix::objs::Kind;
use gix::revision::plumbing::merge_base;
use gix::revwalk::Graph;
use gix::revwalk::graph::Commit as GraphCommit;
use gix::traverse::commit::Simple;

use super::commits::{check_history, commits_between, refs_with};
use super::error::Error;
use super::repository::Repository;
use crate::id::Revision;
use crate::policy::{BranchMove, Direction, RevisionFact};

impl Repository {
    /// Whether the history is cut off somewhere (git-clone(1), `--depth`).
    fn is_shallow(&self) -> bool {
        std::fs::metadata(self.path().join("shallow")).is_ok_and(|metadata| metadata.len() > 0)
    }

    /// The error of a shallow repository.
    ///
    /// # Errors
    /// The history is cut off somewhere.
    fn check_not_shallow(&self) -> Result<(), Error> {
        if self.is_shallow() {
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
        if self.is_shallow() {
            return Ok(RevisionFact::Shallow);
        }

        if let Some(name) = self.reached_from(id, allowed_refs)? {
            return Ok(RevisionFact::On(name));
        }
        let mut tips = Vec::new();
        for name in allowed_refs {
            tips.extend(self.commits_of_refs(name)?);
        }
        let others = refs_with(self.path(), revision);
        match tips.first() {
            Some((_, tip)) => {
                // For gix, history of which something is missing looks like history that ends.
                check_history(self.path(), revision.as_str(), &tip.to_string())?;
                Ok(RevisionFact::Elsewhere(others))
            }
            None if allowed_refs.is_empty() => Ok(RevisionFact::Elsewhere(others)),
            None => Ok(RevisionFact::NoAllowedRef(others)),
        }
    }

    /// The first of some refs whose history has a commit. A commit that a ref points to costs no
    /// walk, and all refs that patterns match are walked at once.
    fn reached_from(&self, id: ObjectId, patterns: &[String]) -> Result<Option<String>, Error> {
        let mut several: Vec<(String, ObjectId)> = Vec::new();
        for pattern in patterns {
            let tips = self.commits_of_refs(pattern)?;
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
            return Ok(None);
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
    fn is_reachable(&self, id: ObjectId, tips: &[ObjectId]) -> Result<bool, Error> {
        Ok(self.merge_bases(id, tips)?.contains(&id))
    }

    /// The best commits that the history of one commit shares with that of some others.
    fn merge_bases(&self, one: ObjectId, others: &[ObjectId]) -> Result<Vec<ObjectId>, Error> {
        let objects = self.objects()?;

        // A commit-graph is a cache. Without a readable one the objects themselves are read.
        let info = self.path().join("objects/info");
        let at = |name: &str| gix::commitgraph::Graph::at(&info.join(name), objects.kind, None);
        let cache = at("commit-graph").or_else(|_| at("commit-graphs")).ok();

        let mut graph: Graph<'_, '_, GraphCommit<merge_base::Flags>> =
            Graph::new(objects, cache.as_ref());
        let bases = gix::revision::plumbing::merge_base(one, others, &mut graph)
            .map_err(|error| self.error(error))?;
        Ok(bases
            .map(|bases| bases.into_iter().collect())
            .unwrap_or_default())
    }

    /// The object id of a commit that is there.
    fn commit_id(&self, revision: &Revision) -> Result<ObjectId, Error> {
        let missing = || {
            let short = revision.short();
            self.error(format!("{short} is not in the repository any more"))
        };
        let id = self.object_id(revision)?.ok_or_else(missing)?;
        match self.kind_of(&id)? {
            Some(Kind::Commit) => Ok(id),
            _ => Err(missing()),
        }
    }

    /// Whether the history of `tip`, which includes `tip`, has a commit.
    ///
    /// # Errors
    /// It can't be found out.
    pub fn contains(&self, tip: &Revision, commit: &Revision) -> Result<bool, Error> {
        self.check_not_shallow()?;
        self.is_reachable(self.commit_id(commit)?, &[self.commit_id(tip)?])
    }

    /// In which direction the history goes from one revision to another.
    #[must_use]
    pub fn direction(&self, from: &Revision, to: &Revision) -> Direction {
        self.find_direction(from, to)
            .unwrap_or_else(|error| Direction::Unknown(error.to_string()))
    }

    fn find_direction(&self, from: &Revision, to: &Revision) -> Result<Direction, Error> {
        if from == to {
            return Ok(Direction::Same);
        }
        self.check_not_shallow()?;

        let (old, new) = (self.commit_id(from)?, self.commit_id(to)?);
        let bases = self.merge_bases(old, &[new])?;
        if bases.contains(&old) {
            return Ok(Direction::Ahead);
        }

        let lost = commits_between(self.path(), to, from)?;
        if bases.contains(&new) {
            return Ok(Direction::Behind(lost));
        }
        let gained = commits_between(self.path(), from, to)?;
        Ok(Direction::Diverged { gained, lost })
    }

    /// How a branch moves from one commit to another. An old commit that does not exist any more
    /// was removed by a rewind long ago.
    ///
    /// # Errors
    /// The new commit can't be read.
    pub fn branch_move(
        &self,
        old: Option<&Revision>,
        new: Option<&Revision>,
    ) -> Result<BranchMove, Error> {
        let (old, new) = match (old, new) {
            (None, _) => return Ok(BranchMove::Forward),
            (Some(_), None) => return Ok(BranchMove::Deleted),
            (Some(old), Some(new)) => (self.commit_id(old), self.commit_id(new)?),
        };
        let Ok(old) = old else {
            return Ok(BranchMove::Rewound(None));
        };
        if self.is_reachable(old, &[new])? {
            return Ok(BranchMove::Forward);
        }

        let lost = Simple::new([old], self.objects()?)
            .hide([new])
            .map(Iterator::count);
        let lost = lost.ok().and_then(|lost| u64::try_from(lost).ok());
        Ok(BranchMove::Rewound(lost))
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
        Ok(bases
            .first()
            .and_then(|base| Revision::new(base.to_string()).ok()))
    }

    /// The commit whose hash begins with some digits, at least 4 of them. `None`: there is no such
    /// commit, or more than one.
    #[must_use]
    pub fn complete(&self, abbreviated: &str) -> Option<Revision> {
        let prefix = gix::hash::Prefix::from_hex(abbreviated).ok()?;
        let found = self.objects().ok()?.completions(prefix);

        let is_commit = |id: &ObjectId| {
            self.kind_of(id)
                .is_ok_and(|kind| kind == Some(Kind::Commit))
        };
        let mut commits = found.into_iter().filter(is_commit);
        let commit = commits.next().filter(|_| commits.next().is_none())?;
        Revision::new(commit.to_string()).ok()
    }
}
