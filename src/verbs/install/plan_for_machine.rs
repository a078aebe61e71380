//! What has to be done outside of a repository: pure functions from what was found to steps.
//!
//! Protocol: only root can change units. The repository's owner changes the entry in the timer's
//! list, or root if another user made the entry. A step that the caller may not take becomes a
//! warning. If an install would be useless without the step, it becomes an error.

use super::error::Error;
use super::found::{Goal, Machine, WantedUnits};
use super::step::MachineStep;
use super::warning::Warning;
use crate::units::Units;

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Whether this is root.
    pub is_root: bool,
    /// Whether this is the repository's owner.
    pub is_owner: bool,
    /// The number of the repository's owner.
    pub owner: u32,
    /// Whether the caller only wants to see the steps.
    pub is_dry_run: bool,
}

/// What is done outside of a repository, first what is required.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MachinePlan {
    /// Steps that are required: if one fails, the work ends.
    pub required: Vec<MachineStep>,
    /// Steps that may fail. If systemd does not run, or another user prevents a step, the hooks are
    /// still put in or taken out.
    pub optional: Vec<MachineStep>,
    /// Whether the repository's owner then has to change its entry in the timer's list.
    pub owner_changes_entry: bool,
    /// What is not in the plan because the caller may not do it.
    pub warnings: Vec<Warning>,
}

/// What root has to do before it becomes the repository's owner, so that systemd starts the runners
/// of a repository and the timer looks after it. For an uninstall: so that they no longer do this.
///
/// # Errors
/// Units have to be written, and the caller is not root.
pub fn plan_for_machine(found: &Machine, goal: Goal, caller: Caller) -> Result<MachinePlan, Error> {
    let mut plan = MachinePlan::default();

    let units = match &found.wanted {
        Some(wanted) => set_up(&found.units, wanted),
        None => take_out(found),
    };
    let may_change_units = caller.is_root || caller.is_dry_run;
    match goal {
        _ if units.is_empty() => {}
        Goal::Install if may_change_units => plan.required = units,
        Goal::Install => return Err(Error::UnitsNeedRoot),
        Goal::Uninstall if may_change_units => plan.optional = units,
        Goal::Uninstall => plan.warnings.push(Warning::UnitsStay),
    }

    let (state, paths) = &found.of_root;
    if !paths.is_empty() {
        plan.optional.push(MachineStep::HandOver {
            state: state.clone(),
            owner: caller.owner,
            paths: paths.clone(),
        });
    }

    plan_entry(&mut plan, found, goal, caller);
    Ok(plan)
}

/// What has to be done to the repository's entry in the timer's list.
fn plan_entry(plan: &mut MachinePlan, found: &Machine, goal: Goal, caller: Caller) {
    let is_due = match goal {
        // Without the package there is no timer.
        Goal::Install => found.has_list && !found.is_listed,
        Goal::Uninstall => found.entry_owner.is_some(),
    };
    if !is_due {
        return;
    }

    let another = found.entry_owner.filter(|user| *user != caller.owner);
    match another {
        Some(_) if caller.is_root => {
            plan.optional.push(remove_entry(found));
            plan.owner_changes_entry = goal == Goal::Install;
        }
        Some(user) => plan.warnings.push(Warning::EntryOfAnother { user, goal }),
        None if caller.is_root || caller.is_owner => plan.owner_changes_entry = true,
        None => plan.warnings.push(Warning::EntryForOwner {
            owner: caller.owner,
            goal,
        }),
    }
}

/// What has to be done so that nothing is left on the machine of a repository that no longer
/// exists.
#[must_use]
pub fn plan_for_gone(found: &Machine) -> Vec<MachineStep> {
    let mut steps = take_out(found);
    if found.entry_owner.is_some() {
        steps.push(remove_entry(found));
    }
    steps
}

fn set_up(units: &Units, wanted: &WantedUnits) -> Vec<MachineStep> {
    if wanted.are_set_up {
        return Vec::new();
    }
    let files = wanted
        .drop_ins
        .iter()
        .map(|drop_in| MachineStep::WriteUnit {
            file: drop_in.file.clone(),
            content: drop_in.content.clone(),
        });
    files
        .chain([
            systemctl(&["daemon-reload"]),
            systemctl(&["enable", "--now", &units.path_unit]),
        ])
        .collect()
}

fn take_out(found: &Machine) -> Vec<MachineStep> {
    if !found.has_units {
        return Vec::new();
    }
    vec![
        systemctl(&["disable", "--now", &found.units.path_unit]),
        MachineStep::RemoveUnit(found.units.path.clone()),
        MachineStep::RemoveUnit(found.units.service.clone()),
        systemctl(&["daemon-reload"]),
    ]
}

fn systemctl(words: &[&str]) -> MachineStep {
    MachineStep::Systemctl(words.iter().map(|word| (*word).to_owned()).collect())
}

fn remove_entry(found: &Machine) -> MachineStep {
    MachineStep::RemoveFromTimerList {
        list: found.list.clone(),
        repository: found.repository.clone(),
    }
}

#[cfg(test)]
#[path = "plan_for_machine_tests.rs"]
mod tests;
