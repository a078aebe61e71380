//! `approve`: a person looks at a change in a clone, and signs that it may be deployed.

use crate::applications::{commits, refused};
use crate::approvers::{change, clone, git, git_deploy, world_of_clones};
use crate::signing::ONE_APPROVAL;
use crate::world::World;

const A: &str = "production/a";

/// A server on which `a` is deployed, with clones of alice and bob. Returns the commits of `a`.
fn world() -> (World, Vec<String>) {
    let world = world_of_clones("");
    let main = commits(&world, "a", 3);
    world.deploy_rev(A, &main[0]);
    world.push();
    world.settled();
    crate::approvers::configure(&world, ONE_APPROVAL);
    for person in ["alice", "bob"] {
        clone(&world, person);
    }
    (world, main)
}

#[test]
fn change_that_was_refused_is_deployed_after_its_approval_was_pushed() {
    let (world, main) = world();
    change(
        &world,
        "alice",
        "next",
        A,
        &format!("{}\n* Alarms\n", main[2]),
    );
    let said = refused(git(&world, "alice", &["push", "origin", "next:main"]));
    assert!(
        said.contains("in a clone with: git deploy approve"),
        "{said}"
    );

    let run = git_deploy(
        &world,
        "bob",
        &["approve", "origin/next", "--push", "--yes"],
    )
    .ok();
    println!("{run:?}");

    git(&world, "alice", &["pull", "-q", "origin", "next"]).ok();
    git(&world, "alice", &["push", "-q", "origin", "next:main"]).ok();
    assert_eq!(world.settled().len(), 2);
    world
        .cmd(&["show", "2"])
        .ok()
        .says("approved by    bob@example.org (");
}
