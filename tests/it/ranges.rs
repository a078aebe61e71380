//! Which commits a push brings, and what their messages say: neither false dates nor odd objects
//! let a commit count that the branch had before, or a reason that nobody can see.

use crate::applications::{
    commits, deploy, forget_if_refused, refused, short, try_deploy, try_deploy_saying, world,
};
use crate::run::Run;
use crate::tree::Trees;
use crate::world::World;

const A: &str = "production/a";

/// Somebody, for a commit that is written by hand.
const WHO: &str = "A <a@example.org>";

/// A world in which the third of three commits of `a` is deployed.
fn deployed() -> (World, Vec<String>) {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 3);
    deploy(&world, A, &main[2]);
    (world, main)
}

/// The tree of the clone with an entry for a revision on top of its deploy file.
fn tree(world: &World, revision: &str) -> String {
    world.deploy_rev(A, revision);
    world.git(&["add", "-A"]);
    world.git(&["write-tree"])
}

/// Writes a commit, with a date in seconds since 1970.
fn commit_at(world: &World, tree: &str, parents: &[&str], date: i64, message: &str) -> String {
    let parents: String = parents
        .iter()
        .map(|parent| format!("parent {parent}\n"))
        .collect();
    Trees::new(world, "work").raw_commit(format!(
        "tree {tree}\n{parents}author {WHO} {date} +0000\ncommitter {WHO} {date} +0000\n\n{message}"
    ))
}

/// Pushes a commit, and forgets it if it is refused.
fn push(world: &World, commit: &str) -> Run {
    let run = world.push_with(&["origin", &format!("{commit}:refs/heads/main")]);
    forget_if_refused(world, &run);
    run
}

/// The known history reaches an old rollback only through a commit that claims to be very old. A
/// walk by dates comes to the rollback first, by the branch that is merged.
#[test]
fn reason_in_known_history_does_not_count_again() {
    for false_date in [0, -5_000_000_000, 1] {
        let (world, main) = deployed();
        let now = 1_767_323_045;
        let back = tree(&world, &main[1]);
        let rollback = commit_at(
            &world,
            &back,
            &[&world.tip()],
            now,
            "Back\n\nDeploy-Rollback: alarms",
        );
        let old = commit_at(&world, &back, &[&rollback], false_date, "Claims to be old");
        let ahead = tree(&world, &main[2]);
        let released = "Again\n\nDeploy-Release: fixed";
        let old = commit_at(&world, &ahead, &[&old], now, released);
        push(&world, &old).ok();
        world.settled();

        let back = tree(&world, &main[0]);
        let topic = commit_at(&world, &back, &[&rollback], now, "A branch");
        let merge = commit_at(&world, &back, &[&topic, &old], now, "Merge");
        let said = refused(push(&world, &merge));

        assert!(
            said.contains("would go back 2 commits"),
            "{false_date}: {said}"
        );
    }
}

/// The merge has an old commit of the branch as its first parent.
#[test]
fn push_is_told_of_its_own_deployments_alone() {
    let (world, _) = deployed();
    let first = world.tip();
    let app = commits(&world, "a", 2);
    deploy(&world, A, &app[0]);
    let old = world.tip();
    let tree = tree(&world, &app[1]);
    let merge = commit_at(&world, &tree, &[&first, &old], 1_767_323_045, "Merge");
    push(&world, &merge).ok();
    world.settled();

    // The hook runs once more, after everything is planned.
    let again = world.hook("post-receive", &format!("{old} {merge} refs/heads/main\n"));

    let again = again.ok();
    let said = format!("{}{}", again.stdout, again.stderr);
    assert!(said.contains("#3 production/a"), "{said}");
    assert!(!said.contains("#1 ") && !said.contains("#2 "), "{said}");
    let commit = world.show(3)["deploy_commit"].clone();
    assert_eq!(commit, merge.as_str());
}

