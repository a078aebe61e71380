//! Commits by numbers, and what a walk over a history needs to know of each: its parents and its
//! date.
//!
//! A commit-graph is a cache that git writes (gitformat-commit-graph(5)). It has the parents of a
//! commit and of all commits below it, so a walk in it reads no object and keeps nothing: the
//! number of a commit is its place in that file. What is not in it is read from the object once,
//! and kept for the next walk.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use gix::hash::ObjectId;

use super::commit_graph::CommitGraph;

/// How many commits are read that are in no commit-graph. The next walk after that many begins
/// anew.
pub(super) const READ_MAX: usize = 500_000;

/// How many parents these may have together. A commit that was made by people has few.
const PARENTS_MAX: usize = 4 * READ_MAX;

/// The commits of a repository that are known.
#[derive(Default)]
pub(super) struct KnownCommits {
    /// `None`: there is none that can be used.
    graph: Option<CommitGraph>,
    /// The commits whose parents do not count: there the history is cut off.
    cut_at: HashSet<ObjectId>,
    /// The other commits, in the order in which they were found.
    others: Vec<OtherCommit>,
    by_id: HashMap<ObjectId, u32>,
    /// The parents of the other commits.
    parents: Vec<u32>,
    /// How many of the others were read.
    read: usize,
    pub(super) buffer: Vec<u8>,
}

/// A commit that is not in the commit-graph.
struct OtherCommit {
    id: ObjectId,
    date: i64,
    /// Where its parents are; `None`: it was not read.
    parents: Option<Range<usize>>,
}

impl KnownCommits {
    /// No commits but those of a commit-graph. `cut_at` are the commits at which the history is
    /// cut off. As for git, no commit-graph counts then: it has the whole history.
    pub(super) fn new(graph: Option<CommitGraph>, cut_at: HashSet<ObjectId>) -> Self {
        Self {
            graph: graph.filter(|_| cut_at.is_empty()),
            cut_at,
            ..Self::default()
        }
    }

    /// How many commits the commit-graph has. They have the first numbers.
    fn in_graph(&self) -> u32 {
        self.graph.as_ref().map_or(0, CommitGraph::count)
    }

    /// How many numbers were given.
    pub(super) fn count(&self) -> usize {
        self.in_graph() as usize + self.others.len()
    }

    /// Whether a commit-graph is used.
    #[cfg(test)]
    pub(super) fn has_graph(&self) -> bool {
        self.graph.is_some()
    }

    /// Forgets a commit-graph that is damaged, and all numbers. Says whether it was.
    pub(super) fn forget_damaged_graph(&mut self) -> bool {
        let is_damaged = self.graph.as_ref().is_some_and(CommitGraph::is_damaged);
        if is_damaged {
            *self = Self::new(None, std::mem::take(&mut self.cut_at));
        }
        is_damaged
    }

    /// Forgets what was read, if it is too much to be kept.
    pub(super) fn make_room(&mut self) {
        if self.read >= READ_MAX || self.parents.len() >= PARENTS_MAX {
            *self = Self::new(self.graph.take(), std::mem::take(&mut self.cut_at));
        }
    }

    /// Where a commit is: in the commit-graph, or else among the other commits.
    pub(super) fn place(&self, commit: u32) -> Result<&CommitGraph, usize> {
        match &self.graph {
            Some(graph) if commit < graph.count() => Ok(graph),
            _ => Err((commit - self.in_graph()) as usize),
        }
    }

    /// The date and the parents of a commit that is not in the commit-graph; `None`: it was not
    /// read.
    pub(super) fn read(&self, commit: u32) -> Option<(i64, &[u32])> {
        let other = self.others.get(self.place(commit).err()?)?;
        let parents = self.parents.get(other.parents.clone()?)?;
        Some((other.date, parents))
    }

    /// Keeps what was read of a commit; of its parents those that count. `None`: there are too
    /// many.
    pub(super) fn keep(&mut self, commit: u32, date: i64, parents: &[ObjectId]) -> Option<()> {
        let place = self.place(commit).err()?;
        let parents = match self.cut_at.contains(&self.others.get(place)?.id) {
            true => &[],
            false => parents,
        };

        let start = self.parents.len();
        if self.read >= READ_MAX || start + parents.len() > PARENTS_MAX {
            return None;
        }
        for id in parents {
            let parent = self.number(*id)?;
            self.parents.push(parent);
        }

        let other = self.others.get_mut(place)?;
        other.date = date;
        other.parents = Some(start..self.parents.len());
        self.read += 1;
        Some(())
    }

    /// The id of a commit.
    pub(super) fn id(&self, commit: u32) -> ObjectId {
        match self.place(commit) {
            Ok(graph) => graph.id(commit).to_owned(),
            Err(other) => self.others[other].id,
        }
    }

    /// The number of a commit; `None`: there are more than there are numbers.
    pub(super) fn number(&mut self, id: ObjectId) -> Option<u32> {
        if let Some(known) = self.by_id.get(&id) {
            return Some(*known);
        }
        if let Some(place) = self.graph.as_ref().and_then(|graph| graph.place(&id)) {
            return Some(place);
        }
        let number = u32::try_from(self.others.len()).ok()?;
        let number = number.checked_add(self.in_graph())?;
        self.others.push(OtherCommit {
            id,
            date: 0,
            parents: None,
        });
        self.by_id.insert(id, number);
        Some(number)
    }
}
