//! What a walk notes of each commit.

use super::commit_dag::CommitDag;

/// A few bits for each commit, by their numbers. What is never asked for takes no memory: the
/// kernel gives a page when something is written to it.
pub(super) struct CommitMarks<T>(Vec<T>);

impl<T: Copy + Default> CommitMarks<T> {
    /// No bits for the commits that have numbers now.
    pub(super) fn new(commits: &impl CommitDag) -> Self {
        Self(vec![T::default(); commits.count()])
    }

    /// The bits of a commit.
    pub(super) fn of(&self, commit: u32) -> T {
        self.0.get(commit as usize).copied().unwrap_or_default()
    }

    /// The bits of a commit, to be changed.
    pub(super) fn at(&mut self, commit: u32) -> &mut T {
        let at = commit as usize;
        if at >= self.0.len() {
            self.0.resize(at + 1, T::default());
        }
        &mut self.0[at]
    }
}
