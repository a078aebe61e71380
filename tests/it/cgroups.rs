//! Which processes belong to a deployment, with a control group for each deployment and without:
//! none of its processes escapes, and no other process is killed.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use crate::crash::assert_ran_in_turn;
use crate::processes::{BINARY, alive, kill_one, of};
use crate::run::{Run, run, skip};
use crate::stopping::{FAMILY, assert_none_lives, pids};
use crate::world::World;

/// A job with a child that gives up everything by which it could be found without a control group:
/// session, environment, open files, working folder and, by way of a subshell, its parent.
const GHOST: &str = r#"
(setsid env -i sh -c '
    exec 0<&- 1>&- 2>&-
    cd /
    echo $$ > "$1/new.ghost"; mv "$1/new.ghost" "$1/pid.ghost"
    until [ -e "$1/gate.end" ]; do sleep 0.03; done
    echo "production/a #1 end" >> "$1/ran"
' ghost "$W" &)
until [ -e "$W/pid.ghost" ]; do sleep 0.02; done
note start
"#;

/// Whether a control group can be made here. It is found out once for all tests.
pub fn can_make_cgroups() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let own = groups.lines().find_map(|line| line.strip_prefix("0::/"));
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let mount = mounts
            .lines()
            .find(|line| line.contains(" - cgroup2 "))
            .and_then(|line| line.split(' ').nth(4));

        own.zip(mount).is_some_and(|(own, mount)| {
            let id = std::process::id();
            let probe = format!("{mount}/{own}/deploy-by-code-it-probe-{id}");
            fs::create_dir(&probe).is_ok() && fs::remove_dir(&probe).is_ok()
        })
    })
}

/// Whether control groups can be made here. Where they cannot, the calling test is skipped.
#[track_caller]
pub fn cgroups_or_skip() -> bool {
    if !can_make_cgroups() {
        skip("no control group can be made here");
    }
    can_make_cgroups()
}

/// Whether the control groups can be hidden from what a test starts. If not, the calling test is
/// skipped.
#[track_caller]
pub fn unshare_or_skip() -> bool {
    let probe = Command::new("unshare").args(["-m", "true"]).output();
    let can = probe.is_ok_and(|output| output.status.success());
    if !can {
        skip("unshare cannot make a mount namespace here");
    }
    can
}

/// A world whose dead runner left a process that only its control group betrays.
pub fn with_ghost() -> World {
    let world = World::installed();
    world.job(&format!("{GHOST}\nhold never"));
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.kill_runner();
    let ghost = pids(&world)[0];
    for pid in of(&world.path("")) {
        if pid != ghost {
            kill_one(pid);
        }
    }
    world.job("note start; note end");
    world
}

/// Commits and pushes. The control groups are hidden from the hooks and from the runner that they
/// start.
#[track_caller]
pub fn push_without_cgroups(world: &World) -> Run {
    world.commit();
    let push = "umount -a -l -t cgroup2; exec git push origin HEAD:refs/heads/main";
    let mut unshare = world.command("unshare", "work");
    run(unshare.args(["-m", "sh", "-c", push]), b"").ok()
}

#[test]
fn timeout_ends_a_child_that_only_its_cgroup_betrays() {
    if !cgroups_or_skip() {
        return;
    }
    let world = World::installed();
    world.config("timeout = \"1s\"");
    world.job(&format!("{GHOST}\nsleep 1000"));
    world.deploy("production/a", 1);

    world.push();

    let history = world.settled();
    assert!(
        history[0].starts_with("#1 production/a failed: timeout after 1"),
        "{history:#?}"
    );
    assert!(!alive(pids(&world)[0]), "the child escaped");
}

/// The control of the test above: such a child is not found in any other way.
#[test]
fn timeout_without_cgroups_misses_such_a_child() {
    if !unshare_or_skip() {
        return;
    }
    let world = World::installed();
    world.config("timeout = \"1s\"");
    world.job(&format!("{GHOST}\nsleep 1000"));
    world.deploy("production/a", 1);

    push_without_cgroups(&world);

    assert!(world.settled()[0].contains(" failed: timeout after 1"));
    assert!(alive(pids(&world)[0]));
    world.open("end");
}

