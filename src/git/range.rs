//! The commits that one commit has and another one does not have: exactly those, whatever dates
//! the commits claim.
//!
//! Both histories are walked at once, the newest commits first. Each commit passes on to its
//! parents which of the two tips reach it. A walk that ends when nothing but known history waits
//! (as git's own does, a few commits later) can be wrong: a commit with a false date can hide that
//! the known history contains a new commit after all.
//!
//! So the walk goes on until that is impossible. A commit that is found below another one cannot
//! contain it, because history has no circles. The walk ends when every commit that still waits was
//! found below every commit of the range. For a branch that only grew, this is so at once. For a
//! merge it is so where its sides forked. Only where the range has a root of its own, or where
//! somebody arranged the dates for it, more is walked.

use std::collections::{BinaryHeap, HashMap, HashSet};

use gix::hash::ObjectId;

use super::error::Error;
use super::repository::Repository;
use crate::id::Revision;

/// How many commits are looked at to find one range.
const COMMITS_MAX: usize = 500_000;

/// Bits of [`Found::paint`]: the new tip reaches the commit, the old one does, and from [`BELOW`]
/// on, one bit for each commit of the range's lower edge.
const NEW: u64 = 1;
const OLD: u64 = 1 << 1;
const BELOW: u64 = 1 << 2;

/// A bit that no commit has. As a goal it means: walk to the end.
const NEVER: u64 = 1 << 63;

/// How many commits of the lower edge have a bit of their own. With more, everything is walked.
const EDGE_MAX: usize = 60;

/// A commit of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RangeCommit {
    pub(super) id: ObjectId,
    pub(super) parents: Vec<ObjectId>,
}

/// A range, newest commits first.
#[derive(Debug, Default)]
pub(super) struct CommitRange {
    pub(super) commits: Vec<RangeCommit>,
    /// Whether there are more commits than were asked for.
    pub(super) is_cut: bool,
}

impl Repository {
    /// The commits that `new` has and `old` does not have, at most the `most` newest. A commit
    /// comes before its parents, unless dates are false.
    ///
    /// # Errors
    /// A commit can't be read, or more than [`COMMITS_MAX`] commits would have to be looked at.
    pub(super) fn range(
        &self,
        old: Option<&Revision>,
        new: &Revision,
        most: usize,
    ) -> Result<CommitRange, Error> {
        let old = old.map(|old| self.own_id(old)).transpose()?;
        let new = self.own_id(new)?;
        let mut buffer = Vec::new();
        let mut left = COMMITS_MAX;
        let read = |id: &ObjectId| {
            left = left.checked_sub(1).ok_or_else(|| {
                self.unacceptable(format!(
                    "more than {COMMITS_MAX} commits would have to be looked at to find those \
                     of {new} that are new"
                ))
            })?;
            let commit = self.commit(id, &mut buffer)?;
            Ok((commit.committed_at, commit.parents))
        };
        range(old, new, most, read)
    }
}

/// A commit that was found on the walk.
#[derive(Debug)]
struct Found {
    id: ObjectId,
    parents: Vec<ObjectId>,
    date: i64,
    paint: u64,
    /// Whether its paint still has to be passed on to its parents.
    waits: bool,
}

/// The walk over both histories.
struct RangeWalk<R> {
    /// Reads the date and the parents of a commit.
    read: R,
    found: Vec<Found>,
    by_id: HashMap<ObjectId, usize>,
    /// The commits that wait: newest first; of equally old ones first those of the range, and then
    /// those that were found first.
    queue: BinaryHeap<(i64, bool, std::cmp::Reverse<usize>)>,
    /// The commits that were walked, in this order.
    walked: Vec<usize>,
    /// The paint that every waiting commit must have before the walk ends.
    goal: u64,
    /// How many waiting commits lack some of it.
    lacking: usize,
}

/// The range from `old` to `new`, with a function that reads the date and the parents of a commit.
fn range<E>(
    old: Option<ObjectId>,
    new: ObjectId,
    most: usize,
    mut read: impl FnMut(&ObjectId) -> Result<(i64, Vec<ObjectId>), E>,
) -> Result<CommitRange, E> {
    if old == Some(new) {
        return Ok(CommitRange::default());
    }

    // The usual push is one commit on top of the old tip.
    let (date, parents) = read(&new)?;
    if parents.len() == 1 && parents.first().copied() == old {
        return Ok(CommitRange {
            commits: vec![RangeCommit { id: new, parents }],
            is_cut: false,
        });
    }

    let mut walk = RangeWalk {
        read,
        found: Vec::new(),
        by_id: HashMap::new(),
        queue: BinaryHeap::new(),
        walked: Vec::new(),
        goal: OLD,
        lacking: 0,
    };
    let new = walk.add(new, date, parents);
    walk.paint(new, NEW);
    if let Some(old) = old {
        let old = walk.find(&old)?;
        walk.paint(old, OLD);
    }

    // Without an old tip, every commit that is walked is in the range.
    let enough = if old.is_none() { most } else { usize::MAX };
    walk.walk(enough)?;
    if old.is_some() {
        let goal = walk.goal_below_the_range();
        walk.aim_at(goal);
        walk.walk(usize::MAX)?;
    }

    let is_cut = old.is_none() && walk.lacking > 0;
    Ok(walk.result(most, is_cut))
}

