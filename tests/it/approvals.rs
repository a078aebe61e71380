//! Approvals: who must have signed what before it is deployed.

use crate::applications::refused;
use crate::run::run;
use crate::signing::{
    ONE_APPROVAL, approve, change, commit_signed, configure_signers, go_to, head, push_commits,
    refuse_all, start_over, world_of_signers, world_with_deployments,
};
use crate::world::World;

const A: &str = "production/a";

#[test]
fn signed_change_is_deployed_after_somebody_else_approved_it() {
    let world = world_of_signers(ONE_APPROVAL);
    world.deploy(A, 1);
    commit_signed(&world, "alice", &["Deploy"]);

    let said = refused(push_commits(&world));
    for expected in [
        "refused production/a.deploy: production needs 1 approval by other people than who changed \
         the file, and there is none",
        "hint: ask somebody else who signs to approve it",
        "Deploy-Approve: production/a",
    ] {
        assert!(said.contains(expected), "{expected:?} is missing: {said}");
    }

    approve(&world, "bob", A);
    push_commits(&world).ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);

    let by_bob = "approved by    bob@example.org (";
    assert!(world.cmd(&["show", "1"]).ok().stdout.contains(by_bob));
    world
        .cmd(&["status"])
        .ok()
        .says("production/a: approved by bob@example.org");
    let row = &world.json(&["log"])[0];
    assert_eq!(row["approvals"][0]["by"], "bob@example.org", "{row}");
}

#[test]
fn unsigned_change_is_refused_whoever_approves_it() {
    let world = world_of_signers(ONE_APPROVAL);
    world.deploy(A, 1);
    world.commit();
    approve(&world, "bob", A);

    let said = refused(push_commits(&world));
    assert!(
        said.contains("a commit that changes the file must be signed"),
        "{said}"
    );
    assert!(said.contains("does not count: it is not signed"), "{said}");
}

#[test]
fn nobody_approves_an_own_change() {
    let world = world_of_signers(ONE_APPROVAL);
    world.deploy(A, 1);
    commit_signed(&world, "alice", &["Deploy"]);
    approve(&world, "alice", A);

    let said = refused(push_commits(&world));
    assert!(
        said.contains("alice@example.org has changed the file too"),
        "{said}"
    );
}

const NONE: &str = "needs 1 approval by other people than who changed the file, and there is none";

#[test]
fn approval_is_of_one_push_alone() {
    let world = world_with_deployments(ONE_APPROVAL);
    change(&world);
    approve(&world, "bob", A);
    push_commits(&world).ok();
    world.settled();

    refuse_all(
        &world,
        &[
            (
                "approved in the push before",
                |w| {
                    w.deploy(A, 3);
                    commit_signed(w, "alice", &["Deploy"]);
                },
                NONE,
            ),
            (
                "content that was approved once",
                |w| {
                    w.deploy(A, 3);
                    commit_signed(w, "alice", &["Deploy"]);
                    w.git(&["checkout", "-q", "origin/main", "--", "."]);
                    w.deploy(A, 4);
                    commit_signed(w, "alice", &["Deploy"]);
                },
                NONE,
            ),
            (
                "branch that is made anew",
                |w| {
                    w.deploy(A, 3);
                    commit_signed(w, "alice", &["Deploy"]);
                    w.git(&["push", "-q", "-f", "origin", "HEAD:refs/heads/other"]);
                },
                NONE,
            ),
        ],
    );
}

#[test]
fn approvals_of_two_other_people_are_two() {
    let world = world_with_deployments("[environments.production]\napprovals = 2\n");
    const ONE: &str = "needs 2 approvals by other people than who changed the file, and only \
                       bob@example.org";
    refuse_all(
        &world,
        &[
            (
                "the same twice",
                |w| {
                    change(w);
                    approve(w, "bob", A);
                    approve(w, "bob", "production");
                },
                ONE,
            ),
            (
                "one and the author",
                |w| {
                    change(w);
                    approve(w, "bob", A);
                    approve(w, "alice", A);
                },
                ONE,
            ),
            (
                "one and another author",
                |w| {
                    change(w);
                    w.deploy(A, 3);
                    commit_signed(w, "carol", &["Deploy"]);
                    approve(w, "bob", A);
                    approve(w, "carol", A);
                },
                ONE,
            ),
        ],
    );

    start_over(&world);
    change(&world);
    approve(&world, "bob", A);
    approve(&world, "carol", "production");
    push_commits(&world).ok();
}

