//! What somebody meets who sets the program up for the first time: each message says what is so and
//! what to do, and `doctor` and `check` find it before a push.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::applications::{commit, refused, try_deploy, world};
use crate::world::{World, rev};

/// The lines of `doctor` about one check.
fn doctor(world: &World, check: &str) -> String {
    let run = world.cmd(&["doctor"]);
    let lines = run
        .stdout
        .lines()
        .skip_while(|line| !line.contains(&format!(" {check}: ")));
    let (mut found, mut is_first) = (Vec::new(), true);
    for line in lines {
        if !is_first && !line.starts_with(' ') {
            break;
        }
        is_first = false;
        found.push(line.trim());
    }
    found.join(" ")
}

#[test]
fn deploy_branch_that_does_not_exist_is_said_by_every_command() {
    for (top, says) in [
        (
            "",
            "the deploy branch is refs/heads/trunk, as HEAD says, and it does not exist",
        ),
        (
            "branch = \"live\"",
            "the deploy branch is refs/heads/live, as the configuration says, and it does not \
             exist",
        ),
    ] {
        let world = World::new();
        world.server_git(&["symbolic-ref", "HEAD", "refs/heads/trunk"]);
        world.config_top(top);
        world.install().says_nothing_of("does not exist");
        world.cmd(&["doctor"]).says_nothing_of("does not exist");
        world.cmd(&["check"]).ok();

        world.deploy("staging/a", 1);
        let there = "; there is refs/heads/main";
        world
            .push()
            .says(&format!("{says}{there}"))
            .says("hint: push to refs/heads/");
        assert_eq!(world.history(), [""; 0]);

        world.cmd(&["check"]).exits(1).says(says).says("hint: ");
        world.cmd(&["status"]).ok().says(says).says("hint: ");
        assert!(doctor(&world, "deploy branch").starts_with("PROBLEM"));
        world.install().says(says);
        assert_eq!(world.history(), [""; 0]);
    }
}

#[test]
fn hint_for_a_missing_deploy_branch_leads_to_a_deployment() {
    let world = World::new();
    world.server_git(&["symbolic-ref", "HEAD", "refs/heads/master"]);
    world.install();
    world.deploy("staging/a", 1);
    world
        .push()
        .says("make refs/heads/main the deploy branch: ");

    world.server_git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
    world.install();
    assert!(doctor(&world, "deploy branch").starts_with("ok"));
    world.deploy("staging/a", 2);
    world.push();
    assert_eq!(world.settled(), ["#1 staging/a succeeded"]);
}

#[test]
fn other_branches_are_no_news_while_the_deploy_branch_exists() {
    let world = World::installed();
    world.deploy("staging/a", 1);
    world.push();
    world.deploy("staging/a", 2);
    let push = world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
    assert_eq!(push.remote(), [""; 0]);
    world.push_with(&["origin", "HEAD:refs/tags/v1"]).ok();
}

#[test]
fn application_whose_branch_has_another_name_is_not_told_to_merge_into_nothing() {
    let world = world(&["a"], "");
    let revision = commit(&world, "a", "master", "c1");

    let said = refused(try_deploy(&world, "staging/a", &revision));
    assert!(
        said.contains("there is no refs/heads/main in the repository of a")
            && said.contains("only on refs/heads/master")
            && !said.contains("merge it"),
        "{said}"
    );

    world.deploy_rev("staging/a", &revision);
    world.without_hooks(|| world.push());
    world
        .cmd(&["check"])
        .exits(1)
        .says("there is no refs/heads/main");
    let found = doctor(&world, "application repository");
    assert!(
        found.starts_with("PROBLEM") && found.contains("refs/heads/master"),
        "{found}"
    );
}

/// A world whose application `a` has the given `deploy.sh`, which the command starts.
fn with_script(script: &str, mode: u32) -> (World, String) {
    let world = world(&["a"], "");
    let apps = world.path("apps");
    world.config_file(&format!(
        "[defaults]\nrepository = \"{}/{{application}}.git\"\ncheckout = \"{}/{{application}}\"\n\
         command = [\"./deploy.sh\"]\n",
        apps.display(),
        world.path("srv").display()
    ));
    fs::create_dir(world.path("srv")).unwrap();

    world.git_in(".", &["init", "-q", "-b", "main", "clone"]);
    if !script.is_empty() {
        let file = world.path("clone/deploy.sh");
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    }
    world.git_in("clone", &["add", "-A"]);
    world.git_in("clone", &["commit", "-q", "--allow-empty", "-m", "c1"]);
    world.git_in("clone", &["push", "-q", "../apps/a.git", "main"]);
    let revision = world.git_in("clone", &["rev-parse", "HEAD"]);
    (world, revision)
}

