//! `prepend_only`, the deploy branch itself, and what happens to a change that got past
//! pre-receive.

use crate::applications::{
    commit_on, commits, deploy, forget_if_refused, refused, short, try_deploy, world,
};
use crate::rollbacks::{deploy_and_fail, with_commits};
use crate::world::{NULL, rev};

const A: &str = "production/a";

#[test]
fn prepend_only_refuses_a_rewritten_history() {
    let world = world(&["a"], "[environments.production]\nprepend_only = true\n");
    let main = commits(&world, "a", 3);
    let entry = |n: usize| format!("{}\n* c{}\n", main[n], n + 1);
    let push = |content: String| {
        world.deploy_file(A, content);
        let push = world.try_push();
        forget_if_refused(&world, &push);
        push
    };
    push(entry(0).trim_end().to_owned()).ok();
    push(format!("{}{}", entry(1), entry(0))).ok();

    let said = refused(push(entry(2)));
    assert!(
        said.contains("the old content below the new entry has changed: its line 4"),
        "{said}"
    );
    let said = refused(push(format!("{}{}edited\n", entry(2), entry(1))));
    assert!(said.contains("line 4"), "{said}");
    // Also where the same revision is wanted as before.
    let said = refused(push(format!("{}\n* rewritten\n{}", main[1], entry(0))));
    assert!(said.contains("line 2"), "{said}");

    push(format!("{}{}{}", entry(2), entry(1), entry(0))).ok();
    assert_eq!(world.settled().len(), 3);
}

#[test]
fn deploy_branch_cannot_be_deleted_or_rewound() {
    let world = world(&["a"], "");
    world.server_git(&["config", "receive.denyDeleteCurrent", "ignore"]);
    let main = commits(&world, "a", 2);
    deploy(&world, A, &main[0]);
    let first = world.tip();
    deploy(&world, A, &main[1]);
    let second = world.tip();
    let delete = || world.push_with(&["origin", ":refs/heads/main"]);
    let rewind = || world.push_with(&["-f", "origin", &format!("{first}:refs/heads/main")]);

    let said = refused(delete());
    assert!(
        said.contains("refused refs/heads/main: the deploy branch may not be deleted"),
        "{said}"
    );
    let said = refused(rewind());
    assert!(
        said.contains("the deploy branch may not be rewound: 1 commit would no longer be on it"),
        "{said}"
    );
    assert_eq!(world.tip(), second);

    // With this setting the branch may go back, but what is deployed still may not.
    world.config_top("allow_rewind = true");
    let said = refused(rewind());
    assert!(said.contains("would go back 1 commit"), "{said}");
    assert!(!said.contains("rewound"), "{said}");
    delete().ok();
    assert_eq!(world.tip(), NULL);
    assert_eq!(world.settled().len(), 2);
}

#[test]
fn post_receive_records_a_problem_for_what_got_past_pre_receive() {
    let world = world(&["a", "b"], "");
    let (a, b) = (commits(&world, "a", 2), commits(&world, "b", 1));
    deploy(&world, A, &a[1]);
    world.deploy_rev(A, &a[0]);
    world.deploy_rev("production/b", &b[0]);
    let line = world.push_unseen();

    world
        .hook("post-receive", &line)
        .ok()
        .says(" would go back 1 commit")
        .says("#2 production/b new");
    assert_eq!(world.settled().len(), 2);
    world
        .cmd(&["status"])
        .ok()
        .says(" would go back 1 commit")
        .says(short(&a[1]));
    assert_eq!(world.status(A)["status"], "problem");

    // A push of a revision that is allowed clears it.
    try_deploy(&world, A, &a[1]).ok();
    assert_eq!(world.settled().pop().unwrap(), "#3 production/a succeeded");
    world.cmd(&["status"]).ok().says_nothing_of("problem");
}

#[test]
fn problem_is_not_cleared_by_editing_only_the_comments() {
    let (world, main) = with_commits(5);
    deploy(&world, A, &main[0]);
    deploy_and_fail(&world, A, &main[4]);
    world.deploy_rev(A, &main[2]);
    let line = world.push_unseen();
    world
        .hook("post-receive", &line)
        .ok()
        .says("problem production/a.deploy");

    let old = std::fs::read_to_string(world.path("work/production/a.deploy")).unwrap();
    world.deploy_file(A, format!("{old}# a comment\n"));
    world.push();

    assert_eq!(world.status(A)["status"], "problem");
    let said = refused(try_deploy(&world, A, &main[3]));
    assert!(said.contains("would go back 1 commit"), "{said}");
}

#[test]
fn refusal_lists_every_rule_of_every_file_at_once() {
    let world = world(
        &["a", "b"],
        "[environments.production]\npromotes_from = \"staging\"\n[environments.staging]\n",
    );
    let (a, b) = (commits(&world, "a", 1), commits(&world, "b", 1));
    let side = commit_on(&world, "a", "side", "side", &[&a[0]]);
    world.deploy_rev(A, &side);
    world.deploy_rev("production/b", &b[0]);
    world.deploy_rev("staging/a", &rev(1));

    let said = refused(world.try_push());

    let (side, b) = (short(&side), short(&b[0]));
    for expected in [
        format!("refused production/a.deploy: {side} is not on refs/heads/main of a"),
        format!("refused production/a.deploy: {side} was never deployed to staging"),
        format!("refused production/b.deploy: {b} was never deployed to staging"),
        "refused staging/a.deploy: 0000001 is not in the repository of a".to_owned(),
    ] {
        assert!(said.contains(&expected), "{expected:?} is missing: {said}");
    }
    assert_eq!(world.tip(), NULL);
}
