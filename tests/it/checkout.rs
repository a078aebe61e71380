//! `checkout`: the files of a revision, complete and nowhere else, and the symlink `current`.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::applications::take_away;
use crate::processes::kill_one;
use crate::run::run;
use crate::tree::{EXECUTABLE, FILE, FOLDER, SYMLINK, Trees};
use crate::world::{World, rev};

const CONFIG: &str = "checkout = \"{W}/srv/{environment}/{application}\"\n\
                      repository = \"{W}/apps/{application}.git\"\n\
                      kill_after = \"1s\"\n\
                      grace = \"300ms\"\n";

/// A world with an application repository `a`, and a configuration of `checkout` to which `more` is
/// added.
pub fn world(more: &str) -> World {
    let world = World::installed();
    fs::create_dir(world.path("apps")).unwrap();
    world.git_in(".", &["init", "-q", "--bare", "-b", "main", "apps/a.git"]);
    configure(&world, more);
    world
}

/// Writes a configuration of `checkout` to which `more` is added.
pub fn configure(world: &World, more: &str) {
    world.config_file(&format!("[defaults]\n{CONFIG}{more}"));
}

/// The order of a step of a checkout in a folder, as a runner writes it.
pub fn order(world: &World, folder: &Path, id: u32, revision: &str) -> serde_json::Value {
    serde_json::json!({
        "folder": folder,
        "owner": { "target": "production/a", "state": "id /srv" },
        "repository": world.path("apps/a.git"),
        "revision": revision,
        "id": id,
        "reusable": null,
        "has_command": false,
        "user": null,
        "is_shared": false,
        "subdirectory": null,
        "shared": [],
        "rules": { "lfs_pointers": false, "empty_submodules": false },
        "link": "Reflink",
        "is_alone": false,
        "release": null,
        "succeeded": [],
        "keep": 5,
    })
}

