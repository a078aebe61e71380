//! What is planned outside of a repository, and which warnings take the place of steps.

use std::path::{Path, PathBuf};

use super::*;

const OWNER: u32 = 7;

fn caller(is_root: bool, is_owner: bool) -> Caller {
    Caller {
        is_root,
        is_owner,
        owner: OWNER,
        is_dry_run: false,
    }
}

/// A machine with a timer's list that has nothing of the repository.
fn machine() -> Machine {
    Machine {
        repository: "/r.git".into(),
        units: Units::of(Path::new("/r.git")),
        has_units: false,
        wanted: None,
        list: "/list".into(),
        has_list: true,
        entry_owner: None,
        is_listed: false,
        of_root: (PathBuf::new(), Vec::new()),
    }
}

/// The same where the repository's configuration asks for units.
fn with_wanted_units() -> Machine {
    let drop_ins = machine().units.drop_ins(Path::new("/wake"), OWNER);
    Machine {
        wanted: Some(WantedUnits {
            drop_ins: drop_ins.unwrap(),
            are_set_up: false,
        }),
        is_listed: true,
        entry_owner: Some(OWNER),
        ..machine()
    }
}

fn words(steps: &[MachineStep]) -> Vec<String> {
    let unit = "deploy-by-code-runner@r.git";
    let shown = steps.iter().map(MachineStep::to_string);
    shown.map(|words| words.replace(unit, "UNIT")).collect()
}

#[test]
fn wanted_units_are_written_and_enabled_by_root() {
    let plan = plan_for_machine(&with_wanted_units(), Goal::Install, caller(true, false)).unwrap();
    let expect = [
        "write /etc/systemd/system/UNIT.service.d/repository.conf: [Service] User=7",
        "write /etc/systemd/system/UNIT.path.d/repository.conf: \
         [Path] DirectoryNotEmpty=/wake MakeDirectory=no",
        "systemctl daemon-reload",
        "systemctl enable --now UNIT.path",
    ];
    assert_eq!(words(&plan.required), expect);
    assert_eq!((plan.optional, plan.warnings), (vec![], vec![]));

    let mut set_up = with_wanted_units();
    set_up.wanted.as_mut().unwrap().are_set_up = true;
    let plan = plan_for_machine(&set_up, Goal::Install, caller(true, false)).unwrap();
    assert_eq!(plan, MachinePlan::default());
}

#[test]
fn wanted_units_are_an_error_for_others_unless_they_only_look() {
    let found = with_wanted_units();
    let owner = caller(false, true);
    let error = plan_for_machine(&found, Goal::Install, owner).unwrap_err();
    assert!(matches!(error, Error::UnitsNeedRoot) && error.hint().is_some());

    let looking = Caller {
        is_dry_run: true,
        ..owner
    };
    let plan = plan_for_machine(&found, Goal::Install, looking).unwrap();
    assert_eq!(plan.required.len(), 4);
}

#[test]
fn units_are_taken_out_by_root_and_stay_for_others() {
    let found = Machine {
        has_units: true,
        ..machine()
    };
    // Also where an install finds that the configuration asks for none any more.
    let plan = plan_for_machine(&found, Goal::Uninstall, caller(true, false)).unwrap();
    let expect = [
        "systemctl disable --now UNIT.path",
        "remove /etc/systemd/system/UNIT.path.d/repository.conf",
        "remove /etc/systemd/system/UNIT.service.d/repository.conf",
        "systemctl daemon-reload",
    ];
    assert_eq!(words(&plan.optional), expect);
    let plan = plan_for_machine(&found, Goal::Install, caller(true, false)).unwrap();
    assert_eq!(words(&plan.required), expect);

    let plan = plan_for_machine(&found, Goal::Uninstall, caller(false, true)).unwrap();
    assert_eq!(plan.warnings, [Warning::UnitsStay]);
    assert_eq!(plan.optional, []);
}

const OWNER_CHANGES: &str = "owner changes it";

/// What is planned about an entry for root, for the owner and for anybody else.
#[track_caller]
fn check_entry(goal: Goal, entry_owner: Option<u32>, is_listed: bool, expect: [&str; 3]) {
    let found = Machine {
        entry_owner,
        is_listed,
        ..machine()
    };
    let callers = [
        caller(true, false),
        caller(false, true),
        caller(false, false),
    ];

    let planned = callers.map(|caller| {
        let plan = plan_for_machine(&found, goal, caller).unwrap();
        let mut planned = words(&plan.optional);
        planned.extend(plan.owner_changes_entry.then(|| OWNER_CHANGES.to_owned()));
        planned.extend(plan.warnings.iter().map(Warning::to_string));
        planned.join(", ")
    });
    assert_eq!(planned, expect);
}

#[test]
fn entry_is_added_by_the_owner_after_root_removed_anothers() {
    let goal = Goal::Install;
    let not_owner = "only user 7 or root can change this repository's entry in the timer's list, \
                     so the timer does not look after this repository";
    let another = "this repository's entry in the timer's list belongs to user 9, \
                   so the timer does not look after this repository";
    let both = format!("remove from the timer's list, in /list, {OWNER_CHANGES}");
    let own = [OWNER_CHANGES, OWNER_CHANGES, not_owner];

    check_entry(goal, None, false, own);
    check_entry(goal, Some(OWNER), false, own);
    check_entry(goal, Some(OWNER), true, ["", "", ""]);
    check_entry(goal, Some(9), false, [&both, another, another]);
}

#[test]
fn entry_is_removed_by_its_owner_or_by_root() {
    let goal = Goal::Uninstall;
    let not_owner = "only user 7 or root can change this repository's entry in the timer's list, \
                     so the entry stays";
    let another =
        "this repository's entry in the timer's list belongs to user 9, so the entry stays";
    let removed = "remove from the timer's list, in /list";

    check_entry(goal, None, false, ["", "", ""]);
    check_entry(
        goal,
        Some(OWNER),
        true,
        [OWNER_CHANGES, OWNER_CHANGES, not_owner],
    );
    check_entry(goal, Some(9), false, [removed, another, another]);
}

#[test]
fn without_the_package_nobody_is_listed() {
    let found = Machine {
        has_list: false,
        ..machine()
    };
    let plan = plan_for_machine(&found, Goal::Install, caller(true, false)).unwrap();
    assert_eq!(plan, MachinePlan::default());
}

#[test]
fn what_a_repository_that_is_gone_has_left_is_taken_out() {
    assert_eq!(plan_for_gone(&machine()), []);
    let found = Machine {
        has_units: true,
        entry_owner: Some(9),
        ..machine()
    };
    let steps = words(&plan_for_gone(&found));
    assert_eq!(steps.len(), 5);
    assert_eq!(steps[4], "remove from the timer's list, in /list");
}

#[test]
fn what_root_has_in_the_state_is_given_to_its_owner() {
    let found = Machine {
        of_root: (
            "/s".into(),
            (1..=12).map(|n| n.to_string().into()).collect(),
        ),
        has_list: false,
        ..machine()
    };
    let plan = plan_for_machine(&found, Goal::Install, caller(true, false)).unwrap();
    let expect = "give what root has in /s to user 7: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more";
    assert_eq!(words(&plan.optional), [expect]);
    assert_eq!((plan.required, plan.warnings), (vec![], vec![]));
}
