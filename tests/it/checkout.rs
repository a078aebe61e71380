//! `checkout`: the revision's files, complete and nowhere else, and the symlink `current`.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use crate::tree::{EXECUTABLE, FILE, FOLDER, SYMLINK, Trees};
use crate::world::{World, rev};

const CONFIG: &str = "checkout = \"{W}/srv/{environment}/{application}\"\nrepository = \"{W}/apps/{application}.git\"\nkill_after = \"1s\"\ngrace = \"300ms\"\n";

/// A world with an application repository `a` and a configuration of `checkout` alone, to which
/// `more` is added.
pub fn world(more: &str) -> World {
    let world = World::installed();
    fs::create_dir(world.path("apps")).unwrap();
    world.git_in(".", &["init", "-q", "--bare", "-b", "main", "apps/a.git"]);
    configure(&world, more);
    world
}

fn configure(world: &World, more: &str) {
    let base = world.path("");
    let base = base.to_str().unwrap().trim_end_matches('/');
    world.config_file(&format!(
        "[defaults]\n{}{}",
        CONFIG.replace("{W}", base),
        more.replace("{W}", base)
    ));
}

/// Commits a tree of the application repository to its main branch.
pub fn commit(world: &World, tree: impl FnOnce(&Trees<'_>) -> String) -> String {
    let trees = Trees::new(world, "apps/a.git");
    let parent = world.git_in(
        "apps/a.git",
        &["for-each-ref", "--format=%(objectname)", "refs/heads/main"],
    );
    let tree = tree(&trees);
    let commit = trees.commit(
        &tree,
        Some(parent.as_str()).filter(|parent| !parent.is_empty()),
    );
    world.git_in("apps/a.git", &["update-ref", "refs/heads/main", &commit]);
    commit
}

pub fn one_file(world: &World, content: &str) -> String {
    commit(world, |trees| {
        trees.path(FILE, b"file", &trees.blob(content))
    })
}

pub fn release(world: &World, revision: &str) -> PathBuf {
    world.path("srv/production/a/releases").join(revision)
}

pub fn current(world: &World) -> String {
    fs::read_to_string(world.path("srv/production/a/current/file")).unwrap()
}

#[track_caller]
pub fn deploy(world: &World, revision: &str) -> String {
    world.deploy_rev("production/a", revision);
    world.push();
    world.settled().pop().unwrap()
}

#[track_caller]
pub fn roll_back(world: &World, revision: &str) -> String {
    world.deploy_rev("production/a", revision);
    world.try_push_saying("Deploy-Rollback: a test").ok();
    world.settled().pop().unwrap()
}

#[test]
fn files_executable_bits_and_symlinks() {
    let world = world("");
    let revision = commit(&world, |trees| {
        let (text, program, link) = (
            trees.blob("text\r\n\0"),
            trees.blob("#!/bin/sh\n"),
            trees.blob("../b/program"),
        );
        let inner = trees.tree(&[(FILE, b"deep", &text)]);
        let b = trees.tree(&[
            (FOLDER, b"inner", &inner),
            (EXECUTABLE, b"program", &program),
        ]);
        let a = trees.tree(&[(SYMLINK, b"link", &link)]);
        let empty = trees.blob("");
        trees.tree(&[
            (FOLDER, b"a", &a),
            (FOLDER, b"b", &b),
            (FILE, b"empty", &empty),
        ])
    });
    assert_eq!(deploy(&world, &revision), "#1 production/a succeeded");
    let root = release(&world, &revision);
    assert_eq!(fs::read(root.join("b/inner/deep")).unwrap(), b"text\r\n\0");
    assert_eq!(fs::read(root.join("empty")).unwrap(), b"");
    assert_eq!(
        fs::read_link(root.join("a/link")).unwrap().to_str(),
        Some("../b/program")
    );
    let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode("b/program"), mode("empty"), mode("b")),
        (0o755, 0o644, 0o755)
    );
    let target = fs::read_link(world.path("srv/production/a/current")).unwrap();
    assert_eq!(
        fs::canonicalize(world.path("srv/production/a").join(target)).unwrap(),
        fs::canonicalize(&root).unwrap()
    );
    assert!(!root.join(".git").exists());
}

