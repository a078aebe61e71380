//! Hooks that were there before `install`: they are kept, called as git called them, and decide as
//! before.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use crate::hosts::script;
use crate::nobody::root_or_skip;
use crate::processes::BINARY;
use crate::world::World;

/// Writes a hook of the repository, as a script of the shell.
fn hook(world: &World, name: &str, body: &str) {
    let path = world.path(&format!("deploy.git/hooks/{name}"));
    script(&path, &format!("#!/bin/sh\n{body}\n"));
}

#[track_caller]
fn assert_link(path: &Path, target: &str) {
    assert_eq!(fs::read_link(path).unwrap(), Path::new(target));
}

#[test]
fn chained_hooks_get_all_of_stdin_and_may_refuse() {
    let world = World::new();
    for name in ["pre-receive", "post-receive"] {
        let copy = world.path(name);
        let copy = copy.display();
        let body = format!("cat > '{copy}.'$$; echo chained {name}; ! test -e ../refuse");
        hook(&world, name, &body);
    }
    world.install();

    let refs: Vec<_> = (0..1500).map(|n| format!("HEAD:refs/tags/t{n}")).collect();
    let mut arguments = vec!["origin", "HEAD:refs/heads/main"];
    arguments.extend(refs.iter().map(String::as_str));
    world.deploy("production/a", 1);
    world
        .push_with(&arguments)
        .ok()
        .says("chained pre-receive")
        .says("chained post-receive")
        .says("#1 production/a");
    for name in ["pre-receive.", "post-receive."] {
        let files = fs::read_dir(world.path(".")).unwrap().flatten();
        let copies: Vec<_> = files
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(name))
            .map(|entry| fs::read_to_string(entry.path()).unwrap())
            .collect();
        assert_eq!(copies.len(), 1, "how often {name} ran");
        assert_eq!(copies[0].lines().count(), 1501, "lines of {name}");
    }
    world.settled();

    fs::write(world.path("refuse"), "").unwrap();
    world.deploy("production/a", 2);
    world.try_push().exits(1).says("chained pre-receive");
    assert_eq!(world.settled().len(), 1);

    fs::remove_file(world.path("refuse")).unwrap();
    world.push();
    assert_eq!(world.settled().len(), 2);
}

#[test]
fn chained_hook_finds_what_lies_beside_it() {
    let world = World::new();
    hook(
        &world,
        "post-receive",
        ". \"$(dirname \"$0\")/lib.sh\"\n\
         for hook in \"$(dirname \"$0\")/$(basename \"$0\").d\"/*; do \"$hook\"; done",
    );
    hook(&world, "lib.sh", "echo from the library");
    fs::create_dir(world.path("deploy.git/hooks/post-receive.d")).unwrap();
    world.install();
    // What is put there later is found as well.
    hook(&world, "post-receive.d/ci", "echo from ci");

    world.deploy("production/a", 1);
    world
        .push()
        .says("from the library")
        .says("from ci")
        .says("#1 production/a");

    world.cmd(&["uninstall"]).ok();
    assert!(!world.path("deploy.git/hooks/chained").exists());
    world.deploy("production/a", 2);
    world.push().says("from ci").says_nothing_of("#2");
}

