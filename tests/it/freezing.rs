//! Frozen environments: who froze them, what waits, what goes on, and who may all the same.

use crate::applications::{
    commits, configure, deploy, refused, try_deploy, try_deploy_saying, world,
};
use crate::run::run;
use crate::world::World;

const A: &str = "production/a";
const ALWAYS: &str = "2000-01-01 .. 2999-12-31";

fn freeze(world: &World, reason: &str, more: &[&str]) {
    world
        .cmd(&[&["freeze", "production", "--reason", reason], more].concat())
        .ok();
}

/// Prepends a revision and pushes as somebody whom the host authenticates.
fn try_deploy_as(world: &World, who: &str, revision: &str, trailers: &str) -> crate::run::Run {
    world.deploy_rev(A, revision);
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "Deploy", "-m", trailers]);
    let push = run(
        world
            .push_command(&["origin", "HEAD:refs/heads/main"])
            .env("GL_USER", who),
        b"",
    );
    crate::applications::forget_if_refused(world, &push);
    push
}

#[test]
fn a_frozen_environment_refuses_with_who_when_why_and_until_when() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 2);
    deploy(&world, A, &main[0]);
    freeze(
        &world,
        "incident 7\x1b[2J",
        &["--until", "2999-12-31 16:00"],
    );
    let said = refused(try_deploy(&world, A, &main[1]));
    assert!(
        said.contains("refused production/a.deploy: production is frozen by root at 20"),
        "{said}"
    );
    assert!(
        said.contains(" UTC: incident 7\\u{1b}[2J, until 2999-12-31 16:00 UTC"),
        "{said}"
    );
    assert!(said.contains("hint: wait for the thaw"), "{said}");
    world
        .cmd(&["status"])
        .ok()
        .says("production: frozen by root at 20")
        .says("until 2999-12-31 16:00 UTC");
    assert!(
        world.status(A)["frozen"]
            .as_str()
            .unwrap()
            .contains("incident 7")
    );
    // Also a comment, and a deletion; and nothing elsewhere.
    world.deploy_file(A, format!("{}\n* another comment\n", main[0]));
    let push = world.try_push();
    crate::applications::forget_if_refused(&world, &push);
    refused(push);
    world.retire(A);
    let push = world.try_push();
    crate::applications::forget_if_refused(&world, &push);
    refused(push);
    assert_eq!(
        deploy(&world, "staging/a", &main[1]),
        "#2 staging/a succeeded"
    );
    world
        .cmd(&["thaw", "production"])
        .ok()
        .says("nothing waits in production")
        .says("production is thawed");
    assert_eq!(deploy(&world, A, &main[1]), "#3 production/a succeeded");
    world
        .cmd(&["thaw", "production"])
        .exits(1)
        .says("production is not frozen");
}

#[test]
fn a_running_deployment_is_left_alone_and_what_waits_waits() {
    let world = world(&["a", "b"], "");
    let (a, b) = (commits(&world, "a", 1), commits(&world, "b", 1));
    world.job("note start; test $DEPLOY_ID != 1 || hold end; note end");
    try_deploy(&world, A, &a[0]).ok();
    world.wait_for("production/a #1 start");
    try_deploy(&world, "production/b", &b[0]).ok();
    freeze(&world, "incident 7", &[]);
    world.open("end");
    world.wait_until("the running one ended", || {
        world.history()[0] == "#1 production/a succeeded"
    });
    world.wait_until("the other one says why it waits", || {
        world.history()[1].contains("queued: frozen by root")
    });
    world
        .cmd(&["status"])
        .ok()
        .says("production/b: queued: frozen by root");
    assert!(!world.ran().contains(&"production/b #2 start".to_owned()));
    world
        .cmd(&["thaw", "production", "--dry-run"])
        .ok()
        .says("would deploy #2 production/b new -> ");
    world
        .cmd(&["thaw", "production"])
        .ok()
        .says("will deploy #2 production/b new -> ")
        .says("is thawed");
    assert_eq!(world.settled()[1], "#2 production/b succeeded");
}

#[test]
fn hold_takes_the_push_and_goes_on_after_the_thaw_by_itself() {
    let world = world(&["a"], "[environments.production]\non_freeze = \"hold\"\n");
    let main = commits(&world, "a", 2);
    deploy(&world, A, &main[0]);
    freeze(&world, "incident 7", &["--until", "3s"]);
    let push = try_deploy(&world, A, &main[1]).ok();
    push.says("#2 production/a ")
        .says("#2 waits until production is thawed: frozen by root at ");
    assert!(
        world.show(2)["reason"]
            .as_str()
            .unwrap()
            .contains("incident 7")
    );
    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded", "#2 production/a succeeded"]
    );
    assert!(world.show(2)["reason"].is_null());
    let waited = |key: &str| world.show(2)[key].as_str().unwrap().to_owned();
    assert!(waited("started_at") > waited("queued_at"));
    world.wait_until("the runner left", || world.ours().is_empty());
}

