//! Several users of one machine: repositories that they share, and what root does with a repository
//! that is not root's alone.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

use crate::checkout;
use crate::install::HOOK;
use crate::nobody::{NOBODY, Nobody, root_or_skip};
use crate::processes::BINARY;
use crate::timer;
use crate::world::World;

fn set_mode(path: impl AsRef<std::path::Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn shared_repository_is_deployed_from_by_two_users_in_turn() {
    let world = World::new();
    let Some(nobody) = Nobody::sharing(&world) else {
        return;
    };
    world.config_file("[defaults]\ncommand = [\"/usr/bin/id\", \"-un\"]");
    world.install();

    for n in 1..=4 {
        if n % 2 == 1 {
            if n > 1 {
                world.git(&["pull", "-q", "--rebase", "origin", "main"]);
            }
            world.deploy("production/a", n);
            world.push();
        } else {
            let script = format!(
                "rm -rf c && git clone -q ../deploy.git c && cd c && \
                 printf %07d%033d {n} 0 > production/a.deploy && git commit -q -a -m Deploy && \
                 umask 077 && git push -q origin HEAD:refs/heads/main"
            );
            nobody.run("other", &script).ok();
        }
        let last = world.settled().pop().unwrap();
        assert_eq!(last, format!("#{n} production/a succeeded"));
    }

    let pushers = [1, 2, 3, 4].map(|id| world.show(id)["pusher"].clone());
    assert_eq!(pushers, ["root", "nobody", "root", "nobody"]);
    assert_eq!(world.logs(2), "nobody\n", "it runs as the user who pushed");
    nobody
        .run(".", &format!("'{BINARY}' -C deploy.git logs 1"))
        .ok();
}

#[test]
fn shared_repository_that_git_does_not_trust_is_found_by_doctor() {
    let world = World::new();
    let Some(nobody) = Nobody::sharing(&world) else {
        return;
    };
    world.install();

    // git refuses this user's pushes as long as safe.directory does not name the repository.
    let doctor = format!("GIT_CONFIG_GLOBAL=/dev/null '{BINARY}' -C deploy.git doctor");
    nobody
        .run(".", &doctor)
        .says("ownership: the repository is another user's")
        .says("--add safe.directory");

    // A user who may not read the state gets no advice to install.
    set_mode(world.state(), 0o700);
    let refused = nobody
        .run(".", &format!("'{BINARY}' -C deploy.git status"))
        .exits(4);
    assert!(
        refused.stderr.contains("Permission denied") && !refused.stderr.contains("install"),
        "{refused:#?}"
    );
}

#[test]
fn rollback_goes_back_to_a_release_of_another_user() {
    let world = checkout::world("");
    let Some(nobody) = Nobody::sharing(&world) else {
        return;
    };
    world.install();
    fs::create_dir(world.path("srv")).unwrap();
    set_mode(world.path("srv"), 0o2775);
    let (one, two) = (
        checkout::one_file(&world, "one"),
        checkout::one_file(&world, "two"),
    );
    checkout::deploy(&world, &one);
    checkout::deploy(&world, &two);

    let script = format!(
        "git clone -q ../deploy.git c && cd c && printf {one} > production/a.deploy && \
         git commit -q -a -m Back -m 'Deploy-Rollback: alarms' && \
         git push -q origin HEAD:refs/heads/main"
    );
    nobody.run("other", &script).ok();

    assert_eq!(world.settled().last().unwrap(), "#3 production/a succeeded");
    assert_eq!(world.show(3)["pusher"], "nobody");
    assert_eq!(checkout::current(&world), "one");
}

#[test]
fn uninstall_by_the_owner_removes_what_a_group_member_installed() {
    let world = World::new();
    let Some(nobody) = Nobody::sharing(&world) else {
        return;
    };
    fs::write(world.path("deploy.git/hooks/pre-receive"), HOOK).unwrap();
    // The owner is not root, so that the modes of files apply.
    world.shell_in(".", "chown -R games deploy.git").ok();
    let command =
        |command: &str| format!("'{BINARY}' {command} deploy.git --registry /nonexistent");

    nobody
        .run(".", &command("install"))
        .ok()
        .says("hooks/chained/pre-receive");
    nobody.run_as("games", ".", &command("uninstall")).ok();

    let hook = fs::read_to_string(world.path("deploy.git/hooks/pre-receive")).unwrap();
    assert_eq!(hook, HOOK);
    assert!(!world.path("deploy.git/hooks/chained").exists());
}

#[test]
fn root_acts_as_the_owner_of_the_repository() {
    let world = World::new();
    let Some(_nobody) = Nobody::new(&world) else {
        return;
    };
    world.config_file("[defaults]\ncommand = [\"/usr/bin/id\", \"-un\"]");
    world.deploy("production/a", 1);
    world.push();
    world
        .shell_in(".", "chown -R nobody:nogroup deploy.git")
        .ok();

    world.cmd(&["install", "--deploy-existing"]).ok();

    let owner = |path: &str| fs::metadata(world.state().join(path)).unwrap().uid();
    assert_eq!(["", "state.db", "locks"].map(owner), [NOBODY; 3]);
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(world.logs(1), "nobody\n");

    // It is still recorded that root typed the command.
    world
        .cmd(&["freeze", "production", "--reason", "x"])
        .ok()
        .says("frozen by root");
    world.cmd(&["thaw", "production"]).ok();

    set_mode(world.repository(), 0o777);
    world
        .cmd(&["status"])
        .exits(1)
        .says("is writable by everybody");
}

#[test]
fn root_does_nothing_for_a_repository_that_others_can_change() {
    if !root_or_skip() {
        return;
    }
    let world = World::new();
    let elsewhere = world.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let state = elsewhere.join("state");
    world.config_file(&format!("state_dir = \"{}\"\n", state.display()));
    world.install();

    for path in [
        world.repository(),
        world.path("deploy.git/deploy-by-code.toml"),
        state.clone(),
        state.join("state.db"),
    ] {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        let shown = path.to_str().unwrap();
        set_mode(&path, mode | 0o020);

        for refused in [&["reconcile"][..], &["install", "--deploy-existing"]] {
            world.cmd(refused).exits(1).says(shown);
        }
        world
            .cmd(&["doctor"])
            .exits(1)
            .says("a push: the test push was not tried")
            .says(shown);
        world.cmd(&["status"]).ok();

        set_mode(&path, mode);
        // SQLite gives what it has beside the database the same mode.
        for beside in ["state.db-wal", "state.db-shm"] {
            set_mode(state.join(beside), 0o600);
        }
    }
    world.cmd(&["reconcile"]).ok();
}

#[test]
fn root_looks_at_the_repository_behind_a_linked_work_tree() {
    if !root_or_skip() {
        return;
    }
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    let tree = world.path("tree");
    world.server_git(&["worktree", "add", "-q", tree.to_str().unwrap(), "main"]);
    world.cmd_in("tree", &["reconcile"]).ok();

    for (mode, says) in [
        (0o777, "is writable by everybody"),
        (0o775, "users other than root can write to"),
    ] {
        set_mode(world.repository(), mode);
        world.cmd_in("tree", &["reconcile"]).exits(1).says(says);
    }
}

#[test]
fn root_is_not_led_into_the_repository_of_another_user() {
    let world = World::installed();
    let list = timer::list(&world);
    world.cmd(&list.with(&["install"])).ok();
    let Some(nobody) = Nobody::new(&world) else {
        return;
    };

    // A folder of somebody else that says: my repository is the one of root.
    let trap = world.path("other/trap.git");
    fs::create_dir(&trap).unwrap();
    fs::copy(world.path("deploy.git/HEAD"), trap.join("HEAD")).unwrap();
    let common = format!("{}\n", world.repository().display());
    fs::write(trap.join("commondir"), common).unwrap();
    chown(&trap, Some(NOBODY), Some(NOBODY)).unwrap();

    for command in ["install", "uninstall"] {
        world
            .cmd_in(".", &list.with(&[command, trap.to_str().unwrap()]))
            .exits(1)
            .says("belong to different users");
    }
    assert_eq!(list.entries().len(), 1);

    // A service that still runs as the owner of before does nothing for the owner of now.
    let serve = format!(
        "timeout 1 '{BINARY}' -C '{}' serve",
        world.repository().display()
    );
    nobody
        .run("other", &serve)
        .says("the repository belongs to user 0, but this program runs as user 65534");
}
