//! Tests of [`super`]: what is read again, and what happens when there is no time.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::super::scratch;
use super::*;

const REFUSE: ExportRules = ExportRules {
    lfs_pointers: false,
    empty_submodules: false,
};

fn git(folder: &Path, arguments: &[&str]) -> String {
    scratch(folder, arguments).unwrap().trim().to_owned()
}

/// Commits everything in a folder, and the submodule `vendor/lib`.
fn commit(folder: &Path) -> Revision {
    let submodule = format!("160000,{},vendor/lib", "1".repeat(40));
    git(folder, &["add", "-A"]);
    git(
        folder,
        &["update-index", "--add", "--cacheinfo", &submodule],
    );
    git(folder, &["commit", "-q", "-m", "x"]);
    Revision::new(git(folder, &["rev-parse", "HEAD"])).unwrap()
}

/// A repository with the folders `same` and `other`, of which only `other` differs between the two
/// revisions.
fn two_revisions(folder: &Path) -> (Repository, Revision, Revision) {
    git(folder, &["init", "-q"]);
    let write = |path: &str, content: &str| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    write("same/file", "x");
    write("other/file", "one");
    let one = commit(folder);
    write("other/file", "two");
    let two = commit(folder);
    (Repository::open(&folder.join(".git")).unwrap(), one, two)
}

fn never() -> Deadline {
    Deadline::after(Duration::MAX)
}

fn submodule() -> ExportObstacle {
    ExportObstacle {
        path: b"vendor/lib".to_vec(),
        kind: ObstacleKind::Submodule,
    }
}

#[test]
fn of_the_next_revision_only_what_differs_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (repository, one, two) = two_revisions(folder.path());
    let mut surveyor = Surveyor::default();
    let first = surveyor
        .survey(&repository, &one, None, REFUSE, never())
        .unwrap();

    let same = git(folder.path(), &["rev-parse", "HEAD:same"]);
    let (start, rest) = same.split_at(2);
    fs::remove_file(folder.path().join(".git/objects").join(start).join(rest)).unwrap();

    let second = surveyor
        .survey(&repository, &two, None, REFUSE, never())
        .unwrap();
    assert_eq!(first, second);
    assert_eq!(
        (second.entries, second.is_whole, second.obstacles),
        (6, true, vec![submodule()])
    );
    // The control: whoever does not know the folder has to read it.
    let unknowing = Surveyor::default().survey(&repository, &two, None, REFUSE, never());
    assert!(unknowing.is_err());
}

#[test]
fn what_there_was_no_time_for_is_looked_at_the_next_time() {
    let folder = tempfile::tempdir().unwrap();
    let (repository, one, _) = two_revisions(folder.path());
    let mut surveyor = Surveyor::default();

    let over = Deadline::after(Duration::ZERO);
    let partial = surveyor
        .survey(&repository, &one, None, REFUSE, over)
        .unwrap();
    assert_eq!((partial.is_whole, partial.obstacles), (false, vec![]));

    let whole = surveyor
        .survey(&repository, &one, None, REFUSE, never())
        .unwrap();
    assert_eq!((whole.is_whole, whole.obstacles), (true, vec![submodule()]));
}

#[test]
fn each_of_the_rules_has_an_answer_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (repository, one, _) = two_revisions(folder.path());
    let mut surveyor = Surveyor::default();
    for _ in 0..2 {
        for empty_submodules in [true, false] {
            let rules = ExportRules {
                empty_submodules,
                ..REFUSE
            };
            let survey = surveyor
                .survey(&repository, &one, None, rules, never())
                .unwrap();
            assert_eq!(survey.obstacles.is_empty(), empty_submodules);
        }
    }
}
