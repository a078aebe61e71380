//! `doctor`: what it finds, and the fix that it names.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use deploy_by_code::hook_files::hook_file;

use crate::commands::with_history;
use crate::hosts::script;
use crate::run::run;
use crate::world::World;

const HOOKS: [&str; 3] = ["pre-receive", "post-receive", "reference-transaction"];

#[test]
fn doctor_finds_a_missing_and_a_dangling_hook() {
    let world = World::installed();
    world.cmd(&["doctor"]).ok();
    let hook = |name: &str| world.path(&format!("deploy.git/hooks/{name}"));

    fs::remove_file(hook("post-receive")).unwrap();
    world
        .cmd(&["doctor"])
        .exits(1)
        .says("hooks/post-receive is missing")
        .says("deploy.git install\n");
    world.install();
    world.cmd(&["doctor"]).ok();

    // git ignores a dangling symlink without a word.
    fs::remove_file(hook("pre-receive")).unwrap();
    symlink("/nonexistent/deploy-by-code", hook("pre-receive")).unwrap();
    world
        .cmd(&["doctor"])
        .exits(1)
        .says("hooks/pre-receive is a broken link");
}

#[test]
fn doctor_warns_when_push_options_are_off() {
    let world = World::installed();
    world
        .cmd(&["doctor"])
        .ok()
        .says("receive.advertisePushOptions is true");

    world.server_git(&["config", "receive.advertisePushOptions", "false"]);
    world
        .cmd(&["doctor"])
        .ok()
        .says("warning  push options: ")
        .says("config receive.advertisePushOptions true");
}

#[test]
fn doctor_finds_a_configuration_error_and_checks_the_rest() {
    let world = World::installed();
    world.config_file("nonsense = 1\n");

    world
        .cmd(&["doctor"])
        .exits(1)
        .says("deploy-by-code.toml:1:1")
        .says("database: not damaged");
}

#[test]
fn doctor_and_others_find_a_damaged_database() {
    let world = with_history();
    for name in ["state.db-wal", "state.db-shm"] {
        let _ = fs::remove_file(world.state().join(name));
    }
    let damaged = "This is no database, but it is long enough to be read as one. ".repeat(100);
    fs::write(world.state().join("state.db"), damaged).unwrap();

    for command in [&["status"][..], &["log"], &["reconcile"]] {
        world.cmd(command).exits(4).says("state.db");
    }
    let state = world.state().join("state.db");
    world
        .cmd(&["doctor"])
        .exits(1)
        .says(&format!("PROBLEM  state: {}: ", state.display()));
}

#[test]
fn doctor_proves_by_a_push_that_the_hooks_work() {
    let world = World::installed();
    world
        .cmd(&["doctor"])
        .ok()
        .says(
            "a push: a test push to a scratch repository with these hooks was planned and deployed",
        )
        .says("version: deploy-by-code ")
        .says("as the user ")
        .says("git settings: ")
        .says("receive.fsckObjects true");

    // The hooks look right, but start a program that does nothing.
    put_a_program_in_place_of_ours(&world, "exit 0");
    world
        .cmd(&["doctor"])
        .exits(1)
        .says("a push: a test push to a scratch repository with these hooks was not planned");

    world.install();
    world.cmd(&["doctor"]).ok();
}

/// The program that a repository's hooks start can be another user's, so it must not get the
/// environment or the terminal of the user who runs `doctor`.
#[test]
fn doctor_gives_hooks_neither_its_environment_nor_its_session() {
    let world = World::installed();
    let seen = world.path("seen");
    let body = format!(
        "{{ env; echo session $(ps -o sid= -p $$); }} >'{}'",
        seen.display()
    );
    put_a_program_in_place_of_ours(&world, &body);

    run(world.binary().arg("doctor").env("SECRET_TOKEN", "abc"), b"").exits(1);

    let seen = fs::read_to_string(&seen).unwrap();
    let own = nix::unistd::getsid(None).unwrap();
    assert!(
        seen.contains("PATH=") && seen.contains("session "),
        "{seen}"
    );
    assert!(!seen.contains("SECRET_TOKEN"), "{seen}");
    assert!(!seen.contains(&format!("session {own}\n")), "{seen}");
}

/// Lets all hooks start a shell script in place of the program.
fn put_a_program_in_place_of_ours(world: &World, body: &str) -> PathBuf {
    let program = world.path("broken/deploy-by-code");
    script(&program, &format!("#!/bin/sh\n{body}\n"));
    for name in HOOKS {
        let hook = world.path(&format!("deploy.git/hooks/{name}"));
        fs::write(hook, hook_file(&program).unwrap()).unwrap();
    }
    program
}

