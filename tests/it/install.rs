//! `install`, `uninstall`, `doctor`, and what they make and look at.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::commands::with_history;
use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::world::World;

fn hooks(world: &World) -> Vec<(String, Option<PathBuf>)> {
    let entries = fs::read_dir(world.path("deploy.git/hooks"))
        .unwrap()
        .flatten();
    let entry = |entry: fs::DirEntry| {
        (
            entry.file_name().into_string().unwrap(),
            fs::read_link(entry.path()).ok(),
        )
    };
    let mut hooks: Vec<_> = entries
        .map(entry)
        .filter(|(name, _)| !name.ends_with(".sample"))
        .collect();
    hooks.sort();
    hooks
}

#[test]
fn install_is_idempotent_and_uninstall_restores() {
    let world = World::new();
    fs::write(
        world.path("deploy.git/hooks/post-receive"),
        "#!/bin/sh\nexit 0\n",
    )
    .unwrap();
    let before = hooks(&world);
    world
        .cmd(&["install", "--dry-run"])
        .ok()
        .says("post-receive");
    assert_eq!(hooks(&world), before);
    assert!(!world.state().exists(), "a dry run makes nothing");
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
    assert_eq!(
        world.server_git(&["config", "receive.advertisePushOptions"]),
        "true"
    );
    world.install();
    assert_eq!(hooks(&world), installed);
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    world
        .cmd(&["uninstall"])
        .ok()
        .says(world.state().to_str().unwrap());
    assert_eq!(hooks(&world), before);
    assert_eq!(
        fs::read_to_string(world.path("deploy.git/hooks/post-receive")).unwrap(),
        "#!/bin/sh\nexit 0\n"
    );
    world.cmd(&["uninstall"]).ok();
    // What happens while it is uninstalled is picked up afterwards, and nothing twice.
    world.install();
    world.deploy("production/a", 2);
    world.push();
    assert_eq!(world.settled().len(), 2);
}

#[test]
fn a_dry_run_leaves_an_older_state_as_it_is() {
    let world = World::installed();
    let version = |say: &str| {
        let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
        database.execute_batch(say).unwrap();
        database
            .query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let newest = version("");
    // What the newest step of the versions made.
    version("PRAGMA user_version = 1");
    world
        .cmd(&["install", "--dry-run"])
        .ok()
        .says(&format!("from version 1 to {newest}"));
    assert_eq!(version(""), 1);
}

#[test]
fn the_repository_is_found() {
    let world = World::new();
    let repository = world.repository();
    let repository = repository.to_str().unwrap();
    run(
        world.command(BINARY, ".").args(["install", repository]),
        b"",
    )
    .ok();
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
    let lost = run(world.command(BINARY, ".").arg("status"), b"");
    assert!(matches!(lost.code, Some(2 | 4)), "{lost:#?}");
    assert!(
        lost.stderr.contains("-C"),
        "it says how to name one: {lost:#?}"
    );
    let missing = run(
        world
            .command(BINARY, ".")
            .args(["-C", "/nonexistent", "status"]),
        b"",
    )
    .exits(4);
    assert!(missing.stderr.contains("/nonexistent"), "{missing:#?}");
}

#[test]
fn permissions_follow_the_repository() {
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
        let mut shell = world.command("sh", "work");
        run(
            shell.args(["-c", "umask 077; git push origin HEAD:refs/heads/main"]),
            b"",
        )
        .ok();
        world.settled();
        let mode = |name: &str| {
            fs::metadata(world.state().join(name))
                .unwrap()
                .permissions()
                .mode()
                & 0o7777
        };
        for name in ["", "logs", "locks", "work"] {
            assert_eq!(
                mode(name),
                folder,
                "{shared}: folder {name:?} has {:o}",
                mode(name)
            );
        }
        for name in ["state.db", "logs/1.log", "locks/production.lock"] {
            assert_eq!(
                mode(name),
                file,
                "{shared}: file {name} has {:o}",
                mode(name)
            );
        }
    }
}

