//! `propose` where something is in the way, is missing, or is hostile.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Stdio;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::applications;
use crate::clones::{content, desk, is_deployed, propose, pushed, refuses, served_desk, state};
use crate::processes::BINARY;
use crate::world::World;

const A: &str = "production/a";

fn one_deployed() -> (World, Vec<String>) {
    let (world, main) = desk(&["a"]);
    pushed(&world, A, &main[0]);
    (world, main)
}

#[test]
fn clone_with_changes_is_refused() {
    let (world, _) = one_deployed();
    world.write("README.md", "not staged\n");
    propose(&world, &[A, "--dry-run"]).ok();

    world.git(&["add", "README.md"]);
    refuses(&world, &[A])
        .says("something is staged in")
        .says("git restore --staged");
    world.git(&["rm", "-q", "-f", "README.md"]);

    let old = content(&world, A);
    world.deploy_file(A, format!("{old}\n"));
    refuses(&world, &[A]).says("has changes that are not committed");
    fs::remove_file(world.path("work/production/a.deploy")).unwrap();
    refuses(&world, &[A]).says("has changes that are not committed");
    world.git(&["checkout", "-q", "--", "."]);

    world.deploy_file("production/b", "mine\n");
    refuses(&world, &["production/b"]).says("it is in no commit yet");
}

#[test]
fn clone_that_is_behind_the_deploy_branch_is_refused() {
    let (world, main) = one_deployed();
    pushed(&world, A, &main[1]);
    world.git(&["reset", "-q", "--hard", "HEAD~1"]);

    refuses(&world, &[A])
        .says("production/a.deploy is another one at origin/main")
        .says("git merge origin/main");

    // What others have deployed meanwhile is not in the way.
    propose(&world, &["production/b", "--dry-run"])
        .exits(1)
        .says("no clone of b");
    world.git(&["merge", "-q", "origin/main"]);
    propose(&world, &[A]).ok();
    propose(&world, &[A, "--redeploy", "--dry-run"])
        .ok()
        .says("warning: 1 earlier commit of this branch would be pushed too");
}

#[test]
fn misspelt_names_are_refused_with_the_nearest() {
    let (world, _) = one_deployed();
    for (target, says) in [
        ("prodcution/a", "did you mean production?"),
        ("Production/a", "did you mean production?"),
        ("production/A", "did you mean a?"),
    ] {
        refuses(&world, &[target]).says(says);
    }
    for target in [
        "../a",
        "production/../a",
        "a/b/c",
        "",
        "-x",
        "production/\u{1b}x",
    ] {
        propose(&world, &["--", target])
            .exits(2)
            .says_nothing_of("\u{1b}");
    }
}

#[test]
fn what_is_no_commit_is_refused() {
    let (world, main) = one_deployed();
    world.git_in("a", &["tag", "-a", "-m", "x", "of-a-tree", "HEAD^{tree}"]);
    for name in [
        "nowhere",
        "of-a-tree",
        "--all",
        "",
        "HEAD~9",
        "\u{1b}[2J",
        &"7".repeat(40),
    ] {
        refuses(&world, &[A, "--", name])
            .says("there is no commit")
            .says_nothing_of("\u{1b}");
    }
    propose(&world, &[A, &main[1][..8], "--dry-run"])
        .ok()
        .says("a commit of a");
}

#[test]
fn application_is_found_where_it_is_said_to_be() {
    let (world, _) = one_deployed();
    let moved = |from: &str, to: &str| fs::rename(world.path(from), world.path(to)).unwrap();
    let dry = |more: &[&str]| propose(&world, &[&[A, "--dry-run"], more].concat());
    let place = |run: crate::run::Run, folder: &str| {
        run.ok()
            .says(&format!("those of {}\n", world.path(folder).display()));
    };

    // Any folder beside the clone that has the commit.
    moved("a", "checkout-of-it");
    place(dry(&[]), "checkout-of-it");
    world.git_in(".", &["clone", "-q", "apps/a.git", "second"]);
    dry(&[]).exits(1).says("more than one repository has");
    place(dry(&["--application-repository", "../second"]), "second");

    // A work tree of a repository is no other repository.
    fs::remove_dir_all(world.path("second")).unwrap();
    world.git_in("checkout-of-it", &["worktree", "add", "-q", "../zz"]);
    place(dry(&[]), "checkout-of-it");

    world.git_in(".", &["clone", "-q", "--bare", "apps/a.git", "a.git"]);
    place(dry(&[]), "a.git");
    world.git(&["config", "deploy-by-code.a.repository", "../zz"]);
    place(dry(&[]), "zz");

    world.git(&["config", "deploy-by-code.a.repository", "../gone"]);
    dry(&[]).exits(4);
    world.git(&["config", "--unset", "deploy-by-code.a.repository"]);
    for gone in ["a.git", "zz", "checkout-of-it"] {
        fs::remove_dir_all(world.path(gone)).unwrap();
    }
    dry(&[])
        .exits(1)
        .says("there is no clone of a in")
        .says("git config deploy-by-code.a.repository FOLDER");
}

