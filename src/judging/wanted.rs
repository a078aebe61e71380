//! What the deploy files of a commit ask for. Nothing is judged.

use std::collections::BTreeMap;

use crate::candidate::candidates;
use crate::deploy_repository::DeployRepository;
use crate::git::{self, DeepScan, Repository};
use crate::id::{Revision, Target};

/// The revision that each deploy file of a commit asks for. Files that ask for none are left out.
///
/// # Errors
/// The commit or its trees can't be read.
pub fn wanted(
    deploy: &DeployRepository,
    commit: Option<&Revision>,
) -> Result<BTreeMap<Target, Revision>, git::Error> {
    let files = deploy_files(deploy, commit)?.into_iter();
    Ok(files
        .filter_map(|(target, revision)| Some((target, revision?)))
        .collect())
}

/// Every deploy file of a commit, with the revision that it asks for; `None`: it asks for none.
///
/// # Errors
/// The commit or its trees can't be read.
pub fn deploy_files(
    deploy: &DeployRepository,
    commit: Option<&Revision>,
) -> Result<BTreeMap<Target, Option<Revision>>, git::Error> {
    deploy_files_at(&deploy.repository, &deploy.config.root, commit)
}

/// The same, in any repository. `root` is the folder above the environments' folders.
///
/// # Errors
/// As for [`deploy_files`].
pub fn deploy_files_at(
    repository: &Repository,
    root: &str,
    commit: Option<&Revision>,
) -> Result<BTreeMap<Target, Option<Revision>>, git::Error> {
    let changes = repository.changes(root, None, commit, DeepScan::EnvironmentFolders)?;
    let files = candidates(changes).into_iter().filter_map(|candidate| {
        let revision = candidate.revision().cloned();
        Some((candidate.target?, revision))
    });
    Ok(files.collect())
}