#[test]
fn doctor_names_what_is_wrong_and_the_fix() {
    let world = World::installed();
    world.cmd(&["doctor"]).ok();
    fs::remove_file(world.path("deploy.git/hooks/post-receive")).unwrap();
    world
        .cmd(&["doctor"])
        .exits(1)
        .says("post-receive")
        .says("install");
    world.install();
    world.cmd(&["doctor"]).ok();
    // A dangling symlink is skipped by git in silence.
    fs::remove_file(world.path("deploy.git/hooks/pre-receive")).unwrap();
    std::os::unix::fs::symlink(
        "/nonexistent/deploy-by-code",
        world.path("deploy.git/hooks/pre-receive"),
    )
    .unwrap();
    world.cmd(&["doctor"]).exits(1).says("pre-receive");
    world.install();
    world.server_git(&["config", "receive.advertisePushOptions", "false"]);
    world.cmd(&["doctor"]).says("receive.advertisePushOptions");
    world.config_file("nonsense = 1");
    let doctor = world.cmd(&["doctor"]).says("deploy-by-code.toml:1:1");
    assert!(matches!(doctor.code, Some(1 | 3)), "{doctor:#?}");
}

#[test]
fn a_damaged_database_is_an_error_of_state() {
    let world = with_history();
    for name in ["state.db-wal", "state.db-shm"] {
        let _ = fs::remove_file(world.state().join(name));
    }
    fs::write(
        world.state().join("state.db"),
        "This is no database, but it is long enough to be read as one. ".repeat(100),
    )
    .unwrap();
    for command in [&["status"][..], &["log"], &["reconcile"]] {
        world.cmd(command).exits(4).says("state.db");
    }
    world.cmd(&["doctor"]).exits(1).says("state.db");
}

/// Runs a command line as the user nobody, in root's group.
fn as_nobody(world: &World, folder: &str, gitconfig: &Path, command: &str) -> Run {
    let mut other = world.command("setpriv", folder);
    other.args([
        "--reuid",
        "nobody",
        "--regid",
        "0",
        "--clear-groups",
        "sh",
        "-c",
        command,
    ]);
    run(other.env("GIT_CONFIG_GLOBAL", gitconfig), b"")
}

/// Gives the user nobody a folder `other`; says with which configuration git works for them.
fn with_nobody(world: &World) -> Option<PathBuf> {
    fs::set_permissions(world.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let gitconfig = world.path("gitconfig");
    fs::write(&gitconfig, "[safe]\n\tdirectory = *\n").unwrap();
    let version = format!("'{BINARY}' --version");
    if !nix::unistd::Uid::effective().is_root()
        || as_nobody(world, ".", &gitconfig, &version).code != Some(0)
    {
        println!("skipped: not root, or another user can't run {BINARY}");
        return None;
    }
    fs::create_dir(world.path("other")).unwrap();
    std::os::unix::fs::chown(world.path("other"), Some(65534), Some(0)).unwrap();
    Some(gitconfig)
}

/// Shares the deploy repository with the user nobody as well.
fn shared_with_nobody(world: &World) -> Option<PathBuf> {
    let gitconfig = with_nobody(world)?;
    world.server_git(&["config", "core.sharedRepository", "group"]);
    run(
        world
            .command("chmod", ".")
            .args(["-R", "g+w", "deploy.git"]),
        b"",
    )
    .ok();
    // A state that install made before is made anew, shared.
    let _ = fs::remove_dir_all(world.state());
    Some(gitconfig)
}

#[test]
fn two_users_share_a_repository() {
    let world = World::new();
    let Some(gitconfig) = shared_with_nobody(&world) else {
        return;
    };
    let as_nobody = |folder: &str, command: &str| as_nobody(&world, folder, &gitconfig, command);
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
            let deploy = format!(
                "rm -rf c; git clone -q ../deploy.git c && cd c && printf %07d%033d {n} 0 > production/a.deploy"
            );
            let push = "git commit -q -a -m Deploy && umask 077 && git push -q origin HEAD:refs/heads/main";
            as_nobody("other", &format!("{deploy} && {push}")).ok();
        }
        assert_eq!(
            world.settled().last().unwrap(),
            &format!("#{n} production/a succeeded")
        );
    }
    let pushers = [1, 2, 3, 4].map(|id| world.show(id)["pusher"].as_str().unwrap().to_owned());
    assert_eq!(pushers, ["root", "nobody", "root", "nobody"]);
    assert_eq!(world.logs(2), "nobody\n");
    as_nobody(".", &format!("'{BINARY}' -C deploy.git logs 1")).ok();
    // Without safe.directory git would refuse this user's pushes.
    let untrusted = format!("GIT_CONFIG_GLOBAL=/dev/null '{BINARY}' -C deploy.git doctor");
    as_nobody(".", &untrusted)
        .says("ownership: the repository is another user's")
        .says("--add safe.directory");
    // Somebody who may not look is not told to install.
    fs::set_permissions(world.state(), fs::Permissions::from_mode(0o700)).unwrap();
    let refused = as_nobody(".", &format!("'{BINARY}' -C deploy.git status")).exits(4);
    assert!(
        refused.stderr.contains("Permission denied") && !refused.stderr.contains("install"),
        "{refused:#?}"
    );
}

