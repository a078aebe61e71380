//! A deploy branch whose tip can't be read: what was planned stays readable, everybody is told the
//! commit and the way out, and a push that repairs the branch is accepted and planned.

use std::fs;

use crate::raw_push::push_raw;
use crate::run::run;
use crate::tree::{FILE, FOLDER, Trees};
use crate::world::{World, rev};

const A: &str = "production/a";

/// Sets the deploy branch to any object, as no client of git could.
fn set_tip(world: &World, object: &str) {
    fs::write(
        world.path("deploy.git/refs/heads/main"),
        format!("{object}\n"),
    )
    .unwrap();
}

fn remove(world: &World, object: &str) {
    let (folder, file) = object.split_at(2);
    let path = format!("deploy.git/objects/{folder}/{file}");
    fs::remove_file(world.path(&path)).unwrap();
}

/// A commit on top of the branch that can't be read, in one of several ways.
fn damaged(world: &World, how: &str) -> String {
    let trees = Trees::new(world, "deploy.git");
    let parent = world.tip();
    let file = trees.blob(rev(9));
    let folder = trees.tree(&[(FILE, b"a.deploy", &file)]);
    let tree = trees.tree(&[(FOLDER, b"production", &folder)]);
    let broken = |content: &[u8]| {
        let mut command = world.command("git", "deploy.git");
        command.args(["hash-object", "-w", "--literally", "--stdin", "-t", "tree"]);
        run(&mut command, content).ok().line().to_owned()
    };

    match how {
        "a tree that is cut off" => trees.commit(&broken(b"100644 a"), Some(&parent)),
        "a folder that is cut off" => {
            let folder = broken(b"40000 production\0abc");
            trees.commit(
                &trees.tree(&[(FOLDER, b"production", &folder)]),
                Some(&parent),
            )
        }
        "no tree" => {
            let commit = trees.commit(&tree, Some(&parent));
            remove(world, &tree);
            commit
        }
        "no folder" => {
            let commit = trees.commit(&tree, Some(&parent));
            remove(world, &folder);
            commit
        }
        "no file" => {
            let commit = trees.commit(&tree, Some(&parent));
            remove(world, &file);
            commit
        }
        "no commit" => {
            let commit = trees.commit(&tree, Some(&parent));
            remove(world, &commit);
            commit
        }
        "an empty commit file" => {
            let commit = trees.commit(&tree, Some(&parent));
            remove(world, &commit);
            let (folder, file) = commit.split_at(2);
            fs::write(
                world.path(&format!("deploy.git/objects/{folder}/{file}")),
                "",
            )
            .unwrap();
            commit
        }
        "a blob" => file,
        "a tag" => {
            world.server_git(&["tag", "-a", "-m", "x", "v1", &parent]);
            world.server_git(&["rev-parse", "refs/tags/v1"])
        }
        _ => panic!("{how}"),
    }
}

const DAMAGES: [&str; 9] = [
    "a tree that is cut off",
    "a folder that is cut off",
    "no tree",
    "no folder",
    "no file",
    "no commit",
    "an empty commit file",
    "a blob",
    "a tag",
];

/// The damages for which git accepts no push at all, because it can't walk its own refs.
const TIP_IS_GONE: [&str; 2] = ["no commit", "an empty commit file"];

/// A world with one deployment whose tip is damaged, and that tip.
fn world_with(how: &str) -> (World, String) {
    let world = World::installed();
    world.deploy(A, 1);
    world.push();
    world.settled();
    let tip = damaged(&world, how);
    set_tip(&world, &tip);
    (world, tip)
}

#[test]
fn damaged_tip_is_named_with_the_way_out_and_hides_nothing() {
    for how in DAMAGES {
        let (world, tip) = world_with(how);
        let planned = world.git(&["rev-parse", "HEAD"]);
        let found = format!("the tip {tip} can't be read");
        let way_out = format!("git update-ref refs/heads/main {planned}");
        let told = |arguments: &[&str]| {
            let said = world.cmd(arguments);
            let all = said.all();
            assert!(all.contains(&found), "{how} {arguments:?}: {said:?}");
            assert!(all.contains(&way_out), "{how} {arguments:?}: {said:?}");
        };

        told(&["status"]);
        told(&["reconcile"]);
        told(&["reconcile"]);
        told(&["status"]);
        told(&["doctor"]);

        world.cmd(&["status"]).ok().says("succeeded #1");
        assert_eq!(world.status(A)["deployed"], rev(1), "{how}");
        world.cmd(&["log"]).ok().says("#1");
        world.cmd(&["show", "1"]).ok();
        world.cmd(&["freeze", "production", "--reason", "x"]).ok();
        world.cmd(&["thaw", "production"]).ok();
        assert_eq!(world.settled().len(), 1, "{how}");
    }
}

