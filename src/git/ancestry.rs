//! How commits of an application repository lie to each other.
//!
//! Answers are found by walking the history from both sides at once (gix's merge base), with a
//! commit-graph where there is one, so that the time grows with what lies between two commits. The
//! history is believed only where it is whole: a shallow repository is said to be one.

use std::collections::BTreeSet;

use gix::bstr::ByteSlice;
use gix::hash::ObjectId;
use gix::revision::plumbing::merge_base;
use gix::revwalk::Graph;
use gix::revwalk::graph::Commit as GraphCommit;
use gix::traverse::commit::Simple;

use super::command::{check_history, commits_between, refs_with};
use super::error::Error;
use super::repository::Repository;
use crate::id::Revision;
use crate::policy::{BranchMove, Direction, RevisionFact};

impl Repository {
    /// Whether the history is cut off somewhere (git-clone(1), `--depth`).
    fn is_shallow(&self) -> bool {
        std::fs::metadata(self.path().join("shallow")).is_ok_and(|metadata| metadata.len() > 0)
    }

    /// Where an application repository has a revision.
    #[must_use]
    pub fn find_revision(&self, revision: &Revision, allowed_refs: &[String]) -> RevisionFact {
        let find = || -> Result<RevisionFact, Error> {
            let Some(id) = self.object_id(revision)? else {
                return Ok(RevisionFact::Missing);
            };
            match self.kind_of(&id)? {
                None => return Ok(RevisionFact::Missing),
                Some(gix::objs::Kind::Commit) => {}
                Some(gix::objs::Kind::Tag) => return Ok(RevisionFact::NotACommit("tag")),
                Some(gix::objs::Kind::Tree) => return Ok(RevisionFact::NotACommit("tree")),
                Some(gix::objs::Kind::Blob) => return Ok(RevisionFact::NotACommit("blob")),
            }
            if self.is_shallow() {
                return Ok(RevisionFact::Shallow);
            }
            Ok(match self.reached_from(id, allowed_refs)? {
                Some(name) => RevisionFact::On(name),
                None => {
                    // What is missing looks like history that ends.
                    for (_, tip) in allowed_refs
                        .iter()
                        .filter_map(|name| self.commits_of_refs(name).ok())
                        .flatten()
                        .take(1)
                    {
                        check_history(self.path(), revision.as_str(), &tip.to_string())?;
                    }
                    RevisionFact::Elsewhere(refs_with(self.path(), revision))
                }
            })
        };
        find().unwrap_or_else(|error| RevisionFact::Unreadable(error.to_string()))
    }

    /// The first of some refs in whose history a commit is. What stands at the top of a ref costs
    /// no walk; of patterns all refs are walked at once.
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
        let tips: Vec<ObjectId> = several
            .iter()
            .map(|(_, tip)| *tip)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        if tips.is_empty() || !self.is_reachable(id, &tips)? {
            return Ok(None);
        }
        // Some of them has it: halving finds which, in few walks.
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

    /// Whether a commit is one of some tips or in their history.
    fn is_reachable(&self, id: ObjectId, tips: &[ObjectId]) -> Result<bool, Error> {
        Ok(self.merge_bases(id, tips)?.contains(&id))
    }

    fn merge_bases(&self, one: ObjectId, others: &[ObjectId]) -> Result<Vec<ObjectId>, Error> {
        let objects = self.objects()?;
        let info = self.path().join("objects/info");
        // A commit-graph is a cache: without a readable one the objects themselves are read.
        let cache = gix::commitgraph::Graph::at(&info.join("commit-graph"), objects.kind, None)
            .or_else(|_| {
                gix::commitgraph::Graph::at(&info.join("commit-graphs"), objects.kind, None)
            });
        let cache = cache.ok();
        let mut graph: Graph<'_, '_, GraphCommit<merge_base::Flags>> =
            Graph::new(objects, cache.as_ref());
        let bases = gix::revision::plumbing::merge_base(one, others, &mut graph)
            .map_err(|error| self.error(error))?;
        Ok(bases
            .map(|bases| bases.into_iter().collect())
            .unwrap_or_default())
    }

    fn commit_id(&self, revision: &Revision) -> Result<ObjectId, Error> {
        let missing = || {
            self.error(format!(
                "{} is not in the repository any more",
                revision.short()
            ))
        };
        let id = self.object_id(revision)?.ok_or_else(missing)?;
        match self.kind_of(&id)? {
            Some(gix::objs::Kind::Commit) => Ok(id),
            _ => Err(missing()),
        }
    }

    /// Whether the history of `tip`, which includes `tip`, has a commit.
    ///
    /// # Errors
    /// It can't be told.
    pub fn contains(&self, tip: &Revision, commit: &Revision) -> Result<bool, Error> {
        if self.is_shallow() {
            return Err(self.error("the history is cut off (a shallow repository)"));
        }
        self.is_reachable(self.commit_id(commit)?, &[self.commit_id(tip)?])
    }

    /// Which way it goes from one revision to another.
    #[must_use]
    pub fn direction(&self, from: &Revision, to: &Revision) -> Direction {
        let find = || -> Result<Direction, Error> {
            if from == to {
                return Ok(Direction::Same);
            }
            if self.is_shallow() {
                return Err(self.error("the history is cut off (a shallow repository)"));
            }
            let (old, new) = (self.commit_id(from)?, self.commit_id(to)?);
            let bases = self.merge_bases(old, &[new])?;
            if bases.contains(&old) {
                return Ok(Direction::Ahead);
            }
            let lost = commits_between(self.path(), to, from)?;
            if bases.contains(&new) {
                return Ok(Direction::Behind(lost));
            }
            Ok(Direction::Diverged {
                gained: commits_between(self.path(), from, to)?,
                lost,
            })
        };
        find().unwrap_or_else(|error| Direction::Unknown(error.to_string()))
    }

    /// How a branch moves from one commit to another. A commit that is gone was rewound away long
    /// ago.
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
        Ok(BranchMove::Rewound(
            lost.ok().and_then(|lost| u64::try_from(lost).ok()),
        ))
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

    /// The one commit whose hash begins like this, of at least 4 digits.
    #[must_use]
    pub fn complete(&self, abbreviated: &str) -> Option<Revision> {
        let prefix = gix::hash::Prefix::from_hex(abbreviated).ok()?;
        let found = self.objects().ok()?.completions(prefix);
        let mut commits = found.into_iter().filter(|id| {
            self.kind_of(id)
                .is_ok_and(|kind| kind == Some(gix::objs::Kind::Commit))
        });
        let commit = commits.next().filter(|_| commits.next().is_none())?;
        Revision::new(commit.to_hex().to_string().as_bytes().as_bstr()).ok()
    }
}
