//! Whose processes are whose, with a control group for each deployment and without: nobody gets
//! away, and nobody else is hit.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use crate::processes::{alive, kill_one};
use crate::run::{Run, run};
use crate::stopping::pids;
use crate::world::World;

/// A child that sheds all that could betray it: session, environment, descriptors, parent.
const GHOST: &str = r#"
setsid env -i sh -c 'exec 0<&- 1>&- 2>&-; cd /; echo $$ > "$1/new.ghost"; mv "$1/new.ghost" "$1/pid.ghost"; until [ -e "$1/gate.end" ]; do sleep 0.03; done; echo "production/a #1 end" >> "$1/ran"' ghost "$W" &
until [ -e "$W/pid.ghost" ]; do sleep 0.02; done
note start
"#;

/// Whether deployments get control groups of their own here, found out once for all tests.
fn no_cgroups() -> bool {
    static MADE: OnceLock<bool> = OnceLock::new();
    let make = || {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let own = groups
            .lines()
            .find_map(|line| line.strip_prefix("0::/"))
            .map(str::to_owned);
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let mount = mounts
            .lines()
            .find(|line| line.contains(" - cgroup2 "))
            .and_then(|line| line.split(' ').nth(4));
        own.zip(mount).is_some_and(|(own, mount)| {
            let probe = format!(
                "{mount}/{own}/deploy-by-code-it-probe-{}",
                std::process::id()
            );
            fs::create_dir(&probe).is_ok() && fs::remove_dir(&probe).is_ok()
        })
    };
    let made = *MADE.get_or_init(make);
    if !made {
        println!("skipped: no control group can be made here");
    }
    !made
}

/// Whether this process may take the control groups away from what it starts.
fn no_namespaces() -> bool {
    let probe = Command::new("unshare").args(["-m", "true"]).output();
    let missing = !probe.is_ok_and(|output| output.status.success());
    if missing {
        println!("skipped: unshare may not make a mount namespace here");
    }
    missing
}

/// Commits and pushes where the server sees no control groups.
#[track_caller]
fn push_without_cgroups(world: &World) -> Run {
    world.commit();
    let mut unshare = world.command("unshare", "work");
    let push = "umount -a -l -t cgroup2; exec git push origin HEAD:refs/heads/main";
    run(unshare.args(["-m", "sh", "-c", push]), b"").ok()
}

#[test]
fn a_timeout_ends_also_what_shed_everything() {
    if no_cgroups() {
        return;
    }
    let world = World::installed();
    world.config("timeout = \"1s\"");
    world.job(&format!("{GHOST}\nsleep 1000"));
    world.deploy("production/a", 1);
    world.push();
    assert!(world.settled()[0].starts_with("#1 production/a failed: timeout after 1"));
    assert!(!alive(pids(&world)[0]), "it got away");
}

#[test]
fn what_shed_everything_holds_the_environment_after_the_runner_died() {
    if no_cgroups() {
        return;
    }
    let world = World::installed();
    world.job(&format!("{GHOST}\nhold never"));
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.kill_runner();
    let ghost = pids(&world)[0];
    let leader = crate::processes::of(&world.path(""))
        .into_iter()
        .filter(|pid| *pid != ghost);
    leader.for_each(kill_one);
    world.job("note start; note end");
    world.deploy("production/b", 1);
    world.push();
    world.wait_until("status says why", || {
        world
            .cmd(&["status"])
            .ok()
            .stdout
            .contains("held by what #1 left running")
    });
    assert!(alive(ghost));
    world.open("end");
    assert_eq!(
        world.settled(),
        [
            "#1 production/a interrupted: the runner died",
            "#2 production/b succeeded"
        ]
    );
    let ran = [
        "production/a #1 start",
        "production/a #1 end",
        "production/b #2 start",
        "production/b #2 end",
    ];
    assert_eq!(world.ran(), ran);
}