#[test]
fn push_that_repairs_a_damaged_tip_is_accepted_and_planned() {
    for how in DAMAGES {
        let (world, tip) = world_with(how);
        world.cmd(&["reconcile"]).ok();

        world.deploy(A, 2);
        let commit = world.commit();
        let update = format!("{tip} {commit} refs/heads/main");
        if TIP_IS_GONE.contains(&how) {
            set_tip(&world, &world.git(&["rev-parse", "HEAD~1"]));
            world.push();
        } else {
            let push = push_raw(&world, &[update]);
            assert!(
                push.stdout.contains("ok refs/heads/main"),
                "{how}: {push:?}"
            );
        }

        assert_eq!(
            world.settled().last().unwrap(),
            "#2 production/a succeeded",
            "{how}"
        );
        assert_eq!(world.show(2)["revision"], rev(2));
        world.cmd(&["status"]).ok().says_nothing_of("can't be read");
        world.cmd(&["reconcile"]).ok().says("nothing to do");
    }
}

#[test]
fn branch_that_is_set_back_to_what_was_planned_has_no_problem_any_more() {
    let (world, _) = world_with("no tree");
    world.cmd(&["reconcile"]).ok().says("can't be read");
    set_tip(&world, &world.git(&["rev-parse", "HEAD"]));
    world.cmd(&["reconcile"]).ok();
    world.cmd(&["status"]).ok().says_nothing_of("can't be read");
    assert_eq!(world.settled().len(), 1);
}

/// The safeguards stay: the repair is judged from the commit up to which everything was planned.
#[test]
fn repair_of_a_damaged_tip_may_not_lose_what_was_planned() {
    for how in ["no tree", "a blob"] {
        let world = World::installed();
        world.deploy(A, 1);
        let first = world.commit();
        world.push();
        world.settled();
        world.deploy(A, 2);
        world.push();
        world.settled();
        let tip = damaged(&world, how);
        set_tip(&world, &tip);

        let update = format!("{tip} {first} refs/heads/main");
        let push = push_raw(&world, &[update]);
        assert!(push.stdout.contains("declined"), "{how}: {push:?}");
        assert!(
            push.stderr.contains("may not be rewound"),
            "{how}: {push:?}"
        );

        world.write("production/b.deploy", "nonsense\n");
        let commit = world.commit();
        let update = format!("{tip} {commit} refs/heads/main");
        let push = push_raw(&world, &[update]);
        assert!(
            push.stderr.contains("is not a commit hash"),
            "{how}: {push:?}"
        );
    }
}

#[test]
fn push_of_a_damaged_tree_is_refused_with_the_commit() {
    let world = World::installed();
    world.deploy(A, 1);
    world.push();
    world.settled();
    let tip = world.tip();
    let commit = damaged(&world, "a folder that is cut off");
    world
        .hook("pre-receive", &format!("{tip} {commit} refs/heads/main\n"))
        .exits(1)
        .says(&format!(
            "refused refs/heads/main: {} can't be read",
            &commit[..7]
        ));
}

/// The commit up to which the branch was planned is damaged afterwards, for example by a disk.
#[test]
fn planned_commit_that_is_damaged_later_blocks_no_push() {
    for what in ["HEAD", "HEAD^{tree}", "HEAD:production"] {
        let world = World::installed();
        world.deploy(A, 1);
        world.push();
        world.settled();
        world.deploy(A, 2);
        world.push();
        world.settled();
        remove(&world, &world.git(&["rev-parse", what]));
        let status = world.cmd(&["status"]).ok().says("can't be read");
        let status = status.says("push the next commit").all();
        // The branch is there already.
        assert!(!status.contains("update-ref"), "{status}");

        world.deploy(A, 3);
        let tip = world.tip();
        let commit = world.commit();
        let push = push_raw(&world, &[format!("{tip} {commit} refs/heads/main")]);
        assert!(
            push.stdout.contains("ok refs/heads/main"),
            "{what}: {push:?}"
        );
        let last = world.settled().pop().unwrap();
        assert_eq!(last, "#3 production/a succeeded", "{what}");
    }
}

#[test]
fn commit_that_was_planned_and_is_missing_can_be_fetched_from_a_clone() {
    let world = World::installed();
    world.deploy(A, 1);
    world.push();
    world.settled();
    remove(&world, &world.tip());
    let fetch = "git fetch CLONE refs/heads/main";
    world.cmd(&["status"]).ok().says(fetch);
    world.cmd(&["doctor"]).says(fetch);

    // git itself refuses the next commit, because it misses the tip.
    world.deploy(A, 2);
    world.try_push().exits(1).says("missing necessary objects");
    world.server_git(&["fetch", "-q", "../work", "refs/heads/main"]);
    world.push();
    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded", "#2 production/a succeeded"]
    );
}

/// What is on the branch at the installation is not deployed. A tip that can't be read would make
/// everything look new after the repair.
#[test]
fn installation_needs_a_tip_that_can_be_read() {
    let world = World::new();
    world.deploy(A, 1);
    world.push();
    let good = world.tip();
    set_tip(&world, &damaged(&world, "no folder"));
    world.cmd(&["install"]).exits(4).says("is missing");

    set_tip(&world, &good);
    world.install();
    world.cmd(&["reconcile"]).ok();
    assert_eq!(world.settled(), [""; 0]);
}
