//! `approve`: a person looks at a change in a clone, and signs that it may be deployed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use expect_test::expect_file;

use crate::applications::refused;
use crate::approvers::{change, clone, command_of, configure, git, git_deploy, world_of_clones};
use crate::published_status::REF;
use crate::run::{Run, run};
use crate::signing::ONE_APPROVAL;
use crate::transcript::Transcript;
use crate::world::World;

const A: &str = "production/a";
const B: &str = "production/b";

/// A server on which `a` is deployed, with clones of alice and bob. Returns the commits of `a`.
fn world() -> (World, Vec<String>) {
    let world = world_of_clones("");
    let log = world.git_in("a", &["log", "--reverse", "--format=%H"]);
    let commits: Vec<String> = log.lines().map(str::to_owned).collect();
    world.deploy_rev(A, &commits[0]);
    world.push();
    world.settled();
    ask_for(&world, ONE_APPROVAL);
    for person in ["alice", "bob"] {
        clone(&world, person);
    }
    (world, commits)
}

/// Configures what a change needs, and lets the server publish it.
fn ask_for(world: &World, section: &str) {
    configure(world, section);
    let asked = section
        .lines()
        .find(|line| line.starts_with("approvals = "));
    let asked = asked.unwrap().trim_start_matches("approvals = ");
    let published = format!("\"approvals\": {asked},");
    world.wait_until("it is published what a change needs", || {
        world.cmd(&["reconcile"]).ok();
        let mut show = world.command("git", "deploy.git");
        show.args(["show", &format!("{REF}:status.json")]);
        run(&mut show, b"").stdout.contains(&published)
    });
    world.wait_until_idle();
}

/// An entry of a deploy file.
fn entry(commit: &str) -> String {
    format!("{commit}\n* Deploy alarms\n")
}

/// Pushes a branch of the deploy repository to the deploy branch, as alice.
fn push_to_main(world: &World, branch: &str) -> Run {
    git(world, "alice", &["fetch", "-q", "origin"]).ok();
    let refspec = format!("origin/{branch}:refs/heads/main");
    git(world, "alice", &["push", "-q", "origin", &refspec])
}

fn hash(world: &World, person: &str, name: &str) -> String {
    world.git_in(person, &["rev-parse", name])
}

#[test]
fn change_that_was_refused_is_deployed_after_its_approval_was_pushed() {
    let (world, commits) = world();
    change(&world, "alice", "next", A, &entry(&commits[2]));
    let said = refused(push_to_main(&world, "next"));
    let hint = "to approve it in a clone with: git deploy approve";
    assert!(said.contains(hint), "{said}");

    let signers = world.path("signers");
    let settings = [
        "config",
        "gpg.ssh.allowedSignersFile",
        signers.to_str().unwrap(),
    ];
    git(&world, "bob", &settings).ok();
    let before = hash(&world, "bob", "HEAD");
    let mut t = Transcript::new(&world);
    t.name_all(&commits);
    t.name(&hash(&world, "alice", "next"), "alice");
    let arguments = ["approve", "origin/next", "--push", "--yes"];
    let approved = git_deploy(&world, "bob", &arguments).ok();
    t.name(&hash(&world, "deploy.git", "next"), "bob_1");
    t.add("git deploy approve origin/next --push --yes", &approved);
    assert_eq!(
        hash(&world, "bob", "HEAD"),
        before,
        "the work tree has no part in it"
    );
    // Who looks once more sees the approval.
    let again = git_deploy(&world, "bob", &["approve", "origin/next", "--yes"]).ok();
    let made = again
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("approved with "));
    t.name(&hash(&world, "bob", made.unwrap()), "bob_2");
    t.add("git deploy approve origin/next --yes", &again);
    t.is(expect_file!["snapshots/approve.txt"]);

    push_to_main(&world, "next").ok();
    assert_eq!(world.settled().len(), 2);
    let by_bob = "approved by    bob@example.org (";
    world.cmd(&["show", "2"]).ok().says(by_bob);
}

