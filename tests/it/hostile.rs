//! Hostile names and contents: whatever a pusher can write or a command can print is shown, and
//! never acts.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

use crate::run::run;
use crate::tree::{FILE, Trees};
use crate::world::{World, rev};

/// Escape sequences, bells, carriage returns, bidirectional overrides, C1 controls, line
/// separators, bytes that are no UTF-8.
const HOSTILE: &[u8] =
    b"\x1b]0;owned\x07\x1b[2J\x1b[1A\rx\xe2\x80\xaey\xc2\x9b31m\xe2\x80\xa8\x7f\xff\xfe";

/// Asserts that a text can be shown: UTF-8 without anything that acts or deceives. Colours of our
/// own are let through on a terminal.
#[track_caller]
fn assert_clean(bytes: &[u8], what: &str, terminal: bool) {
    let shown = String::from_utf8_lossy(bytes).into_owned();
    let Ok(mut text) = String::from_utf8(bytes.to_vec()) else {
        panic!("{what} is not UTF-8: {shown:?}")
    };
    if terminal {
        text = text.replace("\r\n", "\n");
        for sequence in ["\x1b[0m", "\x1b[m"]
            .map(str::to_owned)
            .into_iter()
            .chain((1..=97).flat_map(|n| [format!("\x1b[{n}m"), format!("\x1b[1;{n}m")]))
        {
            text = text.replace(&sequence, "");
        }
    }
    let bad = |c: &char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}')
    };
    assert_eq!(text.chars().find(bad), None, "{what}: {shown:?}");
}

#[test]
fn names_of_files_in_refusals() {
    let world = World::installed();
    let trees = Trees::new(&world, "work");
    let good = trees.blob(rev(1));
    let name = [
        &b"production/"[..],
        &HOSTILE
            .iter()
            .copied()
            .filter(|b| *b != b'/')
            .collect::<Vec<_>>(),
        b"\n.deploy",
    ]
    .concat();
    let commit = trees.commit(&trees.path(FILE, &name, &good), None);
    world.commit();
    let mut push = world.push_command(&["origin", &format!("{commit}:refs/heads/main")]);
    let output = push.output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("refused production/") && text.contains("\\u{1b}"),
        "{text}"
    );
    let ours: Vec<_> = output
        .stderr
        .split(|b| *b == b'\n')
        .filter(|line| line.starts_with(b"remote: "))
        .collect();
    assert_clean(&ours.join(&b'\n'), "the refusal", false);
    // One line for the problem and one for the hint, whatever the name has in it.
    assert_eq!(
        ours.iter()
            .filter(|line| line.starts_with(b"remote: deploy-by-code: "))
            .count(),
        1,
        "{text}"
    );
}

#[test]
fn names_of_folders_and_first_words_in_refusals() {
    let world = World::installed();
    let trees = Trees::new(&world, "work");
    let folder: Vec<u8> = HOSTILE.iter().copied().filter(|b| *b != b'/').collect();
    let content = [HOSTILE, b"\n", rev(1).as_bytes()].concat();
    let table = [
        trees.path(
            FILE,
            &[&folder, &b"/a.deploy"[..]].concat(),
            &trees.blob(rev(1)),
        ),
        trees.path(FILE, b"production/a.deploy", &trees.blob(content)),
        trees.path(
            FILE,
            &[b"a/b/", &folder[..], b"/c.deploy"].concat(),
            &trees.blob(rev(1)),
        ),
    ];
    for tree in table {
        let commit = trees.commit(&tree, None);
        let output = world
            .push_command(&["origin", &format!("{commit}:refs/heads/main")])
            .output()
            .unwrap();
        assert!(!output.status.success());
        let ours = output
            .stderr
            .split(|b| *b == b'\n')
            .filter(|line| line.starts_with(b"remote: "));
        let ours = ours.collect::<Vec<_>>().join(&b'\n');
        assert!(
            String::from_utf8_lossy(&ours).contains("deploy-by-code: refused "),
            "{output:?}"
        );
        assert_clean(&ours, "the refusal", false);
    }
}

/// A world with one deployment in which everything is hostile that can be, and that printed hostile
/// output and failed.
fn hostile_deployment() -> World {
    let world = World::installed();
    let octal: String = HOSTILE.iter().map(|byte| format!("\\{byte:03o}")).collect();
    world.job(&format!("printf '{octal}\\n{octal}'; note start; exit 1"));
    world.deploy_file(
        "production/a",
        [rev(1).as_bytes(), b"\n* ", HOSTILE, b"\n"].concat(),
    );
    world.git(&["add", "-A"]);
    let author: Vec<u8> = HOSTILE.to_vec();
    let mut commit = world.command("git", "work");
    commit
        .args(["commit", "-q", "-F", "-"])
        .env("GIT_AUTHOR_NAME", OsStr::from_bytes(&author));
    commit
        .env("GIT_AUTHOR_EMAIL", OsStr::from_bytes(&author))
        .env("GIT_COMMITTER_NAME", OsStr::from_bytes(&author));
    run(&mut commit, HOSTILE).ok();
    let mut push = world.push_command(&["-o", "follow", "origin", "HEAD:refs/heads/main"]);
    let output = push
        .env("GL_USER", OsStr::from_bytes(HOSTILE))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let ours = output
        .stderr
        .split(|b| *b == b'\n')
        .filter(|line| line.starts_with(b"remote: "));
    assert_clean(
        &ours.collect::<Vec<_>>().join(&b'\n'),
        "the followed log",
        false,
    );
    assert_eq!(world.settled(), ["#1 production/a failed: exit status 1"]);
    world
}

