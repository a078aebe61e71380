//! The table of all checks, and the run over it.

use serde::Serialize;

use super::finding::Finding;
use super::installation::{Installation, Request};
use super::{
    configuration, deployments, figures, hooks, machine, mirrors, notifications, permissions,
    published, repository, runners, state, trial,
};
use crate::store::{self, Store};

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    /// The name of the check. A check that looks at several things has a result for each of them.
    pub name: &'static str,
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
}

/// Runs all checks, in the order of the table.
///
/// They make a scratch repository in the folder for temporary files, a lock file and a control
/// group, and remove them again. They change nothing else.
#[must_use]
pub fn examine(request: Request<'_>) -> Vec<CheckResult> {
    let mut state = request.deploy.open_store();
    let installation = Installation::new(request);
    let run = |check: &Check| {
        let name = check.name;
        let findings = check.look.at(&installation, &mut state);
        findings
            .into_iter()
            .map(move |finding| CheckResult { name, finding })
    };

    CHECKS.iter().flat_map(run).collect()
}

/// A row of the table.
struct Check {
    name: &'static str,
    look: Look,
}

/// How a check looks.
enum Look {
    /// At one thing.
    One(fn(&Installation<'_>) -> Finding),
    /// At each of several things, or at nothing.
    Each(fn(&Installation<'_>) -> Vec<Finding>),
    /// At whether the state can be opened.
    Opening(fn(&Result<Store, store::Error>) -> Vec<Finding>),
    /// At the state. Where this can't be opened, the check is left out: the check "state" says so.
    State(fn(&Installation<'_>, &mut Store) -> Finding),
}

impl Look {
    fn at(
        &self,
        installation: &Installation<'_>,
        state: &mut Result<Store, store::Error>,
    ) -> Vec<Finding> {
        match (self, state) {
            (Self::Opening(look), state) => look(state),
            (Self::One(look), _) => vec![look(installation)],
            (Self::Each(look), _) => look(installation),
            (Self::State(look), Ok(store)) => vec![look(installation, store)],
            (Self::State(_), Err(_)) => Vec::new(),
        }
    }
}

const CHECKS: &[Check] = &[
    one("version", machine::version),
    one("configuration", configuration::file),
    one("install record", configuration::record),
    one("configuration permissions", permissions::configuration),
    one("deploy branch", repository::deploy_branch),
    each("hooks", hooks::folder),
    each("pre-receive", |installation| {
        hooks::hook(installation, "pre-receive")
    }),
    each("post-receive", |installation| {
        hooks::hook(installation, "post-receive")
    }),
    each("reference-transaction", |installation| {
        hooks::hook(installation, "reference-transaction")
    }),
    one("a push", trial::push),
    one("push options", repository::push_options),
    one("work tree", repository::work_tree),
    one("ownership", repository::ownership),
    one("git settings", repository::git_settings),
    one("lock files", repository::lock_files),
    Check {
        name: "state",
        look: Look::Opening(state::is_open),
    },
    of_state("names", configuration::names),
    of_state("state permissions", permissions::state),
    of_state("state folders", permissions::state_folders),
    one("state files", permissions::state_files),
    of_state("database", state::database),
    of_state("lock", state::lock),
    of_state("cursor", state::cursor),
    of_state("queue", state::queue),
    of_state("clock", state::clock),
    of_state("published status", published::status),
    each("signatures", configuration::signatures),
    each("application repository", deployments::repositories),
    each("mirror", mirrors::mirrors),
    each("command", deployments::programs),
    each("deploy user", deployments::users),
    each("checkout", deployments::checkouts),
    each("shared", deployments::shared),
    one("runner", runners::runner),
    one("timer", runners::timer),
    one("process tracking", machine::process_tracking),
    one("syslog", machine::system_log),
    one("notifier", notifications::program),
    each("notify", notifications::targets),
    of_state("notifications", notifications::delivery),
    one("time zones", machine::time_zones),
    each("metrics", figures::metrics),
];

const fn one(name: &'static str, look: fn(&Installation<'_>) -> Finding) -> Check {
    let look = Look::One(look);
    Check { name, look }
}

const fn each(name: &'static str, look: fn(&Installation<'_>) -> Vec<Finding>) -> Check {
    let look = Look::Each(look);
    Check { name, look }
}

const fn of_state(name: &'static str, look: fn(&Installation<'_>, &mut Store) -> Finding) -> Check {
    let look = Look::State(look);
    Check { name, look }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::hook_files::HOOKS;

    #[test]
    fn names_of_checks_are_unique() {
        let names: BTreeSet<_> = CHECKS.iter().map(|check| check.name).collect();
        assert_eq!(names.len(), CHECKS.len());
    }

    #[test]
    fn every_hook_has_a_check() {
        for hook in HOOKS {
            assert!(CHECKS.iter().any(|check| check.name == *hook), "{hook}");
        }
    }
}
