//! What an install has to do in a repository: a pure function from what was found to steps.
//!
//! Protocol: the next call can complete an install that was stopped after any step. The order of
//! the steps is: the state with its cursor, then the record of what is meant, then the links that
//! kept hooks need, then the hooks, each of which is kept and at once replaced, then git's
//! configuration and the timer's list.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use super::error::Error;
use super::found::{BeforeInstall, Beside, FoundHook, Hook, HookForm, Kept, OtherHook};
use super::step::Step;
use crate::store;

/// The setting that lets git accept the options of a push.
const PUSH_OPTIONS: &str = "receive.advertisePushOptions";

/// What has to be done so that this program runs as the repository's hooks. `list`: the timer's
/// list, if the repository is to be added to it.
///
/// # Errors
/// A hook can't be kept.
pub fn plan_install(found: &BeforeInstall, list: Option<&Path>) -> Result<Vec<Step>, Error> {
    let (hook_steps, kept_folders) = plan_hooks(found)?;

    let mut steps = plan_state(found);
    if !found.is_recorded {
        steps.push(Step::Record {
            file: found.record_file.clone(),
            branch: found.branch.clone(),
        });
    }
    if let Some(beside) = &found.beside
        && !kept_folders.is_empty()
    {
        steps.extend(plan_beside(beside, kept_folders)?);
    }
    steps.extend(hook_steps);
    if !found.takes_push_options {
        steps.push(Step::Configure {
            key: PUSH_OPTIONS,
            value: "true",
        });
    }
    steps.extend(list.map(|list| Step::AddToTimerList {
        list: list.to_owned(),
    }));
    Ok(steps)
}

/// What has to be done so that there is a state with a cursor on the deploy branch.
fn plan_state(found: &BeforeInstall) -> Vec<Step> {
    let folder = found.state_folder.clone();
    let start = found.start.clone();
    let Some(state) = &found.state else {
        return vec![Step::CreateState { folder, start }];
    };

    let mut steps = Vec::new();
    if state.version < store::VERSION {
        steps.push(Step::UpgradeState {
            folder,
            from: state.version,
        });
    }
    if !state.is_about(&found.branch) {
        steps.push(Step::MoveCursor {
            branch: found.branch.clone(),
            start,
        });
    }
    steps
}

/// What has to be done so that a hook of this program is in each place. Also returns the
/// names of the folders that may belong to hooks which are kept.
fn plan_hooks(found: &BeforeInstall) -> Result<(Vec<Step>, Vec<OsString>), Error> {
    let (mut steps, mut folders) = (Vec::new(), Vec::new());

    for hook in &found.hooks {
        match &hook.standing {
            FoundHook::Own { is_current: true } => continue,
            FoundHook::Own { .. } | FoundHook::Nothing => {}
            FoundHook::Other(other) => {
                steps.extend(plan_keeping(hook, other)?);
                folders.push(OsString::from(format!("{}.d", hook.name)));
            }
        }
        let (hook, program, form) = (hook.path.clone(), found.program.clone(), hook.form);
        steps.push(match form {
            HookForm::File => Step::WriteHook { hook, program },
            HookForm::Link => Step::Link { hook, program },
        });
    }

    Ok((steps, folders))
}

/// How a hook is kept; `None`: an install that was stopped has kept it already, but has not put its
/// own hook in place.
fn plan_keeping(hook: &Hook, other: &OtherHook) -> Result<Option<Step>, Error> {
    if let (Some(sibling), Some(link)) = (other.sibling, &other.link)
        && link.strip_prefix(".").unwrap_or(link) != Path::new(sibling.name)
    {
        return Err(Error::LinkByPath {
            hook: hook.path.clone(),
            sibling: sibling.name,
        });
    }
    // A stopped install may have kept the hook that this link leads to. After the link is kept too,
    // it finds that hook beside itself.
    let finds_its_sibling = other.sibling.is_some_and(|sibling| sibling.is_kept);
    if other.leads_nowhere && !finds_its_sibling {
        return Err(Error::Dangling(hook.path.clone()));
    }

    match other.kept {
        Kept::ThisHook => Ok(None),
        Kept::Other => Err(Error::Taken(hook.kept_path.clone())),
        Kept::Nothing => Ok(Some(Step::Keep {
            hook: hook.path.clone(),
            kept: hook.kept_path.clone(),
        })),
    }
}

/// What has to be linked beside the hooks that are kept: the files that are beside them now, and
/// the folders that may belong to them.
fn plan_beside(
    beside: &Beside,
    kept_folders: Vec<OsString>,
) -> Result<impl Iterator<Item = Step>, Error> {
    if beside.chained_is_link {
        return Err(Error::Taken(beside.chained.clone()));
    }

    let needed: BTreeSet<OsString> = beside.names.iter().cloned().chain(kept_folders).collect();
    let missing = needed
        .into_iter()
        .filter(|name| !beside.linked.contains(name));
    Ok(missing.map(|name| Step::LinkBeside {
        folder: beside.chained.clone(),
        name,
    }))
}

#[cfg(test)]
#[path = "plan_install_tests.rs"]
mod tests;
