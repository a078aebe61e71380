//! An install or uninstall that is stopped between two of its steps.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use deploy_by_code::deploy_repository::DeployRepository;
use deploy_by_code::hook_files::is_own;
use deploy_by_code::verbs::install::{
    Step, look_before_install, look_before_uninstall, plan_install, plan_uninstall, take,
};

use crate::faults::strace_or_skip;
use crate::processes::BINARY;
use crate::run::run;
use crate::world::World;

/// A repository with hooks of its own: a script that needs what is beside it, a link to that
/// script, and a link to a script elsewhere.
fn world_with_hooks() -> World {
    let world = World::new();
    let script = |name: &str, text: &str| {
        let path = world.path("deploy.git").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    script("hooks/lib.sh", "name=${0##*/}");
    script(
        "hooks/pre-receive",
        ". \"$(dirname \"$0\")/lib.sh\"; echo \"checked by $name\"",
    );
    script("elsewhere/script", "cat >/dev/null; true");

    let hooks = world.path("deploy.git/hooks");
    symlink("pre-receive", hooks.join("post-receive")).unwrap();
    symlink("../elsewhere/script", hooks.join("reference-transaction")).unwrap();
    world
}

fn open(world: &World) -> DeployRepository {
    DeployRepository::open(&world.repository(), None).unwrap()
}

fn install_steps(deploy: &DeployRepository) -> Vec<Step> {
    let found = look_before_install(deploy, Path::new(BINARY), false).unwrap();
    plan_install(&found, None).unwrap()
}

fn uninstall_steps(deploy: &DeployRepository) -> Vec<Step> {
    plan_uninstall(&look_before_uninstall(deploy).unwrap(), None)
}

fn take_first(deploy: &DeployRepository, steps: &[Step], count: usize) {
    for step in &steps[..count] {
        take(deploy, step).unwrap();
    }
}

/// What is in the folder of hooks, with the targets of links and the contents of files.
fn hooks(world: &World) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(world.path("deploy.git/hooks")).unwrap();
    let mut hooks: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.to_str().unwrap().ends_with(".sample"))
        .map(|path| {
            let link = fs::read_link(&path).map(|link| link.display().to_string());
            let content = link.or_else(|_| fs::read_to_string(&path));
            let content = content.unwrap_or_else(|_| "a folder".to_owned());
            (path, content)
        })
        .collect();
    hooks.sort();
    hooks
}

/// Pushes something that is to be deployed; where a hook of this program is, it must have its
/// state.
fn push(world: &World, number: u32, when: &str) {
    let folder = world.path("deploy.git/hooks");
    let has_own = fs::read_dir(&folder)
        .unwrap()
        .any(|entry| is_own(&entry.unwrap().path()).unwrap());
    assert!(
        !has_own || world.state().join("state.db").exists(),
        "{when}"
    );

    world.deploy("production/a", number);
    // The hook that was there runs at every moment.
    world.push().says("checked by pre-receive");
}

#[test]
fn install_that_is_stopped_anywhere_is_completed_by_the_next() {
    let count = install_steps(&open(&world_with_hooks())).len();
    assert!(count > 8, "only {count} steps");

    for stopped_at in 0..=count {
        let when = format!("stopped after {stopped_at} of {count} steps");
        let world = world_with_hooks();
        let before = hooks(&world);
        let deploy = open(&world);
        take_first(&deploy, &install_steps(&deploy), stopped_at);
        push(&world, 1, &when);

        world.install();
        assert_eq!(install_steps(&deploy), [], "{when}");
        world.cmd(&["reconcile"]).ok();
        push(&world, 2, &when);

        // Before its first step, an install has not begun: what was on the branch is not deployed.
        let first = if stopped_at == 0 { 2 } else { 1 };
        let settled = world.settled();
        assert_eq!(settled.len(), 3 - first, "{when}: {settled:?}");

        world.cmd(&["uninstall"]).ok();
        assert_eq!(hooks(&world), before, "{when}");
    }
}

#[test]
fn uninstall_that_is_stopped_anywhere_is_completed_by_the_next() {
    let installed = || {
        let world = world_with_hooks();
        let before = hooks(&world);
        world.install();
        (world, before)
    };
    let count = uninstall_steps(&open(&installed().0)).len();
    assert!(count > 3, "only {count} steps");

    for stopped_at in 0..=count {
        let when = format!("stopped after {stopped_at} of {count} steps");
        let (world, before) = installed();
        let deploy = open(&world);
        take_first(&deploy, &uninstall_steps(&deploy), stopped_at);
        push(&world, 1, &when);

        world.cmd(&["uninstall"]).ok();
        assert_eq!(uninstall_steps(&deploy), [], "{when}");
        assert_eq!(hooks(&world), before, "{when}");
    }
}

