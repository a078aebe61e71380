//! Trees that try to write elsewhere: no path of a tree may leave the release folder.

use std::fs;
use std::os::unix::fs::symlink;

use crate::applications::{refused, try_deploy};
use crate::checkout::{
    commit, configure, current, deploy, deploy_unjudged, one_file, release, world,
};
use crate::run::run;
use crate::tree::{FILE, FOLDER, SUBMODULE, SYMLINK, Trees};
use crate::world::{World, rev};

type Make<'a> = Box<dyn Fn(&Trees<'_>) -> String + 'a>;

/// Trees that an attacker could make, each with a name. `outside` is a folder that an absolute path
/// in them leads to.
fn hostile_trees(outside: &str) -> Vec<(&'static str, Make<'_>)> {
    let evil = |t: &Trees<'_>| t.blob("evil");
    let entry = move |mode, name: Vec<u8>| -> Make<'_> {
        Box::new(move |t| t.tree(&[(mode, &name, &evil(t))]))
    };
    let below = move |name: &'static [u8]| -> Make<'_> {
        Box::new(move |t| t.tree(&[(FOLDER, name, &t.path(FILE, b"escaped", &evil(t)))]))
    };
    let path =
        move |path: &'static [u8]| -> Make<'_> { Box::new(move |t| t.path(FILE, path, &evil(t))) };

    vec![
        ("..", below(b"..")),
        ("../..", entry(FILE, b"../../../../escaped".to_vec())),
        (".", below(b".")),
        ("absolute", entry(FILE, format!("{outside}/escaped").into())),
        ("slash", entry(FILE, b"a/b".to_vec())),
        ("empty name", entry(FILE, b"".to_vec())),
        (".git", path(b".git/config")),
        (".GIT", path(b".GIT/config")),
        ("git~1", path(b"git~1/config")),
        ("a file .git", path(b".git")),
        (
            "a symlink with files below it",
            Box::new(move |t| {
                let inner = t.path(FILE, b"escaped", &evil(t));
                t.tree(&[(SYMLINK, b"a", &t.blob(outside)), (FOLDER, b"a", &inner)])
            }),
        ),
        (
            "files below a symlink",
            Box::new(move |t| {
                let inner = t.path(FILE, b"escaped", &evil(t));
                t.tree(&[(FOLDER, b"a", &inner), (SYMLINK, b"a", &t.blob(outside))])
            }),
        ),
        (
            "a file through a symlink",
            Box::new(move |t| {
                let link = t.blob(outside);
                t.tree(&[(SYMLINK, b"a", &link), (FILE, b"a/escaped", &evil(t))])
            }),
        ),
        (
            "twice",
            Box::new(move |t| {
                let link = t.blob("/etc/passwd");
                t.tree(&[(FILE, b"x", &evil(t)), (SYMLINK, b"x", &link)])
            }),
        ),
    ]
}

/// Files called `escaped` or like git's own folder, which are not inside a release.
fn strays(world: &World) -> String {
    let mut find = world.command("find", ".");
    find.args([".", "(", "-name", "escaped", "-o", "-ipath", "./srv/*/.git"])
        .args(["-o", "-ipath", "./srv/*/git~1", ")"])
        .args(["-not", "-path", "*/releases/*/*"]);
    run(&mut find, b"").ok().stdout
}

#[test]
fn hostile_tree_fails_and_writes_nothing_outside_its_release() {
    let world = world("");
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    let good = one_file(&world, "good");
    deploy(&world, &good);

    for (name, make) in hostile_trees(outside.to_str().unwrap()) {
        let revision = commit(&world, |trees| make(trees));
        let said = refused(try_deploy(&world, "production/a", &revision));
        assert!(said.contains("can't be checked out: "), "{name}: {said}");
        let last = deploy_unjudged(&world, &revision);

        assert!(last.contains(" failed: checkout: "), "{name}: {last}");
        let left = release(&world, &revision);
        assert!(!left.exists(), "{name}: a part of a release is left");
        assert_eq!(current(&world), "good", "{name}");
        assert_eq!(strays(&world), "", "{name}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{name}");
    }

    // The control: such files would be found.
    fs::write(outside.join("escaped"), "").unwrap();
    fs::create_dir(world.path("srv/production/a/.GIT")).unwrap();
    assert_eq!(strays(&world).lines().count(), 2);
}

#[test]
fn absolute_symlink_is_checked_out_as_a_symlink() {
    let world = world("");
    let revision = commit(&world, |trees| {
        trees.path(SYMLINK, b"passwd", &trees.blob("/etc/passwd"))
    });

    assert_eq!(deploy(&world, &revision), "#1 production/a succeeded");

    let link = fs::read_link(release(&world, &revision).join("passwd")).unwrap();
    assert_eq!(link.to_str(), Some("/etc/passwd"));
}

