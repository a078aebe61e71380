//! What an approval is for: one file, as it is at the tip, and nothing that comes later.

use crate::applications::refused;
use crate::run::run;
use crate::signing::{
    Attack, ONE_APPROVAL, approve, change, commit_of, commit_signed, git_with_key, go_to, head,
    push_commits, refuse_all, world_with_deployments,
};

const A: &str = "production/a";

const NONE: &str = "needs 1 approval by other people than who changed the file, and there is none";
const CHANGED_AFTERWARDS: &str = "the file was changed in a commit that it does not contain";

#[test]
fn approval_counts_only_for_what_it_was_given_for() {
    let world = world_with_deployments(ONE_APPROVAL);
    let attacks: &[Attack] = &[
        (
            "for another application",
            |w| {
                change(w);
                approve(w, "bob", "production/b");
            },
            NONE,
        ),
        (
            "for another environment",
            |w| {
                change(w);
                approve(w, "bob", "staging/a");
                approve(w, "bob", "staging");
            },
            NONE,
        ),
        (
            "for something that begins like it",
            |w| {
                change(w);
                for what in [
                    "production/a.deploy",
                    "production/",
                    "production/a/b",
                    "production/A",
                    "Production",
                    "prod",
                    "*",
                    "production/*",
                    "a",
                ] {
                    approve(w, "bob", what);
                }
            },
            NONE,
        ),
        (
            "before the change",
            |w| {
                approve(w, "bob", A);
                change(w);
            },
            CHANGED_AFTERWARDS,
        ),
        (
            "before the last change",
            |w| {
                change(w);
                approve(w, "bob", A);
                w.deploy(A, 3);
                commit_signed(w, "alice", &["Deploy"]);
            },
            CHANGED_AFTERWARDS,
        ),
        (
            "before the file was changed and changed back",
            |w| {
                change(w);
                approve(w, "bob", A);
                let approved = head(w);
                w.deploy(A, 3);
                commit_signed(w, "alice", &["Deploy"]);
                w.git(&["checkout", "-q", &approved, "--", "."]);
                commit_signed(w, "alice", &["Back"]);
            },
            CHANGED_AFTERWARDS,
        ),
        (
            "before a change of a comment",
            |w| {
                change(w);
                approve(w, "bob", A);
                let file = format!("work/{A}.deploy");
                let text = std::fs::read_to_string(w.path(&file)).unwrap();
                w.deploy_file(A, text + "* nothing\n");
                commit_signed(w, "alice", &["Comment"]);
            },
            CHANGED_AFTERWARDS,
        ),
        (
            "before a change of the mode",
            |w| {
                change(w);
                approve(w, "bob", A);
                w.git(&["update-index", "--chmod=+x", "production/a.deploy"]);
                let mut git = git_with_key(w, "alice");
                run(git.args(["commit", "-q", "-S", "-m", "Mode"]), b"").ok();
            },
            CHANGED_AFTERWARDS,
        ),
        (
            "with a change of its own",
            |w| {
                change(w);
                w.write("README", "Read me.\n");
                approve(w, "bob", A);
            },
            "it changes files itself; an approval is a commit that changes nothing, or a merge",
        ),
        (
            "in the change itself",
            |w| {
                w.deploy(A, 2);
                approve(w, "bob", A);
            },
            "it changes files itself",
        ),
        (
            "amended by the author",
            |w| {
                change(w);
                approve(w, "bob", A);
                let mut git = git_with_key(w, "alice");
                run(
                    git.args([
                        "commit",
                        "-q",
                        "-S",
                        "--allow-empty",
                        "--amend",
                        "--no-edit",
                    ]),
                    b"",
                )
                .ok();
            },
            "alice@example.org has changed the file too",
        ),
        (
            "rebased by the author",
            |w| {
                change(w);
                approve(w, "bob", A);
                let approval = head(w);
                w.git(&["checkout", "-q", "HEAD~2"]);
                w.git(&["commit", "-q", "--allow-empty", "-m", "First"]);
                change(w);
                w.git(&["cherry-pick", "--allow-empty", &approval]);
            },
            "does not count: it is not signed",
        ),
        (
            "quoted",
            |w| {
                change(w);
                let said = ["Approve", "Bob wrote:\n> Deploy-Approve: production/a"];
                commit_signed(w, "bob", &said);
            },
            "of its message: it does not begin its line",
        ),
        (
            "in prose",
            |w| {
                change(w);
                let said = [
                    "Do not approve",
                    "Never write this line:\nDeploy-Approve: production/a",
                ];
                commit_signed(w, "bob", &said);
            },
            "of its message: line 3 of the same paragraph is no trailer",
        ),
        (
            "indented",
            |w| {
                change(w);
                commit_signed(w, "bob", &["Approve", "    Deploy-Approve: production/a"]);
            },
            "of its message: it is indented",
        ),
        (
            "in the title",
            |w| {
                change(w);
                commit_signed(w, "bob", &["Deploy-Approve: production/a"]);
            },
            "of its message: it is in the title",
        ),
        (
            "misspelt",
            |w| {
                change(w);
                commit_signed(w, "bob", &["Approve", "Deploy-Approved: production/a"]);
            },
            "of its message: it is spelt Deploy-Approved",
        ),
        (
            "on a branch that was not merged",
            |w| {
                change(w);
                let changed = head(w);
                approve(w, "bob", A);
                w.git(&["push", "-q", "-f", "origin", "HEAD:refs/heads/review"]);
                w.git(&["checkout", "-q", &changed]);
            },
            NONE,
        ),
        (
            "of one application of two",
            |w| {
                w.deploy("production/b", 2);
                change(w);
                approve(w, "bob", A);
            },
            "refused production/b.deploy: production needs 1 approval",
        ),
        (
            "of a deletion",
            |w| {
                w.retire(A);
                commit_signed(w, "alice", &["Retire"]);
                approve(w, "alice", A);
            },
            "refused production/a.deploy: production needs 1 approval",
        ),
        (
            "of a new name",
            |w| {
                w.git(&["mv", "production/a.deploy", "production/c.deploy"]);
                commit_signed(w, "alice", &["Rename"]);
                approve(w, "bob", A);
            },
            "refused production/c.deploy: production needs 1 approval",
        ),
        (
            "of a new file",
            |w| {
                w.deploy("production/new", 1);
                commit_signed(w, "alice", &["Add"]);
            },
            "refused production/new.deploy: production needs 1 approval",
        ),
        (
            "unsigned deletion",
            |w| {
                w.retire(A);
                w.commit();
                approve(w, "bob", A);
            },
            "a commit that changes the file must be signed",
        ),
        (
            "of a history of its own",
            |w| {
                let old = head(w);
                w.git(&["checkout", "-q", "--orphan", &format!("o{}", old)]);
                change(w);
                let other = head(w);
                commit_of(w, "alice", &other, &[&old, &other], &["Merge"]);
            },
            NONE,
        ),
        (
            "in a history of its own",
            |w| {
                change(w);
                let changed = head(w);
                w.git(&["checkout", "-q", "--orphan", &format!("o{}", changed)]);
                w.git(&["commit", "-q", "-m", "Unsigned"]);
                approve(w, "bob", A);
                let other = head(w);
                commit_of(w, "alice", &other, &[&changed, &other], &["Merge"]);
            },
            "a commit that changes the file must be signed",
        ),
        (
            "behind a replacement object",
            |w| {
                w.deploy(A, 3);
                commit_signed(w, "alice", &["Deploy"]);
                let bad = head(w);
                w.git(&["checkout", "-q", "HEAD~1"]);
                change(w);
                approve(w, "bob", A);
                let good = head(w);
                w.git(&["push", "-q", "-f", "origin", "HEAD:refs/heads/good"]);
                w.server_git(&["update-ref", &format!("refs/replace/{bad}"), &good]);
                go_to(w, &bad);
            },
            NONE,
        ),
    ];
    refuse_all(&world, attacks);
}

#[test]
fn later_change_makes_the_approval_of_its_own_file_void_alone() {
    let world = world_with_deployments(ONE_APPROVAL);
    change(&world);
    world.deploy("production/b", 2);
    commit_signed(&world, "alice", &["Deploy"]);
    approve(&world, "bob", "production");
    world.deploy("production/b", 3);
    commit_signed(&world, "carol", &["Deploy"]);

    let said = refused(push_commits(&world));
    assert!(said.contains("refused production/b.deploy"), "{said}");
    assert!(said.contains(CHANGED_AFTERWARDS), "{said}");
    assert!(!said.contains("refused production/a.deploy"), "{said}");

    approve(&world, "bob", "production/b");
    push_commits(&world).ok();
}