/// It could have refused the push.
#[test]
fn chained_hook_that_nobody_can_look_at_refuses_the_push() {
    let world = World::installed();
    let chained = world.path("deploy.git/hooks/chained");
    // To follow this link is an error, also for root.
    symlink("x".repeat(300), &chained).unwrap();

    world.deploy("production/a", 1);
    world
        .try_push()
        .exits(1)
        .says("hooks/chained/pre-receive can't be run: ")
        .says("correct it or remove it, and push again");
    assert_eq!(world.history().len(), 0);

    fs::remove_file(chained).unwrap();
    world.push();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn kept_folder_belongs_to_the_group_of_the_hooks() {
    let world = World::new();
    if !root_or_skip() {
        return;
    }
    hook(&world, "post-receive", "true");
    let hooks = world.path("deploy.git/hooks");
    chown(&hooks, None, Some(54_321)).unwrap();
    fs::set_permissions(&hooks, fs::Permissions::from_mode(0o750)).unwrap();
    // An install was stopped when it had made the folder.
    fs::create_dir(hooks.join("chained")).unwrap();

    world.install();
    let kept = fs::metadata(hooks.join("chained")).unwrap();
    assert_eq!((kept.gid(), kept.mode() & 0o7777), (54_321, 0o750));
}

#[test]
fn chained_hook_that_reads_nothing_does_no_harm() {
    let world = World::new();
    for name in ["pre-receive", "post-receive"] {
        hook(&world, name, "exec 0</dev/null; exit 0");
    }
    world.install();
    world.deploy("production/a", 1);

    // More lines than a pipe holds.
    let refs: Vec<_> = (0..1500)
        .map(|n| format!("HEAD:refs/tags/a-rather-long-name-to-fill-the-pipe-{n}"))
        .collect();
    let mut arguments = vec!["origin", "HEAD:refs/heads/main"];
    arguments.extend(refs.iter().map(String::as_str));
    world.push_with(&arguments).ok();

    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn chained_hook_does_not_wait_for_a_pusher_who_follows() {
    let world = World::new();
    let ran = world.path("other-hook-ran");
    hook(
        &world,
        "post-receive",
        &format!("touch '{}'", ran.display()),
    );
    world.install();
    world.job("hold end");
    world.deploy("production/a", 1);
    world.commit();

    let mut push = world
        .push_command(&["-o", "follow", "origin", "HEAD:refs/heads/main"])
        .spawn()
        .unwrap();
    world.wait_until("the other hook has run", || ran.exists());
    assert!(push.try_wait().unwrap().is_none());

    world.open("end");
    assert!(push.wait().unwrap().success());
}

/// git gives a script without an interpreter line to /bin/sh.
#[test]
fn chained_hook_can_be_a_link_to_a_script_without_shebang() {
    let world = World::new();
    let check = world.path("deploy.git/custom/check");
    script(&check, "echo checked\n! test -e refuse\n");
    let hook = world.path("deploy.git/hooks/pre-receive");
    symlink("../custom/check", &hook).unwrap();
    // An install that was stopped half way leaves this.
    let kept = world.path("deploy.git/hooks/chained/pre-receive");
    fs::create_dir(kept.parent().unwrap()).unwrap();
    symlink("../../custom/check", &kept).unwrap();
    world.install();
    world.cmd(&["uninstall"]).ok();
    world.install();

    world.deploy("production/a", 1);
    world.push().says("checked");
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);

    fs::write(world.path("deploy.git/refuse"), "").unwrap();
    world.deploy("production/a", 2);
    world.try_push().exits(1).says("checked");

    // A kept check whose script is missing refuses everything.
    fs::remove_file(world.path("deploy.git/refuse")).unwrap();
    let gone = world.path("deploy.git/custom/gone");
    fs::rename(&check, &gone).unwrap();
    world.try_push().exits(1).says("hooks/chained/pre-receive");

    fs::rename(&gone, &check).unwrap();
    world.cmd(&["uninstall"]).ok();
    assert_link(&hook, "../custom/check");
}

#[test]
fn chained_hook_that_is_a_link_to_another_hook_is_run() {
    let world = World::new();
    hook(
        &world,
        "post-receive",
        "echo \"checked by ${0##*/}\"\n! test -e refuse",
    );
    let link = world.path("deploy.git/hooks/pre-receive");
    symlink("post-receive", &link).unwrap();
    world.install();

    world.deploy("production/a", 1);
    world
        .push()
        .says("checked by pre-receive")
        .says("checked by post-receive");

    fs::write(world.path("deploy.git/refuse"), "").unwrap();
    world.deploy("production/a", 2);
    world.try_push().exits(1).says("checked by pre-receive");

    world.cmd(&["uninstall"]).ok();
    assert_link(&link, "post-receive");
}

/// An install or uninstall can be stopped between two hooks of which one is a link to the other.
#[test]
fn chained_hook_links_survive_an_install_that_was_stopped() {
    let world = World::new();
    let hooks = world.path("deploy.git/hooks");
    hook(&world, "pre-receive", "echo \"checked by ${0##*/}\"");
    let link = hooks.join("post-receive");
    symlink("pre-receive", &link).unwrap();
    let uninstall_restores_after = |when: &str| {
        world.cmd(&["uninstall"]).ok();
        let script = fs::read_to_string(hooks.join("pre-receive")).unwrap();
        assert_eq!(
            fs::read_link(&link).unwrap(),
            Path::new("pre-receive"),
            "{when}"
        );
        assert!(script.contains("checked by"), "{when}");
        assert!(!hooks.join("chained").exists(), "{when}");
    };
    let install_works = |number: u32| {
        world.install();
        world.deploy("production/a", number);
        world
            .push()
            .says("checked by pre-receive")
            .says("checked by post-receive")
            .says(&format!("#{number} "));
        world.settled();
    };
    let keep_the_script = || {
        fs::create_dir(hooks.join("chained")).unwrap();
        fs::rename(hooks.join("pre-receive"), hooks.join("chained/pre-receive")).unwrap();
    };

    install_works(1);
    fs::rename(hooks.join("chained/post-receive"), &link).unwrap();
    uninstall_restores_after("an uninstall that had put the link back");

    keep_the_script();
    uninstall_restores_after("an install that had kept the script");

    keep_the_script();
    install_works(2);
    uninstall_restores_after("an install that had kept the script, and another install");

    keep_the_script();
    symlink(BINARY, hooks.join("pre-receive")).unwrap();
    install_works(3);
    uninstall_restores_after("an install that had made its first link");

    // An absolute link would lead to the program's own hook once it is kept.
    fs::remove_file(&link).unwrap();
    symlink(hooks.join("pre-receive"), &link).unwrap();
    world.cmd(&["install"]).exits(1).says("ln -sfn pre-receive");
}
