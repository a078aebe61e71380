//! Which releases are used again, which are kept, and to whom a checkout belongs.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use crate::checkout::{current, deploy, one_file, release, roll_back, world};
use crate::processes::kill_one;
use crate::world::World;

/// A command that fails where it finds what an earlier run left, leaves something itself, and ends
/// as the file `result` of the world says.
const LEAVES_DIRT: &str = "command = [\"/bin/sh\", \"-c\", \"test ! -e dirt || exit 9; \
    echo dirt > dirt; echo changed > file; exit $(cat {W}/result)\"]\n";

fn set_result(world: &World, status: u8) {
    fs::write(world.path("result"), status.to_string()).unwrap();
}

/// Deploys a revision that contains what was rolled back.
#[track_caller]
fn go_on(world: &World, revision: &str) -> String {
    world.deploy_rev("production/a", revision);
    world.try_push_saying("Deploy-Release: a test").ok();
    world.settled().pop().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn retry_of_a_failed_deployment_runs_in_a_fresh_release() {
    let world = world(LEAVES_DIRT);
    let revision = one_file(&world, "one");

    set_result(&world, 3);
    let failed = deploy(&world, &revision);
    assert_eq!(failed, "#1 production/a failed: exit status 3");
    assert!(!release(&world, &revision).exists(), "it is not kept");

    world.cmd(&["retry", "1"]).ok();
    let failed = world.settled().pop().unwrap();
    assert_eq!(failed, "#2 production/a failed: exit status 3");

    set_result(&world, 0);
    world.cmd(&["retry", "2"]).ok();
    assert_eq!(world.settled().last().unwrap(), "#3 production/a succeeded");
}

#[test]
fn retry_of_an_interrupted_deployment_runs_in_a_fresh_release() {
    let world = world(
        "command = [\"/bin/sh\", \"-c\", \"test ! -e dirt || exit 9; echo dirt > dirt; \
         touch {W}/began; while [ ! -e {W}/go ]; do sleep 0.05; done\"]\n",
    );
    let revision = one_file(&world, "one");
    world.deploy_rev("production/a", &revision);
    world.push();
    world.wait_until("the command began", || world.path("began").exists());
    world.ours().into_iter().for_each(kill_one);

    fs::write(world.path("go"), "").unwrap();
    world.cmd(&["reconcile"]).ok();
    let last = world.settled().pop().unwrap();
    assert!(last.starts_with("#1 production/a interrupted"), "{last}");

    world.cmd(&["retry", "1"]).ok();
    assert_eq!(world.settled().last().unwrap(), "#2 production/a succeeded");
}

#[test]
fn release_that_somebody_edited_is_not_used_again() {
    let world = world("");
    let one = one_file(&world, "one");
    type Edit = fn(&Path);
    let edits: [(&str, Edit); 6] = [
        ("content", |release| {
            // The same size, and the time set back.
            let modified = fs::metadata(release.join("file")).unwrap().modified();
            fs::write(release.join("file"), "ONE").unwrap();
            let file = File::options().write(true).open(release.join("file"));
            file.unwrap().set_modified(modified.unwrap()).unwrap();
        }),
        ("added", |release| {
            fs::write(release.join("more"), "").unwrap()
        }),
        ("removed", |release| {
            fs::remove_file(release.join("file")).unwrap()
        }),
        ("mode", |release| {
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(release.join("file"), mode).unwrap();
        }),
        ("link", |release| {
            fs::remove_file(release.join("file")).unwrap();
            symlink("/etc/passwd", release.join("file")).unwrap();
        }),
        ("whole folder", |release| {
            fs::remove_dir_all(release).unwrap()
        }),
    ];

    deploy(&world, &one);
    for (name, edit) in edits {
        go_on(&world, &one_file(&world, name));
        edit(&release(&world, &one));
        let last = roll_back(&world, &one);

        assert!(last.ends_with(" succeeded"), "{name}: {last}");
        assert_eq!(current(&world), "one", "{name}");
        assert_eq!(
            names(&release(&world, &one)),
            ["REVISION", "file"],
            "{name}"
        );
        let mode = fs::metadata(release(&world, &one).join("file")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o644, "{name}");
    }
}

#[test]
fn edited_release_that_is_deployed_is_exported_anew() {
    let world = world("");
    let one = one_file(&world, "one");
    deploy(&world, &one);

    for _ in 0..3 {
        let edited = world.path("srv/production/a/current/file");
        fs::write(edited, "edited").unwrap();
        let last = deploy(&world, &one);
        assert!(last.ends_with(" succeeded"), "{last}");
        assert_eq!(current(&world), "one");
    }
}

#[test]
fn failing_redeploy_leaves_what_is_deployed_untouched() {
    let world = world(LEAVES_DIRT);
    let one = one_file(&world, "one");
    set_result(&world, 0);
    assert_eq!(deploy(&world, &one), "#1 production/a succeeded");
    let file = || fs::metadata(world.path("srv/production/a/current/file")).unwrap();
    let before = file();

    set_result(&world, 3);
    let failed = deploy(&world, &one);
    assert_eq!(failed, "#2 production/a failed: exit status 3");
    assert_eq!(
        (file().ino(), file().ctime()),
        (before.ino(), before.ctime())
    );

    set_result(&world, 0);
    assert_eq!(deploy(&world, &one), "#3 production/a succeeded");
    assert_eq!(current(&world), "changed\n");
    assert_ne!(file().ino(), before.ino());
}

#[test]
fn failed_releases_are_removed_and_good_ones_stay() {
    let world = world(&format!("keep_releases = 2\n{LEAVES_DIRT}"));
    let good: Vec<String> = (0..3).map(|n| one_file(&world, &n.to_string())).collect();
    let bad: Vec<String> = (3..7).map(|n| one_file(&world, &n.to_string())).collect();

    set_result(&world, 0);
    for revision in &good {
        deploy(&world, revision);
    }
    // The order is that of the record. Times of files say nothing.
    let old = File::open(release(&world, &good[2])).unwrap();
    old.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();

    set_result(&world, 3);
    for revision in &bad {
        let last = deploy(&world, revision);
        assert!(last.ends_with(" failed: exit status 3"), "{last}");
    }
    let mut kept = vec![good[1].clone(), good[2].clone()];
    kept.sort();
    assert_eq!(names(&release(&world, "")), kept);
    assert_eq!(
        fs::read_link(world.path("srv/production/a/current")).unwrap(),
        Path::new("releases").join(&good[2])
    );
}

#[test]
fn what_somebody_else_put_among_the_releases_stays() {
    let world = world("keep_releases = 1\n");
    deploy(&world, &one_file(&world, "one"));
    fs::create_dir(release(&world, "notes")).unwrap();

    let two = one_file(&world, "two");
    deploy(&world, &two);

    let mut kept = [two, "notes".to_owned()];
    kept.sort();
    assert_eq!(names(&release(&world, "")), kept);
}

#[test]
fn folder_in_the_place_of_current_is_found_before_the_command_runs() {
    let world = world("command = [\"/bin/sh\", \"-c\", \"echo ran >> {W}/ran\"]\n");
    let one = one_file(&world, "one");
    let current = world.path("srv/production/a/current");
    fs::create_dir_all(&current).unwrap();

    let last = deploy(&world, &one);

    assert!(last.contains("/current is not a symbolic link"), "{last}");
    assert_eq!(world.ran(), Vec::<String>::new());
    let doctor = world.cmd(&["doctor"]);
    doctor.says("/current is not a symbolic link");
    fs::remove_dir(&current).unwrap();
    world.cmd(&["retry", "1"]).ok();
    assert_eq!(world.settled().last().unwrap(), "#2 production/a succeeded");
}

#[test]
fn two_deploy_repositories_share_no_checkout() {
    let world = world("");
    let (one, two) = (one_file(&world, "one"), one_file(&world, "two"));
    deploy(&world, &one);

    // A copy has the same id, but another path.
    world.wait_until_idle();
    world.shell_in(".", "cp -a deploy.git copy.git").ok();
    world.deploy_rev("production/a", &two);
    world.commit();
    world.git(&["push", "-q", "../copy.git", "HEAD:refs/heads/main"]);
    let copied = || world.cmd_in("copy.git", &["show", "2"]).stdout;
    world.wait_until("the copy's deployment ended", || {
        copied().contains("failed")
    });
    assert!(
        copied().contains("belongs to production/a "),
        "{}",
        copied()
    );
    assert_eq!(current(&world), "one");

    // Another state at the same path, as in another container, has another id.
    let id = world.state().join("id");
    fs::rename(&id, world.path("id")).unwrap();
    let last = deploy(&world, &two);
    assert!(last.contains("belongs to production/a "), "{last}");
    assert_eq!(current(&world), "one");

    fs::rename(world.path("id"), &id).unwrap();
    world.cmd(&["retry", "2"]).ok();
    assert_eq!(world.settled().last().unwrap(), "#3 production/a succeeded");
    assert_eq!(current(&world), "two");
}

#[test]
fn checkout_of_the_first_version_is_taken_over_once() {
    let world = world("keep_releases = 2\n");
    let good = one_file(&world, "good");
    deploy(&world, &good);

    let claim = world.path("srv/production/a/.deploy-by-code");
    for before in ["production/a\n", ""] {
        go_on(&world, &one_file(&world, &format!("newer than {before:?}")));
        fs::write(&claim, before).unwrap();
        let last = roll_back(&world, &good);
        assert!(last.ends_with(" succeeded"), "{last}");
        let text = fs::read_to_string(&claim).unwrap();
        assert!(text.starts_with("production/a "), "{text}");
        assert!(text.contains(world.state().to_str().unwrap()), "{text}");
        let kept = names(&release(&world, ""));
        assert_eq!(kept.len(), 2, "the good ones: {kept:?}");
    }

    fs::write(&claim, "production/b\n").unwrap();
    let last = go_on(&world, &one_file(&world, "newest"));
    assert!(
        last.contains("belongs to production/b, and not to"),
        "{last}"
    );
}

/// Lets a checkout wait for something without end: for the lock of its folder, or for its
/// repository.
fn endless(world: &World, what: &str) -> Option<File> {
    if what == "repository" {
        let pipe = "mkfifo objects/info/alternates";
        world.shell_in("apps/a.git", pipe).ok();
        return None;
    }
    fs::create_dir_all(world.path("srv/production/a")).unwrap();
    let lock = File::create(world.path("srv/production/a/.deploy-by-code.lock")).unwrap();
    lock.lock().unwrap();
    Some(lock)
}

/// A world in which a deployment waits for the thaw of production.
fn frozen(more: &str) -> World {
    let more = format!("{more}[environments.production]\non_freeze = \"hold\"\n");
    let world = world(&more);
    let revision = one_file(&world, "one");
    world.cmd(&["freeze", "production", "--reason", "x"]).ok();
    world.deploy_rev("production/a", &revision);
    world.push();
    world
}

#[test]
fn timeout_ends_a_checkout() {
    for what in ["folder", "repository"] {
        let world = frozen("timeout = \"1s\"\n");
        let held = endless(&world, what);
        world.cmd(&["thaw", "production"]).ok();

        // The clean-up has the same limit, so that it holds up nothing either.
        let last = world.settled().pop().unwrap();
        assert_eq!(last, "#1 production/a failed: timeout after 1 s", "{what}");
        drop(held);
        world.wait_until_idle();
    }
}

#[test]
fn cancel_ends_a_checkout() {
    let world = frozen("");
    endless(&world, "repository");
    world.cmd(&["thaw", "production"]).ok();
    let leader = || world.show(1)["status"] == "running";
    world.wait_until("the checkout began", leader);
    world.cmd(&["cancel", "1"]).ok();

    let last = world.settled().pop().unwrap();
    assert!(last.starts_with("#1 production/a cancelled: by "), "{last}");
    world.wait_until_idle();
    assert_eq!(fs::read_dir(release(&world, "")).unwrap().count(), 0);
}

#[test]
fn cancel_ends_the_removal_of_old_releases() {
    for is_cancelled_before in [true, false] {
        // The command leaves a lock behind on which only the removal has to wait: it fails itself.
        let world = world(
            "command = [\"/bin/sh\", \"-c\", \"touch {W}/began; \
             while [ ! -e {W}/go ]; do sleep 0.05; done; exit 3\"]\n",
        );
        let revision = one_file(&world, "one");
        world.deploy_rev("production/a", &revision);
        world.push();
        world.wait_until("the command began", || world.path("began").exists());
        let held = endless(&world, "folder");

        if !is_cancelled_before {
            fs::write(world.path("go"), "").unwrap();
            world.wait_until("the removal waits", || {
                world.cmd(&["logs", "1"]).stdout.contains("holds the lock")
            });
        }
        world.cmd(&["cancel", "1"]).ok();

        // Without a limit of its own, the deployment has an hour.
        let last = world.settled().pop().unwrap();
        let expected = if is_cancelled_before {
            "cancelled: by "
        } else {
            "failed: exit status 3"
        };
        assert!(last.contains(expected), "{last}");
        world.cmd(&["logs", "1"]).ok().says("old releases are left");
        drop(held);
        world.wait_until_idle();
    }
}
