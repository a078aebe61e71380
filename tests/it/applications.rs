//! Application repositories whose history tells something.

use std::fs;

use crate::run::{Run, run};
use crate::world::World;

/// A world whose applications have repositories, `apps/NAME.git`, and a job that notes; `text` goes
/// on in the section `[defaults]`.
pub fn world(applications: &[&str], text: &str) -> World {
    let world = World::installed();
    fs::create_dir(world.path("apps")).unwrap();
    for name in applications {
        world.git_in(
            "apps",
            &["init", "-q", "--bare", "-b", "main", &format!("{name}.git")],
        );
    }
    configure(&world, text);
    world
}

/// Writes the configuration anew.
pub fn configure(world: &World, text: &str) {
    let apps = world.path("apps");
    world.config(&format!(
        "repository = \"{}/{{application}}.git\"\n{text}",
        apps.display()
    ));
}

/// A commit with a message on top of a branch of an application; the branch is made where it is
/// missing.
pub fn commit(world: &World, application: &str, branch: &str, message: &str) -> String {
    let folder = format!("apps/{application}.git");
    let name = format!("refs/heads/{branch}");
    let tip = world.git_in(&folder, &["for-each-ref", "--format=%(objectname)", &name]);
    let parents: Vec<&str> = if tip.is_empty() {
        Vec::new()
    } else {
        vec![&tip]
    };
    commit_upon(world, application, branch, message, &parents)
}

/// A commit with a message and parents of its own, to which a branch is set.
pub fn commit_upon(
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

/// Some commits on `main`, called `c1` and so on.
pub fn commits(world: &World, application: &str, count: usize) -> Vec<String> {
    (1..=count)
        .map(|n| commit(world, application, "main", &format!("c{n}")))
        .collect()
}

/// Prepends a revision and pushes; it can be refused.
#[track_caller]
pub fn try_deploy(world: &World, target: &str, revision: &str) -> Run {
    world.deploy_rev(target, revision);
    let push = world.try_push();
    forget_if_refused(world, &push);
    push
}

/// The same, with trailers in the deploy commit's message.
#[track_caller]
pub fn try_deploy_saying(world: &World, target: &str, revision: &str, trailers: &str) -> Run {
    world.deploy_rev(target, revision);
    let push = world.try_push_saying(trailers);
    forget_if_refused(world, &push);
    push
}

/// Takes a refused commit back, so that the next push does not bring it along.
pub fn forget_if_refused(world: &World, push: &Run) {
    if push.code != Some(0) {
        let tip = world.tip();
        let reset = if tip.bytes().all(|b| b == b'0') {
            vec!["update-ref", "-d", "HEAD"]
        } else {
            vec!["reset", "-q", "--hard", &tip]
        };
        world.git(&reset);
        if tip.bytes().all(|b| b == b'0') {
            world.git(&["rm", "-rq", "--cached", "--ignore-unmatch", "."]);
            world.git(&["clean", "-qfdx"]);
        }
    }
}

/// Prepends a revision, pushes and waits for the end.
#[track_caller]
pub fn deploy(world: &World, target: &str, revision: &str) -> String {
    try_deploy(world, target, revision).ok();
    world.settled().pop().unwrap()
}

/// The lines of a refused push, without git's prefix.
#[track_caller]
pub fn refused(push: Run) -> String {
    let push = push.exits(1);
    push.remote().join("\n")
}
