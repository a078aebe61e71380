//! What can't be checked out is refused before the branch moves.

use std::fs;

use crate::applications::{refused, remove_object, try_deploy};
use crate::checkout::{commit, configure, deploy, deploy_unjudged, one_file, roll_back, world};
use crate::tree::{FILE, FOLDER, SUBMODULE, SYMLINK, Trees};
use crate::world::{NULL, World, rev};

const A: &str = "production/a";
const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n";
const ATTRIBUTES: &[u8] = b".gitattributes";

/// A tree with the submodule `vendor/lib`.
fn with_submodule(trees: &Trees<'_>) -> String {
    trees.path(SUBMODULE, b"vendor/lib", &rev(9))
}

/// A tree with the Git LFS pointer `assets/logo.png`. The attributes are in the folder above it.
fn with_pointer(trees: &Trees<'_>) -> String {
    let attributes = trees.blob("*.png filter=lfs diff=lfs merge=lfs -text\n");
    let assets = trees.path(FILE, b"logo.png", &trees.blob(POINTER));
    trees.tree(&[
        (FILE, ATTRIBUTES, &attributes),
        (FOLDER, b"assets", &assets),
    ])
}

/// A tree that stands for more files than any disk can hold.
fn bomb(trees: &Trees<'_>) -> String {
    (0..15).fold(trees.path(FILE, b"file", &trees.blob("")), |inner, _| {
        let names = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        trees.tree(&names.map(|name| (FOLDER, name.as_bytes(), inner.as_str())))
    })
}

/// Asserts that a push of a revision is refused, and returns what the hooks printed.
#[track_caller]
fn refusal(world: &World, revision: &str) -> String {
    let tip = world.tip();
    let said = refused(try_deploy(world, A, revision));
    assert_eq!(world.tip(), tip, "the branch has moved");
    said
}

#[test]
fn submodule_is_refused_before_the_push_unless_it_is_meant() {
    let world = world("");
    let revision = commit(&world, with_submodule);

    let said = refusal(&world, &revision);
    let short = &revision[..7];
    for expected in [
        format!(
            "refused production/a.deploy: {short} of a can't be checked out: \"vendor/lib\" is a \
             submodule, whose files would be missing"
        ),
        "set submodules = \"empty\" in the server's configuration".to_owned(),
    ] {
        assert!(said.contains(&expected), "{expected:?} is missing:\n{said}");
    }
    assert_eq!(said.matches("refused ").count(), 1, "{said}");
    assert_eq!(world.tip(), NULL);

    configure(&world, "submodules = \"empty\"\n");
    assert_eq!(deploy(&world, &revision), "#1 production/a succeeded");
}

#[test]
fn pointer_of_git_lfs_is_refused_before_the_push_unless_it_is_meant() {
    let world = world("");
    let revision = commit(&world, with_pointer);

    let said = refusal(&world, &revision);
    for expected in [
        "\"assets/logo.png\" is kept in Git LFS, and its content is not in the repository",
        "set lfs = \"pointers\" in the server's configuration",
    ] {
        assert!(said.contains(expected), "{expected:?} is missing:\n{said}");
    }

    configure(&world, "lfs = \"pointers\"\n");
    assert_eq!(deploy(&world, &revision), "#1 production/a succeeded");
}

#[test]
fn key_for_one_obstacle_does_not_allow_another() {
    let world = world("lfs = \"pointers\"\n");
    let (submodule, pointer) = (commit(&world, with_submodule), commit(&world, with_pointer));

    assert!(refusal(&world, &submodule).contains("\"vendor/lib\" is a submodule"));
    configure(&world, "submodules = \"empty\"\n");
    assert!(refusal(&world, &pointer).contains("\"assets/logo.png\" is kept in Git LFS"));
}

#[test]
fn attributes_of_git_lfs_count_below_their_folder() {
    let world = world("");
    let shared = |trees: &Trees<'_>| trees.path(FILE, b"logo.png", &trees.blob(POINTER));
    // The folder of the pointer occurs twice. Only one of the two is below the attributes.
    let revision = commit(&world, |trees| {
        let attributes = trees.blob("\n# images\n\"a b\" text\n*.png filter=lfs\n");
        let inside = shared(trees);
        let below = trees.tree(&[(FILE, ATTRIBUTES, &attributes), (FOLDER, b"in", &inside)]);
        trees.tree(&[(FOLDER, b"a", &inside), (FOLDER, b"b", &below)])
    });
    let said = refusal(&world, &revision);
    assert!(
        said.contains("\"b/in/logo.png\" is kept in Git LFS"),
        "{said}"
    );

    // The control: attributes of files that git keeps itself, and a file that is no pointer.
    let revision = commit(&world, |trees| {
        let attributes = trees.blob("*.png filter=lfs\n");
        let file = trees.blob("version 2\n");
        trees.tree(&[(FILE, ATTRIBUTES, &attributes), (FILE, b"logo.png", &file)])
    });
    assert_eq!(deploy(&world, &revision), "#1 production/a succeeded");
}

#[test]
fn pointer_that_no_attributes_announce_is_refused_at_the_deployment() {
    let world = world("");
    let revision = commit(&world, |trees| {
        trees.path(FILE, b"logo.png", &trees.blob(POINTER))
    });
    let last = deploy(&world, &revision);
    assert!(last.contains("failed: checkout: "), "{last}");
    assert!(last.contains("\"logo.png\" is kept in Git LFS"), "{last}");
}

#[test]
fn tree_bomb_is_refused_before_the_push() {
    let world = world("");
    let revision = commit(&world, bomb);
    let said = refusal(&world, &revision);
    assert!(
        said.contains("is too large: at most 1000000 files and folders"),
        "{said}"
    );
}

