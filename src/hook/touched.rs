//! Whether a push touches the deploy branch, also while the configuration can't be used.

use crate::deploy_repository::ConfigError;
use crate::git::Repository;
use crate::hook::environment::HookEnvironment;
use crate::store::Store;

/// With a configuration that can't be used, every branch that may be the deploy branch is one: what
/// the file says, what HEAD names, what was planned last.
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

/// The branch that was planned last, by the state in the repository.
fn planned_branch(repository: &Repository) -> Option<String> {
    let mut store = Store::open(&repository.path().join("deploy-by-code")).ok()?;
    let cursor = store.read().ok()?.cursor().ok()??;
    Some(cursor.branch)
}
