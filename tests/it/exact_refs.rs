//! Refs are looked up by their exact names. git's own commands guess: for a `refs/heads/x` that
//! does not exist they take `refs/tags/refs/heads/x`, which anybody can push.

use crate::applications::{commit, commit_on, commits, refused, try_deploy, world};
use crate::raw_push::push_raw;
use crate::run::{run, skip};
use crate::world::{NULL, World};

const A: &str = "production/a";

/// Names that git would take for a ref that does not exist.
fn guesses(full_name: &str) -> Vec<String> {
    let folders = ["refs/", "refs/tags/", "refs/heads/", "refs/remotes/"];
    folders
        .iter()
        .map(|folder| format!("{folder}{full_name}"))
        .chain([format!("refs/remotes/{full_name}/HEAD")])
        .collect()
}

/// Sets each guess to a commit that no allowed ref has.
fn refused_in(world: &World) {
    let main = commits(world, "a", 1);
    let side = commit_on(world, "a", "side", "not reviewed", &[&main[0]]);

    for name in guesses("refs/heads/release") {
        let git = |arguments: &[&str]| world.git_in("apps/a.git", arguments);
        git(&["update-ref", &name, &side]);
        let said = refused(try_deploy(world, A, &side));
        assert!(
            said.contains("there is no refs/heads/release in the repository of a"),
            "{name}: {said}"
        );
        git(&["update-ref", "-d", &name]);
    }

    // The control: the branch itself.
    let release = commit(world, "a", "release", "reviewed");
    try_deploy(world, A, &release).ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn allowed_ref_that_does_not_exist_is_not_guessed() {
    refused_in(&world(&["a"], "allowed_refs = [\"refs/heads/release\"]"));
}

#[test]
fn allowed_ref_that_does_not_exist_is_not_guessed_in_a_reftable() {
    let world = world(&[], "allowed_refs = [\"refs/heads/release\"]");
    let mut init = world.command("git", "apps");
    init.args([
        "init",
        "-q",
        "--bare",
        "-b",
        "main",
        "a.git",
        "--ref-format=reftable",
    ]);
    if run(&mut init, b"").code != Some(0) {
        skip("this git cannot make reftable repositories");
        return;
    }
    refused_in(&world);
}

/// What nobody pushed to the deploy branch is neither planned nor counted as wanted.
#[test]
fn deploy_branch_that_does_not_exist_is_not_guessed() {
    for name in guesses("refs/heads/main") {
        let world = World::installed();
        world.deploy(A, 1);
        let commit = world.commit();
        world.git(&[
            "push",
            "-q",
            "origin",
            &format!("{commit}:refs/heads/elsewhere"),
        ]);
        world.server_git(&["update-ref", &name, &commit]);

        world.cmd(&["reconcile"]).ok().says("nothing to do");
        world.cmd(&["status"]).ok().says_nothing_of(A);
        world
            .cmd(&["check"])
            .exits(1)
            .says("the deploy branch is refs/heads/main, as HEAD says, and it does not exist")
            .says_nothing_of(A);

        // The branch of that name is created, and then deploys. git's own client would guess too.
        push_raw(&world, &[format!("{NULL} {commit} refs/heads/main")]);
        assert_eq!(world.settled(), ["#1 production/a succeeded"], "{name}");
    }
}

#[test]
fn name_that_a_person_types_means_what_it_says() {
    let world = World::installed();
    world.deploy(A, 1);
    let old = world.commit();
    world.push();
    world.settled();
    world.deploy("production/b", 1);
    let new = world.push_with(&["origin", "HEAD:refs/heads/side"]).ok();
    drop(new);
    let new = world.commit();

    let check = |name: &str| world.cmd(&["check", name]);
    let files = |name: &str| {
        let said = check(name).ok().stdout;
        let count = said.split(": ").nth(1).unwrap();
        count.split(' ').next().unwrap().to_owned()
    };

    // A branch and a tag whose names are a whole hash, or the full name of something.
    for folder in ["refs/heads/", "refs/tags/"] {
        world.server_git(&["update-ref", &format!("{folder}{old}"), &new]);
        world.server_git(&["update-ref", &format!("{folder}refs/heads/gone"), &new]);
        world.server_git(&["update-ref", &format!("{folder}refs/heads/main"), &new]);
    }
    assert_eq!(files(&old), "1");
    assert_eq!(files("refs/heads/main"), "1");
    check("refs/heads/gone").exits(1).says("is not a commit");

    // A tag does not hide a branch, nor the beginning of a hash.
    world.server_git(&["update-ref", "refs/tags/main", &new]);
    world.server_git(&["update-ref", &format!("refs/tags/{}", &old[..8]), &new]);
    assert_eq!(files("main"), "1");
    assert_eq!(files(&old[..8]), "1");
    assert_eq!(files("refs/tags/main"), "2");

    // Suffixes count from there.
    assert_eq!(files("side"), "2");
    assert_eq!(files("side~1"), "1");
    assert_eq!(files("refs/heads/side^"), "1");
    assert_eq!(files(&format!("{new}~1")), "1");
    check("side~9").exits(1).says("is not a commit");
}

#[test]
fn head_that_names_no_branch_is_an_error() {
    for head in [
        "ref: refs/heads/\u{fffd}\n".replace('\u{fffd}', "a..b"),
        "ref: refs/tags/main\n".to_owned(),
        "ref: refs/heads/main\nrefs/heads/other\n".to_owned(),
        "refs/heads/main\n".to_owned(),
    ] {
        let world = World::installed();
        std::fs::write(world.path("deploy.git/HEAD"), &head).unwrap();
        world.cmd(&["status"]).exits(4).says("HEAD names no branch");
    }

    let world = World::installed();
    std::fs::write(world.path("deploy.git/HEAD"), b"ref: refs/heads/m\xffin\n").unwrap();
    world.cmd(&["status"]).exits(4).says("HEAD names no branch");
}
