//! Approvals and merges: a merge approves what it brings and changes nothing, or somebody changed
//! the file.

use crate::signing::{
    Attack, ONE_APPROVAL, approve, commit_of, commit_signed, go_to, head, push_commits, refuse_all,
    start_over, world_with_deployments,
};
use crate::world::World;

const A: &str = "production/a";
const APPROVE: &[&str] = &["Merge", "Deploy-Approve: production/a"];
const NONE: &str = "needs 1 approval by other people than who changed the file, and there is none";
const AUTHOR: &str = "bob@example.org has changed the file too";
const CHANGED_AFTERWARDS: &str = "the file was changed in a commit that it does not contain";

/// Makes a change of `production/a` on top of a commit, signed by alice.
fn change_on(world: &World, commit: &str, n: u32) -> String {
    go_to(world, commit);
    world.deploy(A, n);
    commit_signed(world, "alice", &["Deploy"]);
    head(world)
}

/// Makes a commit of another file on top of a commit.
fn other_on(world: &World, commit: &str) -> String {
    go_to(world, commit);
    world.write("README", "Read me.\n");
    commit_signed(world, "carol", &["Write"]);
    head(world)
}

/// Two histories that both change `production/a`: what main would be, and the other side.
fn conflict(world: &World) -> [String; 2] {
    let start = head(world);
    let main = change_on(world, &start, 2);
    [main, change_on(world, &start, 3)]
}

#[test]
fn merge_approves_what_it_brings() {
    let world = world_with_deployments(ONE_APPROVAL);
    let start = head(&world);
    let change = change_on(&world, &start, 2);
    commit_of(&world, "bob", &change, &[&start, &change], APPROVE);
    push_commits(&world).ok();

    // So it does where the other side went on with another file.
    start_over(&world);
    let start = head(&world);
    let (other, change) = (other_on(&world, &start), change_on(&world, &start, 3));
    go_to(&world, &change);
    world.write("README", "Read me.\n");
    world.git(&["add", "-A"]);
    let tree = world.git(&["write-tree"]);
    commit_of(&world, "bob", &tree, &[&other, &change], APPROVE);
    push_commits(&world).ok();

    // So does one of many sides, and a merge that nobody signed voids nothing.
    start_over(&world);
    let start = head(&world);
    let change = change_on(&world, &start, 4);
    let mut sides = vec![start.clone(), change.clone()];
    sides.extend((0..3).map(|n| {
        go_to(&world, &start);
        commit_signed(&world, "carol", &[&format!("Side {n}")]);
        head(&world)
    }));
    let sides: Vec<&str> = sides.iter().map(String::as_str).collect();
    let merge = commit_of(&world, "bob", &change, &sides, APPROVE);
    world.git(&["checkout", "-q", "--detach", &start]);
    world.git(&["commit", "-q", "--allow-empty", "-m", "Unsigned"]);
    world.git(&["merge", "-q", "--no-ff", "-m", "Merge", &merge]);
    push_commits(&world).ok();
}