#[test]
fn subjects_of_others_change_nothing_but_their_own_line() {
    let (world, main) = one_deployed();
    let hash = "7".repeat(40);
    for subject in ["\u{1b}[2J\u{7}", &hash, "\u{202e}evil", "-- x"] {
        applications::commit(&world, "a", "main", subject);
    }
    let tip = applications::commit(&world, "a", "main", &"y".repeat(3000));
    let old = content(&world, A);

    propose(&world, &[A]).ok().says_nothing_of("\u{1b}");

    let new = content(&world, A);
    let entry = new.strip_suffix(&old).unwrap();
    let lines: Vec<&str> = entry.lines().collect();
    assert_eq!(lines[0], tip);
    assert!(
        lines[1..].iter().all(|line| line.starts_with("* ")),
        "{lines:#?}"
    );
    assert_eq!(lines.len(), 1 + 5 + 2, "{main:?}");
    assert!(lines[1].chars().count() < 250);
    assert!(!new.contains(['\u{1b}', '\u{7}', '\u{202e}']));
}

#[test]
fn folder_that_is_a_link_is_not_followed() {
    let (world, _) = desk(&["a"]);
    fs::create_dir(world.path("outside")).unwrap();
    symlink(world.path("outside"), world.path("work/production")).unwrap();
    world.push_unseen();

    refuses(&world, &[A, "--new"]);
    assert_eq!(fs::read_dir(world.path("outside")).unwrap().count(), 0);
}

#[test]
fn file_that_is_a_link_is_not_followed() {
    let (world, main) = one_deployed();
    fs::write(world.path("outside"), format!("{}\n", main[0])).unwrap();
    let file = world.path("work/production/a.deploy");
    fs::remove_file(&file).unwrap();
    symlink(world.path("outside"), &file).unwrap();
    world.push_unseen();

    let before = state(&world);
    let run = propose(&world, &[A]);
    assert!(matches!(run.code, Some(1 | 4)), "{run:#?}");
    assert_eq!(state(&world), before);
    assert_eq!(
        fs::read_to_string(world.path("outside")).unwrap(),
        format!("{}\n", main[0])
    );
}

#[test]
fn file_without_a_revision_is_refused_with_its_line() {
    let (world, _) = one_deployed();
    world.deploy_file(A, "\n* not a hash\n");
    world.push_unseen();
    refuses(&world, &[A]).says("production/a.deploy: line 2: \"*\" is not a commit hash");
}

#[test]
fn hook_that_refuses_the_commit_leaves_everything_as_it_was() {
    let (world, _) = one_deployed();
    let hook = world.path("work/.git/hooks/pre-commit");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\necho no deploys on Fridays >&2\nexit 1\n").unwrap();
    world
        .shell_in("work", "chmod +x .git/hooks/pre-commit")
        .ok();

    refuses(&world, &[A])
        .says("no deploys on Fridays")
        .says("git made no commit, and the files are as they were");
    refuses(&world, &["new/a", "--new"]).says("git made no commit");
    assert!(!world.path("work/new").exists());

    // A hook that changes the file is noticed.
    fs::write(
        &hook,
        "#!/bin/sh\nsed -i 1d production/a.deploy\ngit add production/a.deploy\n",
    )
    .unwrap();
    propose(&world, &[A])
        .exits(1)
        .says("is not what was proposed");
}