#[test]
fn dead_runners_environment_is_held_by_such_a_child() {
    if !cgroups_or_skip() {
        return;
    }
    let world = with_ghost();
    world.deploy("production/b", 1);
    world.push();
    world.wait_until_held_by(1);
    assert!(alive(pids(&world)[0]));

    world.open("end");
    assert_ran_in_turn(&world, "production/b");
}

#[test]
fn cgroup_of_a_deployment_is_removed_after_it() {
    if !cgroups_or_skip() {
        return;
    }
    let world = World::installed();
    world.job(
        "sed -n 's/^0:://p' /proc/self/cgroup > \"$W/group\"\n\
         ls -d /sys/fs/cgroup$(cat \"$W/group\") /sys/fs/cgroup/unified$(cat \"$W/group\")\n\
         true",
    );
    world.deploy("production/a", 1);
    world.push();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    world.wait_until_idle();

    let group = fs::read_to_string(world.path("group")).unwrap();
    assert!(
        group.contains("deploy-by-code"),
        "no group of its own: {group}"
    );
    let log = world.logs(1);
    let seen: Vec<_> = log.lines().filter(|line| line.starts_with('/')).collect();
    assert!(
        !seen.is_empty(),
        "the job saw the folder of its group: {log}"
    );
    for folder in seen {
        assert!(fs::metadata(folder).is_err(), "{folder} is left");
    }
}

#[test]
fn timeout_without_cgroups_ends_children_in_other_sessions() {
    if !unshare_or_skip() {
        return;
    }
    let world = World::installed();
    world.config("timeout = \"1s\"");
    world.job(&format!("{FAMILY}\nsleep 1000"));
    world.deploy("production/a", 1);

    push_without_cgroups(&world);

    assert!(world.settled()[0].starts_with("#1 production/a failed: timeout after 1"));
    assert_none_lives(&world);
}

#[test]
fn dead_runners_environment_is_held_without_cgroups_too() {
    if !unshare_or_skip() {
        return;
    }
    let world = World::installed();
    world.job(
        "setsid sh -c '
            until [ -e \"$0/gate.end\" ]; do sleep 0.03; done
            echo \"production/a #1 end\" >> \"$0/ran\"
        ' \"$W\" &
        note start
        exec sleep 1000",
    );
    world.deploy("production/a", 1);
    push_without_cgroups(&world);
    world.wait_for("production/a #1 start");
    world.kill_runner();
    let sleeps = |pid: &i32| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == b"sleep\x001000\0")
    };
    let mut leaders = of(&world.path(""));
    leaders.retain(sleeps);
    assert_eq!(leaders.len(), 1, "{leaders:?}");
    kill_one(leaders[0]);

    world.job("note start; note end");
    world.deploy("production/b", 1);
    push_without_cgroups(&world);
    world.wait_until_held_by(1);
    assert_eq!(world.ran(), ["production/a #1 start"]);

    world.open("end");
    assert_ran_in_turn(&world, "production/b");
}

/// Both worlds have a deployment #1, and there are no control groups to tell them apart.
#[test]
fn timeout_without_cgroups_spares_the_same_number_elsewhere() {
    if !unshare_or_skip() {
        return;
    }
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
fn doctor_says_whether_deployments_get_cgroups() {
    if !cgroups_or_skip() || !unshare_or_skip() {
        return;
    }
    let world = World::installed();
    world
        .cmd(&["doctor"])
        .ok()
        .says("process tracking: each deployment gets a cgroup of its own");

    let doctor = format!("umount -a -l -t cgroup2; '{BINARY}' -C deploy.git doctor");
    let mut unshare = world.command("unshare", ".");
    run(unshare.args(["-m", "sh", "-c", &doctor]), b"")
        .ok()
        .says("ok       process tracking: no cgroup can be made here");
}
