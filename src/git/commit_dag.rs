//! What a walk over a history asks about commits.

/// The level of a commit that is not in the commit-graph.
pub(super) const NO_LEVEL: u32 = u32::MAX;

/// Commits by numbers, as a walk needs them.
pub(super) trait CommitDag {
    /// The error of a commit that can't be read.
    type Error;

    /// How many numbers were given.
    fn count(&self) -> usize;

    /// When a commit was committed, by its own word. It may only decide about an order.
    fn date(&mut self, commit: u32) -> Result<i64, Self::Error>;

    /// The parents of a commit, into a list that is empty.
    fn parents(&mut self, commit: u32, into: &mut Vec<u32>) -> Result<(), Self::Error>;

    /// The generation number of a commit: more than that of everything in its history. 0: nobody
    /// knows it. [`NO_LEVEL`]: the commit is in no history of a commit that has a level.
    fn level(&self, commit: u32) -> u32;

    /// Takes note that an answer relies on the level of a commit, whose parents nobody asked for.
    fn rely_on_level(&self, commit: u32);

    /// Whether a commit is certainly not in the history of another one, by their levels alone. The
    /// two are different commits.
    fn is_never_below(&self, commit: u32, other: u32) -> bool {
        let is_never = self.has_none_from(other, self.level(commit));
        if is_never {
            self.rely_on_level(commit);
        }
        is_never
    }

    /// Whether the history of a commit certainly has no other commit of this level or a higher one.
    fn has_none_from(&self, commit: u32, level: u32) -> bool {
        let own = self.level(commit);
        let has_none = own != NO_LEVEL && own != 0 && own <= level;
        if has_none {
            self.rely_on_level(commit);
        }
        has_none
    }
}
