//! Clones of the deploy repository and of applications side by side, as people have them.

use std::fs;

use crate::applications;
use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::world::World;

/// A deploy repository without hooks, a clone of it in `work`, and beside it a clone of each
/// application, whose `main` has three commits `c1`, `c2` and `c3`. Returns the commits of the
/// first application; those of the others are the same.
pub fn desk(names: &[&str]) -> (World, Vec<String>) {
    let world = World::new();
    applications::make(&world, names);
    let commits = commits_and_clones(&world, names);
    (world, commits)
}

/// The same with the hooks.
pub fn served_desk(names: &[&str]) -> (World, Vec<String>) {
    let world = applications::world(names, "");
    let commits = commits_and_clones(&world, names);
    (world, commits)
}

/// Makes the commits and the clones of a [`desk`].
pub fn commits_and_clones(world: &World, names: &[&str]) -> Vec<String> {
    let all = names.iter().map(|name| {
        let commits = applications::commits(world, name, 3);
        world.git_in(".", &["clone", "-q", &format!("apps/{name}.git"), name]);
        commits
    });
    all.collect::<Vec<_>>().swap_remove(0)
}

/// Prepends a commit by hand, and pushes it to the deploy branch.
#[track_caller]
pub fn pushed(world: &World, target: &str, commit: &str) {
    world.deploy_rev(target, commit);
    world.push();
}

/// The same, and waits until it is deployed.
#[track_caller]
pub fn deployed(world: &World, target: &str, commit: &str) {
    pushed(world, target, commit);
    world.settled();
}

/// Asserts what is deployed at last.
#[track_caller]
pub fn is_deployed(world: &World, target: &str, commit: &str) {
    world.settled();
    let row = world.status(target);
    assert_eq!(row["deployed"], commit, "{row:#}");
}

/// Runs `propose` in the clone of the deploy repository.
#[track_caller]
pub fn propose(world: &World, arguments: &[&str]) -> Run {
    let mut command = world.command(BINARY, "work");
    run(command.arg("propose").args(arguments), b"")
}

/// The content of a deploy file in the clone.
#[track_caller]
pub fn content(world: &World, target: &str) -> String {
    fs::read_to_string(world.path(&format!("work/{target}.deploy"))).unwrap()
}

/// Everything that a command must not change when it refuses: the commit, the index and the files.
pub fn state(world: &World) -> String {
    let head = world.git(&["for-each-ref", "refs/heads"]);
    let status = world.git(&["status", "--porcelain", "--untracked-files=all"]);
    let diff = world.git(&["diff", "HEAD"]);
    format!("{head}\n{status}\n{diff}")
}

/// Runs `propose`, which has to refuse, and asserts that nothing has changed.
#[track_caller]
pub fn refuses(world: &World, arguments: &[&str]) -> Run {
    let before = state(world);
    let run = propose(world, arguments).exits(1);
    assert_eq!(state(world), before, "{run:#?}");
    run
}
