//! `shared`: what the releases of a checkout have in common; and `REVISION`.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use crate::checkout::{
    commit, commit_files, configure, current, deploy, release, roll_back, world,
};
use crate::nobody::{NOBODY, Nobody};
use crate::run::skip;
use crate::tree::{EXECUTABLE, FILE, SYMLINK, Trees};
use crate::world::World;

/// A path in the checkout's folder.
pub fn checkout(world: &World, path: &str) -> PathBuf {
    world.path("srv/production/a").join(path)
}

/// The content of a file in the checkout's folder.
#[track_caller]
fn read(world: &World, path: &str) -> String {
    let path = checkout(world, path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Where a link in the checkout's folder leads.
#[track_caller]
fn link(world: &World, path: &str) -> String {
    let target = fs::read_link(checkout(world, path)).unwrap();
    target.into_os_string().into_string().unwrap()
}

/// Commits a tree of the file `file` and of other files, each with its content.
pub fn files(world: &World, content: &str, others: &[(&str, &str)]) -> String {
    let all = [&[("file", content)], others].concat();
    commit_files(world, &all)
}

#[test]
fn revision_is_in_each_release_unless_the_tree_has_something_of_that_name() {
    let world = world("");
    let plain = files(&world, "x", &[]);
    deploy(&world, &plain);
    assert_eq!(read(&world, "current/REVISION"), format!("{plain}\n"));

    let own = files(&world, "x", &[("REVISION", "own")]);
    deploy(&world, &own);
    assert_eq!(read(&world, "current/REVISION"), "own");

    let folder = files(&world, "x", &[("REVISION/file", "own")]);
    deploy(&world, &folder);
    assert_eq!(read(&world, "current/REVISION/file"), "own");

    let dangling = commit(&world, |trees| {
        trees.path(SYMLINK, b"REVISION", &trees.blob("nowhere"))
    });
    deploy(&world, &dangling);
    assert_eq!(link(&world, "current/REVISION"), "nowhere");
}

#[test]
fn shared_folder_is_made_and_outlives_releases() {
    let world = world("shared = [\"storage\", \"public/uploads\", \"a/b/c\", \"conf.d/\"]\n");
    let (one, two) = (files(&world, "one", &[]), files(&world, "two", &[]));

    assert_eq!(deploy(&world, &one), "#1 production/a succeeded");
    for (path, target) in [
        ("storage", "../../shared/storage"),
        ("public/uploads", "../../../shared/public/uploads"),
        ("a/b/c", "../../../../shared/a/b/c"),
        ("conf.d", "../../shared/conf.d"),
    ] {
        assert_eq!(link(&world, &format!("current/{path}")), target);
        assert!(checkout(&world, "shared").join(path).is_dir(), "{path}");
    }

    fs::write(checkout(&world, "current/storage/upload"), "upload").unwrap();
    deploy(&world, &two);
    assert_eq!(read(&world, "current/storage/upload"), "upload");
    assert_eq!(read(&world, "current/file"), "two");

    // The links are relative: the checkout can be moved.
    fs::rename(checkout(&world, ""), world.path("moved")).unwrap();
    let moved = world.path("moved/current/storage/upload");
    assert_eq!(fs::read_to_string(moved).unwrap(), "upload");
}

#[test]
fn shared_path_is_filled_from_the_first_revision_and_then_stays() {
    let world = world("shared = [\"storage\", \".env\", \"public/uploads\"]\n");
    let all = |content| {
        let paths = ["storage/seed", ".env", "public/uploads/a"];
        paths.map(|path| (path, content))
    };
    let one = files(&world, "one", &all("one"));
    let two = files(&world, "two", &all("two"));
    let paths = ["storage/seed", ".env", "public/uploads/a"];

    deploy(&world, &one);
    for path in paths {
        assert_eq!(read(&world, &format!("current/{path}")), "one", "{path}");
        assert_eq!(read(&world, &format!("shared/{path}")), "one", "{path}");
    }
    fs::write(checkout(&world, "shared/storage/seed"), "changed").unwrap();

    deploy(&world, &two);
    assert_eq!(current(&world), "two");
    assert_eq!(read(&world, "current/storage/seed"), "changed");
    assert_eq!(read(&world, "current/.env"), "one");
    roll_back(&world, &one);
    assert_eq!(current(&world), "one");
    assert_eq!(read(&world, "current/storage/seed"), "changed");
}

#[test]
fn moved_file_keeps_its_executable_bit() {
    let world = world("shared = [\"tool.sh\"]\n");
    let revision = commit(&world, |trees| {
        trees.path(EXECUTABLE, b"tool.sh", &trees.blob("#!/bin/sh\n"))
    });
    deploy(&world, &revision);
    let mode = fs::metadata(checkout(&world, "shared/tool.sh")).unwrap();
    assert_eq!(
        (mode.permissions().mode() & 0o777, mode.nlink()),
        (0o755, 1)
    );
}

#[test]
fn missing_file_fails_the_deployment_and_is_never_made_up() {
    let world = world("shared = [\"storage\", \"config/.env\"]\n");
    let one = files(&world, "one", &[("storage/seed", "one")]);

    let failed = deploy(&world, &one);
    let file = checkout(&world, "shared/config/.env");
    let expected = format!(
        "#1 production/a failed: checkout: {} is missing; it is shared, and the revision does not \
         have it; put the file there first, or write \"config/.env/\" in shared if a folder is \
         meant",
        file.display()
    );
    assert_eq!(failed, expected);
    assert!(!checkout(&world, "current").exists());
    assert!(!release(&world, &one).exists());
    // Nothing is moved where something is missing.
    assert!(!checkout(&world, "shared/storage").exists());

    fs::write(&file, "SECRET=1").unwrap();
    world.cmd(&["retry", "1"]).ok();
    assert_eq!(world.settled().pop().unwrap(), "#2 production/a succeeded");
    assert_eq!(read(&world, "current/config/.env"), "SECRET=1");
    assert_eq!(read(&world, "shared/storage/seed"), "one");
}

#[test]
fn whatever_is_in_shared_stays_as_it_is() {
    let world = world("shared = [\"data\", \"link.cfg\", \"dangling\", \"pipe\"]\n");
    let one = files(
        &world,
        "one",
        &[
            ("dangling/x", "tree"),
            ("data/x", "tree"),
            ("link.cfg", "tree"),
            ("pipe", "tree"),
        ],
    );
    let volume = world.path("volume");
    fs::create_dir_all(&volume).unwrap();
    fs::write(volume.join("precious"), "precious").unwrap();
    fs::create_dir_all(checkout(&world, "shared")).unwrap();
    symlink(&volume, checkout(&world, "shared/data")).unwrap();
    symlink(volume.join("precious"), checkout(&world, "shared/link.cfg")).unwrap();
    symlink("nowhere", checkout(&world, "shared/dangling")).unwrap();
    world
        .shell_in("srv/production/a/shared", "mkfifo pipe")
        .ok();

    assert_eq!(deploy(&world, &one), "#1 production/a succeeded");
    let two = files(&world, "two", &[("data/x", "tree")]);
    configure(&world, "shared = [\"data\"]\nkeep_releases = 1\n");
    assert_eq!(deploy(&world, &two), "#2 production/a succeeded");

    assert_eq!(read(&world, "current/data/precious"), "precious");
    let names = |folder: &Path| {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&volume), ["precious"]);
    assert_eq!(
        names(&checkout(&world, "shared")),
        ["dangling", "data", "link.cfg", "pipe"]
    );
    assert_eq!(link(&world, "shared/dangling"), "nowhere");
}

#[test]
fn link_in_the_tree_at_a_shared_path_or_above_it_fails() {
    let world = world("shared = [\"public/uploads\"]\n");
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("uploads"), "outside").unwrap();
    let target = outside.to_str().unwrap();
    type Make<'m> = Box<dyn Fn(&Trees<'_>) -> String + 'm>;
    let cases: [(&str, &str, Make<'_>); 3] = [
        (
            "public",
            "a symbolic link",
            Box::new(|trees| trees.path(SYMLINK, b"public", &trees.blob(target))),
        ),
        (
            "public/uploads",
            "a symbolic link",
            Box::new(|trees| trees.path(SYMLINK, b"public/uploads", &trees.blob(target))),
        ),
        (
            "public",
            "a file",
            Box::new(|trees| trees.path(FILE, b"public", &trees.blob(""))),
        ),
    ];
    for there in [false, true] {
        if there {
            fs::create_dir_all(checkout(&world, "shared/public/uploads")).unwrap();
        }
        for (place, what, make) in &cases {
            let revision = commit(&world, make);
            let failed = deploy(&world, &revision);
            let found = format!(
                "/releases/{revision}/{place} is {what}, so public/uploads can't be shared; \
                 deploy a revision without it, or take the path out of shared"
            );
            assert!(failed.ends_with(&found), "{failed}");
            assert!(!release(&world, &revision).exists());
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        }
    }
    assert!(!checkout(&world, "current").exists());
}