/// Commits a tree to the main branch of the application repository.
pub fn commit(world: &World, tree: impl FnOnce(&Trees<'_>) -> String) -> String {
    let git = |arguments: &[&str]| world.git_in("apps/a.git", arguments);
    let trees = Trees::new(world, "apps/a.git");
    let parent = git(&["for-each-ref", "--format=%(objectname)", "refs/heads/main"]);
    let parent = Some(parent.as_str()).filter(|parent| !parent.is_empty());
    let commit = trees.commit(&tree(&trees), parent);
    git(&["update-ref", "refs/heads/main", &commit]);
    commit
}

/// Commits a tree with one file, `file`.
pub fn one_file(world: &World, content: &str) -> String {
    commit(world, |trees| {
        trees.path(FILE, b"file", &trees.blob(content))
    })
}

/// Commits a tree of files, each with its content. At the top, at most one of them is in each
/// folder.
pub fn commit_files(world: &World, files: &[(&str, &str)]) -> String {
    commit(world, |trees| {
        let mut entries = Vec::new();
        for (path, content) in files {
            let blob = trees.blob(content);
            entries.push(match path.split_once('/') {
                Some((folder, path)) => (FOLDER, folder, trees.path(FILE, path.as_bytes(), &blob)),
                None => (FILE, *path, blob),
            });
        }
        entries.sort_by_key(|(_, name, _)| *name);
        let entries: Vec<(&str, &[u8], &str)> = entries
            .iter()
            .map(|(mode, name, object)| (*mode, name.as_bytes(), object.as_str()))
            .collect();
        trees.tree(&entries)
    })
}

/// The folder of a release.
pub fn release(world: &World, revision: &str) -> PathBuf {
    world.path("srv/production/a/releases").join(revision)
}

/// The content of `file` in the current release.
pub fn current(world: &World) -> String {
    fs::read_to_string(world.path("srv/production/a/current/file")).unwrap()
}

/// Deploys to production, and returns the last line of the history.
#[track_caller]
pub fn deploy(world: &World, revision: &str) -> String {
    world.deploy_rev("production/a", revision);
    world.push();
    world.settled().pop().unwrap()
}

/// Deploys to production what no rule has judged as a checkout: `checkout` is configured after a
/// push, and then the deployment is tried again without asking the rules. Returns the last line of
/// the history.
#[track_caller]
pub fn deploy_unjudged(world: &World, revision: &str) -> String {
    let config = world.config_text();
    world.config_file(&config.replace("checkout = ", "command = [\"false\"] # "));
    let failed = deploy(world, revision);
    world.config_file(&config);

    let number = failed.trim_start_matches('#').split(' ').next().unwrap();
    world.cmd(&["retry", "--stale", number]).ok();
    world.settled().pop().unwrap()
}

/// The same, backwards.
#[track_caller]
pub fn roll_back(world: &World, revision: &str) -> String {
    world.deploy_rev("production/a", revision);
    world.try_push_saying("Deploy-Rollback: a test").ok();
    world.settled().pop().unwrap()
}

fn inode(path: PathBuf) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[test]
fn checkout_keeps_contents_executable_bits_and_symlinks() {
    let world = world("");
    let revision = commit(&world, |trees| {
        let text = trees.blob("text\r\n\0");
        let program = trees.blob("#!/bin/sh\n");
        let link = trees.blob("../b/program");
        let empty = trees.blob("");
        let inner = trees.tree(&[(FILE, b"deep", &text)]);
        let a = trees.tree(&[(SYMLINK, b"link", &link)]);
        let b = trees.tree(&[
            (FOLDER, b"inner", &inner),
            (EXECUTABLE, b"program", &program),
        ]);
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
    let link = fs::read_link(root.join("a/link")).unwrap();
    assert_eq!(link.to_str(), Some("../b/program"));
    let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode("b/program"), mode("empty"), mode("b")),
        (0o755, 0o644, 0o755)
    );
    assert_eq!(
        fs::canonicalize(world.path("srv/production/a/current")).unwrap(),
        fs::canonicalize(&root).unwrap()
    );
    assert!(!root.join(".git").exists());
}

#[test]
fn checkout_writes_odd_but_legal_file_names() {
    let world = world("");
    // git itself writes tab and newline as well. The others are forbidden on other systems only.
    let names = [
        "Foo::Bar.3pm".as_bytes(),
        b"aux.c",
        b"ends.",
        b"a b",
        "\u{e9}\u{202e}".as_bytes(),
        b"-rf",
        b"tab\tand\nnewline",
        b"\x1b[31m",
        b"a\\b",
        b"not-utf-8-\xff",
    ];

    for (number, name) in (1..).zip(names) {
        let shown = String::from_utf8_lossy(name).into_owned();
        let revision = commit(&world, |trees| trees.path(FILE, name, &trees.blob("text")));
        let expected = format!("#{number} production/a succeeded");
        assert_eq!(deploy(&world, &revision), expected, "{shown:?}");

        let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(name);
        let content = fs::read(release(&world, &revision).join(name)).unwrap();
        assert_eq!(content, b"text", "{shown:?}");
    }
}

#[test]
fn checkout_moves_current_and_uses_a_release_again() {
    let world = world("");
    let (one, two) = (one_file(&world, "one"), one_file(&world, "two"));
    deploy(&world, &one);
    assert_eq!(current(&world), "one");
    let made_first = inode(release(&world, &one).join("file"));

    deploy(&world, &two);
    assert_eq!(current(&world), "two");

    roll_back(&world, &one);
    assert_eq!(current(&world), "one");
    assert_eq!(inode(release(&world, &one).join("file")), made_first);
    assert_eq!(deploy(&world, &one), "#4 production/a succeeded");
}

#[test]
fn checkout_command_runs_in_the_release_and_can_fail_it() {
    let world = world(
        "command = [\"/bin/sh\", \"-c\", \
         \"pwd; echo $DEPLOY_CHECKOUT; cat file; test $(cat file) != bad\"]\n",
    );
    let (good, bad) = (one_file(&world, "good"), one_file(&world, "bad"));

    assert_eq!(deploy(&world, &good), "#1 production/a succeeded");
    let root = fs::canonicalize(release(&world, &good)).unwrap();
    let root = root.to_str().unwrap();
    let log = world.logs(1);
    assert!(log.contains(&format!("\n{root}\n{root}\ngood")), "{log}");

    let failed = "#2 production/a failed: exit status 1";
    assert_eq!(deploy(&world, &bad), failed);
    assert_eq!(current(&world), "good");
}

#[test]
fn keep_releases_keeps_the_newest_and_the_current_one() {
    let world = world("keep_releases = 2\n");
    let revisions: Vec<_> = (0..4).map(|n| one_file(&world, &n.to_string())).collect();
    for revision in &revisions {
        deploy(&world, revision);
    }

    let kept = || -> Vec<bool> {
        let exists = |revision: &String| release(&world, revision).exists();
        revisions.iter().map(exists).collect()
    };
    world.wait_until("old releases are removed", || {
        kept() == [false, false, true, true]
    });

    let back = roll_back(&world, &revisions[2]);
    assert_eq!(back, "#5 production/a succeeded");
    assert_eq!(kept(), [false, false, true, true]);
    let left = fs::read_dir(world.path("srv/production/a/releases")).unwrap();
    assert_eq!(left.count(), 2, "no unfinished release is left");
}

#[test]
fn checkout_of_two_environments_shares_nothing() {
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
    let staging = fs::read_to_string(world.path("srv/staging/a/current/file")).unwrap();
    assert_eq!(staging, "two");
    let file = |environment: &str| {
        let path = format!("srv/{environment}/a/releases/{one}/file");
        inode(world.path(&path))
    };
    assert_ne!(file("production"), file("staging"));
}

#[test]
fn checkout_folder_of_another_environment_fails() {
    let world = world("");
    configure(
        &world,
        "[environments.production]\n\
         [environments.staging]\ncheckout = \"{W}/srv/production/a\"\n",
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
fn checkout_of_a_revision_that_vanished_fails() {
    let world = world("[environments.production]\non_freeze = \"hold\"\n");
    let revision = one_file(&world, "one");
    let freeze = ["freeze", "production", "--reason", "x"];
    world.cmd(&freeze).ok();
    world.deploy_rev("production/a", &revision);
    world.push();

    take_away(&world, "a");
    world.cmd(&["thaw", "production"]).ok();

    let last = world.settled().pop().unwrap();
    assert!(
        last.starts_with("#1 production/a failed: checkout: "),
        "{last}"
    );
    assert!(!world.path("srv/production/a/current").exists());
}

#[test]
fn post_receive_plans_no_revision_that_does_not_exist() {
    let world = world("");
    one_file(&world, "one");
    fs::remove_file(world.path("deploy.git/hooks/pre-receive")).unwrap();

    world.deploy_rev("production/a", &rev(1));
    world
        .push()
        .says("problem production/a.deploy: 0000001 is not in the repository of a");
    assert_eq!(world.settled().len(), 0);

    // The next entry of the file, which exists, is deployed.
    let revision = one_file(&world, "two");
    assert_eq!(deploy(&world, &revision), "#1 production/a succeeded");
}

#[test]
fn checkout_works_from_a_sha256_repository() {
    let world = World::installed();
    fs::create_dir(world.path("apps")).unwrap();
    let init = ["init", "-q", "--bare", "-b", "main"];
    let kind = ["--object-format=sha256", "apps/a.git"];
    world.git_in(".", &[&init[..], &kind].concat());
    configure(&world, "");

    let revision = one_file(&world, "sha256");
    assert_eq!(revision.len(), 64);
    assert_eq!(deploy(&world, &revision), "#1 production/a succeeded");
    assert_eq!(current(&world), "sha256");
}

#[test]
fn checkout_works_from_a_clone_and_from_a_linked_work_tree() {
    for linked in [false, true] {
        let world = world("");
        let revision = one_file(&world, "one");
        if linked {
            let add = ["worktree", "add", "-q", "--detach", "../linked", "main"];
            world.git_in("apps/a.git", &add);
        } else {
            world.git_in("apps", &["clone", "-q", "a.git", "linked"]);
        }
        let config = world.config_text();
        world.config_file(&config.replace("/{application}.git", "/linked"));

        assert_eq!(deploy(&world, &revision), "#1 production/a succeeded");
        assert_eq!(current(&world), "one");
    }
}

/// A tree of 4,000 files of 3,000 bytes.
pub fn large_tree(trees: &Trees<'_>) -> String {
    fn entries<'a>(names: &'a [String], mode: &'a str, object: &'a str) -> Vec<Entry<'a>> {
        names
            .iter()
            .map(|name| (mode, name.as_bytes(), object))
            .collect()
    }
    type Entry<'a> = (&'a str, &'a [u8], &'a str);

    let blob = trees.blob("x".repeat(3000));
    let files: Vec<_> = (0..200).map(|n| format!("file-{n:03}")).collect();
    let folders: Vec<_> = (0..20).map(|n| format!("folder-{n:02}")).collect();
    let folder = trees.tree(&entries(&files, FILE, &blob));
    trees.tree(&entries(&folders, FOLDER, &folder))
}