#[test]
fn symbolic_link_that_leads_nowhere_is_refused_before_the_push() {
    for target in ["", "a\0b", &"x".repeat(4096)] {
        let world = world("");
        let revision = commit(&world, |trees| {
            trees.path(SYMLINK, b"link", &trees.blob(target))
        });
        let said = refusal(&world, &revision);
        assert!(said.contains("\"link\" is a symbolic link"), "{said}");
    }
}

#[test]
fn all_obstacles_of_a_revision_are_shown_at_once() {
    let world = world("");
    let revision = commit(&world, |trees| {
        let (vendor, assets) = (with_submodule(trees), with_pointer(trees));
        let hostile = trees.path(FILE, b".git/config", &trees.blob(""));
        trees.tree(&[
            (FOLDER, b"assets", &assets),
            (FOLDER, b"hostile", &hostile),
            (FOLDER, b"sub", &vendor),
        ])
    });

    let said = refusal(&world, &revision);
    for expected in [
        "\"sub/vendor/lib\" is a submodule",
        "\"assets/assets/logo.png\" is kept in Git LFS",
        "\"hostile/.git\" has a name that is not allowed",
    ] {
        assert!(said.contains(expected), "{expected:?} is missing:\n{said}");
    }
}

#[test]
fn redeploy_and_rollback_are_judged_too() {
    let world = world("submodules = \"empty\"\n");
    let bad = commit(&world, with_submodule);
    let good = one_file(&world, "good");
    deploy(&world, &bad);
    deploy(&world, &good);
    configure(&world, "");

    // The control: what has no submodule deploys again.
    assert_eq!(deploy(&world, &good), "#3 production/a succeeded");
    assert_eq!(roll_back_refused(&world, &bad), 1);

    configure(&world, "submodules = \"empty\"\n");
    assert_eq!(roll_back(&world, &bad), "#4 production/a succeeded");
    configure(&world, "");
    assert!(refusal(&world, &bad).contains("\"vendor/lib\" is a submodule"));
}

/// How often a refused rollback names the submodule.
fn roll_back_refused(world: &World, revision: &str) -> usize {
    world.deploy_rev(A, revision);
    let push = world.try_push_saying("Deploy-Rollback: a test");
    crate::applications::forget_if_refused(world, &push);
    refused(push).matches("is a submodule").count()
}

#[test]
fn application_without_checkout_may_have_anything() {
    let world = world("");
    let config = world.config_text();
    world.config_file(&config.replace("checkout = ", "command = [\"true\"] # "));
    for tree in [with_submodule, with_pointer, bomb] {
        let revision = commit(&world, tree);
        assert!(deploy(&world, &revision).ends_with(" production/a succeeded"));
    }
}

#[test]
fn post_receive_plans_nothing_that_can_not_be_checked_out() {
    let world = world("");
    let revision = commit(&world, with_submodule);
    fs::remove_file(world.path("deploy.git/hooks/pre-receive")).unwrap();

    world.deploy_rev(A, &revision);
    world
        .push()
        .says("problem production/a.deploy:")
        .says("\"vendor/lib\" is a submodule");
    assert_eq!(world.settled().len(), 0);
}

#[test]
fn plan_and_check_show_what_can_not_be_checked_out() {
    let world = world("submodules = \"empty\"\n");
    let good = one_file(&world, "good");
    let bad = commit(&world, with_submodule);
    deploy(&world, &good);
    deploy(&world, &bad);
    let allowed = world.cmd(&["plan", "main~1", "main"]).ok();
    allowed.says("  exportable: 2 files and folders\n");
    world.cmd(&["check"]).ok();

    configure(&world, "");
    let found = "\"vendor/lib\" is a submodule, whose files would be missing";
    world.cmd(&["check"]).exits(1).says(found);
    let plan = world.cmd(&["plan", "main~1", "main"]).exits(1);
    plan.says("  exportable: refused: ").says(found);

    let plan = world.cmd(&["plan", "--json", "main~1", "main"]).exits(1);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    let plan = plan.to_string();
    assert!(plan.contains("\"exportable\""), "{plan}");
    assert!(plan.contains("vendor/lib"), "{plan}");
}

#[test]
fn look_that_fails_is_a_fault_and_one_refusal_is_enough_for_what_is_missing() {
    let world = world("");
    let revision = commit(&world, |trees| {
        trees.path(FILE, b"folder/file", &trees.blob("x"))
    });
    let folder = world.git_in("apps/a.git", &["rev-parse", "main:folder"]);
    remove_object(&world, "a", &folder);

    let said = refusal(&world, &revision);
    let expected = format!(
        "it can't be found out whether {} of a can be checked out: ",
        &revision[..7]
    );
    assert!(said.contains(&expected), "{said}");
    assert!(said.contains(&folder), "{said}");

    let said = refusal(&world, &rev(7));
    assert!(said.contains("is not in the repository of a"), "{said}");
    assert_eq!(said.matches("refused ").count(), 1, "{said}");
}

#[test]
fn deployment_still_refuses_what_no_rule_has_judged() {
    let world = world("");
    let trees = [with_submodule, with_pointer, bomb];
    let words = ["is a submodule", "is kept in Git LFS", "is too large"];
    for (tree, found) in trees.into_iter().zip(words) {
        let revision = commit(&world, tree);
        let last = deploy_unjudged(&world, &revision);
        assert!(last.contains("failed: checkout: "), "{last}");
        assert!(last.contains(found), "{last}");
    }
}
