//! `subdirectory`: applications that are folders of one repository.

use std::fs;

use crate::applications::refused;
use crate::checkout::{commit, commit_files as files, configure, deploy, deploy_unjudged, world};
use crate::run::Run;
use crate::tree::{EXECUTABLE, FILE, FOLDER, SUBMODULE, SYMLINK, Trees};
use crate::world::{World, rev};

/// What is in a folder of the checkout of an application.
fn names(world: &World, path: &str) -> Vec<String> {
    let entries = fs::read_dir(world.path("srv/production").join(path)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Pushes a deploy file for a revision.
fn try_deploy(world: &World, revision: &str) -> Run {
    world.deploy_rev("production/a", revision);
    world.try_push()
}

#[test]
fn two_applications_of_one_repository_get_their_own_folders() {
    let world = world("");
    let config = world.config_text();
    world.config_file(&format!(
        "{}subdirectory = \"{{application}}/src\"\n",
        config.replace("/{application}.git", "/a.git")
    ));
    let revision = files(
        &world,
        &[("a/src/one", "1"), ("b/src/two", "2"), ("README", "x")],
    );
    world.deploy_rev("production/a", &revision);
    world.deploy_rev("production/b", &revision);
    world.push();

    let ended = world.settled();
    assert!(ended.iter().all(|line| line.ends_with(" succeeded")));
    assert_eq!(ended.len(), 2, "{ended:?}");
    assert_eq!(names(&world, "a/current"), ["REVISION", "one"]);
    assert_eq!(names(&world, "b/current"), ["REVISION", "two"]);
}

#[test]
fn revision_without_the_folder_is_refused() {
    let world = world("subdirectory = \"services/web\"\n");
    type Make = fn(&Trees<'_>) -> String;
    let cases: [(Make, &str); 6] = [
        (
            |trees| trees.path(FILE, b"file", &trees.blob("")),
            "\"services\" is missing",
        ),
        (
            |trees| trees.path(FILE, b"services/api/file", &trees.blob("")),
            "\"services/web\" is missing",
        ),
        (
            |trees| trees.path(EXECUTABLE, b"services/web", &trees.blob("")),
            "\"services/web\" is a file and no folder",
        ),
        (
            |trees| trees.path(SYMLINK, b"services/web", &trees.blob("../../..")),
            "\"services/web\" is a symbolic link and no folder",
        ),
        (
            |trees| {
                let web = trees.path(FILE, b"web/file", &trees.blob(""));
                let link = trees.blob("elsewhere");
                trees.tree(&[(FOLDER, b"elsewhere", &web), (SYMLINK, b"services", &link)])
            },
            "\"services\" is a symbolic link and no folder",
        ),
        (
            |trees| trees.path(SUBMODULE, b"services/web", &rev(9)),
            "\"services/web\" is a submodule and no folder",
        ),
    ];
    for (make, found) in cases {
        let revision = commit(&world, make);
        let said = refused(try_deploy(&world, &revision));
        let expected = format!(
            "{} of a can't be checked out: {found}, and subdirectory leads there",
            &revision[..7]
        );
        assert!(said.contains(&expected), "{expected}:\n{said}");
        let hint = "deploy a revision that has this folder, or correct subdirectory in the \
                    server's configuration";
        assert!(said.contains(hint), "{said}");

        let failed = deploy_unjudged(&world, &revision);
        assert!(failed.contains(found), "{failed}");
    }
}

#[test]
fn folder_that_is_there_twice_is_refused() {
    let world = world("subdirectory = \"web\"\n");
    let revision = commit(&world, |trees| {
        let inner = trees.path(FILE, b"file", &trees.blob(""));
        let link = trees.blob("/etc");
        trees.tree(&[(FOLDER, b"web", &inner), (SYMLINK, b"web", &link)])
    });
    let said = refused(try_deploy(&world, &revision));
    assert!(
        said.contains("\"web\" is in its folder more than once"),
        "{said}"
    );
}

#[test]
fn only_obstacles_in_the_folder_count_and_are_named_from_the_top() {
    let world = world("subdirectory = \"web\"\n");
    let revision = commit(&world, |trees| {
        let file = trees.path(FILE, b"file", &trees.blob(""));
        trees.tree(&[(SUBMODULE, b"vendor", &rev(9)), (FOLDER, b"web", &file)])
    });
    assert_eq!(deploy(&world, &revision), "#1 production/a succeeded");

    let revision = commit(&world, |trees| {
        trees.path(SUBMODULE, b"web/vendor/lib", &rev(9))
    });
    let said = refused(try_deploy(&world, &revision));
    assert!(said.contains("\"web/vendor/lib\" is a submodule"), "{said}");
}

#[test]
fn attributes_of_git_lfs_above_the_folder_count() {
    let world = world("subdirectory = \"web\"\n");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n";
    let revision = files(
        &world,
        &[
            (".gitattributes", "*.png filter=lfs\n"),
            ("web/logo.png", pointer),
        ],
    );
    let said = refused(try_deploy(&world, &revision));
    let expected = "\"web/logo.png\" is kept in Git LFS";
    assert!(said.contains(expected), "{said}");
    let failed = deploy_unjudged(&world, &revision);
    assert!(failed.contains(expected), "{failed}");
}

#[test]
fn another_folder_is_a_fresh_release() {
    let world = world("subdirectory = \"one\"\n");
    let revision = files(&world, &[("one/a", "a"), ("two/b", "b")]);
    deploy(&world, &revision);
    assert_eq!(names(&world, "a/current"), ["REVISION", "a"]);

    configure(&world, "subdirectory = \"two/\"\n");
    deploy(&world, &revision);
    assert_eq!(names(&world, "a/current"), ["REVISION", "b"]);

    configure(&world, "");
    let last = deploy(&world, &revision);
    assert!(last.ends_with(" succeeded"), "{last}");
    assert_eq!(names(&world, "a/current"), ["REVISION", "one", "two"]);
}

#[test]
fn check_looks_for_the_program_in_the_folder() {
    let world =
        world("subdirectory = \"web\"\nshared = [\"tools\"]\ncommand = [\"./deploy.sh\"]\n");
    let revision = files(&world, &[("deploy.sh", "#!/bin/sh\n"), ("web/file", "x")]);
    try_deploy(&world, &revision).ok();
    world
        .cmd(&["check"])
        .says(&format!("web/deploy.sh of a at {} ", &revision[..7]));

    let config = world.config_text();
    world.config_file(&config.replace("./deploy.sh", "./tools/deploy.sh"));
    world.cmd(&["check"]).says_nothing_of("deploy.sh");
}