/// What the merge buttons of forges make of the description of a merge request.
#[test]
fn reason_counts_in_what_a_squash_merge_writes() {
    for message in [
        "Deploy-Rollback: alarms\n\n---------\n\nCo-authored-by: B <b@example.org>",
        "Deploy-Rollback: alarms\n---------\n\nCo-authored-by: B <b@example.org>",
        "Deploy-Rollback: alarms\n\nCo-authored-by: B <b@example.org>\nReviewed-on: https://x/1",
        "* Go back\n\nDeploy-Rollback: alarms\n\n* Fix a typo",
        "Why, in prose.\n\nDeploy-Rollback: alarms\n\nSee merge request ops/deploy!7",
        "Why, in prose.\r\n\r\nDeploy-Rollback: alarms\r\n\r\nMore prose.\r\n",
    ] {
        let (world, main) = deployed();
        try_deploy_saying(&world, A, &main[0], message).ok();
        assert_eq!(world.settled().pop().unwrap(), "#2 production/a succeeded");
        assert_eq!(
            world.show(2)["exceptions"][0]["reason"],
            "alarms",
            "{message:?}"
        );
    }
}

#[test]
fn refusal_names_a_line_that_looks_like_a_reason_and_does_not_count() {
    let (world, main) = deployed();
    for (message, line, why) in [
        ("> Deploy-Rollback: alarms", 3, "it does not begin its line"),
        ("    Deploy-Rollback: alarms", 3, "it is indented"),
        (
            "Prose.\nDeploy-Rollback: alarms",
            4,
            "line 3 of the same paragraph is no trailer",
        ),
        ("Deploy-Rollback: <reason>", 3, "it gives no reason"),
    ] {
        world.deploy_rev(A, &main[0]);
        world.commit_saying(message);
        let commit = world.git(&["rev-parse", "HEAD"]);
        let said = refused(push(&world, "HEAD"));

        let expect = format!(
            "line {line} of the message of {} has Deploy-Rollback, which does not count: {why}",
            short(&commit)
        );
        assert!(said.contains(&expect), "{expect:?} is missing: {said}");
    }

    // A line that is not there is not named.
    let said = refused(try_deploy(&world, A, &main[0]));
    assert!(!said.contains("does not count"), "{said}");
}

#[test]
fn reason_that_no_tool_shows_does_not_count() {
    let (world, main) = deployed();
    let head = |rest: &str| {
        let tree = tree(&world, &main[0]);
        let parent = world.tip();
        let who = format!("{WHO} 1767323045 +0000");
        format!("tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n{rest}")
    };
    for (rest, why) in [
        (
            "\nDeploy\0\n\nDeploy-Rollback: alarms",
            "it is behind a NUL byte",
        ),
        ("x \0\n\nDeploy\n\nDeploy-Rollback: alarms", "would go back"),
        (
            "encoding UTF-16\n\nDeploy\n\nDeploy-Rollback: alarms",
            "the message has the encoding UTF-16",
        ),
    ] {
        let commit = Trees::new(&world, "work").raw_commit(head(rest));
        let said = refused(push(&world, &commit));
        assert!(said.contains("would go back 2 commits"), "{rest:?}: {said}");
        assert!(said.contains(why), "{rest:?}: {said}");
    }
}

/// One commit of the push is larger than what is read.
#[test]
fn unreadable_history_gives_no_reason_and_stops_nobody_else() {
    let (world, main) = deployed();
    let huge = |revision: &str, message: &str| {
        let same = world.git(&["rev-parse", &format!("{}^{{tree}}", world.tip())]);
        let text = format!("Large\n\n{}", "x".repeat(5_000_000));
        let large = commit_at(&world, &same, &[&world.tip()], 1_767_323_045, &text);
        let tree = tree(&world, revision);
        commit_at(&world, &tree, &[&large], 1_767_323_046, message)
    };

    let back = huge(&main[0], "Back\n\nDeploy-Rollback: alarms");
    let said = refused(push(&world, &back));
    assert!(
        said.contains("nobody knows whether a commit has Deploy-Rollback"),
        "{said}"
    );
    assert!(said.contains("it has more than 4194304 bytes"), "{said}");

    let ahead = commits(&world, "a", 1);
    push(&world, &huge(&ahead[0], "Forward")).ok();
    assert_eq!(world.settled().pop().unwrap(), "#2 production/a succeeded");
}