#[test]
fn merge_that_decides_something_is_a_change() {
    let world = world_with_deployments(ONE_APPROVAL);
    let attacks: &[Attack] = &[
        (
            "takes the old content",
            |w| {
                let start = head(w);
                let change = change_on(w, &start, 2);
                approve(w, "bob", A);
                let approval = head(w);
                let next = change_on(w, &approval, 3);
                approve(w, "bob", A);
                commit_of(w, "alice", &change, &[&head(w), &approval], &["Merge"]);
                let _ = next;
            },
            CHANGED_AFTERWARDS,
        ),
        (
            "takes the old content of the deploy branch",
            |w| {
                // production/a is removed from the other side's point of view only.
                let start = head(w);
                let change = change_on(w, &start, 2);
                approve(w, "bob", A);
                commit_of(w, "alice", &start, &[&start, &change], &["Merge"]);
                w.deploy(A, 4);
                commit_signed(w, "alice", &["Deploy"]);
            },
            NONE,
        ),
        (
            "approver takes one side of a conflict",
            |w| {
                let [main, side] = conflict(w);
                commit_of(w, "bob", &side, &[&main, &side], APPROVE);
            },
            AUTHOR,
        ),
        (
            "approver takes the other side of a conflict",
            |w| {
                let [main, side] = conflict(w);
                commit_of(w, "bob", &main, &[&side, &main], APPROVE);
            },
            AUTHOR,
        ),
        (
            "author takes one side of a conflict that was approved",
            |w| {
                let [main, side] = conflict(w);
                go_to(w, &side);
                approve(w, "bob", A);
                let approval = head(w);
                commit_of(w, "alice", &side, &[&main, &approval], &["Merge"]);
            },
            CHANGED_AFTERWARDS,
        ),
        (
            "nobody signs the side of a conflict",
            |w| {
                let [main, side] = conflict(w);
                go_to(w, &main);
                w.git(&["merge", "-q", "--no-ff", "-s", "ours", "-m", "Merge", &side]);
                approve(w, "bob", A);
            },
            "a commit that changes the file must be signed",
        ),
        (
            "approver writes what neither side has",
            |w| {
                let [main, side] = conflict(w);
                go_to(w, &main);
                w.deploy(A, 5);
                w.git(&["add", "-A"]);
                let tree = w.git(&["write-tree"]);
                commit_of(w, "bob", &tree, &[&main, &side], APPROVE);
            },
            AUTHOR,
        ),
        (
            "approver deletes what both sides have",
            |w| {
                let start = head(w);
                let change = change_on(w, &start, 2);
                w.retire(A);
                w.git(&["add", "-A"]);
                let tree = w.git(&["write-tree"]);
                commit_of(w, "bob", &tree, &[&start, &change], APPROVE);
            },
            AUTHOR,
        ),
        (
            "parents in the wrong order",
            |w| {
                let start = head(w);
                let other = other_on(w, &start);
                let change = change_on(w, &start, 2);
                w.write("README", "Read me.\n");
                w.git(&["add", "-A"]);
                let tree = w.git(&["write-tree"]);
                commit_of(w, "bob", &tree, &[&change, &other], APPROVE);
            },
            "it is a merge that does not bring this change",
        ),
        (
            "approver changes another file too",
            |w| {
                let start = head(w);
                let change = change_on(w, &start, 2);
                w.deploy("production/b", 2);
                w.git(&["add", "-A"]);
                let tree = w.git(&["write-tree"]);
                let approve = ["Merge", "Deploy-Approve: production"];
                commit_of(w, "bob", &tree, &[&start, &change], &approve);
            },
            "refused production/b.deploy: production needs 1 approval",
        ),
        (
            "a merge that brings another file",
            |w| {
                let start = head(w);
                let change = change_on(w, &start, 2);
                w.deploy("production/b", 2);
                commit_signed(w, "alice", &["Deploy"]);
                let both = head(w);
                commit_of(
                    w,
                    "bob",
                    &both,
                    &[&change, &both],
                    &["Merge", "Deploy-Approve: production"],
                );
            },
            "refused production/a.deploy: production needs 1 approval",
        ),
        (
            "more sides than anybody merges",
            |w| {
                let start = head(w);
                let change = change_on(w, &start, 2);
                let sides: Vec<String> = (0..20)
                    .map(|n| {
                        go_to(w, &start);
                        w.git(&["commit", "-q", "--allow-empty", "-m", &format!("Side {n}")]);
                        head(w)
                    })
                    .collect();
                let mut parents = vec![start.as_str(), change.as_str()];
                parents.extend(sides.iter().map(String::as_str));
                commit_of(w, "bob", &change, &parents, APPROVE);
            },
            AUTHOR,
        ),
        (
            "approval before an octopus that reverts",
            |w| {
                let start = head(w);
                let change = change_on(w, &start, 2);
                approve(w, "bob", A);
                let approval = head(w);
                let last = change_on(w, &approval, 3);
                let other = other_on(w, &start);
                commit_of(w, "alice", &change, &[&last, &approval, &other], &["Merge"]);
            },
            CHANGED_AFTERWARDS,
        ),
        (
            "two approvals of two sides, and the merge of them",
            |w| {
                let start = head(w);
                let mut sides = [2, 3].map(|n| {
                    change_on(w, &start, n);
                    approve(w, "bob", A);
                    head(w)
                });
                sides.reverse();
                let [one, other] = &sides;
                commit_of(w, "alice", one, &[one, other], &["Merge"]);
            },
            CHANGED_AFTERWARDS,
        ),
    ];
    refuse_all(&world, attacks);
}
