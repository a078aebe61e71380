//! What is known while the configuration can't be used: which branch and which state the hooks were
//! installed for.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::world::World;

const RELEASE: &[&str] = &["origin", "HEAD:refs/heads/release"];
const OTHERS: &[&str] = &[
    "-f",
    "origin",
    "HEAD:refs/heads/topic",
    "HEAD:refs/tags/v1",
    "HEAD:refs/heads/main",
];

/// A deploy repository whose branch is not the one that HEAD names, and whose state is elsewhere.
fn world() -> World {
    let world = World::new();
    world.config_top(&format!(
        "branch = \"release\"\nstate_dir = {:?}",
        world.path("elsewhere/state")
    ));
    world.install();
    world
}

fn config_path(world: &World) -> PathBuf {
    world.path("deploy.git/deploy-by-code.toml")
}

fn record_path(world: &World) -> PathBuf {
    world.path("deploy.git/deploy-by-code.installed")
}

/// What is broken, how, and a word of what is said about it.
type Breakage = (&'static str, fn(&World), &'static str);

const BREAKAGES: &[Breakage] = &[
    (
        "a Latin-1 byte",
        |world| {
            let mut text = b"# M\xfcller\n".to_vec();
            text.extend(world.config_text().into_bytes());
            fs::write(config_path(world), text).unwrap();
        },
        "UTF-8",
    ),
    (
        "no TOML",
        |world| world.config_file("[[[broken"),
        "not TOML",
    ),
    (
        "no TOML at the end",
        |world| {
            world.config_file(&format!("{}\n[broken", world.config_text()));
        },
        "not TOML",
    ),
    (
        "an unknown environment",
        |world| {
            world.config_file(&format!(
                "{}\n[environments.a]\n[environments.b]\npromotes_from = \"x\"",
                world.config_text()
            ));
        },
        "unknown environment",
    ),
    (
        "the key misspelt",
        |world| {
            world.config_file(&world.config_text().replace("branch", "brnch"));
        },
        "brnch",
    ),
    (
        "the branch changed to one that is not there",
        |world| {
            world.config_file(&world.config_text().replace("release", "relaese"));
        },
        "relaese",
    ),
    (
        "an empty file",
        |world| world.config_file(""),
        "refs/heads/main now",
    ),
    (
        "no file",
        |world| fs::remove_file(config_path(world)).unwrap(),
        "is missing",
    ),
    (
        "a folder",
        |world| {
            fs::remove_file(config_path(world)).unwrap();
            fs::create_dir(config_path(world)).unwrap();
        },
        "not a regular file",
    ),
    (
        "a link that leads nowhere",
        |world| {
            fs::remove_file(config_path(world)).unwrap();
            symlink("nowhere", config_path(world)).unwrap();
        },
        "leads nowhere",
    ),
    (
        "a link that leads to itself",
        |world| {
            fs::remove_file(config_path(world)).unwrap();
            symlink("deploy-by-code.toml", config_path(world)).unwrap();
        },
        "can't be read",
    ),
    (
        "a pipe",
        |world| {
            fs::remove_file(config_path(world)).unwrap();
            let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
            nix::unistd::mkfifo(&config_path(world), mode).unwrap();
        },
        "not a regular file",
    ),
];

#[test]
fn configuration_that_cannot_be_used_closes_the_deploy_branch_and_no_other() {
    for (what, break_it, says) in BREAKAGES {
        let world = world();
        world.deploy("production/a", 1);
        break_it(&world);

        world.push_with(RELEASE).exits(1).says(says);
        // An empty file means the branch that HEAD names, so that one is a deploy branch too.
        let others = if *what == "an empty file" {
            &OTHERS[..4]
        } else {
            OTHERS
        };
        // Who makes `main` while another branch is meant is told so.
        let mut said = world.push_with(others).ok().remote();
        if *what == "the branch changed to one that is not there" {
            assert!(said.remove(0).contains("nothing to deploy"), "{said:?}");
            assert!(said.remove(0).contains("before the next push"), "{said:?}");
        }
        assert_eq!(said, [""; 0], "{what}");
    }
}

