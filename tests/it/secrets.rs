//! What a process keeps of the environment that it was started with, as others can read it in
//! /proc.

use std::fs;

use crate::processes::BINARY;
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
             note \"looked at $(tr '\\0' ' ' <$p/cmdline | cut -d' ' -f1 | sed 's,.*/,,')\"
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
        assert!(ran.contains("looked at post-receive"), "{ran}");
        assert!(!ran.contains("found in"), "{ran}");
    }
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
