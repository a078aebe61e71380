//! Who pushed, and how that is known.

use std::fs;

use crate::nobody::{Nobody, user};
use crate::processes::BINARY;
use crate::run::run;
use crate::world::World;

/// Who pushed a deployment, and how that is known.
#[track_caller]
pub fn pusher(world: &World, id: u32) -> (String, String) {
    let shown = world.show(id);
    let [name, known_by] =
        ["pusher", "pusher_known_by"].map(|key| shown[key].as_str().unwrap().to_owned());
    (name, known_by)
}

#[test]
fn pusher_is_named_by_the_first_variable_that_is_set() {
    let world = World::installed();
    let user = user();
    let kallithea = r#"{"scm": "git", "username": "kim", "ip": "::1"}"#;
    // Each variable has priority over those above it in this list: a variable, its value, and the
    // pusher that it stands for.
    let variables = [
        ("REMOTE_USER", "remote", ("remote", "http")),
        ("SOFT_SERVE_USERNAME", "soft", ("soft", "soft serve")),
        ("KALLITHEA_EXTRAS", kallithea, ("kim", "kallithea")),
        ("GITEA_PUSHER_NAME", "gina", ("gina", "gitea")),
        ("GL_USER", "gus", ("gus", "pagure")),
        // Gitolite sets this one too.
        ("GL_REPO", "deploys", ("gus", "gitolite")),
        ("GL_USERNAME", "glen", ("glen", "gitlab")),
        ("DEPLOY_BY_CODE_PUSHER", "key", ("key", "ssh key")),
    ];

    for at in 0..=variables.len() {
        let n = u32::try_from(at).unwrap() + 1;
        world.deploy("production/a", n);
        world.commit();
        let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
        push.envs(variables[..at].iter().map(|(name, value, _)| (name, value)));
        run(&mut push, b"").ok();
        world.settled();

        let (name, known_by) = match at.checked_sub(1) {
            None => (user.as_str(), "unix"),
            Some(last) => variables[last].2,
        };
        assert_eq!(pusher(&world, n), (name.to_owned(), known_by.to_owned()));
    }

    world.cmd(&["log"]).ok().says(" (gitolite)").says(" (unix)");
}

