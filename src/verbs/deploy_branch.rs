//! The deploy branch and the state, both as they were at one moment.
//!
//! Protocol: the branch is read before the snapshot of the state is taken. git can take long, and a
//! snapshot that is open holds back the write-ahead log of everybody. If the branch has moved when
//! the snapshot is closed, both are read again: the state may tell of a push whose deploy files
//! were not read. After [`TRIES`] looks it stays as it is, and the next look is right again.

use std::collections::BTreeMap;

use super::error::Error;
use crate::deploy_repository::{DeployRepository, MissingBranch};
use crate::git;
use crate::id::{Revision, Target};
use crate::judging::deploy_files;
use crate::store::{Reader, Store};

/// How often both are read where the branch moves all the time.
const TRIES: u32 = 5;

/// What the deploy branch says.
pub(super) struct DeployBranch {
    /// Its last commit; `None`: there is no such branch.
    pub(super) tip: Option<Revision>,
    /// The deploy files of that commit, each with the revision that it asks for. An error: they are
    /// damaged.
    pub(super) files: Result<BTreeMap<Target, Option<Revision>>, git::Error>,
    /// The branch, if it does not exist though other branches do.
    pub(super) missing: Option<MissingBranch>,
}

impl DeployBranch {
    fn read(deploy: &DeployRepository) -> Result<Self, Error> {
        let tip = deploy.repository.branch_tip(&deploy.branch)?;
        let files = match deploy_files(deploy, tip.as_ref()) {
            // What is recorded is shown also while the branch is damaged.
            Err(error) if tip.is_some() && error.is_damage() => Err(error),
            files => Ok(files?),
        };
        let missing = match &tip {
            Some(_) => None,
            None => deploy.missing_branch()?,
        };
        Ok(Self {
            tip,
            files,
            missing,
        })
    }
}

/// Makes something of what the deploy branch and the state say. `make` may be called several times.
///
/// # Errors
/// The branch or the state can't be read, or the error of `make`.
pub(super) fn at_one_moment<T>(
    deploy: &DeployRepository,
    store: &mut Store,
    mut make: impl FnMut(&DeployBranch, &Reader<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut tries = TRIES;
    loop {
        let branch = DeployBranch::read(deploy)?;
        let made = make(&branch, &*store.read()?)?;
        tries -= 1;
        if tries == 0 || deploy.repository.branch_tip(&deploy.branch)? == branch.tip {
            return Ok(made);
        }
    }
}
