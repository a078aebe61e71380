//! What starts runners, and the timer, which plans what the hooks missed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::finding::Finding;
use super::installation::Installation;
use crate::config::RunnerKind;
use crate::timer_list;
use crate::units::Units;

/// Whether systemd is set up to start runners, if the configuration says that it does.
pub(super) fn runner(installation: &Installation<'_>) -> Finding {
    if installation.deploy.config.runner == RunnerKind::Detached {
        return Finding::ok("the hooks start the runners");
    }

    let owner = match fs::metadata(installation.git_dir()) {
        Ok(metadata) => metadata.uid(),
        Err(error) => {
            let fix = "check that this user may read the repository";
            return Finding::problem(error.to_string(), fix);
        }
    };

    let units = Units::of(installation.git_dir());
    let unit = &units.path_unit;
    match units.drop_ins(&installation.deploy.wake_folder(), owner) {
        Ok(drop_ins) if units.are_set_up(&drop_ins) => {
            Finding::ok(format!("systemd starts the runners, by {unit}"))
        }
        Ok(_) => Finding::problem(
            format!("{unit} is not enabled, or was set up for another folder or user"),
            format!("as root, {}", installation.run("install")),
        ),
        Err(error) => Finding::problem(error.to_string(), "move the state or the repository"),
    }
}

/// Whether the timer of the package looks after the repository.
pub(super) fn timer(installation: &Installation<'_>) -> Finding {
    let folder = Path::new(timer_list::FOLDER);
    if !folder.is_dir() {
        return Finding::warning(
            "there is no timer, so a deployment that the hooks miss waits for the next push",
            "install the Debian package, or call reconcile from cron",
        );
    }

    if timer_list::has(folder, installation.git_dir()) {
        Finding::ok(concat!(
            "the repository is registered;",
            " deploy-by-code-reconcile.timer looks after it where it is enabled"
        ))
    } else {
        let install = installation.run("install");
        let fix = format!("{install}; as root, if another user registered it");
        Finding::warning("the repository is not registered", fix)
    }
}
