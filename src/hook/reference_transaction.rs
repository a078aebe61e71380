//! reference-transaction: starts a `reconcile`, in case git never runs post-receive.

use std::io::BufRead;
use std::path::Path;

use super::environment::{HookEnvironment, pusher};
use crate::deploy_repository::DeployRepository;
use crate::publish::Audience;
use crate::refs::{self, RefUpdate};
use crate::wake;

/// In the `committed` state, when the deploy branch is among the refs, starts a `reconcile`: git
/// does not run post-receive when the client goes away while pre-receive runs. In every other state
/// and for every other ref it does nothing. It never fails, since a failure in the `prepared` state
/// would undo somebody's push.
pub fn reference_transaction(
    environment: &HookEnvironment,
    config: Option<&Path>,
    state: &str,
    input: impl BufRead,
) {
    if state != "committed" {
        return;
    }
    // The repository is only opened for a branch, and nothing of the other refs is kept.
    let open = || DeployRepository::open(&environment.git_dir, config).ok();
    let mut opened = None;
    let read = refs::read(input, |name| {
        name.starts_with(b"refs/heads/")
            && matches!(opened.get_or_insert_with(open), Some(deploy) if deploy.is_branch(name))
    });
    let (old, new) = match read.map(|updates| updates.into_iter().next()) {
        Ok(Some(RefUpdate { old, new, .. })) => (old, new),
        Ok(None) => return,
        // The line that could not be read may be about the deploy branch.
        Err(_) => (None, None),
    };
    let Some(deploy) = opened.unwrap_or_else(open) else {
        return;
    };
    if !deploy.state_dir().exists() {
        return;
    }

    let (old, new) = (old.as_ref(), new.as_ref());
    if let Err(error) = wake::reconcile(&deploy, old, new, Some(&pusher())) {
        let message = format!("no reconcile could be started: {error}");
        Audience::of(&deploy).report_failure("reference-transaction", &message);
    }
}
