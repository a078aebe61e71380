//! Hostile names and contents: whatever a pusher can write and a command can print is shown, and
//! has no other effect.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

use crate::run::run;
use crate::tree::{FILE, Trees};
use crate::world::{World, rev};

/// Escape sequences, bells, carriage returns, bidirectional overrides, C1 controls, line
/// separators, and bytes that are not UTF-8.
const HOSTILE: &[u8] =
    b"\x1b]0;owned\x07\x1b[2J\x1b[1A\rx\xe2\x80\xaey\xc2\x9b31m\xe2\x80\xa8\x7f\xff\xfe";

/// Characters that change how the text around them is shown.
const DECEIVING: [std::ops::RangeInclusive<char>; 4] = [
    '\u{200e}'..='\u{200f}',
    '\u{2028}'..='\u{2029}',
    '\u{202a}'..='\u{202e}',
    '\u{2066}'..='\u{2069}',
];

/// Asserts that a text is UTF-8 without control characters and without anything that deceives. On a
/// terminal the colours that the program uses itself are allowed.
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

    let is_bad = |c: &char| {
        let deceives = DECEIVING.iter().any(|range| range.contains(c));
        deceives || (c.is_control() && !['\n', '\t'].contains(c))
    };
    assert_eq!(text.chars().find(is_bad), None, "{what}: {shown:?}");
}

/// The lines that the hooks printed.
fn remote(stderr: &[u8]) -> Vec<&[u8]> {
    stderr
        .split(|b| *b == b'\n')
        .filter(|line| line.starts_with(b"remote: "))
        .collect()
}

/// [`HOSTILE`] as the name of a file, which cannot contain a slash.
fn hostile_name() -> Vec<u8> {
    HOSTILE.iter().copied().filter(|b| *b != b'/').collect()
}

#[test]
fn hostile_file_names_are_escaped_in_refusals() {
    let world = World::installed();
    let trees = Trees::new(&world, "work");
    let good = trees.blob(rev(1));
    let name = [&b"production/"[..], &hostile_name(), b"\n.deploy"].concat();
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

    let said = remote(&output.stderr);
    assert_clean(&said.join(&b'\n'), "the refusal", false);

    // The refusal is one line, although the name contains a newline.
    let ours = b"remote: deploy-by-code: ";
    let refusals = said.iter().filter(|line| line.starts_with(ours));
    assert_eq!(refusals.count(), 1, "{text}");
}

#[test]
fn hostile_folders_and_words_are_escaped_in_refusals() {
    let world = World::installed();
    let trees = Trees::new(&world, "work");
    let folder = hostile_name();
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
        let said = remote(&output.stderr).join(&b'\n');
        let text = String::from_utf8_lossy(&said);
        assert!(text.contains("deploy-by-code: refused "), "{output:?}");
        assert!(text.contains("\\u{1b}"), "{output:?}");
        assert_clean(&said, "the refusal", false);
    }
}

/// A world with one deployment that printed hostile output and failed. Its author, commit message,
/// deploy file and pusher are hostile too.
fn hostile_deployment() -> World {
    let world = World::installed();
    let octal: String = HOSTILE.iter().map(|byte| format!("\\{byte:03o}")).collect();
    world.job(&format!("printf '{octal}\\n{octal}'; note start; exit 1"));
    world.deploy_file(
        "production/a",
        [rev(1).as_bytes(), b"\n* ", HOSTILE, b"\n"].concat(),
    );
    world.git(&["add", "-A"]);
    let hostile = OsStr::from_bytes(HOSTILE);
    let mut commit = world.command("git", "work");
    commit
        .args(["commit", "-q", "-F", "-"])
        .env("GIT_AUTHOR_NAME", hostile)
        .env("GIT_AUTHOR_EMAIL", hostile)
        .env("GIT_COMMITTER_NAME", hostile);
    run(&mut commit, HOSTILE).ok();
    let mut push = world.push_command(&["-o", "follow", "origin", "HEAD:refs/heads/main"]);

    let output = push.env("GL_USER", hostile).output().unwrap();
    assert!(output.status.success(), "{output:?}");

    let said = remote(&output.stderr).join(&b'\n');
    assert_clean(&said, "the followed log", false);
    assert_eq!(world.settled(), ["#1 production/a failed: exit status 1"]);

    world
}

#[test]
fn hostile_text_is_escaped_on_terminals_in_pipes_and_json() {
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
fn hostile_arguments_are_escaped_in_errors() {
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
fn hostile_names_reach_no_shell_and_no_option_of_git() {
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
        fs::read_to_string(world.path("pushers")).unwrap(),
        "$(touch x); `touch x` 'q\"--help|"
    );

    // A revision is not taken for an option either.
    for argument in ["--output=x", "-x^{commit}", "HEAD; touch x"] {
        world
            .cmd(&["check", "--", argument])
            .exits(1)
            .says(&format!("\"{argument}\" is not a commit"));
    }

    let made = || {
        let mut find = world.command("find", ".");
        find.args([".", "-name", "x", "-o", "-name", "touch-x"]);
        run(&mut find, b"").ok().stdout
    };
    assert_eq!(made(), "");

    // The control: a file of this name would be found.
    fs::write(world.path("deploy.git/x"), "").unwrap();
    assert_eq!(made(), "./deploy.git/x\n");
}

#[test]
fn deploy_branch_can_have_an_odd_name() {
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

/// The configuration of a partial clone names the program by which git fetches missing objects. An
/// application's repository can belong to another user, so this program must not run with the
/// rights of the user who pushes.
#[test]
fn partial_clone_settings_of_a_repository_start_no_program() {
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

    // The control: git itself does run it.
    let mut git = world.command("git", "deploy.git");
    run(git.args(["cat-file", "-e", &"1".repeat(40)]), b"");
    assert!(fetched.exists());
}