impl<R, E> RangeWalk<R>
where
    R: FnMut(&ObjectId) -> Result<(i64, Vec<ObjectId>), E>,
{
    fn add(&mut self, id: ObjectId, date: i64, parents: Vec<ObjectId>) -> usize {
        let at = self.found.len();
        self.by_id.insert(id, at);
        self.found.push(Found {
            id,
            parents,
            date,
            paint: 0,
            waits: false,
        });
        at
    }

    fn find(&mut self, id: &ObjectId) -> Result<usize, E> {
        if let Some(at) = self.by_id.get(id) {
            return Ok(*at);
        }
        let (date, parents) = (self.read)(id)?;
        Ok(self.add(*id, date, parents))
    }

    /// Adds paint to a commit. If some of it is new, the commit waits to pass it on.
    fn paint(&mut self, at: usize, paint: u64) {
        let goal = self.goal;
        let commit = &mut self.found[at];
        if commit.paint & paint == paint {
            return;
        }

        let lacked = commit.waits && commit.paint & goal != goal;
        commit.paint |= paint;
        let lacks = commit.paint & goal != goal;
        if !commit.waits {
            commit.waits = true;
            let is_new = commit.paint & OLD == 0;
            self.queue
                .push((commit.date, is_new, std::cmp::Reverse(at)));
        }
        self.lacking = self.lacking + usize::from(lacks) - usize::from(lacked);
    }

    /// Walks until every commit that waits has the paint of the goal, or until so many commits were
    /// walked.
    fn walk(&mut self, enough: usize) -> Result<(), E> {
        while self.lacking > 0 && self.walked.len() < enough {
            let Some((_, _, std::cmp::Reverse(at))) = self.queue.pop() else {
                return Ok(());
            };
            let commit = &mut self.found[at];
            commit.waits = false;
            let (paint, parents) = (commit.paint, commit.parents.clone());
            self.lacking -= usize::from(paint & self.goal != self.goal);
            self.walked.push(at);
            for parent in parents {
                let parent = self.find(&parent)?;
                self.paint(parent, paint);
            }
        }
        Ok(())
    }

    fn aim_at(&mut self, goal: u64) {
        self.goal = goal;
        let lacks = |commit: &&Found| commit.waits && commit.paint & goal != goal;
        self.lacking = self.found.iter().filter(lacks).count();
    }

    fn is_new(&self, at: usize) -> bool {
        self.found[at].paint & OLD == 0
    }

    /// The paint of a commit that is below every commit of the range, and so contains none of
    /// them. This paints the lower edge of the range: one parent of each commit whose parents are
    /// all outside. Whatever is in the range is above one of these.
    fn goal_below_the_range(&mut self) -> u64 {
        let mut edge = HashSet::new();
        for at in self.walked.clone() {
            if !self.is_new(at) {
                continue;
            }
            let parents = self.found[at].parents.iter();
            let parents: Vec<usize> = parents
                .filter_map(|id| self.by_id.get(id).copied())
                .collect();
            if parents.iter().any(|parent| self.is_new(*parent)) {
                continue;
            }
            match parents
                .into_iter()
                .min_by_key(|parent| self.found[*parent].date)
            {
                Some(oldest) => edge.insert(oldest),
                // A root of the range is above nothing.
                None => return NEVER,
            };
        }

        // What is below the lower one of two is below the upper one too.
        let above = self.above(&edge);
        edge.retain(|at| !above.contains(at));
        if edge.len() > EDGE_MAX {
            return NEVER;
        }

        let mut goal = OLD;
        for (number, at) in edge.into_iter().enumerate() {
            goal |= BELOW << number;
            self.paint(at, BELOW << number);
        }
        goal
    }

    /// The walked commits that are above some others.
    fn above(&self, some: &HashSet<usize>) -> HashSet<usize> {
        let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
        for child in &self.walked {
            let parents = self.found[*child].parents.iter();
            for parent in parents.filter_map(|id| self.by_id.get(id)) {
                children.entry(*parent).or_default().push(*child);
            }
        }

        let mut above = HashSet::new();
        let mut next: Vec<usize> = some.iter().copied().collect();
        while let Some(at) = next.pop() {
            let children = children.get(&at).into_iter().flatten();
            next.extend(children.filter(|child| above.insert(**child)));
        }
        above
    }

    fn result(self, most: usize, is_cut: bool) -> CommitRange {
        let mut seen = HashSet::new();
        let new = |at: &usize| self.found[*at].paint & OLD == 0;
        let walked = self.walked.iter().copied().filter(new);
        let mut commits: Vec<usize> = walked.filter(|at| seen.insert(*at)).collect();
        let is_cut = is_cut || commits.len() > most;
        commits.truncate(most);

        let commit = |at: usize| RangeCommit {
            id: self.found[at].id,
            parents: self.found[at].parents.clone(),
        };
        CommitRange {
            commits: commits.into_iter().map(commit).collect(),
            is_cut,
        }
    }
}

#[cfg(test)]
#[path = "range_tests.rs"]
mod tests;