/// What a hook's place can do to a push while install or uninstall works.
const REFUSING: &str = "#!/bin/sh\necho the old hook decides\nexit 1\n";

/// The system calls by which install and uninstall look at hooks and change them. A question mark
/// means: where the machine has this call.
const CALLS: &[&str] = &[
    "?stat",
    "?newfstatat",
    "?statx",
    "?lstat",
    "?readlink",
    "?readlinkat",
    "?link",
    "?linkat",
    "?symlink",
    "?symlinkat",
    "?rename",
    "?renameat",
    "?renameat2",
    "?unlink",
    "?unlinkat",
    "?mkdir",
    "?mkdirat",
    "?rmdir",
    "?fchmod",
    "?chmod",
    "?fsync",
    "openat",
    "write",
    "?getdents64",
];

/// The hook that was there refuses every push. It must do so after a kill at any system call and
/// after any that failed; and whoever exits with 0 must have done everything.
#[test]
fn old_hook_decides_whatever_happens_to_install_and_uninstall() {
    if !strace_or_skip() {
        return;
    }
    let old_hook = |world: &World| {
        let hook = world.path("deploy.git/hooks/pre-receive");
        fs::write(&hook, REFUSING).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        world.deploy("production/a", 1);
        world.commit();
    };
    let (mut points, mut kills, mut errors) = (0, 0, 0);

    for command in ["install", "uninstall"] {
        let world = World::new();
        old_hook(&world);
        for call in CALLS {
            for (what, step) in [("signal=KILL", 11), ("error=EIO", 7)] {
                for n in (1..400).step_by(step) {
                    if command == "uninstall" {
                        world.install();
                    } else {
                        world.cmd(&["uninstall"]).ok();
                        let _ = fs::remove_dir_all(world.state());
                    }
                    let place = format!("{command} after {what} at {call} {n}");
                    let inject = format!("inject={call}:{what}:when={n}");
                    let log = world.path("strace.log");
                    let mut strace = world.command("strace", "deploy.git");
                    strace.args(["-qq", "-o", log.to_str().unwrap()]);
                    strace.args(["-e", &format!("trace={call}"), "-e", &inject]);
                    let ended = run(strace.args([BINARY, command]), b"");

                    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
                    let push = run(&mut push, b"");
                    assert_eq!(push.code, Some(1), "{place}: {ended:?} {push:?}");
                    push.says("the old hook decides");
                    if ended.code == Some(0) {
                        let hook = fs::read(world.path("deploy.git/hooks/pre-receive")).unwrap();
                        let is_back = hook == REFUSING.as_bytes();
                        assert_eq!(is_back, command == "uninstall", "{place}: {ended:?}");
                    }

                    points += 1;
                    kills += u32::from(ended.signal == Some(9) || ended.code == Some(137));
                    let traced = fs::read_to_string(&log).unwrap();
                    errors += u32::from(traced.contains("(INJECTED)") && what != "signal=KILL");
                    if traced.lines().filter(|line| line.contains('(')).count() < n {
                        break;
                    }
                }
            }
        }
    }
    assert!(
        kills > 15 && errors > 15,
        "{points} points: {kills} kills, {errors} errors"
    );
}

/// Where a hook can have no second name, for example because it is another user's, a kill at any
/// change of a folder leaves the old hook in force, and the next call does the rest.
#[test]
fn hook_that_can_have_no_second_name_is_copied_and_never_missing() {
    if !strace_or_skip() {
        return;
    }
    let world = World::new();
    let hook = world.path("deploy.git/hooks/pre-receive");
    fs::write(&hook, REFUSING).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    world.deploy("production/a", 1);
    world.commit();
    let before = hooks(&world);
    let mut kills = 0;

    // strace counts each call of a list on its own.
    for call in ["?rename", "?renameat", "?renameat2", "fchmod"] {
        for n in 1..30 {
            let place = format!("kill at {call} {n}");
            let mut strace = world.command("strace", "deploy.git");
            strace.args([
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                "inject=?link,?linkat:error=EPERM",
            ]);
            strace.args(["-e", &format!("inject={call}:signal=KILL:when={n}")]);
            let ended = run(strace.args([BINARY, "install"]), b"");
            world.try_push().exits(1).says("the old hook decides");
            let is_done = ended.code == Some(0);
            assert!(is_done || n < 29, "{place}: {ended:?}");
            kills += u32::from(!is_done);

            // The next call can be either command.
            if n % 2 == 0 {
                world.install();
                world.try_push().exits(1).says("the old hook decides");
            }
            world.cmd(&["uninstall"]).ok();
            assert_eq!(hooks(&world), before, "{place}");
            let _ = fs::remove_dir_all(world.state());
            if is_done {
                break;
            }
        }
    }
    assert!(kills > 10, "{kills} kills");
}
