//! `propose` writes the next entry of a deploy file in a clone, and commits it.

use std::fs;

use expect_test::expect_file;
use serde_json::Value;

use crate::applications;
use crate::clones::{
    commits_and_clones, content, deployed, desk, is_deployed, propose, pushed, refuses,
    served_desk, state,
};
use crate::commands::{documented_keys, keys};
use crate::run::run;
use crate::signing::{allowed_signer, make_key};
use crate::transcript::Transcript;
use crate::world::World;

const A: &str = "production/a";

/// The message of the newest commit in the clone.
fn message(world: &World) -> String {
    world.git(&["log", "-1", "--format=%B"])
}

#[test]
fn new_entry_is_committed_and_a_push_of_it_deploys() {
    let (world, main) = served_desk(&["a"]);
    pushed(&world, A, &main[0]);
    let before = content(&world, A);

    propose(&world, &[A]).ok().says("2 commits gained");

    let entry = format!("{}\n* c3\n* c2\n", main[2]);
    assert_eq!(content(&world, A), format!("{entry}{before}"));
    let short = applications::short;
    let body = format!("{} -> {}", short(&main[0]), short(&main[2]));
    let expect = format!(
        "Deploy a {} to production\n\n{body}, 2 commits gained, origin/main of a.\n",
        short(&main[2])
    );
    assert_eq!(format!("{}\n", message(&world).trim_end()), expect);
    assert_eq!(world.git(&["status", "--porcelain"]), "");

    world.git(&["push", "-q", "origin", "HEAD:refs/heads/main"]);
    is_deployed(&world, A, &main[2]);
}

#[test]
fn first_entry_makes_the_file_and_the_folder() {
    let (world, main) = desk(&["a"]);
    world.write("README.md", "Deploys.\n");
    world.push();

    propose(&world, &[A, "HEAD~1", "--lines", "1"])
        .ok()
        .says("new -> ");

    assert_eq!(
        content(&world, A),
        format!("{}\n* c2\n* and 1 more\n", main[1])
    );
    propose(&world, &["staging/a"])
        .exits(1)
        .says("there is no deploy file in an environment staging")
        .says("if it is new: --new");
    propose(&world, &["staging/a", "--new", "--lines=0"]).ok();
    assert_eq!(
        content(&world, "staging/a"),
        format!("{}\n* and 3 more\n", main[2])
    );
}

#[test]
fn empty_repository_gets_its_first_commit() {
    let (world, main) = desk(&["a"]);
    propose(&world, &[A, "--push", "main"]).ok();
    assert_eq!(
        world.server_git(&["show", "main:production/a.deploy"]),
        content(&world, A).trim_end()
    );
    assert!(content(&world, A).starts_with(&main[2]));
}

#[test]
fn old_content_keeps_every_byte_and_the_entry_its_line_ends() {
    let (world, main) = desk(&["a"]);
    let old = &main[0];
    for (content, end) in [
        (format!("{old}\r\n* old\r\n"), "\r\n"),
        (format!("{old}\r\n* old\n"), "\r\n"),
        (format!("{old} no newline at the end"), "\n"),
        (old.clone(), "\n"),
        (format!("\n\n  {old}\n\u{feff}* caf\u{e9}\n\n\n"), "\n"),
    ] {
        world.deploy_file(A, &content);
        world.push();
        propose(&world, &[A]).ok();

        let mut git = world.command("git", "work");
        let blob = run(
            git.args(["cat-file", "blob", "HEAD:production/a.deploy"]),
            b"",
        )
        .ok();
        let entry = format!("{}{end}* c3{end}* c2{end}", main[2]);
        assert_eq!(blob.stdout, format!("{entry}{content}"), "{content:?}");
    }
}

#[test]
fn line_ends_that_git_converts_are_left_to_git() {
    let (world, main) = desk(&["a"]);
    pushed(&world, A, &main[0]);
    world.git(&["config", "core.autocrlf", "true"]);
    fs::remove_file(world.path("work/production/a.deploy")).unwrap();
    world.git(&["checkout", "-q", "--", "."]);
    assert!(content(&world, A).contains("\r\n"));

    propose(&world, &[A]).ok();

    let entry = format!("{}\r\n* c3\r\n* c2\r\n{}\r\n", main[2], main[0]);
    assert!(content(&world, A).starts_with(&entry));
    assert!(
        !world
            .git(&["show", "HEAD:production/a.deploy"])
            .contains('\r')
    );
    assert_eq!(world.git(&["status", "--porcelain"]), "");
}

