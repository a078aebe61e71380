//! Whose the files of the state are, and what is seen when one of them can't be opened.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::PathBuf;

use crate::nobody::{NOBODY, Nobody};
use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::world::World;

/// Everything in the state, and the state itself.
fn everything(world: &World) -> Vec<PathBuf> {
    let mut found = vec![world.state()];
    let mut folders = vec![world.state()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            found.push(path);
        }
    }
    found
}

/// Gives the repository to `nobody`, who then works in it like the user of a git host.
fn give_away(world: &World) {
    world.config_file("[defaults]\ncommand = [\"/bin/true\"]\n");
    world
        .shell_in(".", "chown -R nobody:nogroup deploy.git")
        .ok();
}

/// root pushes, and trusts the repository.
#[track_caller]
fn push_as_root(world: &World, n: u32) -> Run {
    try_push_as_root(world, n).ok()
}

fn try_push_as_root(world: &World, n: u32) -> Run {
    world.deploy("production/a", n);
    world.commit();
    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    run(push.env("GIT_CONFIG_GLOBAL", world.path("gitconfig")), b"")
}

#[track_caller]
fn push_as_nobody(nobody: &Nobody<'_>, n: u32, options: &str) -> Run {
    let script = format!(
        "rm -rf c && git clone -q ../deploy.git c && cd c && \
         printf %07d%033d {n} 0 > production/a.deploy && git commit -q -a -m Deploy && \
         timeout 15 git push {options} origin HEAD:refs/heads/main"
    );
    nobody.run("other", &script)
}

#[test]
fn state_that_root_writes_to_stays_its_owners() {
    for sharing in ["umask", "group", "world"] {
        let world = World::new();
        let Some(nobody) = Nobody::new(&world) else {
            return;
        };
        world.server_git(&["config", "core.sharedRepository", sharing]);
        if sharing == "group" {
            // Somebody has linked the hooks by hand: the hook of root's push makes the state.
            for hook in ["pre-receive", "post-receive", "reference-transaction"] {
                symlink(BINARY, world.path("deploy.git/hooks").join(hook)).unwrap();
            }
            world.server_git(&["config", "receive.advertisePushOptions", "true"]);
            give_away(&world);
        } else {
            give_away(&world);
            world.cmd(&["install"]).ok();
        }

        push_as_root(&world, 1);
        assert_eq!(world.settled(), ["#1 production/a succeeded"]);
        world.wait_until_idle();
        // What systemd is asked for is a file too, and so is the log of a deployment.
        let config = world.config_text();
        world.config_top("runner = \"systemd\"");
        push_as_root(&world, 2);
        world.wait_until_idle();
        assert!(world.state().join("wake/production").exists());
        world.config_file(&config);
        for path in everything(&world) {
            let found = fs::symlink_metadata(&path).unwrap();
            let owner = (found.uid(), found.gid());
            assert_eq!(owner, (NOBODY, NOBODY), "{sharing}: {}", path.display());
        }

        push_as_nobody(&nobody, 3, "-o wait")
            .ok()
            .says("succeeded in");
    }
}

#[test]
fn root_follows_no_link_that_the_owner_put_into_the_state() {
    let world = World::new();
    let Some(_nobody) = Nobody::new(&world) else {
        return;
    };
    give_away(&world);
    world.config_file("[defaults]\ncommand = [\"/bin/echo\", \"hello\"]\n");
    world.cmd(&["install"]).ok();
    let roots = world.path("roots");
    fs::write(&roots, "untouched").unwrap();
    fs::set_permissions(&roots, fs::Permissions::from_mode(0o640)).unwrap();
    for name in ["locks/production.lock", "logs/2.log"] {
        symlink(&roots, world.state().join(name)).unwrap();
    }

    push_as_root(&world, 1);
    world.wait_until_idle();
    fs::remove_file(world.state().join("locks/production.lock")).unwrap();
    try_push_as_root(&world, 2)
        .exits(1)
        .says("the next deployment would be #2")
        .says("logs/2.log is there already");
    world.wait_until_idle();

    let found = fs::metadata(&roots).unwrap();
    assert_eq!((found.uid(), found.mode() & 0o777), (0, 0o640));
    assert_eq!(fs::read_to_string(&roots).unwrap(), "untouched");
}

