//! `status`: what is deployed, what is wanted, and what is in the way.

use std::collections::BTreeMap;

use super::error::Error;
use super::frozen::frozen;
use super::hook_faults::{FaultyHook, visible_hook_faults};
use super::names::names_with;
use super::notifications::{Untold, untold};
use crate::deploy_path::{environment_of, target_of};
use crate::deploy_repository::{DeployRepository, InstallRecord, MissingBranch};
use crate::id::Environment;
use crate::planning;
use crate::policy::Freeze;
use crate::report::{StatusRow, status_rows};
use crate::runner::{Unwatched, unwatched};
use crate::store::{Filter, Problem, Reader, Store};
use crate::sys::clock;

/// Everything that `status` shows, as it was at one moment.
#[derive(Debug)]
pub struct Overview {
    /// Each application in each environment.
    pub rows: Vec<StatusRow>,
    /// The environments that are frozen.
    pub frozen: BTreeMap<Environment, Freeze>,
    /// What is recorded as running although its runner is dead.
    pub unwatched: Vec<Unwatched>,
    /// If the hooks were installed for another branch or state than those of now: in words. Then
    /// pushes to the deploy branch are refused until `install` has run.
    pub not_as_installed: Option<String>,
    /// The deploy branch, if it does not exist though other branches do.
    pub missing_branch: Option<MissingBranch>,
    /// What is on the deploy branch and can't be deployed.
    pub problems: Vec<Problem>,
    /// The hooks that git does not run.
    pub hooks: Vec<FaultyHook>,
    /// Who waits for events, and what somebody was not told.
    pub untold: Vec<Untold>,
}

/// Collects everything that a filter lets through. `is_usable`: the configuration has no mistakes,
/// so it is known what it means.
///
/// # Errors
/// The filter lets nothing through, or the deploy branch or the state can't be read.
pub fn overview(
    deploy: &DeployRepository,
    store: &mut Store,
    filter: &Filter,
    is_usable: bool,
) -> Result<Overview, Error> {
    let record = store.read()?;
    let not_as_installed = if is_usable {
        not_as_installed(deploy, &record)?
    } else {
        None
    };
    let newest = record.newest()?;
    let names = names_with(deploy, &record, newest.keys().cloned())?;
    names.check_filter(filter)?;

    let mut frozen = frozen(deploy, &record, &names, clock::now())?;
    let mut rows = status_rows(deploy, &record, &names.wanted, &frozen, newest, filter)?;

    let mut problems = record.problems()?;
    problems.retain(|problem| concerns(filter, &deploy.config.root, &problem.refusal.path));
    if let Some(refusal) = names.unreadable {
        // It may be recorded already.
        problems.retain(|problem| problem.refusal.path != refusal.path);
        let found_at = clock::now();
        problems.push(Problem { refusal, found_at });
    }

    let unwatched = unwatched(&record, filter)?;
    for row in &mut rows {
        let is_held = |left: &&Unwatched| left.deployment.target.environment == row.environment;
        let left = unwatched.iter().find(is_held);
        row.held_by = left.map(|left| left.deployment.id);
    }

    frozen.retain(|name, _| filter.environment.as_ref().is_none_or(|of| of == name));
    Ok(Overview {
        rows,
        frozen,
        unwatched,
        missing_branch: deploy.missing_branch()?,
        not_as_installed,
        problems,
        hooks: visible_hook_faults(deploy)?,
        untold: untold(deploy, &record)?,
    })
}

/// What differs from what the hooks were installed for. Where nothing was recorded at the
/// installation, the state says which branch was meant.
fn not_as_installed(
    deploy: &DeployRepository,
    record: &Reader<'_>,
) -> Result<Option<String>, Error> {
    let recorded = InstallRecord::read(deploy.repository.path());
    if let Err(error) = deploy.check_as_installed(recorded) {
        return Ok(Some(error.to_string()));
    }
    let cursor = record.cursor()?;
    let other = cursor.filter(|cursor| cursor.branch != deploy.branch);
    let other = other.map(|cursor| planning::Error::OtherBranch {
        state: cursor.branch,
        config: deploy.branch.clone(),
    });
    Ok(other.map(|error| error.to_string()))
}

/// Whether a problem at a path is about what a filter lets through. What is not in the folder of an
/// environment, such as the deploy branch itself, is about all of them, and what is deeper in such a
/// folder is about each of its applications.
fn concerns(filter: &Filter, root: &str, path: &[u8]) -> bool {
    let Some(environment) = &filter.environment else {
        return true;
    };
    match (environment_of(root, path), target_of(root, path)) {
        (None, _) => true,
        (Some(of), None) => of == *environment,
        (Some(_), Some(target)) => filter.lets_through(&target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Application;

    #[test]
    fn problem_is_shown_with_what_it_is_about() {
        let filter = |environment: &str, application: Option<&str>| Filter {
            environment: Some(Environment::new(environment).unwrap()),
            application: application.map(|name| Application::new(name).unwrap()),
        };
        let table = [
            (filter("production", None), "", "production/a.deploy", true),
            (filter("production", None), "", "staging/a.deploy", false),
            (
                filter("production", None),
                "",
                "production/x/a.deploy",
                true,
            ),
            (
                filter("production", None),
                "",
                "prod/production/a.deploy",
                false,
            ),
            (
                filter("production", None),
                "x/y",
                "x/y/production/a.deploy",
                true,
            ),
            (
                filter("production", None),
                "x/y",
                "x/y/staging/a.deploy",
                false,
            ),
            (
                filter("production", Some("a")),
                "",
                "production/a.deploy",
                true,
            ),
            (
                filter("production", Some("a")),
                "",
                "production/b.deploy",
                false,
            ),
            (
                filter("production", Some("a")),
                "",
                "staging/a.deploy",
                false,
            ),
            (filter("production", Some("a")), "", "refs/heads/main", true),
            (filter("production", None), "", "a.deploy", true),
            (Filter::default(), "", "staging/a.deploy", true),
        ];
        for (filter, root, path, expect) in table {
            assert_eq!(
                concerns(&filter, root, path.as_bytes()),
                expect,
                "{filter:?} {path}"
            );
        }
    }
}
