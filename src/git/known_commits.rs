//! Commits by numbers, and what a walk over a history needs to know of each: its parents and its
//! date.
//!
//! A commit-graph is a cache that git writes (gitformat-commit-graph(5)). It has the parents of a
//! commit and of all commits below it, so a walk in it reads no object and keeps nothing: the
//! number of a commit is its place in that file. What is not in it is read from the object once,
//! and kept for the next walk.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use gix::commitgraph::file::Commit as GraphCommit;
use gix::commitgraph::{Graph, Position};
use gix::hash::{Kind, ObjectId};

/// How many commits are read that are in no commit-graph. The next walk after that many begins
/// anew.
pub(super) const READ_MAX: usize = 500_000;

/// How many parents these may have together. A commit that was made by people has few.
const PARENTS_MAX: usize = 4 * READ_MAX;

/// The commits of a repository that are known.
#[derive(Default)]
pub(super) struct KnownCommits {
    /// `None`: there is none that can be read.
    graph: Option<Graph>,
    /// How many commits it has. They have the first numbers.
    in_graph: u32,
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
    /// No commits but those of the commit-graph of a repository, which has this folder and this
    /// kind of hash.
    pub(super) fn of_graph(git_dir: &Path, kind: Kind) -> Self {
        let info = git_dir.join("objects/info");
        let at = |name: &str| Graph::at(&info.join(name), kind, None);
        // Without a readable one, the objects themselves are read.
        let graph = at("commit-graph").or_else(|_| at("commit-graphs")).ok();
        Self {
            in_graph: graph.as_ref().map_or(0, Graph::num_commits),
            graph,
            ..Self::default()
        }
    }

    /// The commit-graph.
    pub(super) fn graph(&self) -> Option<&Graph> {
        self.graph.as_ref()
    }

    /// How many numbers were given.
    pub(super) fn count(&self) -> usize {
        self.in_graph as usize + self.others.len()
    }

    /// Forgets what was read, if it is too much to be kept.
    pub(super) fn make_room(&mut self) {
        if self.read >= READ_MAX || self.parents.len() >= PARENTS_MAX {
            *self = Self {
                graph: self.graph.take(),
                in_graph: self.in_graph,
                ..Self::default()
            };
        }
    }

    /// Where a commit is: in the commit-graph, or else among the other commits.
    fn place(&self, commit: u32) -> Result<(&Graph, Position), usize> {
        match &self.graph {
            Some(graph) if commit < self.in_graph => Ok((graph, Position(commit))),
            _ => Err((commit - self.in_graph) as usize),
        }
    }

    /// What the commit-graph says of a commit.
    pub(super) fn in_graph(&self, commit: u32) -> Option<GraphCommit<'_>> {
        let (graph, place) = self.place(commit).ok()?;
        Some(graph.commit_at(place))
    }

    /// The date and the parents of a commit that is not in the commit-graph; `None`: it was not
    /// read.
    pub(super) fn read(&self, commit: u32) -> Option<(i64, &[u32])> {
        let other = self.others.get(self.place(commit).err()?)?;
        let parents = self.parents.get(other.parents.clone()?)?;
        Some((other.date, parents))
    }

    /// Keeps what was read of a commit. `None`: there are too many.
    pub(super) fn keep(&mut self, commit: u32, date: i64, parents: &[ObjectId]) -> Option<()> {
        let start = self.parents.len();
        if self.read >= READ_MAX || start + parents.len() > PARENTS_MAX {
            return None;
        }
        for id in parents {
            let parent = self.number(*id)?;
            self.parents.push(parent);
        }

        let place = self.place(commit).err()?;
        let other = self.others.get_mut(place)?;
        other.date = date;
        other.parents = Some(start..self.parents.len());
        self.read += 1;
        Some(())
    }

    /// The id of a commit.
    pub(super) fn id(&self, commit: u32) -> ObjectId {
        match self.place(commit) {
            Ok((graph, place)) => graph.id_at(place).to_owned(),
            Err(other) => self.others[other].id,
        }
    }

    /// The number of a commit; `None`: there are more than there are numbers.
    pub(super) fn number(&mut self, id: ObjectId) -> Option<u32> {
        if let Some(known) = self.by_id.get(&id) {
            return Some(*known);
        }
        if let Some(place) = self.graph.as_ref().and_then(|graph| graph.lookup(id)) {
            return Some(place.0);
        }
        let number = u32::try_from(self.others.len()).ok()?;
        let number = number.checked_add(self.in_graph)?;
        self.others.push(OtherCommit {
            id,
            date: 0,
            parents: None,
        });
        self.by_id.insert(id, number);
        Some(number)
    }
}
