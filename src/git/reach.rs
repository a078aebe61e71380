//! Whether one commit is in the history of others.
//!
//! The others' history is walked, the newest commits first. What is in the history of the one
//! commit can't contain it, because history has no circles. So that history is walked at the same
//! time, and where it is met, the walk ends. This is right whatever dates the commits claim. Where
//! levels are known, only the others' history is walked, down to the level of the one commit.

use std::collections::BinaryHeap;

use super::commit_dag::{CommitDag, NO_LEVEL};
use super::marks::CommitMarks;

/// Bits of a commit: one of the others reaches it, the one commit reaches it, and it waits to be
/// walked.
const NEW: u8 = 1;
const OLD: u8 = 1 << 1;
const WAITS: u8 = 1 << 2;

/// Whether a commit is one of some others, or in their history.
///
/// # Errors
/// A commit of the history can't be read.
pub(super) fn is_reachable<C: CommitDag>(
    commits: &mut C,
    one: u32,
    others: &[u32],
) -> Result<bool, C::Error> {
    let mut walk = ReachWalk {
        marks: CommitMarks::new(commits),
        one,
        commits,
        queue: BinaryHeap::new(),
        lacking: 0,
    };
    for other in others {
        walk.mark(*other, NEW)?;
    }
    if matches!(walk.commits.level(one), 0 | NO_LEVEL) {
        walk.mark(one, OLD)?;
    }

    let mut parents = Vec::new();
    while walk.lacking > 0 && !walk.is_met() {
        let Some((_, commit)) = walk.queue.pop() else {
            break;
        };
        let mark = walk.marks.at(commit);
        *mark &= !WAITS;
        let passed_on = if *mark == NEW { NEW } else { OLD };
        walk.lacking -= usize::from(passed_on == NEW);
        parents.clear();
        walk.commits.parents(commit, &mut parents)?;
        for parent in &parents {
            walk.mark(*parent, passed_on)?;
        }
    }
    Ok(walk.is_met())
}

struct ReachWalk<'c, C> {
    commits: &'c mut C,
    one: u32,
    marks: CommitMarks<u8>,
    /// The commits that wait: the newest first.
    queue: BinaryHeap<(i64, u32)>,
    /// How many of them only the others reach.
    lacking: usize,
}

impl<C: CommitDag> ReachWalk<'_, C> {
    /// Whether the others were found to reach the one commit.
    fn is_met(&self) -> bool {
        self.marks.of(self.one) & NEW != 0
    }

    /// Marks a commit as reached by one of the two sides. It waits if that can matter for what is
    /// below it.
    fn mark(&mut self, commit: u32, side: u8) -> Result<(), C::Error> {
        let before = self.marks.of(commit);
        *self.marks.at(commit) |= side;
        if before & (side | OLD) != 0 {
            return Ok(());
        }

        let waits = before & WAITS != 0;
        if waits {
            // Until now only the others reached it.
            self.lacking -= 1;
        } else if side == OLD
            || commit == self.one
            || !self.commits.is_never_below(self.one, commit)
        {
            *self.marks.at(commit) |= WAITS;
            self.queue.push((self.commits.date(commit)?, commit));
            self.lacking += usize::from(side == NEW);
        }
        Ok(())
    }
}
