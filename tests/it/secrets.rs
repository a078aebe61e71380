//! What a process keeps of the environment that it was started with, as others can read it in
//! /proc.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::sys::stat::Mode;

use crate::checkout;
use crate::nobody::{NOBODY, Nobody};
use crate::processes::{BINARY, kill_child};
use crate::run::run;
use crate::world::World;

/// A variable with which a web server hands on the pusher's password.
const SECRET: (&str, &str) = ("HTTP_AUTHORIZATION", "Basic c2VjcmV0");

/// A command that looks for the secret in the environment of every process that runs this program,
/// as the user who deploys. It says which one has it.
fn job(world: &World) {
    world.job(&format!(
        "for p in /proc/[0-9]*; do
             case $(readlink $p/exe) in {BINARY}) ;; *) continue ;; esac
             note \"looked at $(tr '\\0' ' ' <$p/cmdline)\"
             if grep -q c2VjcmV0 $p/environ $p/cmdline; then note found in $p; fi
         done"
    ));
}

#[test]
fn hook_that_follows_shows_no_secret_of_the_push() {
    for option in ["follow", "wait"] {
        let world = World::installed();
        job(&world);
        world.deploy("production/a", 1);
        world.commit();

        let options = ["-o", option, "origin", "HEAD:refs/heads/main"];
        let mut push = world.push_command(&options);
        run(push.env(SECRET.0, SECRET.1), b"").ok();

        let ran = world.ran().join("\n");
        assert!(ran.contains("hooks/post-receive"), "{ran}");
        assert!(!ran.contains("found in"), "{ran}");
    }
}

#[test]
fn steps_of_a_checkout_see_nothing_of_the_push() {
    let world = checkout::world("[environments.production]\non_freeze = \"hold\"\n");
    let revision = checkout::one_file(&world, "one");
    world.cmd(&["freeze", "production", "--reason", "x"]).ok();
    world.deploy_rev("production/a", &revision);
    world.commit();
    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    run(push.env(SECRET.0, SECRET.1), b"").ok();

    // The reader waits for the pipe, and its writer for the reader.
    let pipe = world.path("apps/a.git/objects/info/alternates");
    nix::unistd::mkfifo(&pipe, Mode::from_bits_truncate(0o666)).unwrap();
    world.cmd(&["thaw", "production"]).ok();
    let steps = || -> Vec<(String, String)> {
        let read = |pid: i32, file: &str| {
            let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        let shown = |pid| (read(pid, "cmdline"), read(pid, "environ"));
        let all = world.ours().into_iter().map(shown);
        all.filter(|(words, _)| words.contains("checkout-step"))
            .collect()
    };
    world.wait_until("both steps run", || steps().len() == 2);

    for (words, environment) in steps() {
        let names = environment.split_whitespace();
        let names: Vec<&str> = names.filter_map(|set| set.split('=').next()).collect();
        let expected = [
            "PATH",
            "LANG",
            "DEPLOY_ID",
            "DEPLOY_STATE_DIR",
            "DEPLOY_ENVIRONMENT",
            "DEPLOY_APPLICATION",
            "DEPLOY_REVISION",
        ];
        let others: Vec<_> = names.iter().filter(|n| !expected.contains(n)).collect();
        assert!(
            others.is_empty() && !names.is_empty(),
            "{words}: {others:?}"
        );
    }
    world.cmd(&["cancel", "1"]).ok();
    world.wait_until_idle();
}

#[test]
fn hook_that_was_there_before_still_gets_the_whole_environment() {
    let world = World::new();
    let hook = world.path("deploy.git/hooks/post-receive");
    let script = format!(
        "#!/bin/sh\necho \"$HTTP_AUTHORIZATION\" >'{}'\n",
        world.path("told").display()
    );
    fs::write(&hook, script).unwrap();
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world.install();
    world.deploy("production/a", 1);
    world.commit();

    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    // A name that is none: the kernel hands over any strings.
    run(push.env(SECRET.0, SECRET.1).env("=ODD", "x"), b"").ok();

    let told = fs::read_to_string(world.path("told")).unwrap();
    assert_eq!(told.trim_end(), SECRET.1);
}

/// The environments of the processes of the user `nobody` that have something to do with a folder.
fn environments_of_nobody(folder: &Path) -> Vec<String> {
    let of_nobody =
        |pid: &i32| fs::metadata(format!("/proc/{pid}")).is_ok_and(|found| found.uid() == NOBODY);
    let environment = |pid: i32| {
        let bytes = fs::read(format!("/proc/{pid}/environ")).ok()?;
        Some(String::from_utf8_lossy(&bytes).replace('\0', "\n"))
    };
    let pids = crate::processes::of(folder).into_iter();
    pids.filter(of_nobody).filter_map(environment).collect()
}

#[test]
fn environment_of_root_reaches_nothing_that_runs_as_the_owner() {
    let world = World::installed();
    let Some(_nobody) = Nobody::new(&world) else {
        return;
    };
    let pipe = world.path("deploy.git/pipe");
    nix::unistd::mkfifo(&pipe, Mode::from_bits_truncate(0o666)).unwrap();
    world.server_git(&["config", "include.path", "pipe"]);
    world
        .shell_in(".", "chown -R nobody:nogroup deploy.git")
        .ok();

    // git waits for the pipe.
    for arguments in ["doctor", "install"] {
        let mut command = world.binary();
        command.arg(arguments).env("API_TOKEN", "c2VjcmV0");
        let mut child = crate::processes::in_background(&mut command);
        let mut seen = Vec::new();
        world.wait_until("git runs as the owner", || {
            seen = environments_of_nobody(&world.repository());
            seen.iter()
                .any(|environment| environment.contains("LC_ALL=C"))
        });
        kill_child(&mut child);
        assert!(
            !seen
                .iter()
                .any(|environment| environment.contains("c2VjcmV0")),
            "{seen:#?}"
        );
    }
}