#[test]
fn newest_commit_of_the_remote_is_taken_and_not_the_old_copy_of_it() {
    let (world, main) = desk(&["a"]);
    pushed(&world, A, &main[0]);
    let newest = applications::commit(&world, "a", "main", "c4");

    propose(&world, &[A, "main", "--dry-run"])
        .exits(1)
        .says("the branch main of")
        .says("write origin/main, or refs/heads/main");
    propose(&world, &[A]).ok().says("3 commits gained");
    assert!(content(&world, A).starts_with(&newest));
}

#[test]
fn commit_that_only_the_clone_has_is_proposed_with_a_warning() {
    let (world, main) = desk(&["a"]);
    pushed(&world, A, &main[0]);
    world.git_in("a", &["commit", "-q", "--allow-empty", "-m", "not pushed"]);

    propose(&world, &[A, "HEAD", "--dry-run"])
        .ok()
        .says("warning: no branch of origin has");
}

#[test]
fn going_back_needs_a_reason_which_the_server_takes() {
    let (world, main) = served_desk(&["a"]);
    deployed(&world, A, &main[0]);
    deployed(&world, A, &main[2]);

    refuses(&world, &[A, &main[1]])
        .says("production/a would lose 1 commit:")
        .says("c3")
        .says("Deploy-Rollback: REASON");
    propose(&world, &[A, "--rollback", "alarms since noon"])
        .ok()
        .says("2 commits lost");
    let entry = format!(
        "{}\n* Roll back from {}: alarms since noon\n{}\n",
        main[0],
        applications::short(&main[2]),
        main[2]
    );
    assert!(content(&world, A).starts_with(&entry));
    assert!(
        message(&world)
            .trim_end()
            .ends_with("\n\nDeploy-Rollback: alarms since noon")
    );

    world.git(&["push", "-q", "origin", "HEAD:refs/heads/main"]);
    is_deployed(&world, A, &main[0]);

    // What was there before the rollback is no revision to go back to.
    refuses(&world, &[A, "--rollback", "worse"]).says("has no revision to go back to");
    refuses(&world, &[A, &main[1], "--rollback", "better"]).says("leave out --rollback");
}

#[test]
fn reason_that_would_not_count_is_no_reason() {
    let (world, main) = desk(&["a"]);
    pushed(&world, A, &main[0]);
    let long = "x".repeat(501);
    for reason in [
        "",
        " ",
        "-",
        "<reason>",
        "a\nDeploy-Override: b",
        " a",
        &long,
    ] {
        propose(&world, &[A, "--rollback", reason])
            .exits(2)
            .says("this is no reason for a rollback");
    }
}

#[test]
fn what_is_wanted_already_is_proposed_only_as_a_redeploy() {
    let (world, main) = served_desk(&["a"]);
    deployed(&world, A, &main[2]);

    refuses(&world, &[A]).says("already").says("--redeploy");
    propose(&world, &[A, "--redeploy", "--push", "main"]).ok();

    let entry = format!("{}\n* Deploy again\n{}\n", main[2], main[2]);
    assert!(content(&world, A).starts_with(&entry));
    assert_eq!(world.settled().len(), 2);
}

#[test]
fn dry_run_changes_nothing() {
    let (world, main) = desk(&["a"]);
    pushed(&world, A, &main[0]);
    let before = state(&world);

    let run = propose(&world, &[A, "--dry-run"]).ok();

    assert_eq!(state(&world), before);
    run.says("+* c3\n").says("Deploy a ");
}

#[test]
fn commit_is_signed_where_git_is_set_up_to_sign() {
    let (world, main) = desk(&["a"]);
    pushed(&world, A, &main[0]);
    make_key(&world, "ada");
    let key = world.path("key.ada");
    fs::write(world.path("signers"), allowed_signer(&world, "ada", "ada2")).unwrap();
    for (name, value) in [
        ("gpg.format", "ssh"),
        ("user.signingKey", key.to_str().unwrap()),
        ("commit.gpgSign", "true"),
    ] {
        world.git(&["config", name, value]);
    }

    propose(&world, &[A]).ok();

    let commit = world.git(&["cat-file", "commit", "HEAD"]);
    assert!(
        commit.contains("\ngpgsig -----BEGIN SSH SIGNATURE-----"),
        "{commit}"
    );
}

#[test]
fn message_can_be_edited_in_the_editor_of_git() {
    let (world, main) = desk(&["a"]);
    pushed(&world, A, &main[0]);
    let editor = |script: &str| {
        fs::write(world.path("editor"), format!("#!/bin/sh\n{script}\n")).unwrap();
        world.shell_in(".", "chmod +x editor").ok();
        let path = world.path("editor");
        world.git(&["config", "core.editor", path.to_str().unwrap()]);
    };

    editor("echo Because. >> \"$1\"");
    propose(&world, &[A, "--edit"]).ok();
    assert!(message(&world).contains("Because."));

    world.git(&["reset", "-q", "--hard", "HEAD~1"]);
    editor(": > \"$1\"");
    refuses(&world, &[A, "--edit"]).says("git made no commit");
}