#[test]
fn doctor_finds_a_lock_file_that_git_left_behind() {
    let world = World::installed();
    let lock = world.path("deploy.git/packed-refs.lock");
    fs::write(&lock, "").unwrap();
    world.cmd(&["doctor"]).ok();

    let file = fs::File::options().write(true).open(&lock).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(7200))
        .unwrap();
    world
        .cmd(&["doctor"])
        .exits(1)
        .says("packed-refs.lock is older than an hour");
}

#[test]
fn doctor_finds_settings_that_cannot_work_here() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    let no_folder = world.path("deploy.git/HEAD");
    let no_folder = no_folder.display();

    for (config, says) in [
        (
            "[defaults]\ncommand = [\"true\"]\nuser = \"nobody-knows\"\n".to_owned(),
            "there is no user nobody-knows".to_owned(),
        ),
        (
            "[defaults]\ncommand = [\"/no/such/program\"]\n".to_owned(),
            "command: /no/such/program is not there".to_owned(),
        ),
        (
            format!("[defaults]\ncheckout = \"{no_folder}/{{environment}}\"\n"),
            format!("this user can't write to {no_folder}"),
        ),
        (
            "runner = \"systemd\"\n[defaults]\ncommand = [\"true\"]\n".to_owned(),
            "is not enabled, or was set up for another folder or user".to_owned(),
        ),
    ] {
        world.config_file(&config);
        world.cmd(&["doctor"]).exits(1).says(&says);
    }
}

#[test]
fn doctor_ends_with_a_summary_and_fits_into_the_terminal() {
    let world = World::installed();
    world
        .cmd(&["doctor"])
        .ok()
        .says("\n0 problems, ")
        .says(" checks are ok");
    let lines = world.cmd(&["doctor"]).stdout;
    assert!(
        lines.lines().any(|line| line.chars().count() > 80),
        "{lines}"
    );

    let shown = world.on_a_terminal("doctor", &[("NO_COLOR", "1")]);
    let shown = String::from_utf8(shown).unwrap();
    for line in shown.lines().map(str::trim_end) {
        // A path or a word that is longer than a line can't be broken.
        let is_one_word = !line.trim().contains(' ');
        assert!(line.chars().count() <= 80 || is_one_word, "{line}");
    }
}

#[test]
fn doctor_says_once_how_to_fix_what_several_applications_have() {
    let world = World::installed();
    for name in ["a", "b", "c"] {
        world.deploy(&format!("production/{name}"), 1);
    }
    world.push();
    world.settled();
    world.config("repository = \"/nowhere/{application}.git\"");

    let run = world.cmd(&["doctor"]).exits(1);
    let lines: Vec<&str> = run.stdout.lines().collect();
    let at = lines
        .iter()
        .position(|line| line.contains("production/a: "))
        .unwrap();
    assert!(lines[at + 1].contains("production/b: ") && lines[at + 2].contains("production/c: "));
    assert!(lines[at + 3].contains("fix: "));
    let fix = lines[at + 3];
    assert_eq!(lines.iter().filter(|line| **line == fix).count(), 1);
}

#[test]
fn doctor_says_when_git_printed_nothing() {
    let world = World::installed();
    fs::remove_file(world.path("deploy.git/hooks/post-receive")).unwrap();
    world
        .cmd(&["doctor"])
        .exits(1)
        .says("was not planned; git printed nothing");
}

#[test]
fn doctor_looks_at_the_folders_of_the_state() {
    let world = World::installed();
    for part in ["locks", "logs", "work"] {
        let folder = world.state().join(part);
        let away = world.path("away");
        fs::rename(&folder, &away).unwrap();
        for in_place in ["a file", "a link that leads nowhere"] {
            match in_place {
                "a file" => fs::write(&folder, "").unwrap(),
                _ => symlink("nowhere", &folder).unwrap(),
            }
            let found = world.cmd(&["doctor"]).exits(1);
            let path = format!("deploy-by-code/{part}");
            found.says("PROBLEM  state folders: ").says(&path);
            fs::remove_file(&folder).unwrap();
        }
        fs::rename(&away, &folder).unwrap();
    }
    let sound = world.cmd(&["doctor"]).ok();
    sound.says("state folders: locks, logs, work");
}