/// An older version recorded nothing, and hooks can be linked by hand.
#[test]
fn configuration_that_cannot_be_used_closes_every_branch_that_may_be_meant() {
    let world = world();
    world.deploy("production/a", 1);
    fs::remove_file(record_path(&world)).unwrap();
    let good = world.config_text();

    for broken in ["[[[broken", "[environments.production]\nfrozn = []\n"] {
        world.config_file(broken);
        for branch in ["release", "main", "topic"] {
            let branch = format!("HEAD:refs/heads/{branch}");
            world.push_with(&["origin", &branch]).exits(1);
        }
    }
    world.push_with(&["origin", "HEAD:refs/tags/v1"]).ok();

    world.config_file(&good);
    world.push_with(OTHERS).ok();
    world.push_with(RELEASE).ok();
}

#[test]
fn record_that_cannot_be_read_closes_the_deploy_branch() {
    for damage in ["", "{\"branch\":", "{\"branch\": \"main\"}"] {
        let world = world();
        world.deploy("production/a", 1);
        fs::write(record_path(&world), damage).unwrap();

        world
            .push_with(RELEASE)
            .exits(1)
            .says("deploy-by-code.installed");
        world.push_with(OTHERS).ok();

        // With a broken configuration, nothing is known any more.
        let good = world.config_text();
        world.config_file("[[[broken");
        world
            .push_with(&["origin", "HEAD:refs/heads/more"])
            .exits(1);

        world.config_file(&good);
        world
            .cmd(&["doctor"])
            .exits(1)
            .says("deploy-by-code.installed");
        world.install();
        world.push_with(RELEASE).ok();
    }
}

/// A push to the deploy branch would be refused, so no command may advise one.
#[track_caller]
fn status_says_to_install(world: &World) {
    let status = world.cmd(&["status"]).ok();
    let status = status.says("deploy-by-code install");
    status.says_nothing_of("push to");
}

#[test]
fn status_says_that_another_branch_needs_an_install_also_if_both_exist() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    world.push_with(&["origin", "HEAD:refs/heads/other"]).ok();
    world.cmd(&["status"]).says_nothing_of("install");

    world.server_git(&["symbolic-ref", "HEAD", "refs/heads/other"]);
    status_says_to_install(&world);
    world
        .cmd(&["status"])
        .says("refs/heads/other now, but it was refs/heads/main");

    // While the configuration can't be read, nobody knows which branch it means.
    world.config_file("nonsense");
    world
        .cmd(&["status"])
        .says("the configuration can't be used")
        .says_nothing_of("when the hooks were installed");
}

#[test]
fn missing_branch_that_needs_an_install_is_said_by_every_command() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    world.server_git(&["symbolic-ref", "HEAD", "refs/heads/other"]);

    status_says_to_install(&world);
    for verb in ["check", "doctor"] {
        let said = world.cmd(&[verb]).exits(1);
        said.says("if refs/heads/other is meant, run on the server, before the next push:");
    }
    world
        .push_with(&["origin", "HEAD:refs/heads/master"])
        .ok()
        .says("if refs/heads/other is meant, run on the server, before the next push:");
}

#[test]
fn branch_that_differs_from_the_installed_one_is_refused_until_install_is_run() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();

    let by_key: fn(&World) = |world| world.config_top("branch = \"other\"");
    let by_head: fn(&World) = |world| {
        world.config("");
        world.server_git(&["symbolic-ref", "HEAD", "refs/heads/other"]);
    };
    for change in [by_key, by_head] {
        change(&world);
        world.deploy("production/a", 2);
        for branch in ["main", "other"] {
            world
                .push_with(&["origin", &format!("HEAD:refs/heads/{branch}")])
                .exits(1)
                .says("refs/heads/other now, but it was refs/heads/main")
                .says("deploy-by-code install");
        }
        world
            .push_with(&["-f", "origin", "HEAD:refs/heads/topic"])
            .ok();
        world.cmd(&["doctor"]).exits(1).says("install record");
        status_says_to_install(&world);
    }

    world.install();
    world
        .cmd(&["status"])
        .ok()
        .says("push to refs/heads/other")
        .says_nothing_of("when the hooks were installed");
    world.push_with(&["origin", "HEAD:refs/heads/other"]).ok();
    world.push_with(&["origin", "HEAD:refs/heads/main"]).ok();
}