#[test]
fn lock_that_cannot_be_opened_is_named_wherever_somebody_waits_and_install_repairs_it() {
    let world = World::new();
    let Some(nobody) = Nobody::new(&world) else {
        return;
    };
    give_away(&world);
    world.cmd(&["install"]).ok();
    push_as_root(&world, 1);
    world.wait_until_idle();
    let lock = world.state().join("locks/production.lock");
    // An earlier version left it like this.
    chown(&lock, Some(0), Some(0)).unwrap();
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o600)).unwrap();
    let path = lock.to_str().unwrap();

    push_as_nobody(&nobody, 2, "-o follow")
        .says(path)
        .says("Permission denied");
    for command in ["status", "doctor", "show 2", "wait 2", "logs -f 2"] {
        nobody
            .run(
                ".",
                &format!("timeout 3 '{BINARY}' -C deploy.git {command}"),
            )
            .says(path);
    }
    nobody
        .run(".", &format!("'{BINARY}' -C deploy.git doctor"))
        .exits(1)
        .says("state files: this user can't write to")
        .says("as root: deploy-by-code")
        .says(" install");

    let give = "give what root has in ";
    world
        .cmd(&["install", "--dry-run"])
        .ok()
        .says(&format!("would {give}"));
    assert_eq!(fs::metadata(&lock).unwrap().uid(), 0);

    // A folder is given to the owner as well.
    let state = world.state();
    chown(state.join("logs"), Some(0), Some(0)).unwrap();

    // The database is not: it has something in it.
    chown(state.join("state.db"), Some(0), Some(0)).unwrap();
    fs::set_permissions(state.join("state.db"), fs::Permissions::from_mode(0o600)).unwrap();
    nobody
        .run(".", &format!("'{BINARY}' -C deploy.git status"))
        .exits(4)
        .says("state.db: Permission denied: nobody may not read it; it belongs to root")
        .says("as root, give it to the owner of the state with chown");
    chown(state.join("state.db"), Some(NOBODY), Some(NOBODY)).unwrap();

    // What the owner can have moved there out of another folder stays root's.
    let secret = world.path("secret");
    fs::write(&secret, "secret").unwrap();
    fs::hard_link(&secret, state.join("logs/8.log")).unwrap();
    symlink(&secret, state.join("logs/9.log")).unwrap();
    for name in ["id_rsa", "work/key", "locks/full.lock", "logs/7.log"] {
        fs::write(state.join(name), "secret").unwrap();
    }

    world
        .cmd(&["install"])
        .ok()
        .says(give)
        .says("to user 65534: locks/production.lock, logs");
    world.cmd(&["install"]).ok().says_nothing_of(give);
    for name in ["locks/production.lock", "logs"] {
        let found = fs::metadata(state.join(name)).unwrap();
        assert_eq!((found.uid(), found.gid()), (NOBODY, NOBODY), "{name}");
    }
    for name in [
        "logs/7.log",
        "logs/8.log",
        "logs/9.log",
        "id_rsa",
        "work/key",
        "locks/full.lock",
    ] {
        let found = fs::symlink_metadata(state.join(name)).unwrap();
        assert_eq!(found.uid(), 0, "{name}");
        fs::remove_file(state.join(name)).unwrap();
    }
    assert_eq!(fs::metadata(&secret).unwrap().uid(), 0);

    let reconcile = format!("'{BINARY}' -C deploy.git reconcile");
    nobody.run(".", &reconcile).ok();
    assert_eq!(world.settled().last().unwrap(), "#2 production/a succeeded");
    let status = nobody.run(".", &format!("'{BINARY}' -C deploy.git status"));
    status.ok().says_nothing_of("no runner");
}

/// A reason is taken back when a runner goes on, also for what still waits behind others.
#[test]
fn reason_of_what_waits_is_gone_when_a_runner_goes_on() {
    let world = World::installed();
    world.job("note start; hold go; note end");
    let lock = world.state().join("locks/production.lock");
    fs::create_dir(&lock).unwrap();
    for name in ["a", "b"] {
        world.deploy(&format!("production/{name}"), 1);
    }
    world.push();
    world.wait_until("status says why", || {
        world
            .cmd(&["status"])
            .ok()
            .stdout
            .contains("no runner can carry it out")
    });
    world
        .cmd(&["status"])
        .says("production/b: queued: no runner can carry it out: the lock")
        .says(lock.to_str().unwrap());

    fs::remove_dir(&lock).unwrap();
    world.cmd(&["reconcile"]).ok();
    world.wait_for("production/a #1 start");
    world.cmd(&["status"]).ok().says_nothing_of("no runner");
    world.open("go");
    world.settled();
}
