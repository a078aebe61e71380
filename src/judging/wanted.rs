//! What the deploy files of a commit ask for. Nothing is judged.

use std::collections::BTreeMap;

use crate::candidate::candidates;
use crate::deploy_repository::DeployRepository;
use crate::git::{self, DeepScan};
use crate::id::{Revision, Target};

/// The revision that each deploy file of a commit asks for. Files that ask for none are left out.
///
/// # Errors
/// The commit or its trees can't be read.
pub fn wanted(
    deploy: &DeployRepository,
    commit: Option<&Revision>,
) -> Result<BTreeMap<Target, Revision>, git::Error> {
    let changes = deploy.repository.changes(
        &deploy.config.root,
        None,
        commit,
        DeepScan::EnvironmentFolders,
    )?;

    let wanted = candidates(changes).into_iter().filter_map(|candidate| {
        let revision = candidate.revision()?.clone();
        Some((candidate.target?, revision))
    });
    Ok(wanted.collect())
}
