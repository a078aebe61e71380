//! Reads the commits of a repository for a walk over its history.

use gix::hash::ObjectId;

use super::commit_dag::{CommitDag, NO_LEVEL};
use super::error::Error;
use super::known_commits::{KnownCommits, READ_MAX};
use super::repository::Repository;

/// The highest level that git writes. It stands for all higher ones too.
const LEVEL_MAX: u32 = 0x3fff_ffff;

impl Repository {
    /// Walks over commits, which are known to the next walk too.
    pub(super) fn walk_commits<T>(
        &self,
        walk: impl FnOnce(&mut CommitReader<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut known = match self.known_commits.take() {
            Some(known) => known,
            None => KnownCommits::of_graph(self.path(), self.objects()?.kind),
        };
        known.make_room();
        let found = walk(&mut CommitReader {
            repository: self,
            known: &mut known,
        });
        self.known_commits.replace(Some(known));
        found
    }
}

/// Reads commits for one walk.
pub(super) struct CommitReader<'r> {
    repository: &'r Repository,
    pub(super) known: &'r mut KnownCommits,
}

impl CommitReader<'_> {
    /// The number of a commit, which need not be there.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn number(&mut self, id: ObjectId) -> Result<u32, Error> {
        let number = self.known.number(id);
        number.ok_or_else(|| self.too_many())
    }

    /// The date and the parents of a commit that is not in the commit-graph.
    fn read(&mut self, commit: u32) -> Result<(i64, &[u32]), Error> {
        if self.known.read(commit).is_none() {
            let id = self.known.id(commit);
            let mut buffer = std::mem::take(&mut self.known.buffer);
            let object = self.repository.commit_once(&id, &mut buffer)?;
            let kept = (self.known).keep(commit, object.committed_at, &object.parents);
            self.known.buffer = buffer;
            kept.ok_or_else(|| self.too_many())?;
        }
        self.known.read(commit).ok_or_else(|| self.too_many())
    }

    fn too_many(&self) -> Error {
        self.repository.unacceptable(format!(
            "more than {READ_MAX} commits would have to be looked at to walk over the history"
        ))
    }
}

impl CommitDag for CommitReader<'_> {
    type Error = Error;

    fn count(&self) -> usize {
        self.known.count()
    }

    fn date(&mut self, commit: u32) -> Result<i64, Error> {
        if let Some(found) = self.known.in_graph(commit) {
            return Ok(found.committer_timestamp().try_into().unwrap_or(i64::MAX));
        }
        Ok(self.read(commit)?.0)
    }

    fn parents(&mut self, commit: u32, into: &mut Vec<u32>) -> Result<(), Error> {
        if let Some(found) = self.known.in_graph(commit) {
            for parent in found.iter_parents() {
                into.push(parent.map_err(|error| self.repository.error(error))?.0);
            }
        } else {
            into.extend_from_slice(self.read(commit)?.1);
        }
        Ok(())
    }

    fn level(&self, commit: u32) -> u32 {
        let found = self.known.in_graph(commit);
        match found.map(|found| found.generation()) {
            None => NO_LEVEL,
            Some(LEVEL_MAX..) => 0,
            Some(level) => level,
        }
    }
}
