//! Where the hooks of a repository should be, and which of them git does not run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::place::Place;
use super::report_failure::report_failure;
use crate::deploy_repository::{DeployRepository, InstallRecord};
use crate::git::{self, Repository};
use crate::hook_files::{HookFault, Host, Places, fault};
use crate::text;

/// A hook that git does not run as it should.
#[derive(Debug, thiserror::Error)]
#[error("{} {fault}", text::escape(.place.as_os_str().as_encoded_bytes(), 200))]
pub struct FaultyHook {
    /// Where it is or should be.
    pub place: PathBuf,
    /// What is wrong.
    pub fault: HookFault,
}

/// Where git looks for the hooks of this program in a repository.
///
/// # Errors
/// git gave no answer.
pub fn hook_places(git_dir: &Path) -> Result<Places, git::Error> {
    let folder = git::hooks_folder(git_dir)?;
    let gitlab = git::config_value(git_dir, "gitlab.fullpath")?;
    Ok(Host::of(git_dir, gitlab.is_some()).places(git_dir, &folder))
}

/// The hooks that were installed and that git does not run, as far as the repository alone shows:
/// for `status`, which does not ask git where its hooks are.
///
/// # Errors
/// A place can't be looked at.
pub(super) fn visible_hook_faults(deploy: &DeployRepository) -> Result<Vec<FaultyHook>, Error> {
    let git_dir = deploy.repository.path();
    if InstallRecord::read(git_dir).is_ok_and(|record| record.is_none()) {
        return Ok(Vec::new());
    }

    let hooks = git_dir.join("hooks");
    let places = |name: &str| -> BTreeSet<PathBuf> {
        let all = Host::ALL
            .iter()
            .flat_map(|host| host.places(git_dir, &hooks));
        all.filter(|(hook, _)| *hook == name)
            .map(|(_, place)| place)
            .collect()
    };
    let mut faulty = Vec::new();
    for name in ["pre-receive", "post-receive"] {
        let mut found = Vec::new();
        for place in places(name) {
            found.push((look_at(&place)?, place));
        }
        if found.iter().any(|(fault, _)| fault.is_none()) {
            continue;
        }

        // Where nothing of this program is, the usual place is named.
        let is_own =
            |fault: &HookFault| !matches!(fault, HookFault::Missing | HookFault::OfAnother);
        let usual = hooks.join(name);
        found.sort_by_key(|(fault, place)| (!fault.as_ref().is_some_and(is_own), *place != usual));
        let first = found.into_iter().next();
        faulty.extend(first.and_then(|(fault, place)| {
            Some(FaultyHook {
                place,
                fault: fault?,
            })
        }));
    }
    Ok(faulty)
}

fn look_at(place: &Path) -> Result<Option<HookFault>, Error> {
    fault(place).map_err(Error::system(
        text::escape(place.as_os_str().as_encoded_bytes(), 200),
        "make sure that this user can read the hooks",
    ))
}

/// The hooks of a repository that git does not run as it should. Each is also sent to the system
/// log, for the timer.
///
/// # Errors
/// git gave no answer, or a place can't be looked at.
pub fn hook_faults(place: &Place) -> Result<Vec<FaultyHook>, Error> {
    let repository = Repository::open(&place.git_dir)?;
    let mut faulty = Vec::new();
    for (_, place) in hook_places(repository.path())? {
        faulty.extend(look_at(&place)?.map(|fault| FaultyHook { place, fault }));
    }

    for hook in &faulty {
        report_failure(place, "hooks", &hook.to_string());
    }
    Ok(faulty)
}