#[test]
fn merge_into_the_deploy_branch_is_the_approval() {
    let (world, commits) = world();
    change(&world, "alice", "next", A, &entry(&commits[1]));

    // The work tree is not at the deploy branch.
    git(&world, "bob", &["checkout", "-q", "--detach"]).ok();
    let arguments = ["approve", "origin/next", "--merge", "--push", "--yes"];
    git_deploy(&world, "bob", &arguments)
        .ok()
        .says("a signed merge of origin/next for origin/main; your work tree")
        .says("remote: deploy-by-code: ")
        .says("to origin/main");
    assert_eq!(world.settled().len(), 2);
    let by_bob = "approved by    bob@example.org (";
    world.cmd(&["show", "2"]).ok().says(by_bob);

    // The work tree is at the deploy branch, and git merges there.
    change(&world, "alice", "later", A, &entry(&commits[2]));
    git(&world, "bob", &["checkout", "-q", "main"]).ok();
    git(&world, "bob", &["pull", "-q"]).ok();
    git_deploy(
        &world,
        "bob",
        &["approve", "origin/later", "--merge", "--yes"],
    )
    .ok()
    .says("a signed merge of origin/later on the current branch")
    .says("to push it: git push origin ");
    assert_eq!(
        hash(&world, "bob", "HEAD^2"),
        hash(&world, "bob", "origin/later")
    );
    git(&world, "bob", &["push", "-q", "origin", "main"]).ok();
    assert_eq!(world.settled().len(), 3);
}

#[test]
fn approval_of_the_current_branch_is_made_as_each_commit_there() {
    let (world, commits) = world();
    change(&world, "alice", "next", A, &entry(&commits[1]));
    git(&world, "bob", &["fetch", "-q"]).ok();
    git(&world, "bob", &["checkout", "-q", "next"]).ok();
    hook(&world, "pre-commit", "echo checked >ran");

    git_deploy(&world, "bob", &["approve", "--yes"])
        .ok()
        .says("a signed empty commit on the current branch");
    let ran = fs::read_to_string(world.path("bob/ran")).unwrap();
    assert_eq!(ran, "checked\n");
    let message = world.git_in("bob", &["log", "-1", "--format=%B"]);
    assert_eq!(
        message.trim_end(),
        format!("Approve {A}\n\nDeploy-Approve: {A}")
    );
    assert_eq!(
        hash(&world, "bob", "HEAD^"),
        hash(&world, "bob", "origin/next")
    );
    assert_eq!(hash(&world, "bob", "HEAD:"), hash(&world, "bob", "HEAD^:"));

    // What is staged stays what it is: it goes into no approval.
    git(
        &world,
        "bob",
        &["checkout", "-q", "-B", "next", "origin/next"],
    )
    .ok();
    fs::write(world.path("bob/notes"), "mine\n").unwrap();
    git(&world, "bob", &["add", "notes"]).ok();
    git_deploy(&world, "bob", &["approve", "next", "--push", "--yes"])
        .ok()
        .says("on the branch next; your work tree and your hooks have no part in it");
    let status = world.git_in("bob", &["status", "--porcelain", "--untracked-files=no"]);
    assert_eq!(status, "A  notes");
    push_to_main(&world, "next").ok();
}