#[test]
fn repositories_of_sha_256_work() {
    let world = World::with_init(&["--object-format=sha256"]);
    fs::create_dir(world.path("apps")).unwrap();
    let init = [
        "init",
        "-q",
        "--bare",
        "-b",
        "main",
        "--object-format=sha256",
        "a.git",
    ];
    world.git_in("apps", &init);
    applications::configure(&world, "");
    world.install();
    let main = commits_and_clones(&world, &["a"]);
    pushed(&world, A, &main[0]);

    propose(&world, &[A, "--push", "main"]).ok();

    assert_eq!(main[2].len(), 64);
    assert!(content(&world, A).starts_with(&main[2]));
    is_deployed(&world, A, &main[2]);
}

#[test]
fn commit_is_pushed_to_a_branch_and_the_answer_is_shown() {
    let (world, main) = served_desk(&["a"]);
    deployed(&world, A, &main[0]);
    let side = applications::commit(&world, "a", "side", "on the side");
    let hash = |name: &str| world.server_git(&["rev-parse", "--verify", name]);

    propose(&world, &[A, "--push", "not..a..name"])
        .exits(1)
        .says("a branch can't be called not..a..name");
    propose(&world, &[A, "--push"]).ok();
    let branch = format!(
        "refs/heads/deploy/production-a-{}",
        applications::short(&main[2])
    );
    assert_eq!(hash(&branch), world.git(&["rev-parse", "HEAD"]));
    assert_eq!(world.settled().len(), 1);

    world.git(&["reset", "-q", "--hard", &world.tip()]);
    let reason = ["--rollback", "an experiment"];
    propose(
        &world,
        &[&[A, &side][..], &reason, &["--push", "main"]].concat(),
    )
    .exits(1)
    .says("is not on refs/heads/main of a")
    .says("origin refused the push");
}

#[test]
fn completion_offers_what_the_clone_has() {
    let (world, main) = desk(&["a"]);
    pushed(&world, A, &main[0]);
    let complete = |words: &[&str]| {
        let run = world.cmd_in("work", &[&["complete", "--"], words].concat());
        run.ok().stdout
    };
    assert_eq!(complete(&["propose", "prod"]), "production\nproduction/a\n");
    assert_eq!(complete(&["propose", "--roll"]), "--rollback\n");
}

#[test]
fn json_has_the_documented_keys_and_nothing_else_on_standard_output() {
    let (world, main) = desk(&["a"]);
    for target in [A, "production/b"] {
        world.deploy_rev(target, &main[0]);
    }
    pushed(&world, "staging/a", &main[2]);

    let run = propose(&world, &["production", "--from", "staging", "--json"]).ok();

    let rows: Value = serde_json::from_str(&run.stdout).unwrap();
    let expect = documented_keys(".Cm propose\nhas the keys\n");
    let found = rows.as_array().unwrap().iter().map(keys);
    assert_eq!(found.collect::<Vec<_>>(), [expect.clone(), expect]);
    assert_eq!(rows[0]["to"], main[2]);
    assert_eq!(rows[0]["commit"], world.git(&["rev-parse", "HEAD"]));
    assert_eq!(rows[1]["left_out"], "there is no deploy file of staging/b");
}

#[test]
fn snapshot_of_propose() {
    let (world, main) = served_desk(&["a", "b", "c"]);
    deployed(&world, A, &main[0]);
    deployed(&world, "production/b", &main[2]);
    deployed(&world, "staging/a", &main[1]);
    pushed(&world, "staging/c", &main[1]);
    let mut t = Transcript::new(&world);
    t.name_all(&main);

    t.in_clone(&["propose", A, "--dry-run"]);
    t.in_clone(&["propose", "production", "--from", "staging", "--dry-run"]);
    t.in_clone(&["propose", A]);
    t.in_clone(&["propose", A]);
    t.in_clone(&["propose", A, "HEAD~1"]);
    t.in_clone(&["propose", A, "--rollback", "alarms since noon"]);
    t.in_clone(&["propose", A, "--redeploy", "--push"]);
    t.in_clone(&["propose", "prodcution/a"]);
    t.in_clone(&["propose", "production/c", "--from", "staging"]);
    t.in_clone(&["propose", "production", "HEAD"]);
    t.in_clone(&["propose", A, "nowhere"]);

    t.is(expect_file!["snapshots/propose.txt"]);
}
