//! Frozen environments: who froze them and why, what waits meanwhile, what goes on, and who may
//! override a freeze.

use jiff::{SignedDuration, Timestamp};

use crate::applications::{
    commits, configure, deploy, forget_if_refused, refused, try_deploy, try_deploy_saying, world,
};
use crate::nobody::user;
use crate::run::{Run, run};
use crate::world::World;

const A: &str = "production/a";
const ALWAYS: &str = "2000-01-01 .. 2999-12-31";
const HOLD: &str = "[environments.production]\non_freeze = \"hold\"\n";

fn freeze(world: &World, reason: &str, more: &[&str]) {
    let freeze = ["freeze", "production", "--reason", reason];
    world.cmd(&[&freeze, more].concat()).ok();
}

/// Prepends a revision and pushes as a person whom the git host authenticates.
fn try_deploy_as(world: &World, person: &str, revision: &str, trailers: &str) -> Run {
    world.deploy_rev(A, revision);
    world.commit_saying(trailers);
    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    let push = run(push.env("GL_USER", person), b"");
    forget_if_refused(world, &push);
    push
}

#[test]
fn freeze_refuses_a_push_with_who_when_why_and_until_when() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 2);
    deploy(&world, A, &main[0]);
    let until = "2999-12-31 16:00";
    freeze(&world, "incident 7\x1b[2J", &["--until", until]);

    let said = refused(try_deploy(&world, A, &main[1]));
    let frozen = format!("production is frozen by {} at 20", user());
    for expected in [
        &format!("refused production/a.deploy: {frozen}"),
        " UTC: incident 7\\u{1b}[2J, until 2999-12-31 16:00 UTC",
        "hint: wait for the thaw",
    ] {
        assert!(said.contains(expected), "{expected:?} is missing: {said}");
    }

    world
        .cmd(&["status"])
        .ok()
        .says(&format!("production: frozen by {} at 20", user()))
        .says("until 2999-12-31 16:00 UTC");
    let frozen = world.status(A)["frozen"].clone();
    assert!(frozen.as_str().unwrap().contains("incident 7"), "{frozen}");

    world
        .cmd(&["thaw", "production"])
        .ok()
        .says("nothing waits in production")
        .says("production is thawed");
    assert_eq!(deploy(&world, A, &main[1]), "#2 production/a succeeded");
}

#[test]
fn freeze_refuses_comments_and_deletions_in_one_environment() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 1);
    deploy(&world, A, &main[0]);
    freeze(&world, "incident 7", &[]);
    let push = || {
        let push = world.try_push();
        forget_if_refused(&world, &push);
        push
    };

    world.deploy_file(A, format!("{}\n* another comment\n", main[0]));
    assert!(refused(push()).contains("production is frozen"));
    world.retire(A);
    assert!(refused(push()).contains("production is frozen"));

    assert_eq!(
        deploy(&world, "staging/a", &main[0]),
        "#2 staging/a succeeded"
    );
}

#[test]
fn freeze_leaves_the_running_deployment_and_holds_the_rest() {
    let world = world(&["a", "b"], "");
    let (a, b) = (commits(&world, "a", 1), commits(&world, "b", 1));
    world.job("note start; test $DEPLOY_ID != 1 || hold end; note end");
    try_deploy(&world, A, &a[0]).ok();
    world.wait_for("production/a #1 start");
    try_deploy(&world, "production/b", &b[0]).ok();

    freeze(&world, "incident 7", &[]);
    world.open("end");
    world.wait_until("the running deployment ended", || {
        world.history()[0] == "#1 production/a succeeded"
    });
    world.wait_until("the other deployment has a reason", || {
        world.history()[1].contains("queued: frozen by ")
    });
    world
        .cmd(&["status"])
        .ok()
        .says("production/b: queued: frozen by ");
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
fn freeze_with_hold_accepts_pushes_and_ends_by_itself() {
    let world = world(&["a"], HOLD);
    let main = commits(&world, "a", 2);
    deploy(&world, A, &main[0]);
    let before = Timestamp::now();
    freeze(&world, "incident 7", &["--until", "6s"]);

    let push = try_deploy(&world, A, &main[1]).ok();
    push.says("#2 production/a ")
        .says("#2 waits until production is thawed: frozen by ");
    let reason = world.show(2)["reason"].clone();
    assert!(reason.as_str().unwrap().contains("incident 7"), "{reason}");

    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded", "#2 production/a succeeded"]
    );
    let shown = world.show(2);
    assert!(shown["reason"].is_null(), "{shown:#}");
    let started: Timestamp = shown["started_at"].as_str().unwrap().parse().unwrap();
    let waited = started.duration_since(before);
    assert!(waited >= SignedDuration::from_secs(5), "{waited:?}");
    world.wait_until_idle();
}

