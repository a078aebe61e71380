//! Exact output of pushes that are refused, a test for each rule. The head of `snapshots.rs` says
//! how to rewrite the expected output.

use expect_test::expect_file;

use crate::applications::{
    commit, commit_on, commits, configure, remove_object, take_away, world as with_applications,
};
use crate::transcript::Transcript;
use crate::tree::{FILE, FOLDER, SYMLINK, Trees};
use crate::world::{World, rev};

const A: &str = "production/a";
const B: &str = "production/b";

/// A file, a folder or a name that is not what a deploy file is.
#[test]
fn snapshot_of_refusals_by_place() {
    let world = World::installed();
    let mut t = Transcript::new(&world);
    let trees = Trees::new(&world, "work");
    let good = trees.blob(rev(1));
    let at = |path: &str| trees.path(FILE, path.as_bytes(), &good);
    let link = trees.path(SYMLINK, b"production/a.deploy", &trees.blob("b.deploy"));
    let twins = trees.tree(&[(FILE, b"A.deploy", &good), (FILE, b"a.deploy", &good)]);

    for (note, tree) in [
        ("Too shallow.", at("a.deploy")),
        ("Too deep.", at("production/web/a.deploy")),
        ("A name with a space.", at("production/a b.deploy")),
        ("A folder.", at("production/a.deploy/x")),
        ("A symlink.", link),
        (
            "Names that differ in case only.",
            trees.tree(&[(FOLDER, b"production", &twins)]),
        ),
    ] {
        t.note(note);
        let commit = trees.commit(&tree, None);
        t.git_push_of(&commit);
    }

    t.is(expect_file!["snapshots/refused-place.txt"]);
}

#[test]
fn snapshot_of_refusals_by_content() {
    let world = World::installed();
    let mut t = Transcript::new(&world);

    for content in [
        "",
        "* Deploy\n",
        "main\n",
        "\n6037512\n",
        "0000000000000000000000000000000000000000\n",
        &"x".repeat(1 << 21),
    ] {
        world.deploy_file(A, content);
        t.push();
    }

    t.is(expect_file!["snapshots/refused-content.txt"]);
}

#[test]
fn snapshot_of_refusals_by_reachable() {
    let world = with_applications(&["a"], "");
    let main = commits(&world, "a", 3);
    let side = commit_on(&world, "a", "old-fixes", "an old fix", &[&main[0]]);
    let git = |arguments: &[&str]| world.git_in("apps/a.git", arguments);
    let tree = git(&["rev-parse", "main^{tree}"]);
    let mut t = Transcript::new(&world);
    t.name_all(&main);
    t.name(&side, "side1");
    t.name(&tree, "tree1");

    t.note("Another branch.");
    t.push_revision(A, &side, "");
    t.note("No branch.");
    git(&["branch", "-q", "-D", "old-fixes"]);
    t.push_revision(A, &side, "");
    t.note("Not a commit, abbreviated, and unknown.");
    t.push_revision(A, &tree, "");
    t.push_revision(A, &main[0][..9], "");
    t.push_revision(A, &rev(9), "");
    t.note("Several refs.");
    configure(
        &world,
        "allowed_refs = [\"refs/tags/v*\", \"refs/heads/live\"]",
    );
    t.push_revision(A, &main[0], "");
    t.note("A commit in between is missing, and then the whole repository.");
    configure(&world, "");
    t.deploy(A, &main[0], "");
    remove_object(&world, "a", &main[1]);
    t.push_revision(A, &main[2], "");
    take_away(&world, "a");
    t.push_revision(A, &main[2], "");

    t.is(expect_file!["snapshots/refused-reachable.txt"]);
}

#[test]
fn snapshot_of_refusals_by_backwards_and_by_a_hold() {
    let world = with_applications(&["a"], "allowed_refs = [\"refs/heads/*\"]");
    let main = commits(&world, "a", 8);
    let side = commit_on(&world, "a", "old", "An old branch", &[&main[0]]);
    let mut t = Transcript::new(&world);
    t.name_all(&main);
    t.name(&side, "side1");
    t.deploy(A, &main[7], "");

    t.note("An old branch.");
    t.push_revision(A, &side, "");
    t.note("Back by one commit, and by all.");
    t.push_revision(A, &main[6], "");
    t.push_revision(A, &main[0], "Deploy-Rollback: ...");
    t.note("With a reason.");
    t.push_revision(A, &main[6], "Deploy-Rollback: alarms since noon");
    world.settled();

    t.note("What was rolled back is held.");
    t.push_revision(A, &main[7], "");
    t.push_revision(A, &main[7], "Deploy-Release: fixed in c8");
    world.settled();

    t.is(expect_file!["snapshots/refused-backwards.txt"]);
}

