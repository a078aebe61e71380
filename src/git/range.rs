//! The commits that one commit has and another one does not have: exactly those, whatever dates
//! the commits claim.
//!
//! Both histories are walked at once, the newest commits first. Each commit passes on to its
//! parents which of the two tips reach it. A walk that ends when nothing but known history waits
//! (as git's own does, a few commits later) can be wrong: a commit with a false date can hide that
//! the known history contains a new commit after all.
//!
//! So the walk goes on until that is impossible. A commit with a level contains nothing of this
//! level or a higher one. Where no level is known, it helps that a commit which is found below
//! another one cannot contain it, because history has no circles. The walk ends when every commit
//! that still waits was found below every commit of the range. For a branch that only grew, this is
//! so at once. For a merge it is so where its sides forked. Only where the range has a root of its
//! own, or where somebody arranged the dates for it, more is walked.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use gix::hash::ObjectId;

use super::commit_dag::{CommitDag, NO_LEVEL};
use super::error::Error;
use super::marks::CommitMarks;
use super::repository::Repository;
use crate::id::Revision;

/// Bits of a commit: the new tip reaches it, the old one does, it waits to be walked, it is counted
/// already, and from [`BELOW`] on, one bit for each commit of the range's lower edge.
const NEW: u64 = 1;
const OLD: u64 = 1 << 1;
const WAITS: u64 = 1 << 2;
const COUNTED: u64 = 1 << 3;
const BELOW: u64 = 1 << 4;

/// A bit that no commit has. As a goal it means: walk to the end.
const NEVER: u64 = 1 << 63;

/// How many commits of the lower edge have a bit of their own. With more, everything is walked.
const EDGE_MAX: usize = 59;

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
    /// A commit can't be read, or too many would have to be looked at.
    pub(super) fn range(
        &self,
        old: Option<&Revision>,
        new: &Revision,
        most: usize,
    ) -> Result<CommitRange, Error> {
        let old = old.map(|old| self.own_id(old)).transpose()?;
        let id = self.own_id(new)?;
        if old == Some(id) {
            return Ok(CommitRange::default());
        }

        // The usual push is one commit on top of the old tip.
        let parents = self.commit(&id, &mut Vec::new())?.parents;
        if parents.len() == 1 && parents.first().copied() == old {
            return Ok(CommitRange {
                commits: vec![RangeCommit { id, parents }],
                is_cut: false,
            });
        }

        self.walk_commits(|commits| {
            let old = old.map(|old| commits.number(old)).transpose()?;
            let new = commits.number(id)?;
            let (found, is_cut) = newest(commits, old, new, most)?;
            let commit = |commit: u32| {
                let mut parents = Vec::new();
                commits.parents(commit, &mut parents)?;
                Ok(RangeCommit {
                    id: commits.known.id(commit),
                    parents: parents.into_iter().map(|it| commits.known.id(it)).collect(),
                })
            };
            Ok(CommitRange {
                commits: found
                    .into_iter()
                    .map(commit)
                    .collect::<Result<_, Error>>()?,
                is_cut,
            })
        })
    }
}

/// The commits that `new` has and `old` does not have, at most the `most` newest, and whether there
/// are more of them.
///
/// # Errors
/// A commit can't be read.
pub(super) fn newest<C: CommitDag>(
    commits: &mut C,
    old: Option<u32>,
    new: u32,
    most: usize,
) -> Result<(Vec<u32>, bool), C::Error> {
    let mut found = RangeWalk::walked(commits, old, new, most)?.into_range();
    let is_cut = found.len() > most;
    found.truncate(most);
    Ok((found, is_cut))
}

/// How many commits `new` has and `old` does not have.
///
/// # Errors
/// A commit can't be read.
pub(super) fn count<C: CommitDag>(commits: &mut C, old: u32, new: u32) -> Result<u64, C::Error> {
    let range = RangeWalk::walked(commits, Some(old), new, usize::MAX)?.into_range();
    Ok(range.len() as u64)
}