#[test]
fn checkout_that_is_killed_leaves_no_part_of_a_release() {
    let world = world("");
    let revision = commit(&world, large_tree);
    let release = release(&world, &revision);
    let releases = world.path("srv/production/a/releases");
    let in_releases = || fs::read_dir(&releases).map_or(0, Iterator::count);
    let files = || {
        let mut find = world.command("find", &release);
        find.args([".", "-type", "f", "-size", "3000c"]);
        run(&mut find, b"").ok().stdout.lines().count()
    };

    // The control: at least one of the kills hits an unfinished checkout.
    let mut unfinished = 0;
    for _ in 0..20 {
        world.deploy_rev("production/a", &revision);
        world.push();
        world.wait_until("the checkout began", || in_releases() > 0);
        world.ours().into_iter().for_each(kill_one);
        world.wait_until_idle();

        if release.exists() {
            assert_eq!(files(), 4000);
            fs::remove_dir_all(&releases).unwrap();
        } else {
            unfinished += in_releases();
        }
        if unfinished >= 3 {
            break;
        }
    }
    assert!(unfinished > 0, "no kill hit an unfinished checkout");

    world.cmd(&["reconcile"]).ok();
    world.settled();
    world.deploy_rev("production/a", &revision);
    world.push();
    assert!(world.settled().last().unwrap().ends_with(" succeeded"));
    assert_eq!(files(), 4000);
    assert_eq!(in_releases(), 1, "unfinished checkouts are removed");
}
