//! `status`: what is deployed, what is wanted, and what is in the way.

use std::collections::BTreeMap;

use super::deploy_branch::at_one_moment;
use super::error::Error;
use super::frozen::frozen;
use super::hook_faults::{FaultyHook, visible_hook_faults};
use super::names::{Names, names_with};
use super::notifications::{Untold, untold};
use crate::deploy_path::{environment_of, target_of};
use crate::deploy_repository::{DeployRepository, InstallRecord, MissingBranch};
use crate::id::Environment;
use crate::planning;
use crate::policy::Freeze;
use crate::report::{StatusRow, status_rows};
use crate::runner::{Unwatched, running, unwatched};
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
    /// The names that are known, also those of what has no row.
    pub names: Names,
    /// The folder above the environments' folders.
    pub root: String,
}

impl Overview {
    /// The problems that are about what a filter lets through.
    pub fn problems_of(&self, filter: &Filter) -> impl Iterator<Item = &Problem> {
        let problems = self.problems.iter();
        problems.filter(|problem| concerns(filter, &self.root, &problem.refusal.path))
    }
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
    // Nothing of this is in the state, so nothing of it is asked while a snapshot is open.
    let recorded = InstallRecord::read(deploy.repository.path());
    let installed = deploy.check_as_installed(recorded);
    let hooks = visible_hook_faults(deploy)?;

    let now = clock::now();
    let (mut overview, running) = at_one_moment(deploy, store, |branch, record| {
        let newest = record.newest()?;
        let names = names_with(deploy, branch, record, newest.keys().cloned())?;
        names.check_filter(filter)?;
        let mut frozen = frozen(deploy, record, &names, now)?;
        let wanted = names.wanted.as_ref();
        let rows = status_rows(deploy, record, wanted, &frozen, newest, filter)?;
        frozen.retain(|name, _| filter.environment.as_ref().is_none_or(|of| of == name));

        let mut problems = record.problems()?;
        problems.retain(|problem| concerns(filter, &deploy.config.root, &problem.refusal.path));
        if let Some(refusal) = names.unreadable.clone() {
            // It may be recorded already.
            problems.retain(|problem| problem.refusal.path != refusal.path);
            problems.push(Problem {
                refusal,
                found_at: now,
            });
        }
        let not_as_installed = match (is_usable, &installed) {
            (false, _) => None,
            (true, Err(error)) => Some(error.to_string()),
            (true, Ok(())) => other_branch(deploy, record)?,
        };
        let overview = Overview {
            rows,
            frozen,
            unwatched: Vec::new(),
            not_as_installed,
            missing_branch: branch.missing.clone(),
            problems,
            hooks: Vec::new(),
            untold: untold(deploy, record)?,
            names,
            root: deploy.config.root.clone(),
        };
        Ok((overview, running(record, filter)?))
    })?;

    overview.hooks = hooks;
    overview.unwatched = unwatched(store, running)?;
    for row in &mut overview.rows {
        let is_held = |left: &&Unwatched| left.deployment.target.environment == row.environment;
        let left = overview.unwatched.iter().find(is_held);
        row.held_by = left.map(|left| left.deployment.id);
    }
    Ok(overview)
}

/// The branch that the state is of, in words, if that is another one than the deploy branch. Where
/// nothing was recorded at the installation, only the state says which branch was meant.
fn other_branch(deploy: &DeployRepository, record: &Reader<'_>) -> Result<Option<String>, Error> {
    let cursor = record.cursor()?;
    let other = cursor.filter(|cursor| cursor.branch != deploy.branch);
    let other = other.map(|cursor| planning::Error::OtherBranch {
        state: cursor.branch,
        config: deploy.branch.clone(),
    });
    Ok(other.map(|error| error.to_string()))
}

/// Whether a problem at a path is about what a filter lets through. What is not in the folder of an
/// environment, such as the deploy branch itself, is about all of them. What is deeper in such a
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