#[test]
fn another_users_release_is_rolled_back_to() {
    let world = crate::checkout::world("");
    let Some(gitconfig) = shared_with_nobody(&world) else {
        return;
    };
    world.install();
    fs::create_dir(world.path("srv")).unwrap();
    fs::set_permissions(world.path("srv"), fs::Permissions::from_mode(0o2775)).unwrap();
    let (one, two) = (
        crate::checkout::one_file(&world, "one"),
        crate::checkout::one_file(&world, "two"),
    );
    crate::checkout::deploy(&world, &one);
    crate::checkout::deploy(&world, &two);
    let clone =
        format!("git clone -q ../deploy.git c && cd c && printf {one} > production/a.deploy");
    let push = "git commit -q -a -m Back -m 'Deploy-Rollback: alarms' && git push -q origin HEAD:refs/heads/main";
    as_nobody(&world, "other", &gitconfig, &format!("{clone} && {push}")).ok();
    assert_eq!(world.settled().last().unwrap(), "#3 production/a succeeded");
    assert_eq!(world.show(3)["pusher"], "nobody");
    assert_eq!(crate::checkout::current(&world), "one");
}

#[test]
fn the_timer_reconciles_what_is_registered_each_as_its_owner() {
    let world = World::new();
    let registry = registry(&world);
    let registry = registry.to_str().unwrap();
    world
        .cmd(&["install", "--registry", registry])
        .ok()
        .says("register with the timer");
    world
        .cmd(&["install", "--registry", registry])
        .ok()
        .says("everything is in place");
    world.deploy("production/a", 1);
    world.push_unseen();
    let list = run(
        world.command(BINARY, ".").args([
            "reconcile",
            "--registered",
            "--list",
            "--registry",
            registry,
        ]),
        b"",
    );
    assert_eq!(
        list.ok().stdout,
        format!("{}\n", world.repository().display())
    );
    run(
        world
            .command(BINARY, ".")
            .args(["reconcile", "--registered", "--registry", registry]),
        b"",
    )
    .ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    // What somebody registers that is not theirs is not touched.
    if nix::unistd::Uid::effective().is_root() {
        let entry = fs::read_dir(registry)
            .unwrap()
            .flatten()
            .next()
            .unwrap()
            .path();
        std::os::unix::fs::chown(&entry, Some(65534), None).unwrap();
        world.deploy("production/a", 2);
        world.push_unseen();
        let refused = run(
            world
                .command(BINARY, ".")
                .args(["reconcile", "--registered", "--registry", registry]),
            b"",
        );
        refused
            .ok()
            .says("registered by user 65534, but it belongs to user 0");
        assert_eq!(world.settled().len(), 1);
        std::os::unix::fs::chown(&entry, Some(0), None).unwrap();
    }
    world
        .cmd(&["uninstall", "--registry", registry])
        .ok()
        .says("take out of the timer's list");
    assert_eq!(fs::read_dir(registry).unwrap().count(), 0);
}

/// A list for the timer that everybody may write to.
fn registry(world: &World) -> PathBuf {
    let registry = world.path("registry");
    fs::create_dir(&registry).unwrap();
    fs::set_permissions(&registry, fs::Permissions::from_mode(0o1777)).unwrap();
    registry
}

