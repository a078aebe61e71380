//! `uninstall`: what was there before comes back, whichever step an earlier install or uninstall
//! stopped at, and what belongs to others is left alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::install::{HOOK, hooks};
use crate::world::World;

#[test]
fn uninstall_puts_back_the_hook_that_was_there() {
    let world = World::new();
    let hook = world.path("deploy.git/hooks/post-receive");
    fs::write(&hook, HOOK).unwrap();
    let before = hooks(&world);
    world.install();
    world.deploy("production/a", 1);
    world.push();
    world.settled();

    // The state stays, and uninstall says where it is.
    let state = world.state();
    world.cmd(&["uninstall"]).ok().says(state.to_str().unwrap());
    assert!(state.join("state.db").exists());
    assert_eq!(hooks(&world), before);
    assert_eq!(fs::read_to_string(&hook).unwrap(), HOOK);

    world.cmd(&["uninstall"]).ok();
    assert_eq!(hooks(&world), before);
}

/// An install or uninstall can be stopped between two of its steps. Each state in these tables is
/// one that such a stop leaves.
#[test]
fn uninstall_completes_what_an_earlier_one_began() {
    for what in ["a script", "/bin/true", "../script"] {
        let make = |path: &Path| match what {
            "a script" => fs::write(path, HOOK).unwrap(),
            target => symlink(target, path).unwrap(),
        };
        let world = World::new();
        fs::write(world.path("deploy.git/script"), HOOK).unwrap();
        let own = world.path("deploy.git/hooks/pre-receive");
        make(&own);
        let link = fs::read_link(&own).ok();
        let is_back = || {
            assert_eq!(fs::read_link(&own).ok(), link, "{what}");
            assert!(own.symlink_metadata().is_ok(), "{what}");
            assert!(!world.path("deploy.git/hooks/chained").exists(), "{what}");
        };

        // The program's own link is removed, and the kept hook is not back yet.
        world.install();
        fs::remove_file(&own).unwrap();
        world.cmd(&["uninstall"]).ok();
        is_back();

        // The hook is back already, and is still in the folder of kept hooks, as a second link.
        if what.starts_with("..") {
            world.install();
            fs::remove_file(&own).unwrap();
            make(&own);
            world.cmd(&["uninstall"]).ok();
            is_back();
        }
    }
}

#[test]
fn uninstall_leaves_files_of_others_under_the_same_names() {
    let world = World::new();
    let hooks = world.path("deploy.git/hooks");
    fs::create_dir(hooks.join("chained")).unwrap();
    fs::write(hooks.join("chained/pre-receive"), "theirs").unwrap();
    symlink("/bin/true", hooks.join("chained/link")).unwrap();
    fs::write(hooks.join("pre-receive.new"), "theirs").unwrap();

    world
        .cmd(&["uninstall"])
        .ok()
        .says("no hook of deploy-by-code is installed");

    assert_eq!(fs::read_dir(hooks.join("chained")).unwrap().count(), 2);
    assert!(hooks.join("pre-receive.new").exists());
}

/// The link of the Debian package has the same last folders in its path.
#[test]
fn install_keeps_a_link_that_only_looks_like_one_of_ours() {
    let world = World::new();
    let hooks = world.path("deploy.git/hooks");
    fs::create_dir(hooks.join("chained")).unwrap();
    symlink("/bin/true", hooks.join("chained/link")).unwrap();
    fs::write(hooks.join("pre-receive.new"), "theirs").unwrap();
    fs::create_dir_all(world.path("etc/deploy-by-code/hooks")).unwrap();
    let script = world.path("etc/deploy-by-code/hooks/pre-receive");
    fs::write(&script, "#!/bin/sh\necho theirs\nexit 1\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    symlink(&script, hooks.join("pre-receive")).unwrap();

    world.install();
    world.deploy("production/a", 1);
    world.try_push().exits(1).says("theirs");

    world.cmd(&["uninstall"]).ok();
    assert_eq!(fs::read_link(hooks.join("pre-receive")).unwrap(), script);
    assert!(hooks.join("chained/link").is_symlink());
    assert!(hooks.join("pre-receive.new").exists());

    // git ignores a broken link, but a chained broken link would refuse every push.
    fs::remove_file(&script).unwrap();
    world
        .cmd(&["install"])
        .exits(1)
        .says("pre-receive is a broken link");
}

#[test]
fn uninstall_finds_the_hooks_wherever_install_put_them() {
    let world = World::installed();
    let are_gone = || {
        ["pre-receive", "post-receive", "reference-transaction"]
            .iter()
            .map(|name| world.path(&format!("deploy.git/hooks/{name}")))
            .all(|hook| hook.symlink_metadata().is_err())
    };
    assert!(!are_gone());

    world.config_file("nonsense = 1");
    world
        .cmd(&["uninstall"])
        .ok()
        .says("deploy-by-code.toml:1:1");
    assert!(are_gone(), "also while the configuration is broken");

    world.config_file("");
    world.install();
    fs::create_dir(world.path("deploy.git/custom_hooks")).unwrap();
    world.cmd(&["uninstall"]).ok();
    assert!(are_gone(), "also when the folder looks like GitLab's now");

    fs::remove_dir(world.path("deploy.git/custom_hooks")).unwrap();
    world.install();
    world.server_git(&["config", "core.hooksPath", "/nonexistent"]);
    world.cmd(&["uninstall"]).ok();
    assert!(are_gone(), "also when core.hooksPath has changed since");
}

#[test]
fn uninstall_does_not_follow_a_link_in_place_of_the_kept_hooks() {
    let world = World::new();
    fs::create_dir(world.path("elsewhere")).unwrap();
    symlink("target", world.path("elsewhere/link")).unwrap();
    symlink("../../elsewhere", world.path("deploy.git/hooks/chained")).unwrap();

    world.install();
    world.cmd(&["uninstall"]).ok();
    assert!(world.path("elsewhere/link").is_symlink());

    // There is a hook to keep now, and it must not be put behind the link.
    fs::write(world.path("deploy.git/hooks/post-receive"), HOOK).unwrap();
    world.cmd(&["install"]).exits(1).says("hooks/chained");
    assert_eq!(fs::read_dir(world.path("elsewhere")).unwrap().count(), 1);
}
