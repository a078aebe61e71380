//! People who work in clones of the deploy repository, each with a key of their own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::applications;
use crate::clones::commits_and_clones;
use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::signing::allowed_signer;
use crate::world::World;

/// A server that publishes its status and knows the keys of `alice`, `bob` and `carol`. Its
/// applications `a` and `b` have repositories with three commits, and clones. `section` is that of
/// `[environments.production]`.
pub fn world_of_clones(section: &str) -> World {
    let world = applications::world(&["a", "b"], "");
    commits_and_clones(&world, &["a", "b"]);
    let allowed = ["alice", "bob", "carol"].map(|name| allowed_signer(&world, name, name));
    fs::write(world.path("signers"), allowed.concat()).unwrap();
    configure(&world, section);

    fs::create_dir(world.path("bin")).unwrap();
    symlink(BINARY, world.path("bin/git-deploy")).unwrap();
    world
}

/// Replaces the configuration of such a server.
pub fn configure(world: &World, section: &str) {
    applications::configure(world, section);
    let signers = world.path("signers");
    world.config_top(&format!(
        "publish = \"refs/deploy-by-code/status\"\n[people]\nallowed_signers = \"{}\"",
        signers.display()
    ));
}

/// Makes the clone of a person, who signs with a key.
pub fn clone(world: &World, person: &str) {
    world.git_in(".", &["clone", "-q", "deploy.git", person]);
    let key = world.path(&format!("key.{person}"));
    let settings = [
        ("gpg.format", "ssh"),
        ("user.signingKey", key.to_str().unwrap()),
        ("maintenance.auto", "false"),
    ];
    for (name, value) in settings {
        world.git_in(person, &["config", name, value]);
    }
}

/// A program that a person calls in the clone. `git deploy` is the program under test.
pub fn command_of(world: &World, person: &str, program: &str) -> Command {
    let mut command = world.command(program, person);
    let path = std::env::var_os("PATH").unwrap();
    let folders = [world.path("bin")]
        .into_iter()
        .chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(folders).unwrap());
    for who in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{who}_NAME"), person)
            .env(format!("GIT_{who}_EMAIL"), format!("{person}@example.org"));
    }
    command
}

/// Runs git as a person in the clone.
#[track_caller]
pub fn git(world: &World, person: &str, arguments: &[&str]) -> Run {
    run(command_of(world, person, "git").args(arguments), b"")
}

/// Runs `git deploy` as a person in the clone.
#[track_caller]
pub fn git_deploy(world: &World, person: &str, arguments: &[&str]) -> Run {
    git(world, person, &[&["deploy"], arguments].concat())
}

/// A person makes a signed commit on a branch that begins at the deploy branch, and pushes it. The
/// commit puts an entry on top of a deploy file.
#[track_caller]
pub fn change(world: &World, person: &str, branch: &str, target: &str, entry: &str) {
    git(world, person, &["fetch", "-q", "origin"]).ok();
    let start = ["checkout", "-q", "--no-track", "-B", branch, "origin/main"];
    git(world, person, &start).ok();
    let path = format!("{target}.deploy");
    let file = world.path(person).join(&path);
    fs::create_dir_all(file.parent().unwrap_or(Path::new("/"))).unwrap();
    let old = fs::read(&file).unwrap_or_default();
    fs::write(&file, [entry.as_bytes(), &old].concat()).unwrap();

    git(world, person, &["add", "-A"]).ok();
    git(world, person, &["commit", "-q", "-S", "-m", "Deploy"]).ok();
    let refspec = format!("HEAD:refs/heads/{branch}");
    git(world, person, &["push", "-q", "origin", &refspec]).ok();
}