#[test]
fn one_users_repository_that_hangs_keeps_no_others_waiting() {
    let world = World::new();
    let registry = registry(&world);
    let list = ["--registry", registry.to_str().unwrap()];
    let Some(gitconfig) = with_nobody(&world) else {
        return;
    };
    // First in the order of names.
    fs::rename(world.path("other"), world.path("a")).unwrap();
    let install = format!(
        "git init -q --bare -b main x.git && '{BINARY}' install x.git --registry '{}'",
        list[1]
    );
    as_nobody(&world, "a", &gitconfig, &install).ok();
    let pipe = world.path("a/x.git/refs/heads/main");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
    std::os::unix::fs::chown(&pipe, Some(65534), Some(0)).unwrap();
    world.cmd(&["install", list[0], list[1]]).ok();
    world.deploy("production/a", 1);
    world.push_unseen();
    let mut timer = world.command(BINARY, ".");
    let mut timer = timer
        .args(["reconcile", "--registered"])
        .args(list)
        .spawn()
        .unwrap();
    world.wait_until("the other user's is deployed", || {
        world.history() == ["#1 production/a succeeded"]
    });
    assert!(
        timer.try_wait().unwrap().is_none(),
        "it waits for the one that hangs"
    );
    world.wait_until("the one that hangs is read to its end", || {
        let _ = fs::File::options()
            .write(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open(&pipe);
        timer.try_wait().unwrap().is_some()
    });
    assert_eq!(timer.wait().unwrap().code(), Some(1));
}

#[test]
fn an_entry_of_somebody_else_is_roots_to_remove() {
    let world = World::new();
    let registry = registry(&world);
    let list = ["--registry", registry.to_str().unwrap()];
    let Some(gitconfig) = with_nobody(&world) else {
        return;
    };
    let install = ["install", list[0], list[1]];
    let entry = || {
        fs::read_dir(&registry)
            .unwrap()
            .flatten()
            .next()
            .map(|entry| entry.path())
    };
    let give_away = || std::os::unix::fs::chown(entry().unwrap(), Some(1), None).unwrap();
    world.cmd(&install).ok().says("register with the timer");
    give_away();
    world
        .cmd(&["install", "--dry-run", list[0], list[1]])
        .ok()
        .says("would take out of")
        .says("would register with");
    world
        .cmd(&install)
        .ok()
        .says("take out of the timer's list")
        .says("register with the timer");
    world.cmd(&install).ok().says("everything is in place");
    give_away();
    world
        .cmd(&["uninstall", list[0], list[1]])
        .ok()
        .says("take out of the timer's list");
    assert_eq!(entry(), None);
    // The owner, who is not root, is told, and has the hooks all the same.
    let as_owner = |command: &str| {
        let command = format!("'{BINARY}' {command} x.git --registry '{}'", list[1]);
        as_nobody(&world, "other", &gitconfig, &command)
    };
    as_nobody(
        &world,
        "other",
        &gitconfig,
        "git init -q --bare -b main x.git",
    )
    .ok();
    as_owner("install").ok();
    give_away();
    let hook = world.path("other/x.git/hooks/post-receive");
    as_owner("uninstall")
        .ok()
        .says("this repository's entry in the timer's list is user 1's, and stays");
    assert!(!hook.is_symlink() && entry().is_some());
    as_owner("install")
        .ok()
        .says("so the timer does not look after it")
        .says("run this as root");
    assert!(hook.is_symlink());
    run(
        world
            .command(BINARY, "other")
            .args(["install", "x.git"])
            .args(list),
        b"",
    )
    .ok();
    assert_eq!(
        std::os::unix::fs::MetadataExt::uid(&fs::metadata(entry().unwrap()).unwrap()),
        65534
    );
    as_owner("uninstall").ok();
    assert_eq!(entry(), None);
}

#[test]
fn what_stands_in_the_place_of_an_entry_is_in_nobodys_way() {
    let world = World::new();
    let registry = registry(&world);
    let list = ["--registry", registry.to_str().unwrap()];
    if with_nobody(&world).is_none() {
        return;
    }
    let name = world
        .repository()
        .to_str()
        .unwrap()
        .trim_start_matches('/')
        .replace('-', "\\x2d")
        .replace('/', "-");
    let squatter = registry.join(name);
    for command in ["install", "uninstall"] {
        let _ = fs::remove_file(&squatter);
        fs::create_dir_all(squatter.join("deep")).unwrap();
        std::os::unix::fs::chown(&squatter, Some(65534), None).unwrap();
        world
            .cmd(&[command, list[0], list[1]])
            .ok()
            .says("take out of the timer's list");
        assert_eq!(squatter.is_file(), command == "install");
    }
}

#[test]
fn a_repository_that_is_gone_is_taken_out_by_its_path() {
    let world = World::new();
    let registry = registry(&world);
    let list = ["--registry", registry.to_str().unwrap()];
    world.cmd(&["install", list[0], list[1]]).ok();
    fs::rename(world.repository(), world.path("moved.git")).unwrap();
    let at = |arguments: &[&str]| run(world.command(BINARY, ".").args(arguments).args(list), b"");
    at(&["reconcile", "--registered"])
        .ok()
        .says("deploy.git: No such file");
    at(&["uninstall", "deploy.git", "--dry-run"])
        .ok()
        .says("would take out of the timer's list");
    at(&["uninstall", "deploy.git"])
        .ok()
        .says("there is no repository here any more");
    assert_eq!(fs::read_dir(&registry).unwrap().count(), 0);
    at(&["uninstall", "deploy.git"])
        .exits(4)
        .says("there is no git repository here");
}

#[test]
fn one_install_waits_for_another() {
    let world = World::new();
    let folder = fs::File::open(world.repository()).unwrap();
    let held = nix::fcntl::Flock::lock(folder, nix::fcntl::FlockArg::LockExclusive).unwrap();
    let mut install = world
        .binary()
        .arg("install")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    world.wait_until("the other one is there", || {
        !crate::processes::of(&world.repository()).is_empty()
    });
    assert!(!world.state().exists() && install.try_wait().unwrap().is_none());
    world.cmd(&["install", "--dry-run"]).ok();
    drop(held);
    assert!(install.wait().unwrap().success());
    assert!(world.state().exists());
}

#[test]
fn what_a_group_member_installed_its_owner_takes_out() {
    let world = World::new();
    let Some(gitconfig) = shared_with_nobody(&world) else {
        return;
    };
    fs::write(world.path("deploy.git/hooks/pre-receive"), "#!/bin/sh\n").unwrap();
    // The owner is a user whom modes stop.
    run(
        world
            .command("chown", ".")
            .args(["-R", "games", "deploy.git"]),
        b"",
    )
    .ok();
    let run_as = |user: &str, command: &str| {
        let mut other = world.command("setpriv", ".");
        let command = format!("'{BINARY}' {command} deploy.git --registry /nonexistent");
        other.args([
            "--reuid",
            user,
            "--regid",
            "0",
            "--clear-groups",
            "sh",
            "-c",
            &command,
        ]);
        run(other.env("GIT_CONFIG_GLOBAL", &gitconfig), b"")
    };
    run_as("nobody", "install")
        .ok()
        .says("hooks/chained/pre-receive");
    run_as("games", "uninstall").ok();
    assert_eq!(
        fs::read_to_string(world.path("deploy.git/hooks/pre-receive")).unwrap(),
        "#!/bin/sh\n"
    );
    assert!(!world.path("deploy.git/hooks/chained").exists());
}

#[test]
fn the_repository_of_a_work_tree_is_looked_at_too() {
    let world = World::installed();
    if !nix::unistd::Uid::effective().is_root() {
        println!("skipped: not root");
        return;
    }
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    world.server_git(&[
        "worktree",
        "add",
        "-q",
        world.path("tree").to_str().unwrap(),
        "main",
    ]);
    let reconcile = || run(world.command(BINARY, "tree").arg("reconcile"), b"");
    reconcile().ok();
    for (mode, says) in [
        (0o777, "is writable by everybody"),
        (0o775, "is others' to write"),
    ] {
        fs::set_permissions(world.repository(), fs::Permissions::from_mode(mode)).unwrap();
        reconcile().exits(1).says(says);
    }
}

#[test]
fn nobody_has_to_read_what_an_install_says() {
    let world = World::new();
    fs::write(world.path("deploy.git/hooks/pre-receive"), "#!/bin/sh\n").unwrap();
    // Every write to it fails.
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let told = world
        .binary()
        .arg("install")
        .stdout(full)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(told.code(), Some(4));
    world.install().says("everything is in place");
}

/// A hook that was there before comes back, whichever call of an install or uninstall was the last:
/// each leaves one of these.
#[test]
fn an_uninstall_completes_what_one_before_it_began() {
    let hook = "#!/bin/sh\n";
    for what in ["a script", "/bin/true", "../script"] {
        let make = |path: &Path| match what {
            "a script" => fs::write(path, hook).unwrap(),
            target => std::os::unix::fs::symlink(target, path).unwrap(),
        };
        let world = World::new();
        fs::write(world.path("deploy.git/script"), hook).unwrap();
        let own = world.path("deploy.git/hooks/pre-receive");
        make(&own);
        let link = fs::read_link(&own).ok();
        let is_back = || {
            assert_eq!(fs::read_link(&own).ok(), link, "{what}");
            assert!(own.symlink_metadata().is_ok(), "{what}");
            assert!(!world.path("deploy.git/hooks/chained").exists(), "{what}");
        };
        // Its own link is gone, and the kept one is not back.
        world.install();
        fs::remove_file(&own).unwrap();
        world.cmd(&["uninstall"]).ok();
        is_back();
        // It is back already, and was kept as another link.
        if what.starts_with("..") {
            world.install();
            fs::remove_file(&own).unwrap();
            make(&own);
            world.cmd(&["uninstall"]).ok();
            is_back();
        }
    }
}

#[test]
fn what_others_have_under_such_names_is_theirs() {
    let world = World::new();
    let hooks = world.path("deploy.git/hooks");
    fs::create_dir(hooks.join("chained")).unwrap();
    fs::write(hooks.join("chained/pre-receive"), "theirs").unwrap();
    std::os::unix::fs::symlink("/bin/true", hooks.join("chained/link")).unwrap();
    fs::write(hooks.join("pre-receive.new"), "theirs").unwrap();
    world
        .cmd(&["uninstall"])
        .ok()
        .says("no hook of deploy-by-code is installed");
    assert_eq!(fs::read_dir(hooks.join("chained")).unwrap().count(), 2);
    fs::remove_file(hooks.join("chained/pre-receive")).unwrap();
    // A link that only looks like one of the package's.
    fs::create_dir_all(world.path("etc/deploy-by-code/hooks")).unwrap();
    let script = world.path("etc/deploy-by-code/hooks/pre-receive");
    fs::write(&script, "#!/bin/sh\necho theirs\nexit 1\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink(&script, hooks.join("pre-receive")).unwrap();
    world.install();
    world.deploy("production/a", 1);
    world.try_push().exits(1).says("theirs");
    world.cmd(&["uninstall"]).ok();
    assert_eq!(fs::read_link(hooks.join("pre-receive")).unwrap(), script);
    assert!(hooks.join("chained/link").is_symlink() && hooks.join("pre-receive.new").exists());
    // git passes over a link that leads nowhere, and nobody would know why pushes are refused.
    fs::remove_file(&script).unwrap();
    world
        .cmd(&["install"])
        .exits(4)
        .says("pre-receive leads nowhere");
}

#[test]
fn root_is_not_led_into_another_users_repository() {
    let world = World::installed();
    let registry = registry(&world);
    let list = ["--registry", registry.to_str().unwrap()];
    world.cmd(&["install", list[0], list[1]]).ok();
    if with_nobody(&world).is_none() {
        return;
    }
    let trap = world.path("other/trap.git");
    fs::create_dir(&trap).unwrap();
    fs::copy(world.path("deploy.git/HEAD"), trap.join("HEAD")).unwrap();
    fs::write(
        trap.join("commondir"),
        format!("{}\n", world.repository().display()),
    )
    .unwrap();
    std::os::unix::fs::chown(&trap, Some(65534), Some(65534)).unwrap();
    for command in ["install", "uninstall"] {
        let arguments = [command, trap.to_str().unwrap(), list[0], list[1]];
        run(world.command(BINARY, ".").args(arguments), b"")
            .exits(1)
            .says("are not the same user's");
    }
    assert_eq!(fs::read_dir(&registry).unwrap().count(), 1);
    // And a service that still has the user of before does nothing for the owner of now.
    let gitconfig = world.path("gitconfig");
    let serve = format!(
        "timeout 1 '{BINARY}' -C '{}' serve",
        world.repository().display()
    );
    as_nobody(&world, "other", &gitconfig, &serve)
        .says("the repository is user 0's, and this is user 65534");
}

#[test]
fn uninstall_finds_the_hooks_wherever_an_install_put_them() {
    let world = World::installed();
    let hooks = ["pre-receive", "post-receive", "reference-transaction"];
    let gone = || {
        hooks.iter().all(|name| {
            world
                .path(&format!("deploy.git/hooks/{name}"))
                .symlink_metadata()
                .is_err()
        })
    };
    world.config_file("nonsense = 1");
    world
        .cmd(&["uninstall"])
        .ok()
        .says("deploy-by-code.toml:1:1");
    assert!(gone(), "a broken configuration is no reason to stay");
    world.config_file("");
    world.install();
    fs::create_dir(world.path("deploy.git/custom_hooks")).unwrap();
    world.cmd(&["uninstall"]).ok();
    assert!(gone(), "it has become another host's");
    fs::remove_dir(world.path("deploy.git/custom_hooks")).unwrap();
    world.install();
    world.server_git(&["config", "core.hooksPath", "/nonexistent"]);
    world.cmd(&["uninstall"]).ok();
    assert!(gone(), "git was told of another folder");
}

#[test]
fn root_acts_as_the_repositorys_owner() {
    let world = World::new();
    fs::set_permissions(world.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let nobody = |command: &str| {
        let mut other = world.command("setpriv", "deploy.git");
        run(
            other.args([
                "--reuid",
                "nobody",
                "--regid",
                "nogroup",
                "--clear-groups",
                "sh",
                "-c",
                command,
            ]),
            b"",
        )
    };
    if !nix::unistd::Uid::effective().is_root()
        || nobody(&format!("'{BINARY}' --version")).code != Some(0)
    {
        println!("skipped: not root, or another user can't run {BINARY}");
        return;
    }
    world.config_file("[defaults]\ncommand = [\"/usr/bin/id\", \"-un\"]");
    world.deploy("production/a", 1);
    world.push();
    run(
        world
            .command("chown", ".")
            .args(["-R", "nobody:nogroup", "deploy.git"]),
        b"",
    )
    .ok();
    world.cmd(&["install", "--deploy-existing"]).ok();
    let owner = |path: &str| {
        std::os::unix::fs::MetadataExt::uid(&fs::metadata(world.state().join(path)).unwrap())
    };
    assert_eq!(["", "state.db", "locks"].map(owner), [65534; 3]);
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(world.logs(1), "nobody\n");
    // Who did it is root all the same.
    world
        .cmd(&["freeze", "production", "--reason", "x"])
        .ok()
        .says("frozen by root");
    world.cmd(&["thaw", "production"]).ok();
    fs::set_permissions(world.repository(), fs::Permissions::from_mode(0o777)).unwrap();
    world
        .cmd(&["status"])
        .exits(1)
        .says("is writable by everybody");
}

#[test]
fn with_systemd_hooks_leave_word_and_the_service_starts_the_runners() {
    let world = World::installed();
    let config = fs::read_to_string(world.path("deploy.git/deploy-by-code.toml")).unwrap();
    world.config_file(&format!("runner = \"systemd\"\n{config}"));
    world.job("note start; test $DEPLOY_ENVIRONMENT != production || hold end");
    world.deploy("production/a", 1);
    world.push();
    assert!(world.state().join("wake/production").exists());
    let mut service = world.binary().arg("serve").spawn().unwrap();
    world.wait_for("production/a #1 start");
    // Word that comes while it serves is taken too.
    world.deploy("staging/a", 1);
    world.push();
    world.wait_until("the other environment is served", || {
        world
            .history()
            .get(1)
            .is_some_and(|line| line == "#2 staging/a succeeded")
    });
    world.open("end");
    assert_eq!(world.settled()[0], "#1 production/a succeeded");
    assert!(service.wait().unwrap().success());
    world.wait_until("no word is left", || {
        fs::read_dir(world.state().join("wake")).unwrap().count() == 0
    });
    let unit = world.cmd(&["install", "--dry-run"]).ok();
    unit.says("write /etc/systemd/system/deploy-by-code-runner@")
        .says("systemctl enable --now deploy-by-code-runner@");
}

#[test]
fn the_service_waits_until_what_is_in_its_way_is_mended() {
    let world = World::installed();
    let config = fs::read_to_string(world.path("deploy.git/deploy-by-code.toml")).unwrap();
    let config = format!("runner = \"systemd\"\n{config}");
    let mode =
        |mode| fs::set_permissions(world.repository(), fs::Permissions::from_mode(mode)).unwrap();
    // That others may change the repository is in root's way alone.
    let can_refuse = nix::unistd::Uid::effective().is_root();
    for (number, is_refused) in [(0, false), (1, true)]
        .into_iter()
        .filter(|(_, refused)| can_refuse || !refused)
    {
        world.config_file(&config);
        world.deploy("production/a", number + 1);
        world.push();
        if is_refused {
            mode(0o775);
        } else {
            world.config_file("nonsense = 1");
        }
        let mut service = world
            .binary()
            .arg("serve")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = String::new();
        BufReader::new(service.stderr.take().unwrap())
            .read_line(&mut told)
            .unwrap();
        assert!(told.contains("waiting until this is fixed"), "{told}");
        mode(0o755);
        world.config_file(&config);
        assert_eq!(world.settled().len(), number as usize + 1);
        assert!(service.wait().unwrap().success());
    }
}

#[test]
fn root_does_nothing_for_a_repository_that_others_can_change() {
    let world = World::new();
    if !nix::unistd::Uid::effective().is_root() {
        println!("skipped: not root");
        return;
    }
    let elsewhere = world.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    world.config_file(&format!(
        "state_dir = \"{}\"\n",
        elsewhere.join("state").display()
    ));
    world.install();
    let config = world.path("deploy.git/deploy-by-code.toml");
    for path in [
        world.repository(),
        config,
        elsewhere.join("state"),
        elsewhere.join("state/state.db"),
    ] {
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(before.mode() | 0o020)).unwrap();
        world
            .cmd(&["reconcile"])
            .exits(1)
            .says(path.to_str().unwrap());
        world
            .cmd(&["install", "--deploy-existing"])
            .exits(1)
            .says(path.to_str().unwrap());
        world
            .cmd(&["doctor"])
            .exits(1)
            .says("a push: not tried")
            .says(path.to_str().unwrap());
        world.cmd(&["status"]).ok();
        fs::set_permissions(&path, before).unwrap();
    }
    world.cmd(&["reconcile"]).ok();
}

#[test]
fn a_link_in_place_of_the_folder_of_kept_hooks_is_not_followed() {
    let world = World::new();
    fs::create_dir(world.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink("target", world.path("elsewhere/link")).unwrap();
    std::os::unix::fs::symlink("../../elsewhere", world.path("deploy.git/hooks/chained")).unwrap();
    world.install();
    world.cmd(&["uninstall"]).ok();
    assert!(world.path("elsewhere/link").is_symlink());
    fs::write(world.path("deploy.git/hooks/post-receive"), "#!/bin/sh\n").unwrap();
    world.cmd(&["install"]).exits(4).says("chained");
    assert_eq!(fs::read_dir(world.path("elsewhere")).unwrap().count(), 1);
}

#[test]
fn a_pipe_in_the_registry_holds_nothing_up() {
    let world = World::new();
    let registry = world.path("registry");
    fs::create_dir(&registry).unwrap();
    nix::unistd::mkfifo(
        &registry.join("pipe"),
        nix::sys::stat::Mode::from_bits_truncate(0o644),
    )
    .unwrap();
    world
        .cmd(&["install", "--registry", registry.to_str().unwrap()])
        .ok();
    world.deploy("production/a", 1);
    world.push_unseen();
    let reconcile = [
        "reconcile",
        "--registered",
        "--registry",
        registry.to_str().unwrap(),
    ];
    // Anybody can put something there, so that is told, and is no failure.
    run(world.command(BINARY, ".").args(reconcile), b"")
        .ok()
        .says("pipe");
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    fs::set_permissions(world.repository(), fs::Permissions::from_mode(0o777)).unwrap();
    world.deploy("production/a", 2);
    world.push_unseen();
    run(world.command(BINARY, ".").args(reconcile), b"")
        .ok()
        .says("writable by everybody");
    fs::set_permissions(world.repository(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(world.settled().len(), 1);
}

#[test]
fn a_folder_that_would_write_into_a_unit_is_refused() {
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
fn a_configuration_that_hooks_will_not_read_is_pointed_out() {
    let world = World::new();
    let file = world.path("other.toml");
    fs::write(&file, "[defaults]\ncommand = [\"true\"]\n").unwrap();
    let install = world
        .cmd(&["--config", file.to_str().unwrap(), "install"])
        .ok();
    install
        .says("other.toml counts for this command alone")
        .says("deploy.git/deploy-by-code.toml");
}
