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
    let read = refs::read(input, |name| name.starts_with(b"refs/heads/"));
    if read.as_ref().is_ok_and(|updates| updates.wanted.is_empty()) {
        return;
    }

    let Ok(deploy) = DeployRepository::open(&environment.git_dir, config) else {
        return;
    };
    let is_branch = |update: &RefUpdate| update.name == deploy.branch.as_bytes();
    let (old, new) = match read.map(|updates| updates.wanted.into_iter().find(is_branch)) {
        Ok(Some(RefUpdate { old, new, .. })) => (old, new),
        Ok(None) => return,
        // The line that could not be read may be about the deploy branch.
        Err(_) => (None, None),
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
