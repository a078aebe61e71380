//! Which branch is the deploy branch while the configuration can't be used.

use crate::deploy_repository::ConfigError;
use crate::git::Repository;
use crate::hook::environment::HookEnvironment;
use crate::store::Store;

/// Every branch that can be the deploy branch while the configuration can't be used: the one that
/// the file names as far as it can be read, the one that HEAD names, and the one that was planned
/// last.
pub(super) fn possible_branches(environment: &HookEnvironment, error: &ConfigError) -> Vec<String> {
    let configured = error.config.branch.iter();
    let mut branches: Vec<String> = configured
        .map(|branch| format!("refs/heads/{branch}"))
        .collect();

    if let Ok(repository) = Repository::open(&environment.git_dir) {
        branches.extend(repository.head_branch());
        branches.extend(planned_branch(&repository));
    }
    branches
}

/// The branch that was planned last, according to the state in the repository.
fn planned_branch(repository: &Repository) -> Option<String> {
    let mut store = Store::open(&repository.path().join("deploy-by-code")).ok()?;
    let cursor = store.read().ok()?.cursor().ok()??;
    Some(cursor.branch)
}