#[test]
fn state_that_belongs_to_another_branch_is_refused_also_without_a_record() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    fs::remove_file(record_path(&world)).unwrap();

    world.config_top("branch = \"other\"");
    world.deploy("production/a", 2);
    world
        .push_with(&["origin", "HEAD:refs/heads/other"])
        .exits(1)
        .says("run: deploy-by-code install");
    status_says_to_install(&world);
}

#[test]
fn state_dir_that_differs_from_the_installed_one_is_refused_until_install_is_run() {
    let world = World::installed();
    world.cmd(&["doctor"]).says("install record");
    world.deploy("production/a", 1);
    let elsewhere = world.path("elsewhere");
    world.config_top(&format!("state_dir = {elsewhere:?}"));

    // A configuration can be checked before it is used, with the record that there is.
    world.cmd(&["check"]).ok();
    world
        .try_push()
        .exits(1)
        .says("state_dir is ")
        .says("it was in the repository when the hooks were installed");
    assert!(!elsewhere.exists());

    // A new state would forget what was recorded.
    for verb in ["install", "rebuild"] {
        let refused = world.cmd(&[verb]).exits(4);
        refused.says("move it, or undo the change of state_dir");
        assert!(!elsewhere.exists(), "{verb}");
    }
    fs::rename(world.state(), &elsewhere).unwrap();
    world.install();
    world.push();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn state_that_is_elsewhere_is_not_forgotten_for_one_in_the_repository() {
    let world = world();
    world.config("");
    for verb in ["install", "rebuild", "reconcile", "status"] {
        let refused = world.cmd(&[verb]).exits(4);
        refused
            .says("elsewhere/state at the last install")
            .says("undo the change of state_dir");
    }
    // post-receive makes no state either.
    world.deploy("production/a", 1);
    let line = format!("{} {} refs/heads/main\n", "0".repeat(40), world.commit());
    world.hook("post-receive", &line).exits(1);
    assert!(!world.state().exists());
}

/// Neither of them may send the user to the other one, and back.
#[test]
fn rebuild_needs_no_configuration_that_only_install_can_do_without() {
    let world = World::installed();
    fs::remove_file(config_path(&world)).unwrap();
    fs::remove_file(world.state().join("state.db")).unwrap();

    world
        .cmd(&["install"])
        .exits(4)
        .says("deploy-by-code rebuild");
    world.cmd(&["rebuild"]).ok();
    world.deploy("production/a", 1);
    world.try_push().exits(1).says("deploy-by-code.toml");

    world.install();
    world.config("");
    world.push();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn configuration_that_is_gone_on_purpose_needs_install() {
    let world = World::installed();
    fs::remove_file(config_path(&world)).unwrap();

    world
        .cmd(&["check"])
        .exits(3)
        .says("deploy-by-code.toml")
        .says("install");
    world.cmd(&["reconcile"]).exits(3);
    world.cmd(&["status"]).ok().says("is missing");
    world.install();
    world.cmd(&["reconcile"]).ok();
}

#[test]
fn record_moves_with_the_repository_and_goes_with_the_hooks() {
    let world = World::installed();
    let record = fs::read_to_string(record_path(&world)).unwrap();
    assert!(!record.contains("deploy.git"), "{record}");
    world.install().says("everything is in place");

    // A write that was stopped leaves this file.
    fs::write(world.path("deploy.git/deploy-by-code.installed.new"), "").unwrap();
    world.cmd(&["uninstall"]).ok();
    let left = fs::read_dir(world.repository()).unwrap();
    let mut left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!left.any(|name| name.contains("installed")));
    world.cmd(&["uninstall"]).ok().says("no hook");
}

/// `HEAD` may have named another branch when the hooks were installed.
#[test]
fn record_that_cannot_be_read_closes_every_branch_if_only_head_names_one() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    fs::write(record_path(&world), "junk").unwrap();
    world.server_git(&["symbolic-ref", "HEAD", "refs/heads/other"]);

    world.deploy("production/a", 2);
    for branch in ["main", "other", "third"] {
        world
            .push_with(&["origin", &format!("HEAD:refs/heads/{branch}")])
            .exits(1)
            .says("deploy-by-code.installed");
    }
    world.push_with(&["origin", "HEAD:refs/tags/a"]).ok();

    world.server_git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
    world.install();
    world.push();
}
