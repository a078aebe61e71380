//! The rule that a revision exists in the application's repository and is on an allowed branch or
//! tag.

use crate::applications::{
    bring_back, commit_on, commits, deploy, refused, remove_object, short, take_away, try_deploy,
    world,
};
use crate::run::{run, skip};
use crate::world::rev;

const A: &str = "production/a";

#[test]
fn revision_on_another_branch_is_refused_with_the_branchs_name() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 2);
    let old = commit_on(&world, "a", "old-fixes", "an old fix", &[&main[0]]);

    let said = refused(try_deploy(&world, A, &old));
    let expected = format!(
        "deploy-by-code: refused production/a.deploy: {} is not on refs/heads/main of a\n  \
         hint: merge it there first; it is only on refs/heads/old-fixes",
        short(&old)
    );
    assert_eq!(said, expected);
    assert_eq!(world.history(), [""; 0]);

    assert_eq!(deploy(&world, A, &main[0]), "#1 production/a succeeded");
}

#[test]
fn allowed_refs_can_be_tags_and_patterns() {
    let world = world(
        &["a"],
        "allowed_refs = [\"refs/heads/release/*\", \"refs/tags/v*\"]",
    );
    let main = commits(&world, "a", 4);
    let git = |arguments: &[&str]| world.git_in("apps/a.git", arguments);
    git(&["tag", "v1", &main[0]]);
    git(&["tag", "-a", "-m", "two", "v2", &main[1]]);
    git(&["tag", "w3", &main[2]]);
    git(&["branch", "release/1", &main[3]]);
    git(&["branch", "release-1", &main[3]]);

    assert_eq!(deploy(&world, A, &main[0]), "#1 production/a succeeded");
    assert_eq!(deploy(&world, A, &main[1]), "#2 production/a succeeded");
    // No allowed tag names the third commit, but release/1 contains it.
    git(&["pack-refs", "--all"]);
    assert_eq!(deploy(&world, A, &main[2]), "#3 production/a succeeded");

    git(&["update-ref", "-d", "refs/heads/release/1"]);
    let said = refused(try_deploy(&world, A, &main[3]));
    assert!(
        said.contains("is on none of refs/heads/release/*, refs/tags/v* of a"),
        "{said}"
    );
    assert!(
        said.contains("it is only on refs/heads/main, refs/heads/release-1"),
        "{said}"
    );

    // A tag of a tag of an older commit changes nothing.
    git(&["tag", "-a", "-m", "of a tag", "v4", "v2"]);
    refused(try_deploy(&world, A, &main[3]));
}

#[test]
fn revision_that_is_no_commit_of_the_application_is_refused() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 1);
    let git = |arguments: &[&str]| world.git_in("apps/a.git", arguments);
    git(&["tag", "-a", "-m", "one", "v1", "main"]);
    let tree = git(&["rev-parse", "main^{tree}"]);
    let tag = git(&["rev-parse", "v1"]);

    let hint = format!("hint: write the whole hash: {}", main[0]);
    for (revision, expected) in [
        (tree.as_str(), "is a tree of a, not a commit"),
        (&tag, "is a tag of a, not a commit"),
        (&rev(9), "0000009 is not in the repository of a"),
        (&main[0][..9], "is an abbreviated commit hash"),
        (&main[0][..9], &hint),
    ] {
        let said = refused(try_deploy(&world, A, revision));
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn application_repository_that_cannot_be_read_refuses() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 1);

    take_away(&world, "a");
    let said = refused(try_deploy(&world, A, &main[0]));
    assert!(
        said.contains("the repository of a can't be read: "),
        "{said}"
    );
    assert!(said.contains("apps/a.git"), "{said}");

    bring_back(&world, "a");
    assert_eq!(deploy(&world, A, &main[0]), "#1 production/a succeeded");
}

#[test]
fn shallow_application_repository_refuses() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 4);
    deploy(&world, A, &main[0]);

    let url = format!("file://{}", world.path("apps/a.git").display());
    take_away(&world, "a");
    let url = url.replace("a.git", "a.away");
    world.git_in(
        "apps",
        &["clone", "-q", "--bare", "--depth", "1", &url, "a.git"],
    );
    let said = refused(try_deploy(&world, A, &main[3]));

    assert!(
        said.contains("the repository of a is shallow: its history is incomplete"),
        "{said}"
    );
    assert_eq!(world.settled().len(), 1);
}

/// Commits that cannot be read could be lost unnoticed, so a broken history is no way forward.
#[test]
fn broken_history_of_an_application_refuses_and_is_called_so() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 7);
    deploy(&world, A, &main[0]);
    remove_object(&world, "a", &main[4]);

    // The missing commit lies between what is deployed and the newest commit, ...
    refused(try_deploy(&world, A, &main[6]));

    // ... and between this commit and the branch that should contain it.
    let said = refused(try_deploy(&world, A, &main[2]));
    assert!(said.contains("the history is broken"), "{said}");
    assert!(!said.contains("merge it there first"), "{said}");
    assert_eq!(world.settled().len(), 1);
}

#[test]
fn application_repository_can_use_sha256_and_reftable() {
    let world = world(&[], "allowed_refs = [\"refs/heads/main\", \"refs/tags/*\"]");
    let mut init = world.command("git", "apps");
    init.args(["init", "-q", "--bare", "-b", "main", "a.git"])
        .args(["--object-format=sha256", "--ref-format=reftable"]);
    if run(&mut init, b"").code != Some(0) {
        skip("this git cannot make reftable repositories");
        return;
    }
    let main = commits(&world, "a", 3);
    let side = commit_on(&world, "a", "side", "side", &[&main[0]]);

    assert_eq!(deploy(&world, A, &main[1]), "#1 production/a succeeded");
    assert!(refused(try_deploy(&world, A, &main[0])).contains("would go back 1 commit"));
    assert!(refused(try_deploy(&world, A, &side)).contains("is on none of"));

    world.git_in("apps/a.git", &["tag", "-a", "-m", "x", "v1", &side]);
    assert!(refused(try_deploy(&world, A, &side)).contains("has diverged from"));
    assert_eq!(deploy(&world, A, &main[2]), "#2 production/a succeeded");
}