#[test]
fn freeze_that_ends_during_a_configuration_error_loses_nothing() {
    let world = world(&["a"], HOLD);
    let main = commits(&world, "a", 2);
    deploy(&world, A, &main[0]);
    freeze(&world, "incident 7", &["--until", "6s"]);
    try_deploy(&world, A, &main[1]).ok();
    assert!(world.history()[1].contains(" queued"));

    let good = world.config_text();
    world.config_file(&format!("{good}\nnonsense = 1\n"));
    world.wait_until("the freeze is over", || {
        let status = world.cmd(&["status"]).ok().stdout;
        !status.contains("production: frozen by")
    });
    assert!(world.history()[1].contains(" queued"));

    world.config_file(&good);
    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded", "#2 production/a succeeded"]
    );
}

#[test]
fn freeze_by_the_calendar_refuses_until_its_last_day() {
    let frozen = |when: &str| format!("[environments.production]\nfrozen = [\"{when}\"]\n");
    let world = world(&["a"], &frozen(ALWAYS));
    let main = commits(&world, "a", 1);

    let said = refused(try_deploy(&world, A, &main[0]));
    let expected =
        format!("production is frozen by the calendar, \"{ALWAYS}\", until 3000-01-01 00:00 UTC");
    assert!(said.contains(&expected), "{said}");
    world
        .cmd(&["thaw", "production"])
        .exits(1)
        .says("the calendar is in the configuration");

    configure(&world, &frozen("2000-01-01 .. 2000-01-02"));
    assert_eq!(deploy(&world, A, &main[0]), "#1 production/a succeeded");
}

#[test]
fn freeze_can_be_overridden_by_an_authenticated_person() {
    let world = world(
        &["a"],
        "[environments.production]\noverride_by = [\"alice\"]\n",
    );
    let main = commits(&world, "a", 2);
    deploy(&world, A, &main[0]);
    freeze(&world, "incident 7", &[]);

    let said = refused(try_deploy(&world, A, &main[1]));
    let hint = "ask alice to push this, with the trailer \
                Deploy-Override: <reason> in the deploy commit";
    assert!(said.contains(hint), "{said}");

    // A name in the commit message proves nothing.
    let trailers = "Deploy-Override: fire\nSigned-off-by: alice <a@b>";
    let said = refused(try_deploy_as(&world, "bob", &main[1], trailers));
    let expected = "it is pushed by bob, whose Deploy-Override has no effect";
    assert!(said.contains(expected), "{said}");

    try_deploy_as(&world, "alice", &main[1], "Deploy-Override: fire").ok();
    assert_eq!(world.settled().pop().unwrap(), "#2 production/a succeeded");
    let shown = world.show(2);
    assert_eq!(shown["pusher"], "alice");
    assert_eq!(shown["exceptions"][0]["kind"], "override");
}

#[test]
fn freeze_override_does_not_count_for_a_retry() {
    let world = world(
        &["a"],
        "[environments.production]\noverride_by = [\"alice\"]\n",
    );
    let main = commits(&world, "a", 1);
    freeze(&world, "incident 7", &[]);
    world.job("exit 1");
    try_deploy_as(&world, "alice", &main[0], "Deploy-Override: fire").ok();
    assert_eq!(world.settled(), ["#1 production/a failed: exit status 1"]);

    world.cmd(&["retry", "1"]).ok();

    world.wait_until("the retry waits for the thaw", || {
        world.history()[1].contains("queued: frozen by ")
    });
    world.cmd(&["cancel", "2"]).ok();
    world.settled();
}

#[test]
fn freeze_holds_what_got_past_pre_receive() {
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
fn freeze_and_thaw_refuse_wrong_arguments() {
    let world = world(&["a"], "[environments.production]\n");

    for (arguments, code, says) in [
        (
            &["freeze", "prodction", "--reason", "x"][..],
            1,
            "did you mean production?",
        ),
        (
            &["freeze", "production", "--reason", " "],
            2,
            "the reason is empty",
        ),
        (&["freeze", "production"], 2, "--reason"),
        (
            &[
                "freeze",
                "production",
                "--reason",
                "x",
                "--until",
                "2001-01-01",
            ],
            2,
            "is in the past",
        ),
        (
            &["freeze", "production", "--reason", "x", "--until", "soon"],
            2,
            "\"soon\" is not a time such as",
        ),
        (&["thaw", "prodction"], 1, "did you mean production?"),
        (&["thaw", "production"], 1, "production is not frozen"),
    ] {
        world.cmd(arguments).exits(code).says(says);
    }
}

#[test]
fn freeze_takes_the_place_of_an_earlier_freeze() {
    let world = world(&["a"], "[environments.production]\n");
    let main = commits(&world, "a", 1);
    freeze(&world, "first", &["--until", "1h"]);
    freeze(&world, "second", &[]);

    let said = refused(try_deploy_saying(&world, A, &main[0], "x"));

    assert!(said.contains(": second\n"), "{said}");
}