#[test]
fn kallithea_names_nobody_in_what_cannot_be_read() {
    let world = World::installed();
    let long = format!(r#"{{"username": "kim", "more": "{}"}}"#, "x".repeat(70_000));
    let nested = "[".repeat(60_000);
    let unreadable = [
        "kim",
        "{}",
        r#"{"username": 7}"#,
        r#"{"username": ""}"#,
        &long,
        &nested,
    ];

    for (n, extras) in (1..).zip(unreadable) {
        world.deploy("production/a", n);
        world.commit();
        let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
        run(push.env("KALLITHEA_EXTRAS", extras), b"").ok();
        world.settled();
        assert_eq!(pusher(&world, n), (user(), "unix".to_owned()));
    }
}

#[test]
fn pusher_is_the_signer_of_a_push_signed_with_a_known_key() {
    let world = World::installed();
    for key in ["key", "unknown"] {
        let mut keygen = world.command("ssh-keygen", ".");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", key]);
        run(&mut keygen, b"").ok();
    }
    let public = fs::read_to_string(world.path("key.pub")).unwrap();
    let signers = world.path("signers");
    fs::write(&signers, format!("alice@example.org {public}")).unwrap();
    for (key, value) in [
        ("receive.certNonceSeed", "a secret of the server"),
        ("gpg.format", "ssh"),
        ("gpg.ssh.allowedSignersFile", signers.to_str().unwrap()),
    ] {
        world.server_git(&["config", key, value]);
    }
    world.git(&["config", "gpg.format", "ssh"]);
    let push_signed_with = |key: &str, n: u32| {
        let key = world.path(key);
        world.git(&["config", "user.signingKey", key.to_str().unwrap()]);
        world.deploy("production/a", n);
        world
            .push_with(&["--signed", "origin", "HEAD:refs/heads/main"])
            .ok();
        world.settled();
        pusher(&world, n)
    };

    let (name, known_by) = push_signed_with("key", 1);
    assert_eq!(
        (name.as_str(), known_by.as_str()),
        ("alice@example.org", "signature")
    );

    // git also calls a signature good whose key is in no file of signers.
    let (name, known_by) = push_signed_with("unknown", 2);
    assert_eq!((name, known_by.as_str()), (user(), "unix"));
}

#[test]
fn pusher_without_a_name_is_known_by_the_number() {
    let world = World::new();
    let Some(nobody) = Nobody::sharing(&world) else {
        return;
    };
    world.install();
    std::os::unix::fs::chown(world.path("other"), Some(54321), Some(0)).unwrap();

    let deploy = "git init -q -b main c && cd c && mkdir production && \
                  printf %07d%033d 1 0 > production/a.deploy && git add -A && \
                  git commit -q -m Deploy && umask 002 && \
                  git push -q ../../deploy.git HEAD:refs/heads/main";
    nobody.run_as("54321", "other", deploy).ok();

    world.settled();
    let number = ("user 54321".to_owned(), "unix".to_owned());
    assert_eq!(pusher(&world, 1), number);

    // The person who types a command is known in the same way.
    let freeze = format!("'{BINARY}' -C deploy.git freeze production --reason x");
    nobody
        .run_as("54321", ".", &freeze)
        .ok()
        .says("frozen by user 54321");
}

#[test]
fn person_who_types_a_command_has_not_signed_a_push() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();

    let mut freeze = world.binary();
    freeze
        .args(["freeze", "production", "--reason", "incident 7"])
        .env("GIT_PUSH_CERT_STATUS", "G")
        .env("GIT_PUSH_CERT_NONCE_STATUS", "OK")
        .env("GIT_PUSH_CERT_SIGNER", "mallory");
    run(&mut freeze, b"")
        .ok()
        .says(&format!("frozen by {}", user()))
        .says_nothing_of("mallory");
}

/// The person is the user who runs the command. What else the environment names is that user's own
/// choice.
#[test]
fn person_who_types_a_command_is_the_unix_user_whatever_the_environment_says() {
    let world = World::new();
    let Some(nobody) = Nobody::sharing(&world) else {
        return;
    };
    world.config("[environments.production]");
    world.install();

    for variable in [
        "SUDO_USER",
        "SUDO_UID",
        "DEPLOY_BY_CODE_PUSHER",
        "GL_USERNAME",
        "GL_USER",
        "GITEA_PUSHER_NAME",
        "REMOTE_USER",
        "LOGNAME",
        "USER",
    ] {
        // `games` is the user with the number 5 in Debian.
        let value = if variable == "SUDO_UID" { "5" } else { "games" };
        let freeze =
            format!("{variable}={value} '{BINARY}' -C deploy.git freeze production --reason x");
        nobody
            .run(".", &freeze)
            .ok()
            .says("frozen by nobody at")
            .says_nothing_of("games");
    }
}

#[test]
fn person_behind_root_is_the_user_whose_number_sudo_gives() {
    let world = World::installed();
    world.config("[environments.production]");
    if !crate::nobody::root_or_skip() {
        return;
    }
    let freeze = |variables: &[(&str, &str)]| {
        let mut freeze = world.binary();
        freeze.args(["freeze", "production", "--reason", "x"]);
        run(freeze.envs(variables.iter().copied()), b"").ok()
    };

    freeze(&[("SUDO_UID", "65534"), ("SUDO_USER", "mallory")]).says("frozen by nobody at");
    freeze(&[("SUDO_UID", "54321")]).says("frozen by user 54321 at");
    for no_number in [
        ("SUDO_USER", "mallory"),
        ("SUDO_UID", "mallory"),
        ("GL_USER", "mallory"),
    ] {
        freeze(&[no_number]).says("frozen by root at");
    }
}
