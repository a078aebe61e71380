//! Commands that a person types in a repository of somebody else, and that root types in a
//! repository that others can change: they read, and execute nothing.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use crate::nobody::{NOBODY, Nobody, root_or_skip};
use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::world::World;

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Installs the hooks, and pushes a deployment that no runner carries out. Whoever starts one
/// leaves the file `ran`.
fn with_something_queued(world: &World) {
    world.install();
    let config = world.config_text();
    // The hooks leave it to systemd, which is not there.
    world.config_top("runner = \"systemd\"");
    world.deploy("production/a", 1);
    world.push();
    world.wait_until_idle();
    world.config_file(&config);
    assert_eq!(world.history(), ["#1 production/a queued"]);
}

/// Runs a command that may wait for ever, for longer than it takes to start a runner.
#[track_caller]
fn for_a_while(world: &World, command: &str) -> Run {
    world.shell_in(
        ".",
        &format!("timeout 8 '{BINARY}' -C deploy.git {command}"),
    )
}

#[track_caller]
fn nothing_ran(world: &World, command: &str) {
    assert_eq!(world.ran(), Vec::<String>::new(), "{command}");
    assert_eq!(world.history(), ["#1 production/a queued"], "{command}");
}

#[test]
fn stranger_reads_and_executes_nothing() {
    let world = World::new();
    let Some(nobody) = Nobody::new(&world) else {
        return;
    };
    world.server_git(&["config", "core.sharedRepository", "world"]);
    with_something_queued(&world);
    // Whoever starts a runner could record what it did.
    world
        .shell_in(".", "chown -R games deploy.git && chmod -R a+rX deploy.git")
        .ok();
    world
        .shell_in(".", "chmod -R o+w deploy.git/deploy-by-code; chmod 1777 .")
        .ok();
    let as_stranger = |command: &str| {
        let script =
            format!("GIT_CONFIG_GLOBAL=/dev/null timeout 8 '{BINARY}' -C deploy.git {command}");
        nobody.run(".", &script)
    };

    for command in ["status", "log", "show 1", "logs 1", "check"] {
        as_stranger(command).says_nothing_of("only its owner");
        nothing_ran(&world, command);
    }
    for command in ["wait 1", "logs -f 1", "doctor"] {
        as_stranger(command).says("only its owner may act in it");
        nothing_ran(&world, command);
    }
    for command in [
        "reconcile",
        "run production",
        "cancel 1",
        "retry 1",
        "release production",
        "freeze production --reason x",
        "thaw production",
        "install --registry /nonexistent",
        "uninstall --registry /nonexistent",
    ] {
        as_stranger(command)
            .exits(1)
            .says("belongs to the user games")
            .says("sudo -u games");
        nothing_ran(&world, command);
    }
    as_stranger("serve");
    nothing_ran(&world, "serve");
}

#[test]
fn user_whom_the_group_lets_write_acts_only_if_git_is_told_to_trust() {
    let world = World::new();
    let Some(nobody) = Nobody::sharing(&world) else {
        return;
    };
    with_something_queued(&world);
    world
        .shell_in(".", "chown -R games deploy.git && chmod 1777 .")
        .ok();

    let distrusting = format!("GIT_CONFIG_GLOBAL=/dev/null '{BINARY}' -C deploy.git reconcile");
    nobody
        .run(".", &distrusting)
        .exits(1)
        .says("only its owner may act in it");
    nothing_ran(&world, "reconcile");

    // The repository can't say of itself that it is trusted.
    let repository = world.repository();
    world.shell_in(".", "chown -R root deploy.git").ok();
    world.server_git(&["config", "safe.directory", "*"]);
    world.shell_in(".", "chown -R games deploy.git").ok();
    nobody
        .run(".", &distrusting)
        .exits(1)
        .says(repository.to_str().unwrap());
    nothing_ran(&world, "reconcile");

    nobody
        .run(".", &format!("'{BINARY}' -C deploy.git reconcile"))
        .ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

/// Everything that decides what root executes, with what others could do to it.
fn openings(world: &World) -> Vec<(PathBuf, u32)> {
    let repository = world.repository();
    [
        ("deploy-by-code.toml", 0o664),
        ("config", 0o664),
        ("HEAD", 0o646),
        ("hooks", 0o775),
        ("objects", 0o775),
        ("objects/pack", 0o775),
        ("refs/heads", 0o775),
        ("refs/heads/main", 0o664),
        ("deploy-by-code/state.db", 0o660),
        ("deploy-by-code/state.db-wal", 0o660),
        ("deploy-by-code/locks", 0o770),
        ("deploy-by-code/work", 0o770),
        // A folder on the way.
        ("..", 0o775),
    ]
    .map(|(name, mode)| (repository.join(name), mode))
    .to_vec()
}

#[test]
fn root_starts_nothing_where_others_can_change_what_it_executes() {
    if !root_or_skip() {
        return;
    }
    let world = World::new();
    with_something_queued(&world);

    for (path, open) in openings(&world) {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        for command in ["reconcile", "run production", "cancel 1", "thaw production"] {
            let words: Vec<_> = command.split(' ').collect();
            let name = path.canonicalize().unwrap();
            // SQLite gives an empty write-ahead log the mode of the database.
            set_mode(&path, open);
            world
                .cmd(&words)
                .exits(1)
                .says("users other than root can write to")
                .says(name.to_str().unwrap());
            nothing_ran(&world, command);
        }
        set_mode(&path, mode);

        let owner = |user| chown(&path, Some(user), None).unwrap();
        if !path.ends_with("..") {
            owner(NOBODY);
            world.cmd(&["reconcile"]).exits(1);
            nothing_ran(&world, "reconcile");
            owner(0);
        }
    }

    let config = world.path("deploy.git/deploy-by-code.toml");
    set_mode(&config, 0o666);
    for command in ["wait 1", "logs -f 1", "doctor"] {
        for_a_while(&world, command).says("users other than root can write to");
        nothing_ran(&world, command);
    }
    set_mode(&config, 0o644);
    for_a_while(&world, "wait 1").ok();
}

#[test]
fn root_follows_links_and_looks_at_every_folder_on_the_way() {
    let world = World::new();
    let Some(_nobody) = Nobody::new(&world) else {
        return;
    };
    with_something_queued(&world);
    let theirs = world.path("other");
    let config = world.path("deploy.git/deploy-by-code.toml");

    // The configuration is root's file, in a folder of somebody else.
    let moved = theirs.join("config.toml");
    fs::rename(&config, &moved).unwrap();
    symlink(&moved, &config).unwrap();
    for command in [&["reconcile"][..], &["run", "production"]] {
        world.cmd(command).exits(1).says(theirs.to_str().unwrap());
    }
    nothing_ran(&world, "a linked configuration");
    fs::remove_file(&config).unwrap();
    fs::rename(&moved, &config).unwrap();

    // It is named on the command line.
    fs::copy(&config, &moved).unwrap();
    let mut named = world.binary();
    named.arg("--config").arg(&moved).arg("reconcile");
    run(&mut named, b"").exits(1).says(theirs.to_str().unwrap());
    nothing_ran(&world, "a named configuration");

    // The hooks are elsewhere.
    world.server_git(&["config", "core.hooksPath", theirs.to_str().unwrap()]);
    world
        .cmd(&["reconcile"])
        .exits(1)
        .says(theirs.to_str().unwrap());
    nothing_ran(&world, "hooks elsewhere");
    world.server_git(&["config", "--unset", "core.hooksPath"]);

    world.cmd(&["reconcile"]).ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}
