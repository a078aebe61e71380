//! Application repositories with a history, and pushes that deploy from them.

use std::fs;
use std::path::PathBuf;

use crate::init;
use crate::run::{Run, run};
use crate::world::{NULL, World};

/// A world whose applications have the repositories `apps/NAME.git`. `text` continues the section
/// `[defaults]` of the configuration.
pub fn world(applications: &[&str], text: &str) -> World {
    let world = World::installed();
    make(&world, applications);
    configure(&world, text);
    world
}

/// Makes the repositories `apps/NAME.git`.
pub fn make(world: &World, applications: &[&str]) {
    fs::create_dir(world.path("apps")).unwrap();
    for name in applications {
        init::init(world, &format!("apps/{name}.git"), true);
    }
}

/// Replaces the configuration. `text` continues the section `[defaults]`.
pub fn configure(world: &World, text: &str) {
    let apps = world.path("apps");
    world.config(&format!(
        "repository = \"{}/{{application}}.git\"\n{text}",
        apps.display()
    ));
}

/// Makes a commit on top of a branch of an application; the branch is created if it does not exist.
pub fn commit(world: &World, application: &str, branch: &str, message: &str) -> String {
    let folder = format!("apps/{application}.git");
    let name = format!("refs/heads/{branch}");
    let tip = world.loose_ref(&folder, &name).unwrap_or_else(|| {
        world.git_in(&folder, &["for-each-ref", "--format=%(objectname)", &name])
    });
    let parents: Vec<&str> = if tip.is_empty() {
        Vec::new()
    } else {
        vec![&tip]
    };
    commit_on(world, application, branch, message, &parents)
}

/// Makes a commit with given parents, and sets a branch to it.
pub fn commit_on(
    world: &World,
    application: &str,
    branch: &str,
    message: &str,
    parents: &[&str],
) -> String {
    let folder = format!("apps/{application}.git");
    let tree = run(world.command("git", &folder).args(["mktree"]), b"")
        .ok()
        .line()
        .to_owned();

    let mut arguments = vec!["commit-tree", "-m", message, &tree];
    arguments.extend(parents.iter().flat_map(|parent| ["-p", parent]));
    let commit = world.git_in(&folder, &arguments);
    world.git_in(
        &folder,
        &["update-ref", &format!("refs/heads/{branch}"), &commit],
    );
    commit
}

/// Makes some commits on `main` with the subjects `c1`, `c2` and so on.
pub fn commits(world: &World, application: &str, count: usize) -> Vec<String> {
    (1..=count)
        .map(|n| commit(world, application, "main", &format!("c{n}")))
        .collect()
}

/// Prepends a revision to a deploy file and pushes; the push can be refused.
#[track_caller]
pub fn try_deploy(world: &World, target: &str, revision: &str) -> Run {
    world.deploy_rev(target, revision);
    let push = world.try_push();
    forget_if_refused(world, &push);
    push
}

/// The same, with trailers in the message of the deploy commit.
#[track_caller]
pub fn try_deploy_saying(world: &World, target: &str, revision: &str, trailers: &str) -> Run {
    world.deploy_rev(target, revision);
    let push = world.try_push_saying(trailers);
    forget_if_refused(world, &push);
    push
}

/// Removes a refused commit from the clone, so that the next push does not contain it.
pub fn forget_if_refused(world: &World, push: &Run) {
    if push.code == Some(0) {
        return;
    }

    let tip = world.tip();
    if tip == NULL {
        world.git(&["update-ref", "-d", "HEAD"]);
        world.git(&["rm", "-rq", "--cached", "--ignore-unmatch", "."]);
        world.git(&["clean", "-qfdx"]);
    } else {
        world.git(&["reset", "-q", "--hard", &tip]);
    }
}

/// Prepends a revision, pushes, waits until nothing is queued or running, and returns the last line
/// of the history.
#[track_caller]
pub fn deploy(world: &World, target: &str, revision: &str) -> String {
    try_deploy(world, target, revision).ok();
    world.settled().pop().unwrap()
}

/// Asserts that a push was refused, and returns what the hooks printed.
#[track_caller]
pub fn refused(push: Run) -> String {
    let push = push.exits(1);
    push.remote().join("\n")
}

/// Renames the repository of an application out of the way, as if it could not be reached.
pub fn take_away(world: &World, application: &str) {
    let [here, away] = places(world, application);
    fs::rename(here, away).unwrap();
}

/// Puts it back.
pub fn bring_back(world: &World, application: &str) {
    let [here, away] = places(world, application);
    fs::rename(away, here).unwrap();
}

fn places(world: &World, application: &str) -> [PathBuf; 2] {
    ["git", "away"].map(|end| world.path(&format!("apps/{application}.{end}")))
}

/// Removes the object of a commit from the repository of an application.
pub fn remove_object(world: &World, application: &str, commit: &str) {
    let (folder, name) = commit.split_at(2);
    let object = format!("apps/{application}.git/objects/{folder}/{name}");
    fs::remove_file(world.path(&object)).unwrap();
}

/// The abbreviated form in which the program prints a hash.
pub fn short(hash: &str) -> &str {
    &hash[..7]
}