#[test]
fn approval_of_an_environment_holds_for_each_of_its_files() {
    let world = world_with_deployments(ONE_APPROVAL);
    change(&world);
    world.deploy("production/b", 2);
    commit_signed(&world, "alice", &["Deploy"]);
    approve(&world, "bob", "production");
    push_commits(&world).ok();
}

#[test]
fn deletion_that_was_approved_retires() {
    let world = world_with_deployments(ONE_APPROVAL);
    world.retire(A);
    commit_signed(&world, "alice", &["Retire"]);
    approve(&world, "bob", A);
    push_commits(&world).ok();
}

#[test]
fn only_approvers_approve() {
    let section = "approvals = 1\napprovers = [\"ops\"]\n";
    let section = format!(
        "groups = {{ ops = [\"carol@example.org\"] }}\n\
                           [environments.production]\n{section}"
    );
    let world = world_with_deployments(&section);
    refuse_all(
        &world,
        &[(
            "somebody else who signs",
            |w| {
                change(w);
                approve(w, "bob", A);
            },
            "approvers does not name bob@example.org",
        )],
    );

    start_over(&world);
    change(&world);
    approve(&world, "carol", A);
    push_commits(&world).ok();
}

#[test]
fn push_of_more_commits_than_are_looked_at_is_refused() {
    let world = world_with_deployments(ONE_APPROVAL);
    refuse_all(
        &world,
        &[(
            "approval above 1000 commits",
            |w| {
                change(w);
                let (tree, mut parent) = (w.git(&["rev-parse", "HEAD^{tree}"]), head(w));
                let mut stream = String::new();
                for n in 0..1000 {
                    stream += &format!(
                        "commit refs/heads/many\ncommitter A <a@x> {n} +0000\ndata 1\nx\n"
                    );
                    if n == 0 {
                        stream += &format!("from {parent}\n");
                    }
                }
                let mut import = w.command("git", "work");
                run(
                    import.args(["fast-import", "--quiet", "--force"]),
                    stream.as_bytes(),
                )
                .ok();
                parent = w.git(&["rev-parse", "refs/heads/many"]);
                assert_eq!(w.git(&["rev-parse", &format!("{parent}^{{tree}}")]), tree);
                go_to(w, &parent);
                approve(w, "bob", A);
            },
            "brings more than 1000 commits, and approvals are looked for in no more; push them in \
        several steps",
        )],
    );
}

#[test]
fn rewound_branch_needs_approval_too() {
    let world = world_with_deployments("");
    for n in [2, 3] {
        world.deploy(A, n);
        world.push();
    }
    world.settled();
    configure_signers(&world, ONE_APPROVAL);
    world.config_top("allow_rewind = true");

    refuse_all(
        &world,
        &[
            (
                "to a commit of before",
                |w| go_to(w, "HEAD~1"),
                "no commit of this push changes the file, so nobody signed it",
            ),
            (
                "to an approval of a commit of before",
                |w| {
                    go_to(w, "HEAD~1");
                    approve(w, "bob", A);
                },
                "no commit of this push changes the file, so nobody signed it",
            ),
        ],
    );
}

#[test]
fn change_that_came_without_hooks_is_deployed_when_it_is_approved() {
    let world = world_with_deployments(ONE_APPROVAL);
    change(&world);
    world.without_hooks(|| push_commits(&world).ok());
    world.cmd(&["reconcile"]);
    world.wait_until_idle();
    // A push of something else does not approve it.
    world.write("README", "Read me.\n");
    commit_signed(&world, "carol", &["Write"]);
    push_commits(&world).ok();
    world.wait_until_idle();
    assert_eq!(newest(&world), "0000001");

    approve(&world, "alice", A);
    push_commits(&world).ok();
    world.wait_until_idle();
    assert_eq!(newest(&world), "0000001");

    approve(&world, "bob", A);
    push_commits(&world).ok();
    world.wait_until_idle();
    assert_eq!(newest(&world), "0000002");
}