/// Writes a hook of bob's clone.
fn hook(world: &World, name: &str, script: &str) {
    let path = world.path(&format!("bob/.git/hooks/{name}"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn approval_on_top_of_another_commit_than_the_shown_one_is_refused() {
    let (world, commits) = world();
    change(&world, "alice", "next", A, &entry(&commits[1]));
    let next = hash(&world, "deploy.git", "next");
    git(&world, "bob", &["fetch", "-q", "origin"]).ok();
    git(&world, "bob", &["checkout", "-q", "next"]).ok();
    // The branch gets another change below the approval.
    let script = format!(
        "test -e .git/done && exit\ntouch .git/done\nmessage=$(git log -1 --format=%B)\n\
         git reset -q --hard HEAD~1\nprintf '{}\\n' >production/a.deploy\n\
         git commit -q -a -S -m Other\n\
         git commit -q -S --allow-empty --cleanup=verbatim -m \"$message\"",
        commits[2]
    );
    hook(&world, "post-commit", &script);

    git_deploy(&world, "bob", &["approve", "--yes", "--push"])
        .exits(1)
        .says(" is not on top of what was shown");
    assert_eq!(hash(&world, "deploy.git", "next"), next);
}

#[test]
fn tag_with_the_name_of_a_branch_is_not_taken_for_it() {
    let (world, commits) = world();
    change(&world, "alice", "next", A, &entry(&commits[1]));
    change(&world, "alice", "other", A, &entry(&commits[2]));
    let tag = ["push", "-q", "origin", "other:refs/tags/origin/next"];
    git(&world, "alice", &tag).ok();

    for merge in [[].as_slice(), &["--merge"]] {
        let arguments = [&["approve", "origin/next", "--yes"], merge].concat();
        git_deploy(&world, "bob", &arguments)
            .exits(1)
            .says("\"origin/next\" has two meanings")
            .says("write the full name: refs/remotes/origin/next");
    }
    let full_name = ["approve", "refs/remotes/origin/next", "--yes", "--push"];
    git_deploy(&world, "bob", &full_name).ok();
    let next = hash(&world, "alice", "next");
    assert_eq!(hash(&world, "deploy.git", "refs/heads/next^"), next);
}

#[test]
fn what_can_not_be_approved_is_refused() {
    let (world, commits) = world();
    change(&world, "alice", "next", A, &entry(&commits[1]));
    git(&world, "bob", &["checkout", "-q", "-b", "own"]).ok();
    let next = hash(&world, "alice", "next");

    let table: [(&[&str], i32, &str); 6] = [
        (
            &["origin/main"],
            1,
            "origin/main changes no deploy file of origin/main",
        ),
        (
            &["nowhere\u{1b}"],
            1,
            "\"nowhere\\u{1b}\" names no commit in ",
        ),
        (&[], 1, "the current branch has no upstream branch"),
        (
            &[&next],
            1,
            "names a commit, and no branch that an approval could be added to",
        ),
        (
            &["origin/next", "--remote", "nobody"],
            1,
            "has no remote \"nobody\"",
        ),
        (
            &["--merge", "--branch", "none", "origin/next"],
            1,
            "there is no branch origin/none",
        ),
    ];
    for (arguments, code, said) in table {
        let arguments = [&["approve", "--yes"], arguments].concat();
        git_deploy(&world, "bob", &arguments).exits(code).says(said);
    }
    git_deploy(&world, "bob", &["approve", "origin/next"])
        .exits(2)
        .says("git deploy: nobody can be asked, because standard input is no terminal");

    // Without a key, nothing is made.
    git(&world, "bob", &["config", "--unset", "user.signingKey"]).ok();
    git_deploy(&world, "bob", &["approve", "origin/next", "--yes"])
        .exits(1)
        .says("git has no key to sign with: gpg.format is ssh, and user.signingKey is not set")
        .says("git config --global user.signingKey ~/.ssh/id_ed25519.pub");
    git(&world, "bob", &["config", "--unset", "gpg.format"]).ok();
    git_deploy(&world, "bob", &["approve", "origin/next", "--yes"])
        .exits(1)
        .says("there is no OpenPGP key of bob <bob@example.org>");
    assert_eq!(hash(&world, "deploy.git", "next"), next);
}

#[test]
fn file_that_the_deploy_branch_has_changed_too_is_refused() {
    let (world, commits) = world();
    change(&world, "alice", "next", A, &entry(&commits[1]));
    change(&world, "alice", "other", A, &entry(&commits[2]));
    git_deploy(
        &world,
        "bob",
        &["approve", "origin/other", "--merge", "--push", "--yes"],
    )
    .ok();
    world.settled();

    git_deploy(&world, "bob", &["approve", "origin/next", "--yes"])
        .exits(1)
        .says("origin/main has changed production/a.deploy too since origin/next began")
        .says("its author has to rebase it");
}

#[test]
fn each_file_that_was_shown_is_approved_and_no_other() {
    let (world, commits) = world();
    change(&world, "alice", "next", A, &entry(&commits[1]));
    let path = world.path("alice/production/b.deploy");
    fs::write(path, entry(&commits[0])).unwrap();
    git(&world, "alice", &["add", "-A"]).ok();
    git(
        &world,
        "alice",
        &[
            "commit",
            "-q",
            "-S",
            "-m",
            "Deploy b",
            "-m",
            "Deploy-Override: incident 7",
        ],
    )
    .ok();
    git(&world, "alice", &["push", "-q", "origin", "next"]).ok();

    git_deploy(
        &world,
        "bob",
        &["approve", "origin/next", "--push", "--yes"],
    )
    .ok()
    .says("production/a: ")
    .says("production/b: new -> ")
    .says(" asks to override for production/b: incident 7");
    let message = world.server_git(&["log", "-1", "--format=%B", "next"]);
    let trailers = format!("Approve 2 deploy files\n\nDeploy-Approve: {A}\nDeploy-Approve: {B}");
    assert_eq!(message.trim_end(), trailers);
    push_to_main(&world, "next").ok();
}

#[test]
fn approval_that_the_server_will_not_count_is_warned_of() {
    let (world, commits) = world();
    change(&world, "alice", "next", A, &entry(&commits[1]));
    git_deploy(&world, "alice", &["approve", "origin/next", "--yes"])
        .ok()
        .says("seems to be your own: the server does not count the approval of somebody who");

    git(&world, "alice", &["config", "commit.gpgSign", "false"]).ok();
    git(&world, "alice", &["commit", "-q", "--amend", "--no-edit"]).ok();
    git(
        &world,
        "alice",
        &["push", "-q", "--force", "origin", "next"],
    )
    .ok();
    git_deploy(&world, "bob", &["approve", "origin/next", "--yes"])
        .ok()
        .says("which is not signed")
        .says("the server refuses a change that is not signed, whoever approves it");

    // A commit that a hook has changed is not what was meant.
    git(&world, "bob", &["checkout", "-q", "next"]).ok();
    hook(&world, "commit-msg", "echo Other >\"$1\"");
    git_deploy(&world, "bob", &["approve", "--yes"])
        .exits(1)
        .says("does not approve production/a: its message does not say so");
}

#[test]
fn branch_that_has_moved_since_it_was_shown_gets_no_approval() {
    let (world, commits) = world();
    change(&world, "alice", "next", A, &entry(&commits[1]));
    git(&world, "bob", &["fetch", "-q"]).ok();
    fs::write(world.path("alice/README.md"), "More.\n").unwrap();
    git(&world, "alice", &["add", "-A"]).ok();
    git(&world, "alice", &["commit", "-q", "-m", "More"]).ok();
    git(&world, "alice", &["push", "-q", "origin", "next"]).ok();
    let moved = hash(&world, "deploy.git", "next");

    let arguments = ["approve", "origin/next", "--no-fetch", "--push", "--yes"];
    git_deploy(&world, "bob", &arguments)
        .exits(1)
        .says("origin did not take the approval; the commit ");
    assert_eq!(hash(&world, "deploy.git", "next"), moved);

    // Nor is a branch made anew that was removed.
    world.server_git(&["update-ref", "-d", "refs/heads/next"]);
    git_deploy(&world, "bob", &arguments).exits(1);
    assert_eq!(world.server_git(&["for-each-ref", "refs/heads/next"]), "");
}

#[test]
fn person_on_a_terminal_is_asked() {
    let (world, commits) = world();
    change(&world, "alice", "next", A, &entry(&commits[1]));
    let before = hash(&world, "deploy.git", "next");
    let answer = |answer: &str| {
        let mut script = command_of(&world, "bob", "script");
        script.args(["-qec", "git deploy approve origin/next --push", "/dev/null"]);
        script.env("SHELL", "/bin/sh");
        run(&mut script, format!("{answer}\n").as_bytes())
    };

    answer("n")
        .exits(1)
        .says("Approve production/a? [y/N]")
        .says("nothing is approved");
    assert_eq!(hash(&world, "deploy.git", "next"), before);
    answer("y").ok().says("pushed ");
    assert_eq!(hash(&world, "deploy.git", "next^"), before);
}

#[test]
fn text_of_others_is_shown_as_text() {
    let (world, commits) = world();
    let branch = "re\u{202e}view";
    change(
        &world,
        "alice",
        branch,
        A,
        &format!("{}\n* \u{1b}[2J\n", commits[1]),
    );
    let odd = world.path("alice/production/\u{1b}x.deploy");
    fs::write(odd, entry(&commits[0])).unwrap();
    git(&world, "alice", &["add", "-A"]).ok();
    let amend = ["commit", "-q", "--amend", "-S", "-m", "\u{1b}]0;x"];
    git(&world, "alice", &amend).ok();
    git(
        &world,
        "alice",
        &["push", "-q", "--force", "origin", branch],
    )
    .ok();

    let name = format!("origin/{branch}");
    let run = git_deploy(&world, "bob", &["approve", &name, "--yes"]).ok();
    for expected in [
        "origin/re\\u{202e}view (",
        "  | * \\u{1b}[2J",
        "warning: production/\\u{1b}x.deploy is not approved: its path names no application",
    ] {
        assert!(
            run.all().contains(expected),
            "{expected:?} is missing: {run:?}"
        );
    }
    assert!(!run.all().contains(['\u{1b}', '\u{202e}']), "{run:?}");
}

#[test]
fn what_is_needed_is_known_only_where_it_is_published() {
    let (world, commits) = world();
    change(&world, "alice", "next", A, &entry(&commits[1]));
    let last = |what: &str| world.server_git(&["log", "-1", what, REF]);
    ask_for(
        &world,
        "[environments.production]\napprovals = 2\napprovers = [\"ops\", \"bob@example.org\"]\n\
         [people.groups]\nops = [\"carol@example.org\"]\n",
    );
    assert_eq!(last("--format=%s"), "The configuration has changed");
    let published = last("--format=%H");
    world.cmd(&["reconcile"]).ok();
    world.wait_until_idle();
    assert_eq!(last("--format=%H"), published, "nothing else is asked for");

    git_deploy(&world, "bob", &["approve", "origin/next", "--yes"])
        .ok()
        .says("production needs 2 approvals out of: ops, bob@example.org");
    let published = world.server_git(&["show", &format!("{REF}:status.json")]);
    assert!(!published.contains("carol"), "{published}");

    let arguments = ["approve", "origin/next", "--yes", "--status-ref", "refs/x"];
    git_deploy(&world, "bob", &arguments)
        .ok()
        .says("how many approvals production needs, and from whom, is not published");
}
