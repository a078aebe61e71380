//! Approvals: who must have signed what before it is deployed.

use crate::applications::refused;
use crate::signing::{ONE_APPROVAL, approve, commit_signed, push_commits, world_of_signers};

const A: &str = "production/a";

#[test]
fn signed_change_is_deployed_after_somebody_else_approved_it() {
    let world = world_of_signers(ONE_APPROVAL);
    world.deploy(A, 1);
    commit_signed(&world, "alice", &["Deploy"]);

    let said = refused(push_commits(&world));
    for expected in [
        "refused production/a.deploy: production needs 1 approval by other people than who changed \
         the file, and there is none",
        "hint: ask somebody else who signs to approve it",
        "Deploy-Approve: production/a",
    ] {
        assert!(said.contains(expected), "{expected:?} is missing: {said}");
    }

    approve(&world, "bob", A);
    push_commits(&world).ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);

    let by_bob = "approved by    bob@example.org (";
    assert!(world.cmd(&["show", "1"]).ok().stdout.contains(by_bob));
    world
        .cmd(&["status"])
        .ok()
        .says("production/a: approved by bob@example.org");
    let row = &world.json(&["log"])[0];
    assert_eq!(row["approvals"][0]["by"], "bob@example.org", "{row}");
}

#[test]
fn unsigned_change_is_refused_whoever_approves_it() {
    let world = world_of_signers(ONE_APPROVAL);
    world.deploy(A, 1);
    world.commit();
    approve(&world, "bob", A);

    let said = refused(push_commits(&world));
    assert!(
        said.contains("a commit that changes the file must be signed"),
        "{said}"
    );
    assert!(said.contains("does not count: it is not signed"), "{said}");
}

#[test]
fn nobody_approves_an_own_change() {
    let world = world_of_signers(ONE_APPROVAL);
    world.deploy(A, 1);
    commit_signed(&world, "alice", &["Deploy"]);
    approve(&world, "alice", A);

    let said = refused(push_commits(&world));
    assert!(
        said.contains("alice@example.org has changed the file too"),
        "{said}"
    );
}
