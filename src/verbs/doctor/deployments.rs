//! What the deployments of the deploy files need: repositories, programs, users, folders.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::programs::{ProgramFault, check_programs};
use super::super::shared_paths::{SharedFault, check_shared};
use super::finding::Finding;
use super::installation::{Installation, shown};
use crate::checkout::CURRENT;
use crate::config::Settings;
use crate::deploy_repository::folder_values;
use crate::git;
use crate::id::Target;
use crate::sys::access::may_create_in;
use crate::sys::user::User;
use crate::text;

/// Whether each application repository can be read, and has a branch or tag from which revisions
/// may be deployed.
pub(super) fn repositories(installation: &Installation<'_>) -> Vec<Finding> {
    let deploy = installation.deploy;
    let wanted = installation.wanted.iter().flatten();
    let mut targets: BTreeSet<Target> = wanted.map(|(target, _)| target.clone()).collect();
    targets.extend(deploy.config.named_targets());

    let look_at = |target: &Target| {
        let (path, mirror) = deploy.application_place(target)?;
        let allowed = deploy.config.settings(target).allowed_refs;
        let found = git::open_application(&path).and_then(|repository| {
            let mut allowed = allowed.iter();
            let has_one = allowed.try_fold(false, |has_one, name| {
                Ok(has_one || repository.has_ref(name)?)
            })?;
            Ok((has_one, repository.branches()?))
        });
        let shown = shown(&path);
        Some(match found {
            Ok((true, _)) => Finding::ok(format!("{target}: {shown}")),
            Ok((false, branches)) => {
                let branches = match branches.as_slice() {
                    [] => "no branch".to_owned(),
                    branches => text::escape(branches.join(", "), 200),
                };
                let allowed = text::escape(allowed.join(", "), 200);
                Finding::problem(
                    format!(
                        "{target}: no ref of allowed_refs ({allowed}) exists in {shown}, which has \
                         {branches}"
                    ),
                    "let allowed_refs name the branch from which it is deployed",
                )
            }
            Err(error) => Finding::problem(
                format!("{target}: {error}"),
                match mirror {
                    None => "check that it is there and that this user may read it".to_owned(),
                    Some(_) => format!(
                        "if it is damaged, remove it: rm -r {shown}; then fetch it anew: {}",
                        installation.run("check")
                    ),
                },
            ),
        })
    };

    targets.iter().filter_map(look_at).collect()
}

/// Whether the programs of the settings can be executed, each once.
pub(super) fn programs(installation: &Installation<'_>) -> Vec<Finding> {
    let wanted = installation.wanted.iter().flatten();
    let found: BTreeSet<Result<String, ProgramFault>> = wanted
        .flat_map(|(target, revision)| check_programs(installation.deploy, target, revision))
        .collect();

    let finding = |found: Result<String, ProgramFault>| match found {
        Ok(program) => Finding::ok(program),
        Err(ProgramFault { found, fix }) => Finding::problem(found, fix),
    };
    found.into_iter().map(finding).collect()
}

/// Whether this user can run commands as the users that the configuration names.
pub(super) fn users(installation: &Installation<'_>) -> Vec<Finding> {
    let users = values(installation, |_, settings| settings.user);

    let look_at = |name: String| match User::find(&name) {
        Err(error) => Finding::problem(
            text::escape(error.to_string(), 200),
            "create the user, or change user in the configuration",
        ),
        Ok(user) if user.is_current() || User::is_root() => Finding::ok(text::escape(name, 64)),
        Ok(_) => Finding::problem(
            format!("only root can run commands as {}", text::escape(name, 64)),
            "let the hooks run as that user, or let the command use sudo",
        ),
    };
    users.into_iter().map(look_at).collect()
}

/// Whether this user can make releases in the folders that `checkout` names, and make one of them
/// the current one. Where a folder is missing, the nearest folder above it that exists is checked.
pub(super) fn checkouts(installation: &Installation<'_>) -> Vec<Finding> {
    let folders = values(installation, |target, settings| {
        Some(settings.checkout?.fill(&folder_values(target)))
    });

    let look_at = |folder: String| {
        let folder = Path::new(&folder);
        let exists = |folder: &&Path| folder.symlink_metadata().is_ok();
        let there = folder.ancestors().find(exists).unwrap_or(Path::new("/"));

        let current = folder.join(CURRENT);
        let status = current.symlink_metadata();
        if status.is_ok_and(|status| !status.file_type().is_symlink()) {
            return Finding::problem(
                format!("{} is not a symbolic link", shown(&current)),
                "move it away: deployments put a link to the current release there",
            );
        }
        if there.is_dir() && may_create_in(there) {
            return Finding::ok(shown(folder));
        }
        Finding::problem(
            format!(
                "{}: this user can't write to {}",
                shown(folder),
                shown(there)
            ),
            "let this user write there, or change checkout in the configuration",
        )
    };
    folders.into_iter().map(look_at).collect()
}

/// Whether the next deployments can provide what the releases of a checkout share.
pub(super) fn shared(installation: &Installation<'_>) -> Vec<Finding> {
    let wanted = installation.wanted.iter().flatten();
    let found = wanted
        .flat_map(|(target, revision)| check_shared(installation.deploy, target, revision))
        .map(|found| match found {
            Ok(place) => Finding::ok(place),
            Err(fault) if fault.is_certain => Finding::problem(fault.found, fault.fix),
            Err(SharedFault { found, fix, .. }) => Finding::warning(found, fix),
        });
    found.collect()
}

/// The values that `pick` takes from the settings of all targets, each value once.
fn values(
    installation: &Installation<'_>,
    pick: impl Fn(&Target, Settings) -> Option<String>,
) -> BTreeSet<String> {
    let config = &installation.deploy.config;
    let value = |target: &Target| pick(target, config.settings(target));
    let wanted = installation.wanted.iter().flatten();
    wanted.map(|(target, _)| target).filter_map(value).collect()
}
