//! Trees that want to write elsewhere: no path of a tree leaves the release folder.

use std::fs;

use crate::checkout::{commit, current, deploy, one_file, release, world};
use crate::run::run;
use crate::tree::{FILE, FOLDER, SUBMODULE, SYMLINK, Trees};
use crate::world::rev;

#[test]
fn hostile_trees_leave_the_release_folder_never() {
    let world = world("");
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    let absolute = outside.to_str().unwrap().to_owned();
    type Make<'a> = Box<dyn Fn(&Trees<'_>) -> String + 'a>;
    let evil = |trees: &Trees<'_>| trees.blob("evil");
    let table: Vec<(&str, Make<'_>)> = vec![
        (
            "..",
            Box::new(|t| t.tree(&[(FOLDER, b"..", &t.path(FILE, b"escaped", &evil(t)))])),
        ),
        (
            "../..",
            Box::new(|t| t.tree(&[(FILE, b"../../../../escaped", &evil(t))])),
        ),
        (
            ".",
            Box::new(|t| t.tree(&[(FOLDER, b".", &t.path(FILE, b"escaped", &evil(t)))])),
        ),
        (
            "absolute",
            Box::new(|t| t.tree(&[(FILE, format!("{absolute}/escaped").as_bytes(), &evil(t))])),
        ),
        ("slash", Box::new(|t| t.tree(&[(FILE, b"a/b", &evil(t))]))),
        ("empty name", Box::new(|t| t.tree(&[(FILE, b"", &evil(t))]))),
        (".git", Box::new(|t| t.path(FILE, b".git/config", &evil(t)))),
        (".GIT", Box::new(|t| t.path(FILE, b".GIT/config", &evil(t)))),
        (
            "git~1",
            Box::new(|t| t.path(FILE, b"git~1/config", &evil(t))),
        ),
        (
            "a file .git",
            Box::new(|t| t.path(FILE, b".git", &t.blob("gitdir: /tmp"))),
        ),
        (
            "a symlink with files below it",
            Box::new(|t| {
                let inner = t.path(FILE, b"escaped", &evil(t));
                t.tree(&[(SYMLINK, b"a", &t.blob(&absolute)), (FOLDER, b"a", &inner)])
            }),
        ),
        (
            "files below a symlink",
            Box::new(|t| {
                let inner = t.path(FILE, b"escaped", &evil(t));
                t.tree(&[(FOLDER, b"a", &inner), (SYMLINK, b"a", &t.blob(&absolute))])
            }),
        ),
        (
            "a file through a symlink",
            Box::new(|t| {
                t.tree(&[
                    (SYMLINK, b"a", &t.blob(&absolute)),
                    (FILE, b"a/escaped", &evil(t)),
                ])
            }),
        ),
        (
            "twice",
            Box::new(|t| {
                t.tree(&[
                    (FILE, b"x", &evil(t)),
                    (SYMLINK, b"x", &t.blob("/etc/passwd")),
                ])
            }),
        ),
    ];
    let good = one_file(&world, "good");
    deploy(&world, &good);
    for (name, make) in &table {
        let revision = commit(&world, |trees| make(trees));
        let last = deploy(&world, &revision);
        let refused = last.contains(" failed: checkout: ");
        assert!(refused || last.ends_with(" succeeded"), "{name}: {last}");
        let found: Vec<_> = fs::read_dir(&outside)
            .unwrap()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        assert!(found.is_empty(), "{name} wrote {found:?}");
        let mut find = world.command("find", "srv/production");
        let stray = run(
            find.args([
                ".",
                "(",
                "-name",
                "escaped",
                "-o",
                "-iname",
                ".git",
                "-o",
                "-iname",
                "git~1",
                ")",
                "-not",
                "-path",
                "*/releases/*/*",
            ]),
            b"",
        )
        .ok();
        assert_eq!(stray.stdout, "", "{name} left the release folder");
        if refused {
            assert!(
                !release(&world, &revision).exists(),
                "{name}: half a release has the final name"
            );
            assert_eq!(current(&world), "good", "{name}");
        } else {
            let git = release(&world, &revision).join(".git");
            assert!(
                git.symlink_metadata().is_err(),
                "{name} made .git in the release"
            );
            deploy(&world, &good);
        }
    }
    for entry in fs::read_dir(world.path("")).unwrap().flatten() {
        assert_ne!(entry.file_name(), "escaped");
    }
}

#[test]
fn an_absolute_symlink_is_a_symlink() {
    let world = world("");
    let revision = commit(&world, |trees| {
        trees.path(SYMLINK, b"passwd", &trees.blob("/etc/passwd"))
    });
    let last = deploy(&world, &revision);
    assert_eq!(last, "#1 production/a succeeded");
    assert_eq!(
        fs::read_link(release(&world, &revision).join("passwd"))
            .unwrap()
            .to_str(),
        Some("/etc/passwd")
    );
}

#[test]
fn what_stands_in_a_releases_place_is_not_followed() {
    let world = world("");
    let revision = one_file(&world, "one");
    fs::create_dir_all(world.path("srv/production/a/releases")).unwrap();
    fs::create_dir(world.path("outside")).unwrap();
    std::os::unix::fs::symlink(world.path("outside"), release(&world, &revision)).unwrap();
    let last = deploy(&world, &revision);
    assert!(
        fs::read_dir(world.path("outside"))
            .unwrap()
            .next()
            .is_none(),
        "{last}"
    );
}

#[test]
fn a_submodule_is_an_empty_folder_or_a_failure() {
    let world = world("");
    let revision = commit(&world, |trees| {
        trees.tree(&[
            (FILE, b"file", &trees.blob("x")),
            (SUBMODULE, b"sub", &rev(9)),
        ])
    });
    let last = deploy(&world, &revision);
    let empty = fs::read_dir(release(&world, &revision).join("sub"))
        .map(|mut entries| entries.next().is_none());
    assert!(
        last.contains(" failed: checkout: ") || empty.unwrap_or(true),
        "{last}"
    );
}