#[test]
fn folder_above_what_is_shared_is_no_link() {
    let world = world("shared = [\"config/.env\"]\n");
    let one = files(&world, "one", &[("config/.env", "one")]);
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::create_dir_all(checkout(&world, "")).unwrap();

    for place in ["shared", "shared/config"] {
        let place = checkout(&world, place);
        symlink(&outside, &place).unwrap();
        let failed = deploy(&world, &one);
        let found = format!(
            "{} is a symbolic link, so config/.env can't be shared; what is shared may be a link, \
             but the folders above it may not",
            place.display()
        );
        assert!(failed.ends_with(&found), "{failed}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        fs::remove_file(&place).unwrap();
        fs::create_dir(&place).unwrap();
    }
    let last = deploy(&world, &one);
    assert!(last.ends_with(" succeeded"), "{last}");
}

#[test]
fn release_is_used_again_only_while_the_list_stays_the_same() {
    let world = world("shared = [\"storage\"]\n");
    let (one, two) = (
        files(&world, "one", &[("uploads/seed", "tree")]),
        files(&world, "two", &[]),
    );
    let inode = |path: &str| fs::metadata(checkout(&world, path)).unwrap().ino();
    deploy(&world, &one);
    let first = inode("current/file");
    deploy(&world, &two);

    // The control: it is used again.
    roll_back(&world, &one);
    assert_eq!(inode("current/file"), first);

    configure(&world, "shared = [\"storage\", \"uploads\"]\n");
    let last = deploy(&world, &one);
    assert!(last.ends_with(" succeeded"), "{last}");
    assert_ne!(inode("current/file"), first);
    assert_eq!(link(&world, "current/uploads"), "../../shared/uploads");
    assert_eq!(read(&world, "shared/uploads/seed"), "tree");

    // What was taken out of the list is the release's own again.
    configure(&world, "");
    deploy(&world, &one);
    assert_eq!(read(&world, "current/uploads/seed"), "tree");
    let status = fs::symlink_metadata(checkout(&world, "current/uploads")).unwrap();
    assert!(status.is_dir());
    assert!(!checkout(&world, "current/storage").exists());
    assert!(checkout(&world, "shared/storage").is_dir());
}

#[test]
fn release_whose_shared_path_was_removed_is_exported_anew() {
    let world = world("shared = [\"storage\"]\n");
    let one = files(&world, "one", &[("storage/seed", "tree")]);
    let two = files(&world, "two", &[]);
    deploy(&world, &one);
    deploy(&world, &two);

    fs::remove_dir_all(checkout(&world, "shared")).unwrap();
    roll_back(&world, &one);
    assert_eq!(read(&world, "current/storage/seed"), "tree");
}

#[test]
fn command_finds_what_is_shared() {
    let world = world(
        "shared = [\"storage\"]\n\
         command = [\"/bin/sh\", \"-c\", \"cat storage/count; echo x >> storage/count\"]\n",
    );
    let (one, two) = (files(&world, "one", &[]), files(&world, "two", &[]));
    deploy(&world, &one);
    deploy(&world, &two);
    assert!(world.logs(2).contains("\nx\n"), "{}", world.logs(2));
    assert_eq!(read(&world, "shared/storage/count"), "x\nx\n");
}

#[test]
fn what_is_shared_belongs_to_the_user_of_the_deployment() {
    let world = world("");
    if Nobody::new(&world).is_none() {
        return;
    }
    configure(
        &world,
        "user = \"nobody\"\nshared = [\"storage\", \"made\", \".env\", \"locked/file.txt\"]\n",
    );
    let folder = checkout(&world, "");
    fs::create_dir_all(&folder).unwrap();
    for folder in [world.path("srv"), world.path("srv/production"), folder] {
        chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let revision = files(&world, "one", &[(".env", "tree"), ("storage/seed", "tree")]);

    // What root put there is only linked to.
    fs::create_dir_all(checkout(&world, "shared/locked")).unwrap();
    chown(checkout(&world, "shared"), Some(NOBODY), Some(NOBODY)).unwrap();
    let secret = checkout(&world, "shared/locked/file.txt");
    fs::write(&secret, "secret").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();

    assert_eq!(deploy(&world, &revision), "#1 production/a succeeded");
    let owner = |path: &str| fs::metadata(checkout(&world, path)).unwrap().uid();
    for path in ["shared/storage/seed", "shared/made", "shared/.env"] {
        assert_eq!(owner(path), NOBODY, "{path}");
    }
    let mode = |path: &str| {
        let found = fs::metadata(checkout(&world, path)).unwrap();
        found.permissions().mode() & 0o777
    };
    assert_eq!((mode("shared/made"), mode("shared/.env")), (0o755, 0o644));
    assert_eq!(
        (
            owner("shared/locked/file.txt"),
            mode("shared/locked/file.txt")
        ),
        (0, 0o600)
    );
    assert_eq!(owner("current/REVISION"), NOBODY);
}

/// A file system that is taken away again at the end of a test.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let mut command = std::process::Command::new("umount");
        let _ = command.arg("-l").arg(&self.0).status();
    }
}

#[test]
fn shared_folder_on_another_file_system_is_linked_to_and_never_filled_in_part() {
    let world = world("shared = [\"storage\", \"made\"]\n");
    let one = files(&world, "one", &[("storage/seed", "tree")]);
    fs::create_dir_all(checkout(&world, "shared")).unwrap();
    let mount = world.shell_in("srv/production/a", "mount -t tmpfs tmpfs shared");
    if mount.code != Some(0) {
        skip("only a user who may mount has another file system");
        return;
    }
    let mounted = Mounted(checkout(&world, "shared"));

    let failed = deploy(&world, &one);
    let expected = format!(
        "{} is missing; it is shared, and on another file system than the releases; copy the \
         revision's content there first",
        checkout(&world, "shared/storage").display()
    );
    let is_named = failed.ends_with(&expected);
    fs::create_dir(checkout(&world, "shared/storage")).unwrap();
    let last = deploy(&world, &one);
    let made = checkout(&world, "current/made").is_dir();
    world.wait_until_idle();
    drop(mounted);

    assert!(is_named, "{failed}");
    assert!(last.ends_with(" succeeded"), "{last}");
    assert!(made);
}