#[test]
fn snapshot_of_refusals_by_promotion() {
    let config = "[environments.production]\n\
                  promotes_from = \"staging\"\n\
                  soak = \"2h\"\n\
                  [environments.staging]\n";
    let world = with_applications(&["a"], config);
    let main = commits(&world, "a", 2);
    world.job("note start; hold $DEPLOY_ID; test $DEPLOY_ID != 1");
    let mut t = Transcript::new(&world);
    t.name_all(&main);

    t.note("Never deployed there.");
    t.push_revision(A, &main[0], "");
    t.note("Running there.");
    t.push_revision("staging/a", &main[0], "");
    world.wait_for("staging/a #1 start");
    t.push_revision(A, &main[0], "");
    t.note("Failed there.");
    world.open("1");
    world.settled();

    t.push_revision(A, &main[0], "");
    t.note("Not long enough there.");
    world.open("2");
    t.deploy("staging/a", &main[1], "");
    t.push_revision(A, &main[1], "");

    t.is(expect_file!["snapshots/refused-promotion.txt"]);
}

#[test]
fn snapshot_of_refusals_by_prepend_only() {
    let world = with_applications(&["a"], "[environments.production]\nprepend_only = true\n");
    let main = commits(&world, "a", 2);
    let mut t = Transcript::new(&world);
    t.name_all(&main);
    t.deploy(A, &main[0], "");

    world.deploy_file(A, format!("{}\n* rewritten\n", main[1]));
    t.push();

    t.is(expect_file!["snapshots/refused-prepend-only.txt"]);
}

#[test]
fn snapshot_of_refusals_by_a_freeze() {
    let world = with_applications(
        &["a"],
        "[environments.production]\n\
         override_by = [\"carol\"]\n\
         [environments.staging]\n\
         frozen = [\"2000-01-01 .. 2999-12-31\"]\n",
    );
    let main = commits(&world, "a", 1);
    let mut t = Transcript::new(&world);
    t.name_all(&main);

    t.note("By a person.");
    let freeze = ["freeze", "production", "--reason", "incident 7"];
    t.command(&freeze);
    t.push_revision(A, &main[0], "");
    t.push_revision(A, &main[0], "Deploy-Override: fire");
    t.note("By the calendar.");
    t.push_revision("staging/a", &main[0], "");

    t.is(expect_file!["snapshots/refused-frozen.txt"]);
}

#[test]
fn snapshot_of_refusals_by_together() {
    let world = with_applications(
        &["a", "b"],
        "[environments.production]\ntogether = [\"a\", \"b\"]\n",
    );
    let main = commits(&world, "a", 1);
    let mut t = Transcript::new(&world);
    t.name_all(&main);

    t.push_revision(A, &main[0], "");
    t.push_revision(A, &main[0], "Deploy-Alone: b is as it was");
    world.settled();

    t.is(expect_file!["snapshots/refused-together.txt"]);
}

#[test]
fn snapshot_of_refusals_by_needs() {
    let world = with_applications(&["a", "b"], "");
    let b = commits(&world, "b", 2);
    let first = commit(&world, "a", "main", "first");
    let needs = format!("Use b\n\nDeploy-After: b {}", b[1]);
    let needs = commit(&world, "a", "main", &needs);
    let gone = commit(&world, "a", "main", "Use c\n\nDeploy-After: c 1234567");
    let mut t = Transcript::new(&world);
    t.name_all(&b);

    for (commit, name) in [
        (first, "first"),
        (needs.clone(), "needs"),
        (gone.clone(), "gone!"),
    ] {
        t.name(&commit, name);
    }

    t.note("Never deployed.");
    t.push_revision(A, &needs, "");
    t.note("An older commit is deployed.");
    t.deploy(B, &b[0], "");
    t.push_revision(A, &needs, "");
    t.note("It cannot be found.");
    t.push_revision(A, &gone, "");
    t.note("A cycle.");
    configure(&world, "[applications.b]\nafter = [\"a\"]\n");
    world.deploy_rev(B, &b[1]);
    t.push_revision(A, &needs, "");

    t.is(expect_file!["snapshots/refused-needs.txt"]);
}

#[test]
fn snapshot_of_refusals_of_refs() {
    let world = World::installed();
    world.server_git(&["config", "receive.denyDeleteCurrent", "ignore"]);
    let mut t = Transcript::new(&world);
    t.deploy(A, &rev(1), "");
    t.deploy(A, &rev(2), "");

    t.note("The deploy branch is deleted, and rewound.");
    t.git_push(&["origin", ":refs/heads/main"]);
    t.git_push(&["-f", "origin", "HEAD~1:refs/heads/main"]);
    t.note("A replacement object.");
    let replace = format!("HEAD:refs/replace/{}", "1234567890".repeat(4));
    t.git_push(&["origin", &replace]);

    t.is(expect_file!["snapshots/refused-refs.txt"]);
}

#[test]
fn snapshot_of_refusals_by_a_configuration_error() {
    let world = World::installed();
    let mut t = Transcript::new(&world);
    world.config_file("[defaults]\ncomand = [\"true\"]\n[environments.staging]\n");

    world.deploy(A, 1);
    t.push();
    t.note("Nothing says how to deploy.");
    world.config_file("");
    world.deploy(A, 1);
    t.push();

    t.is(expect_file!["snapshots/refused-configuration.txt"]);
}
