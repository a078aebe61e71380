//! What the record says about a target, before any repository is asked.

use std::path::PathBuf;

use super::error::Error;
use super::inputs::Inputs;
use super::questions::Question;
use crate::candidate::Candidate;
use crate::id::{Revision, Target};
use crate::status::Status;
use crate::store::TargetRecord;

/// What the record says about a target.
pub(super) struct Recorded {
    /// The revision that was wanted before the change, and that was accepted.
    pub(super) wanted: Option<Revision>,
    /// What the state has of it.
    pub(super) state: TargetRecord,
}

impl Recorded {
    pub(super) fn read(
        inputs: &Inputs<'_>,
        target: &Target,
        candidate: &Candidate,
    ) -> Result<Self, Error> {
        let before = candidate
            .from
            .as_ref()
            .or_else(|| inputs.wanted_now.get(target));
        let Some(record) = inputs.record else {
            return Ok(Self {
                wanted: before.cloned(),
                state: TargetRecord::default(),
            });
        };

        let path = &candidate.change.path;
        let state = record.target_record(target, path, candidate.revision())?;
        // If the file has a problem, what it asked for was refused after the branch had moved. Then
        // the revision that was accepted last counts.
        let wanted = if state.has_problem {
            state.newest.as_ref().map(|newest| &newest.revision)
        } else {
            before
        };
        Ok(Self {
            wanted: wanted.cloned(),
            state,
        })
    }

    /// The revision of the newest deployment, if it may still take effect and is not the new
    /// revision.
    pub(super) fn under_way(&self, new: &Revision) -> Option<&Revision> {
        let newest = self.state.newest.as_ref()?;
        let may_take_effect = matches!(
            newest.status,
            Status::Queued | Status::Running | Status::Interrupted
        );
        (may_take_effect && newest.revision != *new).then_some(&newest.revision)
    }

    /// The questions to the application's repository, which is at `path`, that are asked in any
    /// case.
    pub(super) fn questions(
        &self,
        inputs: &Inputs<'_>,
        target: &Target,
        candidate: &Candidate,
        path: Option<PathBuf>,
    ) -> Vec<(PathBuf, Question)> {
        let (Some(path), Some(revision)) = (path, candidate.revision()) else {
            return Vec::new();
        };

        let find = Question::Find {
            revision: revision.clone(),
            allowed_refs: inputs.deploy.config.settings(target).allowed_refs,
        };
        let bases = [
            self.wanted.as_ref(),
            self.state.deployed.as_ref(),
            self.under_way(revision),
        ];
        let folder = inputs.deploy.subdirectory(target);
        let directions = bases.into_iter().flatten().map(|from| Question::Direction {
            from: from.clone(),
            to: revision.clone(),
            folder: folder.clone(),
        });

        [find]
            .into_iter()
            .chain(directions)
            .map(|question| (path.clone(), question))
            .collect()
    }
}
