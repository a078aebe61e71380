//! Application repositories that give no answer: they hold up neither other pushes nor the state.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;

use crate::run::run;
use crate::world::World;

/// A repository of an application with one commit, whose branch is a pipe in place of a file.
/// Whoever reads the branch waits for ever.
fn repository_that_hangs(world: &World, name: &str) -> String {
    let revision = repository(world, name);
    let branch = world.path(name).join("refs/heads/main");
    fs::remove_file(&branch).unwrap();
    nix::unistd::mkfifo(&branch, Mode::from_bits_truncate(0o600)).unwrap();
    revision
}

/// A repository of an application with one commit on its branch `main`.
fn repository(world: &World, name: &str) -> String {
    world.git_in(".", &["init", "-q", "--bare", "-b", "main", name]);
    let tree = run(world.command("git", name).args(["mktree"]), b"")
        .ok()
        .line()
        .to_owned();
    let revision = world.git_in(name, &["commit-tree", "-m", name, &tree]);
    world.git_in(name, &["update-ref", "refs/heads/main", &revision]);
    revision
}

fn configure(world: &World) {
    let template = world.path("{application}.git");
    world.config(&format!("repository = {:?}", template.to_str().unwrap()));
}

/// How long an answer is waited for, and a little more.
const PATIENCE: Duration = Duration::from_secs(25);

#[test]
fn hanging_repository_refuses_its_push_and_says_why() {
    let world = World::installed();
    configure(&world);
    let hangs = repository_that_hangs(&world, "hangs.git");
    let begin = Instant::now();

    world.deploy_rev("production/hangs", &hangs);
    world
        .try_push()
        .exits(1)
        .says("the repository of hangs can't be read: it gave no answer within 10 s");
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
}

/// The branch moved while the repository answered; now it hangs, and planning waits for it. Nobody
/// else waits: the state is not locked meanwhile.
#[test]
fn hanging_repository_does_not_lock_the_state() {
    let world = World::installed();
    configure(&world);
    let hangs = repository_that_hangs(&world, "hangs.git");
    let works = repository(&world, "works.git");

    // Moved without hooks, so that nobody has judged or planned it.
    world.deploy_rev("production/hangs", &hangs);
    world.deploy_rev("production/works", &works);
    let commit = world.commit();
    let no_hooks = ["-c", "core.hooksPath=/dev/null"];
    let update = ["update-ref", "refs/heads/main", &commit];
    world.git(&["push", "-q", "origin", "HEAD:refs/heads/side"]);
    world.server_git(&[&no_hooks[..], &update].concat());

    let mut planning = world.binary();
    let mut planning = planning.arg("reconcile").spawn().unwrap();
    let mut longest = Duration::ZERO;
    while planning.try_wait().unwrap().is_none() {
        let begin = Instant::now();
        let freeze = ["freeze", "production", "--reason", "a look at the lock"];
        world.cmd(&freeze).ok();
        longest = longest.max(begin.elapsed());
    }
    assert!(
        longest < Duration::from_secs(5),
        "a change of the state waited {longest:?}"
    );
    world.cmd(&["thaw", "production"]).ok();

    // What could be judged is deployed, the rest is a problem that is judged again.
    world.wait_until("what works is deployed", || {
        world.history() == ["#1 production/works succeeded"]
    });
    world
        .cmd(&["status"])
        .ok()
        .says("problem production/hangs.deploy: the repository of hangs can't be read");

    fs::remove_file(world.path("hangs.git/refs/heads/main")).unwrap();
    world.git_in("hangs.git", &["update-ref", "refs/heads/main", &hangs]);
    world.cmd(&["reconcile"]).ok();
    world.wait_until("what hung is deployed", || {
        world.history().last().unwrap() == "#2 production/hangs succeeded"
    });
}
