//! `install` and `uninstall` beside a hook that refuses some pushes. At every moment that hook has
//! to be in force, alone or together with ours.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::fault::Strace;
use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::table::Findings;
use crate::target::Program;
use crate::world::World;

/// The hook that was there before: it refuses what has a file called `bad`.
const HOOK: &str = r#"#!/bin/sh
while read -r old new ref; do
    if git ls-tree --name-only "$new" | grep -qx bad; then
        echo "the old hook refuses this"
        exit 1
    fi
done
exit 0
"#;

/// Installs or uninstalls once with a fault, and looks.
pub fn go(program: Program, strace: &Strace<'_>) -> Findings {
    let world = World::new();
    let hook = world.path("deploy.git/hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, HOOK).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();

    let name = if program == Program::Install {
        "install"
    } else {
        world.install();
        "uninstall"
    };
    let first = traced(&world, strace, name);

    let mut findings = Findings::default();
    if first.all().contains("panicked at") {
        findings.wrong.push(format!("a panic: {first:?}"));
    }
    if !refuses_what_is_bad(&world) {
        findings
            .wrong
            .push(String::from("the old hook is out of force"));
    }
    let is_done = |world: &World| match program {
        // It names each step that is still to be taken.
        Program::Install => world.cmd(&["install", "--dry-run"]).ok().stdout.is_empty(),
        _ => fs::read_to_string(&hook).is_ok_and(|text| text == HOOK),
    };
    if first.code == Some(0) && !is_done(&world) {
        findings
            .wrong
            .push(format!("{name} says that it is done, and is not"));
    }

    let again = world.cmd(&[name]);
    if again.code != Some(0) || !is_done(&world) {
        findings
            .wrong
            .push(format!("{name} can't be completed: {again:?}"));
    }
    if !refuses_what_is_bad(&world) {
        findings
            .wrong
            .push(String::from("at the end, the old hook is out of force"));
    }
    if !findings.is_empty() {
        findings.wrong.push(format!("after {first:?}"));
    }
    findings
}

fn traced(world: &World, strace: &Strace<'_>, name: &str) -> Run {
    let words = strace.words();
    let mut command = world.command(&words[0], "deploy.git");
    command.args(&words[1..]).args([BINARY, "-C", ".", name]);
    run(&mut command, b"")
}

fn refuses_what_is_bad(world: &World) -> bool {
    if !Path::new(&world.path("work/bad")).exists() {
        world.git(&["switch", "-q", "-c", "bad"]);
        world.write("bad", "");
        world.commit();
    }
    let mut push = world.push_command(&["-f", "origin", "bad:refs/heads/bad"]);
    run(&mut push, b"").code != Some(0)
}
