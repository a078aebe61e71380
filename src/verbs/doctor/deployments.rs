//! What the deployments of the deploy files need: repositories, programs, users, folders.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::finding::Finding;
use super::installation::{Installation, shown};
use crate::config::Settings;
use crate::deploy_repository::folder_values;
use crate::git;
use crate::id::Target;
use crate::sys::access::may_create_in;
use crate::sys::user::User;
use crate::text;

/// Whether each application repository can be read.
pub(super) fn repositories(installation: &Installation<'_>) -> Vec<Finding> {
    let look_at = |target: &Target| {
        let path = installation.deploy.application_repository(target)?;
        Some(match git::open_application(&path) {
            Ok(_) => Finding::ok(format!("{target}: {}", shown(&path))),
            Err(error) => Finding::problem(
                format!("{target}: {error}"),
                "check that it is there and that this user may read it",
            ),
        })
    };

    installation.wanted.iter().filter_map(look_at).collect()
}

/// Whether the programs that commands name by absolute paths can be executed. Other programs are
/// found only during a deployment: in its checkout, or by the PATH of the command.
pub(super) fn programs(installation: &Installation<'_>) -> Vec<Finding> {
    let programs = values(installation, |target, settings| {
        let program = settings.command?.first()?.fill(&folder_values(target));
        Some(program).filter(|program| program.starts_with('/'))
    });

    let look_at = |program: String| {
        let program = Path::new(&program);
        match fs::metadata(program) {
            Ok(found) if found.is_file() && found.mode() & 0o111 != 0 => {
                Finding::ok(shown(program))
            }
            Ok(_) => Finding::problem(
                format!("{} is not a program that can be executed", shown(program)),
                "chmod +x, or change command in the configuration",
            ),
            Err(error) => Finding::problem(
                format!("{}: {error}", shown(program)),
                "install it, or change command in the configuration",
            ),
        }
    };
    programs.into_iter().map(look_at).collect()
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

        let current = folder.join("current");
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

/// The values that `pick` takes from the settings of all targets, each value once.
fn values(
    installation: &Installation<'_>,
    pick: impl Fn(&Target, Settings) -> Option<String>,
) -> BTreeSet<String> {
    let config = &installation.deploy.config;
    let value = |target: &Target| pick(target, config.settings(target));
    installation.wanted.iter().filter_map(value).collect()
}