/// The revision of the newest deployment, in short.
fn newest(world: &World) -> String {
    let log = world.json(&["log", "-n", "1"]);
    log[0]["revision"].as_str().unwrap()[..7].to_owned()
}

/// What is accepted is judged in the same way afterwards, whichever hook comes first.
#[test]
fn hooks_judge_approvals_in_any_order() {
    let world = world_with_deployments(ONE_APPROVAL);
    let mut lines = Vec::new();
    for (target, author, approver) in [
        (A, "alice", Some("bob")),
        ("production/b", "alice", Some("carol")),
        ("production/new", "alice", None),
    ] {
        let old = world.tip();
        world.deploy(target, 2);
        commit_signed(&world, author, &["Deploy"]);
        if let Some(approver) = approver {
            approve(&world, approver, target);
        }
        world.without_hooks(|| push_commits(&world).ok());
        lines.push(format!("{old} {} refs/heads/main\n", world.tip()));
    }
    for line in lines.iter().rev().chain(&lines) {
        world.hook("post-receive", line);
    }
    assert_eq!(
        world.settled()[2..],
        ["#3 production/a succeeded", "#4 production/b succeeded"]
    );
}

#[test]
fn deletion_of_the_branch_is_no_way_around_approvals() {
    let world = world_with_deployments(ONE_APPROVAL);
    world.config_top("allow_rewind = true");
    world.server_git(&["config", "receive.denyDeleteCurrent", "false"]);
    let pushed = run(
        &mut world.push_command(&["origin", ":refs/heads/main"]),
        b"",
    );
    let said = refused(pushed);
    assert!(
        said.contains("no commit of this push changes the file"),
        "{said}"
    );

    // Nor is a branch that begins anew.
    world.git(&["checkout", "-q", "--orphan", "new"]);
    world.deploy(A, 3);
    commit_signed(&world, "alice", &["Deploy"]);
    let pushed = run(
        &mut world.push_command(&["origin", "+HEAD:refs/heads/main"]),
        b"",
    );
    let said = refused(pushed);
    assert!(said.contains(NONE), "{said}");
}

#[test]
fn approvals_are_looked_for_below_the_root_of_the_deploy_files() {
    let world = world_of_signers(ONE_APPROVAL);
    world.config_top("root = \"deploy/files\"");
    let target = "deploy/files/production/a";
    world.deploy(target, 1);
    commit_signed(&world, "alice", &["Deploy"]);
    let said = refused(push_commits(&world));
    assert!(said.contains(NONE), "{said}");

    approve(&world, "bob", A);
    push_commits(&world).ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

/// Two pushes can be judged at once: when the first one's hook died, for example. Then whoever
/// changed the file in one of them does not approve what the other one made of it. Nothing is lost:
/// somebody else can approve it.
#[test]
fn pushes_that_are_judged_at_once_need_somebody_who_changed_nothing() {
    let world = world_with_deployments(ONE_APPROVAL);
    for (n, author, approver) in [(2, "alice", "bob"), (3, "bob", "alice")] {
        world.deploy(A, n);
        commit_signed(&world, author, &["Deploy"]);
        approve(&world, approver, A);
        world.without_hooks(|| push_commits(&world).ok());
    }
    world.cmd(&["reconcile"]);
    world.wait_until_idle();
    assert_eq!(newest(&world), "0000001");
    let status = world.cmd(&["status"]).stdout;
    assert!(
        status.contains("alice@example.org has changed the file too"),
        "{status}"
    );

    approve(&world, "carol", A);
    push_commits(&world).ok();
    world.wait_until_idle();
    assert_eq!(newest(&world), "0000003");
}