#[test]
fn no_control_group_is_left_behind() {
    if no_cgroups() {
        return;
    }
    let world = World::installed();
    world.job("cat /proc/self/cgroup > \"$W/groups\"");
    world.deploy("production/a", 1);
    world.push();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    world.wait_until("the runner left", || world.ours().is_empty());
    let groups = fs::read_to_string(world.path("groups")).unwrap();
    let group = groups
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .unwrap();
    let found = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(|root| format!("{root}{group}"));
    let left: Vec<_> = found
        .iter()
        .filter(|path| group != "/" && fs::metadata(path).is_ok())
        .collect();
    assert!(
        group.contains("deploy-by-code"),
        "the command has a group of its own: {groups}"
    );
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn without_control_groups_a_timeout_ends_children_in_other_sessions() {
    if no_namespaces() {
        return;
    }
    let world = World::installed();
    world.config("timeout = \"1s\"");
    world.job(&format!("{}\nsleep 1000", crate::stopping::FAMILY));
    world.deploy("production/a", 1);
    push_without_cgroups(&world);
    assert!(world.settled()[0].starts_with("#1 production/a failed: timeout after 1"));
    let living: Vec<_> = pids(&world).into_iter().filter(|pid| alive(*pid)).collect();
    assert_eq!(living, [0; 0], "these processes still live");
}

#[test]
fn without_control_groups_a_dead_runners_command_holds_the_environment() {
    if no_namespaces() {
        return;
    }
    let world = World::installed();
    world.job("setsid sh -c 'until [ -e \"$0/gate.end\" ]; do sleep 0.03; done; echo \"production/a #1 end\" >> \"$0/ran\"' \"$W\" & note start; exec sleep 1000");
    world.deploy("production/a", 1);
    push_without_cgroups(&world);
    world.wait_for("production/a #1 start");
    world.kill_runner();
    let sleep = |pid: &i32| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == b"sleep\x001000\0")
    };
    let leader: Vec<_> = crate::processes::of(&world.path(""))
        .into_iter()
        .filter(sleep)
        .collect();
    assert_eq!(leader.len(), 1);
    kill_one(leader[0]);
    world.job("note start; note end");
    world.deploy("production/b", 1);
    push_without_cgroups(&world);
    world.wait_until("status says why", || {
        world
            .cmd(&["status"])
            .ok()
            .stdout
            .contains("held by what #1 left running")
    });
    assert_eq!(world.ran(), ["production/a #1 start"]);
    world.open("end");
    assert_eq!(
        world.settled(),
        [
            "#1 production/a interrupted: the runner died",
            "#2 production/b succeeded"
        ]
    );
    assert_eq!(
        world.ran()[..2],
        ["production/a #1 start", "production/a #1 end"]
    );
}

#[test]
fn the_same_number_in_another_state_directory_is_somebody_elses() {
    if no_namespaces() {
        return;
    }
    // Both worlds have a deployment #1, and neither has control groups to tell them apart.
    let (one, two) = (World::installed(), World::installed());
    two.job("note start; hold end; note end");
    two.deploy("production/a", 1);
    push_without_cgroups(&two);
    two.wait_for("production/a #1 start");
    one.config("timeout = \"300ms\"");
    one.job("sleep 1000");
    one.deploy("production/a", 1);
    push_without_cgroups(&one);
    assert!(one.settled()[0].contains("failed: timeout"));
    two.open("end");
    assert_eq!(two.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn without_control_groups_doctor_says_so() {
    if no_namespaces() {
        return;
    }
    let world = World::installed();
    let mut unshare = world.command("unshare", ".");
    let doctor = format!(
        "umount -a -l -t cgroup2; '{}' -C deploy.git doctor",
        crate::processes::BINARY
    );
    let said = run(unshare.args(["-m", "sh", "-c", &doctor]), b"").all();
    assert!(said.contains("cgroup"), "{said}");
}