#[test]
fn messages_names_and_output_on_a_terminal_in_a_pipe_and_in_json() {
    let world = hostile_deployment();
    for command in [
        "status",
        "log",
        "show 1",
        "logs 1",
        "logs -f 1",
        "wait 1",
        "check",
        "doctor",
        "retry 1",
        "cancel 1",
        "reconcile",
    ] {
        assert_clean(
            &world.on_a_terminal(command, &[]),
            &format!("{command} on a terminal"),
            true,
        );
        world.settled();
    }
    for command in [&["status"][..], &["log"], &["show", "1"]] {
        let output = world.binary().args(command).output().unwrap();
        assert_clean(&output.stdout, &format!("{command:?} in a pipe"), false);
        let output = world.binary().args(command).arg("--json").output().unwrap();
        assert_clean(&output.stdout, &format!("{command:?} as JSON"), false);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
    }
    let tip = world.tip();
    for markdown in ["", "--markdown "] {
        let plan = world.on_a_terminal(
            &format!("plan {markdown}4b825dc642cb6eb9a060e54bf8d69288fbee4904 {tip}"),
            &[],
        );
        assert_clean(&plan, "plan on a terminal", true);
    }
}

#[test]
fn arguments_that_are_wrong_are_escaped_too() {
    let world = World::installed();
    for command in [
        "status", "log", "show", "logs", "wait", "retry", "cancel", "check", "release",
    ] {
        let output = world
            .binary()
            .arg(command)
            .arg(OsStr::from_bytes(HOSTILE))
            .output()
            .unwrap();
        assert_ne!(output.status.code(), Some(0), "{command}");
        assert_clean(&output.stderr, &format!("the error of {command:?}"), false);
        assert_clean(&output.stdout, &format!("the output of {command:?}"), false);
    }
}

#[test]
fn names_that_a_shell_or_git_would_take_for_something_else() {
    let world = World::installed();
    world.job("note start; printf '%s|' \"$DEPLOY_PUSHER\" >> \"$W/pushers\"");
    world.deploy("production/a", 1);
    world.commit();
    let refs = [
        "HEAD:refs/heads/main",
        "HEAD:refs/heads/--upload-pack=touch-x",
        "HEAD:refs/heads/`touch${IFS}x`",
        "HEAD:refs/tags/-h",
    ];
    let mut push = world.push_command(&["origin"]);
    run(
        push.args(refs)
            .env("GL_USER", "$(touch x); `touch x` 'q\"--help"),
        b"",
    )
    .ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(
        std::fs::read_to_string(world.path("pushers")).unwrap(),
        "$(touch x); `touch x` 'q\"--help|"
    );
    let mut find = world.command("find", ".");
    assert_eq!(
        run(
            find.args([".", "-name", "x", "-o", "-name", "touch-x"]),
            b""
        )
        .ok()
        .stdout,
        ""
    );
    // A revision is never an option either.
    for argument in ["--output=x", "-x^{commit}", "HEAD; touch x"] {
        let code = world.cmd(&["check", "--", argument]).code;
        assert!(matches!(code, Some(1 | 2 | 4)), "{argument}: {code:?}");
    }
    assert!(!world.path("x").exists() && !world.path("deploy.git/x").exists());
}

#[test]
fn a_deploy_branch_with_an_odd_name() {
    let world = World::new();
    let name = "refs/heads/$(touch${IFS}x);--é";
    world.server_git(&["symbolic-ref", "HEAD", name]);
    world.install();
    world.deploy("production/a", 1);
    world
        .push_with(&["origin", &format!("HEAD:{name}")])
        .ok()
        .says("#1 production/a");
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    world.cmd(&["check"]).ok();
}

/// git fetches what a partial clone lacks from where the clone's configuration says, by a program
/// that it names: an application's repository can be another user's, and its configuration must not
/// be carried out by whoever pushes.
#[test]
fn a_repository_that_would_fetch_what_it_lacks_runs_nothing() {
    let world = World::installed();
    let fetched = world.path("fetched");
    let program = world.path("upload-pack");
    fs::write(
        &program,
        format!("#!/bin/sh\ntouch '{}'\n", fetched.display()),
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    for (key, value) in [
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", world.repository().to_str().unwrap()),
        ("remote.origin.uploadpack", program.to_str().unwrap()),
    ] {
        world.server_git(&["config", key, value]);
    }
    let _ = world.cmd(&["plan", &"1".repeat(40), &"2".repeat(40)]);
    assert!(!fetched.exists());
    // The control: git by itself does run it.
    let mut git = world.command("git", "deploy.git");
    run(git.args(["cat-file", "-e", &"1".repeat(40)]), b"");
    assert!(fetched.exists());
}
