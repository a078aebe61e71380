//! The deploy files that differ between two commits, kept for who asks next.
//!
//! A hook asks for the same range to plan it and to tell the pusher what nothing was planned for.

use crate::change::Change;
use crate::id::Revision;

/// How many changes are kept. With more of them, something else costs more than to find them again.
const CHANGES_MAX: usize = 16;

/// Where to look for deploy files at the wrong depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeepScan {
    /// Below every folder that differs: pre-receive and `check` do this.
    Everywhere,
    /// Below folders that have deploy files: post-receive does this, so that its time does not grow
    /// with unrelated changes.
    EnvironmentFolders,
}

/// Which changes were asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AskedChanges {
    pub(super) root: String,
    pub(super) old: Option<Revision>,
    pub(super) new: Option<Revision>,
    pub(super) deep: DeepScan,
}

/// The changes that were found last.
#[derive(Default)]
pub(super) struct KeptChanges(Option<(AskedChanges, Vec<Change>)>);

impl KeptChanges {
    /// The changes, if they were asked for last.
    pub(super) fn copy(&self, asked: &AskedChanges) -> Option<Vec<Change>> {
        let kept = self.0.as_ref().filter(|(known, _)| known == asked);
        kept.map(|(_, changes)| changes.clone())
    }

    /// Keeps the changes that were found.
    pub(super) fn keep(&mut self, asked: AskedChanges, changes: &[Change]) {
        let few = changes.len() <= CHANGES_MAX;
        self.0 = few.then(|| (asked, changes.to_owned()));
    }
}