/// The walk over both histories.
struct RangeWalk<'c, C> {
    commits: &'c mut C,
    old: Option<u32>,
    marks: CommitMarks<u64>,
    /// The commits that wait: newest first; of equally old ones first those of the range, and then
    /// those that were found first.
    queue: BinaryHeap<(i64, bool, Reverse<u64>, u32)>,
    /// How many commits were put into the queue.
    queued: u64,
    /// The commits that were walked, in this order.
    walked: Vec<u32>,
    /// How many of them are certainly new. `None`: only the whole walk can tell which ones are.
    certain: Option<usize>,
    /// The marks that every waiting commit must have before the walk ends.
    goal: u64,
    /// What has no commit of this level or a higher one in its history needs no marks of the goal.
    goal_level: u32,
    /// How many waiting commits lack some of it.
    lacking: usize,
}

impl<'c, C: CommitDag> RangeWalk<'c, C> {
    /// The walk after its end. It may end when it has found more than the `most` newest commits.
    fn walked(
        commits: &'c mut C,
        old: Option<u32>,
        new: u32,
        most: usize,
    ) -> Result<Self, C::Error> {
        let mut walk = Self::begin(commits, old, new)?;
        let is_whole = walk.walk(most)?;
        if is_whole && old.is_some() {
            walk.prove()?;
        }
        Ok(walk)
    }

    fn begin(commits: &'c mut C, old: Option<u32>, new: u32) -> Result<Self, C::Error> {
        let mut walk = Self {
            marks: CommitMarks::new(commits),
            commits,
            old,
            queue: BinaryHeap::new(),
            queued: 0,
            walked: Vec::new(),
            certain: Some(0),
            goal: OLD,
            goal_level: 0,
            lacking: 0,
        };
        walk.mark(new, NEW)?;
        if let Some(old) = old {
            walk.mark(old, OLD)?;
        }
        Ok(walk)
    }

    /// Adds marks to a commit. If some of them are new, the commit waits to pass them on.
    fn mark(&mut self, commit: u32, marks: u64) -> Result<(), C::Error> {
        let before = self.marks.of(commit);
        if before & marks == marks {
            return Ok(());
        }

        let waits = before & WAITS != 0;
        let after = before | marks | WAITS;
        if !waits {
            let date = self.commits.date(commit)?;
            let is_new = after & OLD == 0;
            self.queue
                .push((date, is_new, Reverse(self.queued), commit));
            self.queued += 1;
        }
        let lacked = waits && self.lacks(commit, before);
        self.lacking = self.lacking + usize::from(self.lacks(commit, after)) - usize::from(lacked);
        *self.marks.at(commit) = after;
        Ok(())
    }

    /// Whether a commit that has these marks lacks some of the goal.
    fn lacks(&self, commit: u32, marks: u64) -> bool {
        marks & self.goal != self.goal
            && (self.goal_level == 0 || !self.commits.has_none_from(commit, self.goal_level))
    }

    /// Walks until no commit that waits lacks some of the goal. Returns `false` if it has found
    /// more than so many commits before that, all of them certainly new.
    fn walk(&mut self, most: usize) -> Result<bool, C::Error> {
        let mut parents = Vec::new();
        while self.lacking > 0 {
            if self.certain.is_some_and(|certain| certain > most) {
                return Ok(false);
            }
            let Some((_, _, _, commit)) = self.queue.pop() else {
                break;
            };
            let marks = self.marks.of(commit) & !WAITS;
            *self.marks.at(commit) = marks;
            self.lacking -= usize::from(self.lacks(commit, marks));
            if marks & COUNTED == 0 {
                *self.marks.at(commit) |= COUNTED;
                self.walked.push(commit);
                if marks & OLD == 0 {
                    self.certain = self.certain.filter(|_| self.is_certainly_new(commit));
                    self.certain = self.certain.map(|certain| certain + 1);
                }
            }

            parents.clear();
            self.commits.parents(commit, &mut parents)?;
            for parent in &parents {
                self.mark(*parent, marks & !COUNTED)?;
            }
        }
        Ok(true)
    }