#[test]
fn script_of_the_application_that_cannot_run_is_found_before_and_after() {
    for (script, mode, says) in [
        ("#!/bin/sh\ntrue\n", 0o644, "is not executable"),
        ("#!/bin/sh\r\ntrue\r\n", 0o755, "carriage return (CRLF)"),
        (
            "#!/usr/bin/nosuchshell -e\n",
            0o755,
            "names the interpreter /usr/bin/nosuchshell",
        ),
        ("", 0o644, "is not there"),
    ] {
        let (world, revision) = with_script(script, mode);
        world.deploy_rev("staging/a", &revision);
        world.push();

        let history = world.settled();
        assert!(
            history[0].contains("failed: could not start"),
            "{history:?}"
        );
        assert!(history[0].contains(says), "{history:?}");

        world
            .cmd(&["check"])
            .ok()
            .says("warning: deploy.sh of a at")
            .says(says);
        let found = doctor(&world, "command");
        assert!(
            found.starts_with("PROBLEM") && found.contains(says),
            "{found}"
        );
        assert!(found.contains("fix: "), "{found}");
    }

    for script in ["#!/bin/sh\ntrue\n", "true\n"] {
        let (world, revision) = with_script(script, 0o755);
        world.deploy_rev("staging/a", &revision);
        world.push();
        assert_eq!(world.settled(), ["#1 staging/a succeeded"]);
        assert!(doctor(&world, "command").starts_with("ok"));
    }
}

#[test]
fn command_on_the_server_that_cannot_run_is_found_before_and_after() {
    let world = World::installed();
    let script = world.path("deploy.sh");
    let absolute = script.display().to_string();
    fs::write(&script, "#!/bin/sh\r\ntrue\r\n").unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();

    for (n, (program, says, later)) in [
        ("./deploy.sh", "is a relative path", "is not there"),
        ("bin/deploy", "is a relative path", "is not there"),
        ("nosuchprogram", "is in no folder of PATH", "No such file"),
        (
            &absolute,
            "carriage return (CRLF)",
            "carriage return (CRLF)",
        ),
        ("/tmp", "is not a regular file", "is not a regular file"),
    ]
    .into_iter()
    .enumerate()
    {
        world.config_file(&format!("[defaults]\ncommand = [\"{program}\"]\n"));
        world.deploy("staging/a", u32::try_from(n).unwrap() + 1);
        world.push();

        world.cmd(&["check"]).ok().says("warning: ").says(says);
        let found = doctor(&world, "command");
        assert!(
            found.starts_with("PROBLEM") && found.contains(says),
            "{found}"
        );
        let history = world.settled();
        assert!(history[n].contains(later), "{history:?}");
    }
}

#[test]
fn names_that_only_a_deployment_knows_are_not_called_missing() {
    let world = World::installed();
    for command in [
        "[\"/srv/{id}/deploy\"]",
        "[\"{checkout}/deploy\"]",
        "[\"/bin/echo\", \"{revision}\"]",
    ] {
        world.config_file(&format!(
            "[defaults]\ncommand = {command}\nrepository = \"/srv/x\"\ncheckout = \"{}\"\n",
            world.path("srv/{environment}").display()
        ));
        let found = doctor(&world, "command");
        assert!(!found.contains("PROBLEM"), "{command}: {found}");
    }
}

#[test]
fn first_word_that_is_no_hash_is_explained_to_the_pusher_and_by_check() {
    let hash = rev(7);
    let utf_16: Vec<u8> = format!("\u{feff}{hash}\r\n")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (content, says) in [
        (utf_16, "the file is UTF-16 text"),
        (
            format!("\u{feff}{hash}\n").into_bytes(),
            "without a byte order mark",
        ),
        (format!("commit {hash}\n").into_bytes(), hash.as_str()),
        (
            format!("\u{200b}{hash}\n").into_bytes(),
            "\\u{200b} can't be seen",
        ),
        (b"main\n".to_vec(), "git rev-parse main"),
    ] {
        let world = World::installed();
        world.deploy_file("staging/a", content);
        world.try_push().exits(1).says(says);
        world.without_hooks(|| world.push());
        world.cmd(&["check"]).exits(1).says(says);
    }
}
