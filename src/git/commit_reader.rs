//! Reads the commits of a repository for a walk over its history.

use gix::hash::ObjectId;

use super::commit_dag::{CommitDag, NO_LEVEL};
use super::commit_graph::CommitGraph;
use super::error::Error;
use super::known_commits::{KnownCommits, READ_MAX};
use super::repository::Repository;

impl Repository {
    /// Walks over commits, which are known to the next walk too. What was found with a commit-graph
    /// that turns out to be damaged is thrown away, and found again without it.
    pub(super) fn walk_commits<T>(
        &self,
        mut walk: impl FnMut(&mut CommitReader<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut known = match self.known_commits.take() {
            Some(known) => known,
            None => KnownCommits::new(self.commit_graph()?, self.cut_at()?),
        };
        known.make_room();

        let mut walk = |known: &mut KnownCommits| {
            let repository = self;
            walk(&mut CommitReader { repository, known })
        };
        let mut found = walk(&mut known);
        if known.forget_damaged_graph() {
            found = walk(&mut known);
        }
        self.known_commits.replace(Some(known));
        found
    }

    /// The commit-graph of this repository, or else that of one whose objects it uses. `None`:
    /// there is none that can be used.
    fn commit_graph(&self) -> Result<Option<CommitGraph>, Error> {
        let kind = self.objects()?.kind;
        let own = CommitGraph::in_folder(&self.path().join("objects"), kind);
        if own.is_some() {
            return Ok(own);
        }
        let mut others = self.objects()?.alternates()?.into_iter();
        Ok(others.find_map(|folder| CommitGraph::in_folder(&folder, kind)))
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
        match self.known.place(commit) {
            Ok(graph) => Ok(graph.date(commit)),
            Err(_) => Ok(self.read(commit)?.0),
        }
    }

    fn parents(&mut self, commit: u32, into: &mut Vec<u32>) -> Result<(), Error> {
        match self.known.place(commit) {
            Ok(graph) => graph.parents(commit, into),
            Err(_) => into.extend_from_slice(self.read(commit)?.1),
        }
        Ok(())
    }

    fn level(&self, commit: u32) -> u32 {
        match self.known.place(commit) {
            Ok(graph) => graph.level(commit).unwrap_or_default(),
            Err(_) => NO_LEVEL,
        }
    }

    fn rely_on_level(&self, commit: u32) {
        if let Ok(graph) = self.known.place(commit) {
            graph.check_level(commit);
        }
    }
}
