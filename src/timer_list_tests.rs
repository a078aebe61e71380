//! Entries that are made, removed, read and refused.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// A folder with a repository in it, the list that the repository is in, and its owner.
fn listed() -> (tempfile::TempDir, PathBuf, PathBuf, u32) {
    let folder = tempfile::tempdir().unwrap();
    let (list, repository) = (folder.path().join("list"), folder.path().join("x.git"));
    for path in [&list, &repository] {
        fs::create_dir(path).unwrap();
    }
    add(&list, &repository).unwrap();
    let owner = fs::metadata(&repository).unwrap().uid();
    (folder, list, repository, owner)
}

#[test]
fn list_that_is_not_there_is_empty() {
    assert!(entries(Path::new("/nonexistent")).unwrap().is_empty());
}

#[test]
fn repository_is_listed_once_and_can_be_removed() {
    let (_folder, list, repository, owner) = listed();
    add(&list, &repository).unwrap();
    assert!(has(&list, &repository));
    assert_eq!(entry_owner(&list, &repository), Some(owner));

    let own = entries(&list).unwrap().remove(&owner).unwrap();
    assert_eq!(own.len(), 1);
    let expect = ListedRepository {
        repository: repository.clone(),
        owner,
    };
    assert_eq!(read(&list, &own[0]).unwrap(), expect);

    remove(&list, &repository).unwrap();
    remove(&list, &repository).unwrap();
    assert!(!has(&list, &repository));
    assert_eq!(entry_owner(&list, &repository), None);
}

#[test]
fn folder_in_the_place_of_an_entry_is_removed() {
    let (_folder, list, repository, _) = listed();
    remove(&list, &repository).unwrap();
    fs::create_dir_all(entry_file(&list, &repository).join("squatter")).unwrap();
    remove(&list, &repository).unwrap();
    assert_eq!(entry_owner(&list, &repository), None);
}

#[test]
fn entries_that_do_not_count_say_why() {
    let (_folder, list, repository, _) = listed();
    let error = |entry: &Path| read(&list, entry).unwrap_err();
    let entry = entry_file(&list, &repository);

    fs::set_permissions(&repository, Permissions::from_mode(0o757)).unwrap();
    let says = error(&entry).to_string();
    assert!(says.ends_with("x.git is writable by everybody"), "{says}");

    fs::remove_dir(&repository).unwrap();
    let missing = error(&entry);
    let says = missing.to_string();
    assert!(matches!(missing, EntryError::Unreadable { path, .. } if path == repository));
    assert!(says.contains("x.git: No such file"), "{says}");

    fs::write(&repository, "").unwrap();
    assert!(matches!(error(&entry), EntryError::NoFolder { .. }));

    fs::write(list.join("bad"), "relative\n").unwrap();
    assert!(matches!(
        error(&list.join("bad")),
        EntryError::NoEntry { .. }
    ));

    symlink("/etc/passwd", list.join("link")).unwrap();
    let is_link = error(&list.join("link"));
    assert!(matches!(is_link, EntryError::Unreadable { path, .. } if path == list.join("link")));
}
