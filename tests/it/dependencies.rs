//! Applications that belong together, and what commits declare to need.

use crate::applications::{
    commit, commits, configure, deploy, forget_if_refused, refused, try_deploy, try_deploy_saying,
    world,
};
use crate::run::run;

const A: &str = "production/a";
const B: &str = "production/b";

#[test]
fn together_or_alone_for_a_reason() {
    let world = world(
        &["a", "b"],
        "[environments.production]\ntogether = [\"a\", \"b\"]\n",
    );
    let (a, b) = (commits(&world, "a", 3), commits(&world, "b", 2));
    let said = refused(try_deploy(&world, A, &a[0]));
    assert!(
        said.contains("refused production/a.deploy: belongs together with b, which does not change in the same push"),
        "{said}"
    );
    world.deploy_rev(A, &a[0]);
    world.deploy_rev(B, &b[0]);
    world.push();
    world.settled();
    try_deploy_saying(&world, A, &a[1], "Deploy-Alone: b is as it was").ok();
    assert_eq!(world.settled().pop().unwrap(), "#3 production/a succeeded");
    assert_eq!(world.show(3)["exceptions"][0]["kind"], "alone");
    assert_eq!(deploy(&world, "staging/a", &a[0]), "#4 staging/a succeeded");
    world.cmd(&["check"]).ok();
    // Once the branch has moved, one does not go without the other that is refused.
    world.deploy_rev(A, &a[2]);
    world.deploy_file(B, "nonsense\n");
    let line = world.push_unseen();
    let told = world.hook("post-receive", &line).ok();
    told.says("problem production/a.deploy: must not be deployed without b, which is refused")
        .says_nothing_of("queued");
    assert_eq!(world.settled().len(), 4);
}

#[test]
fn what_a_commit_needs_must_be_there_or_come_along_and_go_first() {
    let world = world(&["a", "b"], "[environments.production]\nparallel = 4\n");
    let b = commits(&world, "b", 3);
    let first = commit(&world, "a", "main", "first");
    let needs = commit(
        &world,
        "a",
        "main",
        &format!("Use it\n\nDeploy-After: b {}\nDeploy-After: nonsense", b[1]),
    );
    let last = commit(&world, "a", "main", "last");
    deploy(&world, A, &first);
    let said = refused(try_deploy(&world, A, &last));
    let line = format!(
        "{} needs b {}: b was never deployed there",
        &needs[..7],
        &b[1][..7]
    );
    assert!(
        said.contains("needs what is not there:") && said.contains(&line),
        "{said}"
    );
    deploy(&world, B, &b[0]);
    let said = refused(try_deploy(&world, A, &last));
    assert!(
        said.contains(&format!(
            "{} is deployed, which does not contain it",
            &b[0][..7]
        )),
        "{said}"
    );
    // In another environment it helps nobody.
    deploy(&world, "staging/b", &b[2]);
    refused(try_deploy(&world, A, &last));
    // Brought by the same push it goes first, though the name comes later and all could run at
    // once.
    world.job("note start; sleep 0.2; note end");
    world.deploy_rev(A, &last);
    world.deploy_rev(B, &b[2]);
    world.push();
    assert_eq!(
        world.settled()[3..],
        ["#4 production/a succeeded", "#5 production/b succeeded"]
    );
    let ran = world.ran();
    let at = |line: &str| ran.iter().position(|ran| ran == line).unwrap();
    assert!(
        at("production/b #5 end") < at("production/a #4 start"),
        "{ran:#?}"
    );
    // What was gained before is not asked for again.
    let later = commit(&world, "a", "main", "later");
    assert_eq!(deploy(&world, A, &later), "#6 production/a succeeded");
    // And a rollback of b across what a needs warns whoever pushes it.
    let push = try_deploy_saying(&world, B, &b[0], "Deploy-Rollback: alarms").ok();
    let warning = format!(
        "deploy-by-code: warning production/b.deploy: a, deployed at {}, needs commit {} of b, which would be lost",
        &later[..7],
        &b[1][..7]
    );
    assert!(push.remote().contains(&warning), "{push:#?}");
    assert_eq!(world.settled().pop().unwrap(), "#7 production/b succeeded");
}

#[test]
fn a_dependant_of_what_failed_is_skipped() {
    let world = world(&["a", "b"], "");
    let b = commits(&world, "b", 1);
    let a = commit(
        &world,
        "a",
        "main",
        &format!("Use it\n\nDeploy-After: b {}", &b[0][..10]),
    );
    world.job("test $DEPLOY_APPLICATION = a");
    world.deploy_rev(A, &a);
    world.deploy_rev(B, &b[0]);
    world.push();
    assert_eq!(
        world.settled(),
        [
            "#1 production/a skipped: #2 b failed",
            "#2 production/b failed: exit status 1"
        ]
    );
}

#[test]
fn without_it_for_a_reason_and_what_cannot_be_found() {
    let world = world(&["a", "b"], "");
    commits(&world, "b", 1);
    let first = commit(&world, "a", "main", "first");
    deploy(&world, A, &first);
    let gone = commit(&world, "a", "main", "Use it\n\nDeploy-After: b 1234567");
    let said = refused(try_deploy(&world, A, &gone));
    assert!(
        said.contains(&format!(
            "{} needs b 1234567: it is not in that application's repository",
            &gone[..7]
        )),
        "{said}"
    );
    try_deploy_saying(&world, A, &gone, "Deploy-Alone: it was never merged").ok();
    assert_eq!(world.settled().pop().unwrap(), "#2 production/a succeeded");
    let other = commit(&world, "a", "main", "Use it\n\nDeploy-After: c 1234567");
    let said = refused(try_deploy(&world, A, &other));
    assert!(said.contains("apps/c.git: "), "{said}");
}

#[test]
fn a_cycle_of_needs_is_refused() {
    let world = world(&["a", "b"], "");
    let b = commits(&world, "b", 1);
    let a = commit(
        &world,
        "a",
        "main",
        &format!("Use it\n\nDeploy-After: b {}", b[0]),
    );
    configure(&world, "[applications.b]\nafter = [\"a\"]\n");
    world.deploy_rev(A, &a);
    world.deploy_rev(B, &b[0]);
    let push = world.try_push();
    forget_if_refused(&world, &push);
    let said = refused(push);
    assert!(
        said.contains("Deploy-After and after make a cycle: a after b after a"),
        "{said}"
    );
}

#[test]
fn only_so_many_commits_are_looked_at_and_that_is_said() {
    let world = world(&["a", "b"], "");
    let b = commits(&world, "b", 1);
    // 1100 commits upon one that needs what is not there.
    let first = (0, format!("first\n\nDeploy-After: b {}\n", b[0]));
    let all = std::iter::once(first).chain((1..=1100).map(|n| (n, format!("c{n}\n"))));
    // git-fast-import(1): each commit stands upon the one before.
    let commit = |(n, message): (u32, String)| {
        let committer = format!("A <a@example.org> {} +0000", 1_700_000_000 + n);
        format!(
            "commit refs/heads/main\ncommitter {committer}\ndata {}\n{message}\n",
            message.len()
        )
    };
    let stream: String = all.map(commit).collect();
    run(
        world
            .command("git", "apps/a.git")
            .args(["fast-import", "--quiet"]),
        stream.as_bytes(),
    )
    .ok();
    let tip = world.git_in("apps/a.git", &["rev-parse", "main"]);
    world.deploy_rev(A, &tip);
    world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
    world
        .cmd(&["plan", crate::world::NULL, "topic"])
        .ok()
        .says("needs: only the newest 1000 commits gained were looked at");
    world.push();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}
