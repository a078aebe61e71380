//! `install`: what it puts where, what it leaves alone, and how commands find the repository.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use crate::processes;
use crate::processes::BINARY;
use crate::run::run;
use crate::world::World;

/// A hook that does nothing.
pub const HOOK: &str = "#!/bin/sh\nexit 0\n";

/// The files in the folder of hooks, without git's samples, each with the target of its link.
pub fn hooks(world: &World) -> Vec<(String, Option<PathBuf>)> {
    let entry = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read_link(entry.path()).ok())
    };
    let entries = fs::read_dir(world.path("deploy.git/hooks")).unwrap();
    let mut hooks: Vec<_> = entries
        .flatten()
        .map(entry)
        .filter(|(name, _)| !name.ends_with(".sample"))
        .collect();
    hooks.sort();
    hooks
}

#[test]
fn install_dry_run_changes_nothing() {
    let world = World::new();
    fs::write(world.path("deploy.git/hooks/post-receive"), HOOK).unwrap();
    let before = hooks(&world);

    world
        .cmd(&["install", "--dry-run"])
        .ok()
        .says("link")
        .says("hooks/post-receive");

    assert_eq!(hooks(&world), before);
    assert!(!world.state().exists(), "a dry run does not make the state");
}

#[test]
fn install_again_changes_nothing() {
    let world = World::new();
    fs::write(world.path("deploy.git/hooks/post-receive"), HOOK).unwrap();

    world.install();
    let installed = hooks(&world);
    let names: Vec<_> = installed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "chained",
            "post-receive",
            "pre-receive",
            "reference-transaction"
        ]
    );
    let options = world.server_git(&["config", "receive.advertisePushOptions"]);
    assert_eq!(options, "true");

    world.install().says("everything is in place");
    assert_eq!(hooks(&world), installed);
}

#[test]
fn install_after_an_uninstall_goes_on_with_the_old_record() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();

    // Nobody plans the second revision while the hooks are away.
    world.cmd(&["uninstall"]).ok();
    world.deploy("production/a", 2);
    world.push();
    assert_eq!(world.history().len(), 1);

    world.install();
    world.deploy("production/b", 3);
    world.push();
    assert_eq!(
        world.settled(),
        [
            "#1 production/a succeeded",
            "#2 production/a succeeded",
            "#3 production/b succeeded"
        ]
    );
}

#[test]
fn install_dry_run_leaves_an_older_state_as_it_is() {
    let world = World::installed();
    let version = |say: &str| {
        let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
        database.execute_batch(say).unwrap();
        database
            .query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let newest = version("");

    version("PRAGMA user_version = 1");
    world
        .cmd(&["install", "--dry-run"])
        .ok()
        .says(&format!("from version 1 to {newest}"));

    assert_eq!(version(""), 1);
}

#[test]
fn repository_is_found_by_folder_by_option_and_by_git_dir() {
    let world = World::new();
    let repository = world.repository();
    let repository = repository.to_str().unwrap();
    world.cmd_in(".", &["install", repository]).ok();

    for (folder, arguments, git_dir) in [
        ("deploy.git", &["status"][..], None),
        ("deploy.git/hooks", &["status"], None),
        (".", &["--repository", repository, "status"], None),
        (".", &["-C", "deploy.git", "status"], None),
        (".", &["install", "-C", "deploy.git"], None),
        (".", &["status"], Some(repository)),
    ] {
        let mut command = world.command(BINARY, folder);
        command
            .args(arguments)
            .envs(git_dir.map(|dir| ("GIT_DIR", dir)));
        run(&mut command, b"").ok();
    }
}

#[test]
fn repository_that_is_missing_exits_with_4() {
    let world = World::new();

    let lost = world.cmd_in(".", &["status"]).exits(4);
    assert!(lost.stderr.contains("deploy-by-code -C "), "{lost:#?}");

    let missing = world
        .cmd_in(".", &["-C", "/nonexistent", "status"])
        .exits(4);
    assert!(missing.stderr.contains("/nonexistent: "), "{missing:#?}");
}

#[test]
fn state_permissions_follow_core_shared_repository() {
    for (shared, folder, file) in [
        ("umask", 0o700, 0o600),
        ("group", 0o2770, 0o660),
        ("all", 0o2775, 0o664),
    ] {
        let world = World::new();
        world.server_git(&["config", "core.sharedRepository", shared]);
        world.install();
        world.deploy("production/a", 1);
        world.commit();
        world
            .shell_in("work", "umask 077; git push origin HEAD:refs/heads/main")
            .ok();
        world.settled();

        let mode = |name: &str| {
            let metadata = fs::metadata(world.state().join(name)).unwrap();
            metadata.permissions().mode() & 0o7777
        };
        for (name, expected) in [
            ("", folder),
            ("logs", folder),
            ("locks", folder),
            ("work", folder),
            ("state.db", file),
            ("logs/1.log", file),
            ("locks/production.lock", file),
        ] {
            assert_eq!(mode(name), expected, "{shared}: the mode of {name:?}");
        }
    }
}

#[test]
fn install_waits_for_another_install() {
    let world = World::new();
    let folder = fs::File::open(world.repository()).unwrap();
    let held = nix::fcntl::Flock::lock(folder, nix::fcntl::FlockArg::LockExclusive).unwrap();

    let mut install = world
        .binary()
        .arg("install")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    world.wait_until("install has opened the repository", || {
        !processes::of(&world.repository()).is_empty()
    });
    assert!(!world.state().exists() && install.try_wait().unwrap().is_none());

    // A dry run writes nothing, so it does not wait.
    world.cmd(&["install", "--dry-run"]).ok();

    drop(held);
    assert!(install.wait().unwrap().success());
    assert!(world.state().exists());
}

#[test]
fn install_is_complete_although_its_output_cannot_be_written() {
    let world = World::new();
    fs::write(world.path("deploy.git/hooks/pre-receive"), HOOK).unwrap();

    // Every write to this file fails.
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let ended = world
        .binary()
        .arg("install")
        .stdout(full)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(ended.code(), Some(4));

    world.install().says("everything is in place");
}

#[test]
fn install_refuses_a_folder_name_that_would_write_into_a_unit() {
    let world = World::new();
    let folder = world.path("s");
    world.config_file(&format!(
        "state_dir = \"{}\\nExecStart=/bin/false\"\nrunner = \"systemd\"\n",
        folder.display()
    ));

    world
        .cmd(&["install", "--dry-run"])
        .exits(3)
        .says("state_dir")
        .says("control character");
}

#[test]
fn install_points_out_a_configuration_that_hooks_will_not_read() {
    let world = World::new();
    let file = world.path("other.toml");
    fs::write(&file, "[defaults]\ncommand = [\"true\"]\n").unwrap();

    world
        .cmd(&["--config", file.to_str().unwrap(), "install"])
        .ok()
        .says("other.toml is used by this command only")
        .says("deploy.git/deploy-by-code.toml");
}

/// A pusher with write access must not be able to make `install` hang.
#[test]
fn install_does_not_wait_for_a_pipe_in_the_place_of_a_hook() {
    let world = World::new();
    fs::create_dir(world.path("deploy.git/hooks/pre-receive.d")).unwrap();
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o755);
    nix::unistd::mkfifo(&world.path("deploy.git/hooks/pre-receive"), mode).unwrap();

    world
        .cmd(&["install", "--dry-run"])
        .ok()
        .says("hooks/chained/pre-receive");
}