/// Starts `propose` as a shell does, presses Ctrl-C when a condition holds, and returns the signal
/// or exit code with which it ended.
fn interrupt(
    world: &World,
    arguments: &[&str],
    variable: (&str, &str),
) -> (Option<i32>, Option<i32>) {
    // A process that a script started in the background has children that ignore this signal.
    let mut command = world.command("env", "work");
    command.args(["--default-signal=INT", BINARY, "propose"]);
    command.args(arguments);
    command.env(variable.0, variable.1).process_group(0);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    world.wait_until("git waits", || world.path("waits").exists());

    killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let mut ended = None;
    world.wait_until("propose has ended", || {
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    let ended = ended.unwrap();
    (ended.code(), ended.signal())
}

/// A program that says that it was started, and does not end.
fn endless(world: &World) -> String {
    let program = world.path("endless");
    let waits = world.path("waits");
    fs::write(
        &program,
        format!("#!/bin/sh\ntouch '{}'\nexec sleep 1000\n", waits.display()),
    )
    .unwrap();
    world.shell_in(".", "chmod +x endless").ok();
    program.to_str().unwrap().to_owned()
}

#[test]
fn remote_that_hangs_is_ended_with_ctrl_c() {
    let (world, _) = one_deployed();
    world.git(&[
        "remote",
        "set-url",
        "origin",
        "ssh://nowhere.invalid/deploy.git",
    ]);
    let before = state(&world);

    let (_, signal) = interrupt(&world, &[A], ("GIT_SSH", &endless(&world)));

    assert_eq!(signal, Some(Signal::SIGINT as i32));
    assert_eq!(state(&world), before);
}

#[test]
fn editor_that_is_interrupted_leaves_everything_as_it_was() {
    let (world, _) = one_deployed();
    let before = state(&world);

    let (code, _) = interrupt(&world, &[A, "--edit"], ("GIT_EDITOR", &endless(&world)));

    assert!(matches!(code, Some(1 | 4)), "{code:?}");
    assert_eq!(state(&world), before);
}

#[test]
fn remote_that_can_not_be_reached_is_an_error_with_the_words_of_git() {
    let (world, _) = one_deployed();
    world.git(&["remote", "set-url", "origin", "../gone.git"]);
    propose(&world, &[A])
        .exits(4)
        .says("gone.git")
        .says("git ls-remote failed in");
    propose(&world, &[A, "--no-fetch", "--dry-run"])
        .exits(1)
        .says("git remote set-head origin --auto");
    propose(&world, &[A, "--no-fetch", "--branch", "main", "--dry-run"]).ok();
}

#[test]
fn strange_branch_that_the_remote_names_is_not_taken_by_itself() {
    let (world, _) = one_deployed();
    let strange = "refs/heads/x;y";
    world.server_git(&["update-ref", strange, "refs/heads/main"]);
    world.server_git(&["symbolic-ref", "HEAD", strange]);
    propose(&world, &[A])
        .exits(1)
        .says("names the branch \"x;y\"");
    propose(&world, &[A, "--branch", "main"]).ok();
}

#[test]
fn place_that_is_no_clone_is_an_error() {
    let (world, _) = one_deployed();
    let at = |folder: &str| world.cmd_in(folder, &["propose", A]);
    at("home").exits(4).says("git rev-parse failed in");
    at("deploy.git").exits(1).says("without a work tree");
    world.git_in("a", &["remote", "remove", "origin"]);
    at("a").exits(1).says("has no remote");
    world.git(&["remote", "rename", "origin", "upstream"]);
    propose(&world, &[A, "--remote", "origin"])
        .exits(1)
        .says("upstream");
    propose(&world, &[A, "HEAD", "--dry-run"]).ok();
}

#[test]
fn folder_above_the_environments_is_respected() {
    let (world, main) = served_desk(&["a"]);
    world.config_top("root = \"deploys\"");
    world.install();
    pushed(&world, "deploys/production/a", &main[0]);
    world.git(&["config", "deploy-by-code.root", "deploys/"]);

    propose(&world, &[A, "--push", "main"]).ok();
    assert!(content(&world, "deploys/production/a").starts_with(&main[2]));
    is_deployed(&world, A, &main[2]);
}

/// git can be ended between the move of HEAD and its own end.
#[test]
fn commit_that_was_made_is_kept_although_git_is_ended() {
    let (world, main) = one_deployed();
    let hook = world.path("work/.git/hooks/post-commit");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\nkill -9 $PPID\n").unwrap();
    world
        .shell_in("work", "chmod +x .git/hooks/post-commit")
        .ok();

    propose(&world, &[A]).ok().says("committed ");

    assert!(content(&world, A).starts_with(&main[2]));
    assert_eq!(
        world.git(&["log", "-1", "--format=%s"]),
        format!("Deploy a {} to production", applications::short(&main[2]))
    );
    assert_eq!(world.git(&["diff", "HEAD"]), "");
}

#[test]
fn file_that_is_too_large_is_named_so() {
    let (world, main) = one_deployed();
    let content = format!("{}\n{}", main[0], "* x\n".repeat(300_000));
    fs::write(world.path("work/production/a.deploy"), content).unwrap();
    world.git(&["commit", "-q", "-a", "-m", "Much"]);
    refuses(&world, &[A, &main[2]])
        .says("production/a.deploy is larger than 1048576 bytes")
        .says("remove its oldest entries first");
}

#[test]
fn application_whose_remote_names_no_branch_wants_a_revision() {
    let (world, main) = one_deployed();
    let head = ["symbolic-ref", "HEAD", "refs/heads/none"];
    world.git_in("apps/a.git", &head);
    refuses(&world, &[A])
        .says("names no branch that is there")
        .says("name a revision of a, for example origin/BRANCH");
    propose(&world, &[A, &main[2]]).ok();
}