    /// Whether the old tip certainly does not reach a commit that is not the old tip.
    fn is_certainly_new(&self, commit: u32) -> bool {
        let old = self.old;
        old.is_none_or(|old| self.commits.is_never_below(commit, old))
    }

    /// Walks on until no commit that waits can contain one of the range.
    fn prove(&mut self) -> Result<(), C::Error> {
        let new = self.walked.iter().filter(|at| self.is_new(**at));
        let lowest = new.map(|at| self.commits.level(*at)).min();
        self.aim_at(OLD | NEVER, lowest.unwrap_or(NO_LEVEL));
        if self.lacking > 0 {
            let goal = self.goal_below_the_range()?;
            self.aim_at(goal, self.goal_level);
        }
        self.walk(usize::MAX).map(drop)
    }

    fn aim_at(&mut self, goal: u64, level: u32) {
        (self.goal, self.goal_level) = (goal, level);
        let waiting = self.queue.iter().map(|(_, _, _, commit)| *commit);
        let lacks = |commit: &u32| self.lacks(*commit, self.marks.of(*commit));
        self.lacking = waiting.filter(lacks).count();
    }

    fn is_new(&self, commit: u32) -> bool {
        self.marks.of(commit) & OLD == 0
    }

    /// The marks of a commit that is below every commit of the range, and so contains none of
    /// them. This marks what is below the lower edge of the range: one parent of each commit whose
    /// parents are all outside. Whatever is in the range is above one of these.
    fn goal_below_the_range(&mut self) -> Result<u64, C::Error> {
        let mut edge = HashSet::new();
        let mut parents = Vec::new();
        for commit in self.walked.clone() {
            if !self.is_new(commit) {
                continue;
            }
            parents.clear();
            self.commits.parents(commit, &mut parents)?;
            if parents.iter().any(|parent| self.is_new(*parent)) {
                continue;
            }
            let mut oldest = None;
            for parent in &parents {
                let date = self.commits.date(*parent)?;
                if oldest.is_none_or(|(oldest, _)| date < oldest) {
                    oldest = Some((date, *parent));
                }
            }
            match oldest {
                Some((_, oldest)) => edge.insert(oldest),
                // A root of the range is above nothing.
                None => return Ok(NEVER),
            };
        }

        // What is below the lower one of two is below the upper one too.
        if edge.len() > 1 {
            let above = self.above(&edge)?;
            edge.retain(|at| !above.contains(at));
        }
        if edge.len() > EDGE_MAX {
            return Ok(NEVER);
        }

        let mut goal = OLD;
        for (number, at) in edge.into_iter().enumerate() {
            goal |= BELOW << number;
            self.mark(at, BELOW << number)?;
        }
        Ok(goal)
    }

    /// The walked commits that are above some others.
    fn above(&mut self, some: &HashSet<u32>) -> Result<HashSet<u32>, C::Error> {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        let mut parents = Vec::new();
        for child in &self.walked {
            parents.clear();
            self.commits.parents(*child, &mut parents)?;
            for parent in &parents {
                children.entry(*parent).or_default().push(*child);
            }
        }

        let mut above = HashSet::new();
        let mut next: Vec<u32> = some.iter().copied().collect();
        while let Some(at) = next.pop() {
            let children = children.get(&at).into_iter().flatten();
            next.extend(children.filter(|child| above.insert(**child)));
        }
        Ok(above)
    }

    /// The commits of the range that were walked, the newest first.
    fn into_range(mut self) -> Vec<u32> {
        let mut walked = std::mem::take(&mut self.walked);
        walked.retain(|commit| self.is_new(*commit));
        walked
    }
}

#[cfg(test)]
#[path = "range_tests.rs"]
mod tests;