#[test]
fn names_that_are_odd_but_legal() {
    let world = world("");
    // Tab and newline are what git writes here as well; the others are forbidden on other systems
    // only.
    let names = [
        "Foo::Bar.3pm",
        "aux.c",
        "ends.",
        "a b",
        "\u{e9}\u{202e}",
        "-rf",
        "tab\tand\nnewline",
        "\u{1b}[31m",
        "a\\b",
    ];
    for (number, name) in names.into_iter().enumerate() {
        let revision = commit(&world, |trees| {
            trees.path(FILE, name.as_bytes(), &trees.blob("text"))
        });
        assert_eq!(
            deploy(&world, &revision),
            format!("#{} production/a succeeded", number + 1),
            "{name:?}"
        );
        assert_eq!(
            fs::read(release(&world, &revision).join(name)).unwrap(),
            b"text",
            "{name:?}"
        );
    }
    let bytes = b"not-utf-8-\xff";
    let revision = commit(&world, |trees| trees.path(FILE, bytes, &trees.blob("text")));
    assert_eq!(
        deploy(&world, &revision),
        format!("#{} production/a succeeded", names.len() + 1)
    );
}

#[test]
fn current_is_flipped_and_a_release_is_used_again() {
    let world = world("");
    let (one, two) = (one_file(&world, "one"), one_file(&world, "two"));
    deploy(&world, &one);
    assert_eq!(current(&world), "one");
    let inode = fs::metadata(release(&world, &one).join("file"))
        .unwrap()
        .ino();
    deploy(&world, &two);
    assert_eq!(current(&world), "two");
    roll_back(&world, &one);
    assert_eq!(current(&world), "one");
    assert_eq!(
        fs::metadata(release(&world, &one).join("file"))
            .unwrap()
            .ino(),
        inode,
        "made once"
    );
    assert_eq!(deploy(&world, &one), "#4 production/a succeeded");
}

#[test]
fn plan_counts_the_commits_gained_and_lost() {
    let world = world("");
    let revisions: Vec<_> = (0..4).map(|n| one_file(&world, &n.to_string())).collect();
    let mut commits = Vec::new();
    for revision in [&revisions[0], &revisions[3], &revisions[1]] {
        world.deploy_rev("production/a", revision);
        commits.push(world.commit());
    }
    world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
    world
        .cmd(&["plan", &commits[0], &commits[1]])
        .ok()
        .says("3 commits gained")
        .says_nothing_of("lost");
    let back = world
        .cmd(&["plan", &commits[1], &commits[2]])
        .says("2 lost");
    assert!(matches!(back.code, Some(0 | 1)), "{back:?}");
    world
        .cmd(&["plan", "--markdown", &commits[0], &commits[1]])
        .ok()
        .says("production/a")
        .says("3");
}

#[test]
fn a_command_runs_in_the_release_and_decides() {
    let world = world(
        "command = [\"/bin/sh\", \"-c\", \"pwd; echo $DEPLOY_CHECKOUT; cat file; test $(cat file) != bad\"]\n",
    );
    let (good, bad) = (one_file(&world, "good"), one_file(&world, "bad"));
    assert_eq!(deploy(&world, &good), "#1 production/a succeeded");
    let root = fs::canonicalize(release(&world, &good)).unwrap();
    let log = world.logs(1);
    assert_eq!(
        log.lines()
            .filter(|line| Some(*line) == root.to_str())
            .count(),
        2,
        "folder and DEPLOY_CHECKOUT: {log}"
    );
    assert!(log.contains("good"), "{log}");
    assert_eq!(
        deploy(&world, &bad),
        "#2 production/a failed: exit status 1"
    );
    assert_eq!(current(&world), "good");
}

#[test]
fn the_newest_releases_and_the_current_one_are_kept() {
    let world = world("keep_releases = 2\n");
    let revisions: Vec<_> = (0..4).map(|n| one_file(&world, &n.to_string())).collect();
    for revision in &revisions {
        deploy(&world, revision);
    }
    let kept = |world: &World| -> Vec<bool> {
        revisions
            .iter()
            .map(|revision| release(world, revision).exists())
            .collect()
    };
    world.wait_until("old releases are gone", || {
        kept(&world) == [false, false, true, true]
    });
    assert_eq!(
        roll_back(&world, &revisions[2]),
        "#5 production/a succeeded"
    );
    assert_eq!(kept(&world), [false, false, true, true]);
    let names = fs::read_dir(world.path("srv/production/a/releases"))
        .unwrap()
        .count();
    assert_eq!(names, 2, "no half-made release is left");
}

#[test]
fn two_environments_share_nothing() {
    let world = world("");
    let (one, two) = (one_file(&world, "one"), one_file(&world, "two"));
    world.deploy_rev("production/a", &one);
    world.deploy_rev("staging/a", &one);
    world.push();
    world.settled();
    world.deploy_rev("staging/a", &two);
    world.push();
    world.settled();
    assert_eq!(current(&world), "one");
    assert_eq!(
        fs::read_to_string(world.path("srv/staging/a/current/file")).unwrap(),
        "two"
    );
    let inode = |environment: &str| {
        fs::metadata(world.path(&format!("srv/{environment}/a/releases/{one}/file")))
            .unwrap()
            .ino()
    };
    assert_ne!(inode("production"), inode("staging"));
}

