//! Finds out what the machine has for a repository, outside of the repository.
//!
//! Protocol: the units and the entry in the timer's list follow from the repository's path, so they
//! are found even if the repository no longer exists. Nothing is changed.

use std::path::{Path, PathBuf};

use super::error::Error;
use super::found::{Goal, Machine, WantedUnits};
use super::roots_files;
use crate::config::RunnerKind;
use crate::deploy_repository::DeployRepository;
use crate::sys::user::User;
use crate::timer_list;
use crate::units::Units;

/// Finds out what the machine has of a repository that belongs to the user with the number `owner`.
/// `list`: the timer's list.
///
/// # Errors
/// The repository needs units but can't have them.
pub fn look_at_machine(
    deploy: &DeployRepository,
    goal: Goal,
    owner: u32,
    list: &Path,
) -> Result<Machine, Error> {
    let mut machine = look_at_machine_by_path(deploy.repository.path(), list);
    if goal == Goal::Install && User::is_root() {
        let state = deploy.state_dir();
        let paths = roots_files::give(&state, owner, true).map_err(Error::at(&state))?;
        machine.of_root = (state, paths);
    }
    if goal == Goal::Install && deploy.config.runner == RunnerKind::Systemd {
        let drop_ins = machine.units.drop_ins(&deploy.wake_folder(), owner)?;
        machine.wanted = Some(WantedUnits {
            are_set_up: machine.units.are_set_up(&drop_ins),
            drop_ins,
        });
    }
    Ok(machine)
}

/// Finds out what the machine has for the repository with this path, even if the repository no
/// longer exists.
#[must_use]
pub fn look_at_machine_by_path(repository: &Path, list: &Path) -> Machine {
    let units = Units::of(repository);
    Machine {
        has_units: units.is_anything_there(),
        units,
        wanted: None,
        has_list: list.is_dir(),
        entry_owner: timer_list::entry_owner(list, repository),
        is_listed: timer_list::has(list, repository),
        list: list.to_owned(),
        repository: repository.to_owned(),
        of_root: (PathBuf::new(), Vec::new()),
    }
}
