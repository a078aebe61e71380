//! Releases of another user than the runner: nothing is done with more rights than that user has.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use crate::checkout::{configure, current, deploy, one_file, release, roll_back, world};
use crate::nobody::{NOBODY, Nobody};
use crate::run::{run, skip};
use crate::world::World;

/// A world whose checkouts belong to the user nobody, in a folder of that user's.
fn world_of_nobody(more: &str) -> Option<World> {
    let world = world("");
    Nobody::new(&world)?;
    configure(&world, &format!("user = \"nobody\"\n{more}"));
    // The application's repository is root's alone.
    let private = fs::Permissions::from_mode(0o700);
    fs::set_permissions(world.path("apps"), private).unwrap();
    fs::create_dir_all(world.path("srv/production/a")).unwrap();
    for folder in ["srv", "srv/production", "srv/production/a"] {
        chown(world.path(folder), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    Some(world)
}

/// Whose the files in and below a folder are.
fn owners(world: &World, folder: &Path) -> String {
    let mut find = world.command("find", folder);
    find.args([".", "-printf", "%U\\n"]);
    let all = run(&mut find, b"").ok().stdout;
    let mut owners: Vec<&str> = all.lines().collect();
    owners.sort_unstable();
    owners.dedup();
    owners.join(" ")
}

#[test]
fn everything_in_a_checkout_belongs_to_the_user_of_the_deployment() {
    let Some(world) = world_of_nobody("keep_releases = 1\n") else {
        return;
    };
    let (one, two) = (one_file(&world, "one"), one_file(&world, "two"));

    assert_eq!(deploy(&world, &one), "#1 production/a succeeded");
    assert_eq!(deploy(&world, &two), "#2 production/a succeeded");
    assert_eq!(roll_back(&world, &one), "#3 production/a succeeded");

    assert_eq!(current(&world), "one");
    let folder = world.path("srv/production/a");
    assert_eq!(owners(&world, &folder), NOBODY.to_string());
    assert_eq!(fs::read_dir(release(&world, "")).unwrap().count(), 1);
}

#[test]
fn link_of_the_user_leads_root_nowhere() {
    let Some(world) = world_of_nobody("") else {
        return;
    };
    let secret = world.path("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("file"), "secret").unwrap();
    let private = fs::Permissions::from_mode(0o700);
    fs::set_permissions(&secret, private).unwrap();
    let revision = one_file(&world, "one");
    let unfinished = PathBuf::from(format!("releases/.unfinished-{revision}.2"));

    let places = [
        Path::new("releases"),
        &unfinished,
        Path::new("current"),
        Path::new(".unfinished-current"),
        Path::new(".unfinished-claim"),
        Path::new(".deploy-by-code"),
        Path::new(""),
    ];
    for place in places {
        let folder = world.path("srv/production/a");
        fs::remove_dir_all(&folder).unwrap();
        if !place.as_os_str().is_empty() {
            fs::create_dir_all(folder.join("releases")).unwrap();
            if place == Path::new("releases") {
                fs::remove_dir(folder.join("releases")).unwrap();
            }
        }
        let link = world.path("srv/production").join("a").join(place);
        let link = PathBuf::from(link.to_str().unwrap().trim_end_matches('/'));
        symlink(&secret, &link).unwrap();
        world.shell_in("srv", "chown -hR nobody .").ok();

        deploy(&world, &revision);

        let left: Vec<_> = fs::read_dir(&secret).unwrap().collect();
        assert_eq!(left.len(), 1, "{}: {left:?}", place.display());
        assert_eq!(fs::read_to_string(secret.join("file")).unwrap(), "secret");
        assert_eq!(fs::metadata(&secret).unwrap().uid(), 0);
        if place.as_os_str().is_empty() {
            fs::remove_file(&link).unwrap();
            fs::create_dir(&link).unwrap();
        }
    }
}

#[test]
fn root_without_a_user_follows_no_link_of_somebody_else() {
    let world = world("");
    if Nobody::new(&world).is_none() {
        return;
    }
    let secret = world.path("secret");
    fs::create_dir(&secret).unwrap();
    let production = world.path("srv/production");
    fs::create_dir_all(&production).unwrap();
    symlink(&secret, production.join("a")).unwrap();
    lchown(production.join("a"), Some(NOBODY), Some(NOBODY)).unwrap();
    let revision = one_file(&world, "one");

    let last = deploy(&world, &revision);
    assert!(last.contains("a link that another user made"), "{last}");
    assert_eq!(fs::read_dir(&secret).unwrap().count(), 0);

    // The control: a link of root's own is followed.
    lchown(production.join("a"), Some(0), Some(0)).unwrap();
    assert_eq!(deploy(&world, &revision), "#2 production/a succeeded");
    assert!(secret.join("current").exists());
}

#[test]
fn release_with_files_of_root_is_exported_anew() {
    // The user's command leaves a folder that only root can enter, as a container may.
    let Some(world) = world_of_nobody("") else {
        return;
    };
    let (one, two) = (one_file(&world, "one"), one_file(&world, "two"));
    deploy(&world, &one);
    let lock_up = |revision: &str| {
        let folder = release(&world, revision).join("cache");
        fs::create_dir_all(folder.join("inner")).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    };

    lock_up(&one);
    assert_eq!(deploy(&world, &two), "#2 production/a succeeded");
    assert_eq!(roll_back(&world, &one), "#3 production/a succeeded");
    assert_eq!(current(&world), "one");
    assert!(!release(&world, &one).join("cache").exists());
}

/// A file system that is taken away again at the end of a test.
pub struct Mounted(pub PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status();
    }
}

#[test]
fn full_disk_is_named_and_leaves_no_part_of_a_release() {
    let world = world("");
    fs::create_dir(world.path("srv")).unwrap();
    let mount = world.shell_in(".", "mount -t tmpfs -o size=256k tmpfs srv");
    if mount.code != Some(0) {
        skip("only a user who may mount can fill a disk");
        return;
    }
    let _mounted = Mounted(world.path("srv"));
    let small = one_file(&world, "small");
    let large = one_file(&world, &"x".repeat(1_000_000));

    assert_eq!(deploy(&world, &small), "#1 production/a succeeded");
    let last = deploy(&world, &large);
    let is_named = last.contains("/file: No space left on device");
    let repository = last.contains("apps/a.git");
    let left = fs::read_dir(release(&world, "")).unwrap().count();
    let now = current(&world);
    world.wait_until_idle();

    assert!(is_named && !repository, "{last}");
    assert_eq!((left, now.as_str()), (1, "small"));
}