#[test]
fn one_folder_for_two_environments_fails() {
    let world = world("");
    configure(
        &world,
        "[environments.staging]\ncheckout = \"{W}/srv/production/a\"\n",
    );
    let revision = one_file(&world, "one");
    assert_eq!(deploy(&world, &revision), "#1 production/a succeeded");
    world.deploy_rev("staging/a", &revision);
    world.push();
    let last = world.settled().pop().unwrap();
    assert!(
        last.starts_with("#2 staging/a failed: checkout: "),
        "{last}"
    );
    assert_eq!(current(&world), "one");
}

#[test]
fn a_revision_that_is_not_there_fails_and_says_so() {
    let world = world("");
    one_file(&world, "one");
    fs::remove_file(world.path("deploy.git/hooks/pre-receive")).unwrap();
    world.deploy_rev("production/a", &rev(1));
    world.push();
    // The rules that post-receive shares with pre-receive may keep it from being planned at all.
    let history = world.settled();
    assert!(
        history.is_empty() || history[0].starts_with("#1 production/a failed: checkout: "),
        "{history:#?}"
    );
    assert!(!world.path("srv/production/a/current").exists());
    // With another repository that has it, the same file's next entry deploys.
    let revision = one_file(&world, "two");
    world.deploy_rev("production/a", &revision);
    world.push();
    assert!(world.settled().last().unwrap().ends_with(" succeeded"));
}

#[test]
fn an_application_repository_of_the_other_hash_kind() {
    let world = World::installed();
    fs::create_dir(world.path("apps")).unwrap();
    world.git_in(
        ".",
        &[
            "init",
            "-q",
            "--bare",
            "-b",
            "main",
            "--object-format=sha256",
            "apps/a.git",
        ],
    );
    configure(&world, "");
    let revision = one_file(&world, "sha256");
    assert_eq!(revision.len(), 64);
    assert_eq!(deploy(&world, &revision), "#1 production/a succeeded");
    assert_eq!(current(&world), "sha256");
}

#[test]
fn an_application_repository_can_be_a_work_tree() {
    for linked in [false, true] {
        let world = world("");
        let revision = one_file(&world, "one");
        if linked {
            world.git_in(
                "apps/a.git",
                &["worktree", "add", "-q", "--detach", "../linked", "main"],
            );
        } else {
            world.git_in("apps", &["clone", "-q", "a.git", "linked"]);
        }
        let config = fs::read_to_string(world.path("deploy.git/deploy-by-code.toml")).unwrap();
        world.config_file(&config.replace("/{application}.git", "/linked"));
        assert_eq!(deploy(&world, &revision), "#1 production/a succeeded");
    }
}

#[test]
fn a_runner_killed_during_the_checkout_leaves_no_half_release() {
    let world = world("");
    let revision = commit(&world, |trees| {
        let blob = trees.blob("x".repeat(3000));
        let names: Vec<_> = (0..200)
            .map(|n| format!("file-{n:03}").into_bytes())
            .collect();
        let entries: Vec<_> = names
            .iter()
            .map(|name| (FILE, name.as_slice(), blob.as_str()))
            .collect();
        let folder = trees.tree(&entries);
        let folders: Vec<_> = (0..20)
            .map(|n| format!("folder-{n:02}").into_bytes())
            .collect();
        let entries: Vec<_> = folders
            .iter()
            .map(|name| (FOLDER, name.as_slice(), folder.as_str()))
            .collect();
        trees.tree(&entries)
    });
    let files = |folder: PathBuf| {
        let mut find = world.command("find", folder);
        crate::run::run(find.args([".", "-type", "f", "-size", "3000c"]), b"")
            .ok()
            .stdout
            .lines()
            .count()
    };
    for _ in 0..4 {
        world.deploy_rev("production/a", &revision);
        world.push();
        let begun = || {
            fs::read_dir(world.path("srv/production/a/releases"))
                .is_ok_and(|mut entries| entries.next().is_some())
        };
        world.wait_until("the checkout began", begun);
        world
            .ours()
            .into_iter()
            .for_each(crate::processes::kill_one);
        world.wait_until("the runner is gone", || world.ours().is_empty());
        if release(&world, &revision).exists() {
            assert_eq!(files(release(&world, &revision)), 4000);
        }
    }
    world.cmd(&["reconcile"]).ok();
    world.settled();
    world.deploy_rev("production/a", &revision);
    world.push();
    assert!(world.settled().last().unwrap().ends_with(" succeeded"));
    assert_eq!(files(release(&world, &revision)), 4000);
    assert_eq!(
        fs::read_dir(world.path("srv/production/a/releases"))
            .unwrap()
            .count(),
        1,
        "leftovers are cleaned up"
    );
}