#[test]
fn the_calendar_freezes_too() {
    let world = world(
        &["a"],
        &format!("[environments.production]\nfrozen = [\"{ALWAYS}\"]\n"),
    );
    let main = commits(&world, "a", 1);
    let said = refused(try_deploy(&world, A, &main[0]));
    assert!(
        said.contains(&format!(
            "production is frozen by the calendar, \"{ALWAYS}\", until 3000-01-01 00:00 UTC"
        )),
        "{said}"
    );
    world
        .cmd(&["thaw", "production"])
        .exits(1)
        .says("the calendar is in the configuration");
    world.cmd(&["status"]).ok();
    configure(
        &world,
        "[environments.production]\nfrozen = [\"2000-01-01 .. 2000-01-02\"]\n",
    );
    assert_eq!(deploy(&world, A, &main[0]), "#1 production/a succeeded");
}

#[test]
fn whom_the_host_authenticated_may_override() {
    let world = world(
        &["a"],
        "[environments.production]\noverride_by = [\"alice\"]\n",
    );
    let main = commits(&world, "a", 3);
    deploy(&world, A, &main[0]);
    freeze(&world, "incident 7", &[]);
    let said = refused(try_deploy(&world, A, &main[1]));
    assert!(
        said.contains(
            "ask alice to push it with a trailer in the deploy commit: Deploy-Override: <reason>"
        ),
        "{said}"
    );
    let said = refused(try_deploy_as(
        &world,
        "bob",
        &main[1],
        "Deploy-Override: fire\nSigned-off-by: alice <a@b>",
    ));
    assert!(
        said.contains("Deploy-Override is honoured from alice only, and this is pushed by bob"),
        "{said}"
    );
    try_deploy_as(&world, "alice", &main[1], "Deploy-Override: fire").ok();
    assert_eq!(world.settled().pop().unwrap(), "#2 production/a succeeded");
    let shown = world.show(2);
    assert_eq!(
        (&shown["pusher"], &shown["exceptions"][0]["kind"]),
        (&"alice".into(), &"override".into())
    );
    // A retry of it does not inherit that.
    world.job("exit 1");
    try_deploy_as(&world, "alice", &main[2], "Deploy-Override: fire").ok();
    world.wait_until("it failed", || world.history()[2].contains("failed"));
    world.cmd(&["retry", "3"]).ok();
    world.wait_until("the retry waits", || {
        world.history()[3].contains("queued: frozen by root")
    });
    world.cmd(&["cancel", "4"]).ok();
    world.settled();
}

#[test]
fn what_got_past_pre_receive_waits_and_is_not_lost() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 2);
    deploy(&world, A, &main[0]);
    world.deploy_rev(A, &main[1]);
    let line = world.push_unseen();
    freeze(&world, "incident 7", &[]);
    world
        .hook("post-receive", &line)
        .ok()
        .says("#2 waits until production is thawed");
    world
        .cmd(&["thaw", "production"])
        .ok()
        .says("will deploy #2 production/a");
    assert_eq!(world.settled().pop().unwrap(), "#2 production/a succeeded");
}

#[test]
fn slips_of_the_fingers() {
    let world = world(&["a"], "[environments.production]\n");
    world
        .cmd(&["freeze", "prodction", "--reason", "x"])
        .exits(1)
        .says("did you mean production?");
    world
        .cmd(&["freeze", "production", "--reason", " "])
        .exits(2)
        .says("the reason is empty");
    world
        .cmd(&["freeze", "production"])
        .exits(2)
        .says("--reason");
    world
        .cmd(&[
            "freeze",
            "production",
            "--reason",
            "x",
            "--until",
            "2001-01-01",
        ])
        .exits(2)
        .says("is over already");
    world
        .cmd(&["freeze", "production", "--reason", "x", "--until", "soon"])
        .exits(2)
        .says("\"soon\" is no time like");
    world
        .cmd(&["thaw", "prodction"])
        .exits(1)
        .says("did you mean production?");
    let main = commits(&world, "a", 1);
    freeze(&world, "first", &["--until", "1h"]);
    freeze(&world, "second", &[]);
    assert!(refused(try_deploy_saying(&world, A, &main[0], "x")).contains(": second\n"));
}