#[test]
fn symlink_in_the_place_of_a_release_is_not_followed() {
    let world = world("");
    let revision = one_file(&world, "one");
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::create_dir_all(world.path("srv/production/a/releases")).unwrap();
    symlink(&outside, release(&world, &revision)).unwrap();

    let last = deploy(&world, &revision);

    assert_eq!(last, "#1 production/a succeeded");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(release(&world, &revision).is_dir());
}

#[test]
fn submodule_is_refused_unless_an_empty_folder_is_meant() {
    let world = world("");
    let revision = commit(&world, |trees| {
        let file = trees.blob("x");
        trees.tree(&[(FILE, b"file", &file), (SUBMODULE, b"sub", &rev(9))])
    });

    let refused = deploy_unjudged(&world, &revision);
    assert!(refused.contains("\"sub\" is a submodule"), "{refused}");
    assert!(!release(&world, &revision).exists());

    configure(&world, "submodules = \"empty\"\n");
    assert_eq!(deploy(&world, &revision), "#3 production/a succeeded");
    let inside = fs::read_dir(release(&world, &revision).join("sub")).unwrap();
    assert_eq!(inside.count(), 0);
}

#[test]
fn pointer_of_git_lfs_is_refused_unless_it_is_meant() {
    let world = world("");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n";
    let revision = commit(&world, |trees| {
        trees.path(FILE, b"assets/logo.png", &trees.blob(pointer))
    });

    let refused = deploy_unjudged(&world, &revision);
    assert!(
        refused.contains("\"assets/logo.png\" is kept in Git LFS"),
        "{refused}"
    );
    assert_eq!(fs::read_dir(release(&world, "")).unwrap().count(), 0);

    configure(&world, "lfs = \"pointers\"\n");
    assert_eq!(deploy(&world, &revision), "#3 production/a succeeded");
    let file = release(&world, &revision).join("assets/logo.png");
    assert_eq!(fs::read_to_string(file).unwrap(), pointer);
}

#[test]
fn tree_that_stands_for_too_much_is_refused_before_anything_is_written() {
    let world = world("");
    let wide = |trees: &Trees<'_>, levels: usize, width: usize| {
        let names: Vec<String> = (0..width).map(|n| format!("{n:03}")).collect();
        let mut inner = trees.path(FILE, b"file", &trees.blob(""));
        for _ in 0..levels {
            let entries: Vec<_> = names
                .iter()
                .map(|name| (FOLDER, name.as_bytes(), inner.as_str()))
                .collect();
            inner = trees.tree(&entries);
        }
        inner
    };
    let long = ["x".repeat(200).as_str(); 25].join("/");
    let trees: [(&str, Make<'_>); 4] = [
        ("a million million files", Box::new(|t| wide(t, 12, 10))),
        ("more than 64 bits can count", Box::new(|t| wide(t, 30, 10))),
        ("deep", Box::new(|t| wide(t, 200, 1))),
        (
            "long",
            Box::new(|t| t.path(FILE, long.as_bytes(), &t.blob(""))),
        ),
    ];

    for (name, make) in trees {
        let revision = commit(&world, make);
        let said = refused(try_deploy(&world, "production/a", &revision));
        assert!(said.contains("too large"), "{name}: {said}");
        let last = deploy_unjudged(&world, &revision);
        assert!(last.contains(" failed: checkout: "), "{name}: {last}");
        assert!(last.contains("too large"), "{name}: {last}");
        let releases = fs::read_dir(release(&world, "")).unwrap();
        assert_eq!(releases.count(), 0, "{name}");
    }
}

#[test]
fn files_of_every_size_arrive_whole() {
    let world = world("");
    // Around the sizes of the buffers and of the pipe between the two processes.
    let sizes = [0, 1, 65_535, 65_536, 262_143, 262_144, 262_145, 3_000_000];
    let content =
        |size: usize| -> Vec<u8> { (0_u32..).flat_map(u32::to_le_bytes).take(size).collect() };
    let revision = commit(&world, |trees| {
        let blobs = sizes.map(|size| (size.to_string(), trees.blob(content(size))));
        let entries = blobs
            .each_ref()
            .map(|(name, blob)| (FILE, name.as_bytes(), blob.as_str()));
        trees.tree(&entries)
    });

    assert_eq!(deploy(&world, &revision), "#1 production/a succeeded");
    for size in sizes {
        let file = release(&world, &revision).join(size.to_string());
        assert!(fs::read(file).unwrap() == content(size), "{size}");
    }
}
