//! `git push -o follow` and `git push -o wait`.

use crate::run::run;
use crate::world::World;

const FOLLOW: [&str; 4] = ["-o", "follow", "origin", "HEAD:refs/heads/main"];
const WAIT: [&str; 4] = ["-o", "wait", "origin", "HEAD:refs/heads/main"];

#[test]
fn push_option_follow_shows_the_log_and_then_the_outcome() {
    let world = World::installed();
    world.job("echo first line; sleep 0.3; echo last line >&2");
    world.deploy("production/a", 1);

    let said = world.push_with(&FOLLOW).ok().remote();

    let at = |start: &str| {
        said.iter()
            .position(|line| line.starts_with(start))
            .unwrap_or_else(|| panic!("no line starts with {start:?}: {said:#?}"))
    };
    assert!(at("first line") < at("last line"), "{said:#?}");
    let end = at("deploy-by-code: #1 production/a succeeded in ");
    assert!(at("last line") < end, "{said:#?}");
}

#[test]
fn push_option_follow_of_several_names_each() {
    let world = World::installed();
    world.job("echo from $DEPLOY_APPLICATION; test $DEPLOY_APPLICATION = a");
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);

    let push = world.push_with(&FOLLOW).ok();

    let said = push.remote();
    for expect in [
        "production/a | from a",
        "production/b | from b",
        "deploy-by-code: #2 production/b failed: exit status 1",
    ] {
        assert!(
            said.contains(&expect.to_owned()),
            "{expect:?} is missing: {said:#?}"
        );
    }
    push.says("remote: deploy-by-code: #1 production/a succeeded in ");
}

#[test]
fn push_option_wait_shows_the_outcome_only() {
    let world = World::installed();
    world.job("echo output; kill -9 $$");
    world.deploy("production/a", 1);

    world
        .push_with(&WAIT)
        .ok()
        .says("deploy-by-code: #1 production/a failed: signal 9")
        .says_nothing_of("output");

    assert_eq!(world.settled(), ["#1 production/a failed: signal 9"]);
    assert!(world.logs(1).starts_with("output\n"));
}

#[test]
fn push_option_wait_ends_when_the_deployment_is_superseded() {
    let world = World::installed();
    world.job("note start; hold end");
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.deploy("production/a", 2);
    world.commit();

    std::thread::scope(|scope| {
        let waits = scope.spawn(|| run(&mut world.push_command(&WAIT), b"").ok());
        world.wait_until("it is queued", || world.history().len() == 2);

        world.git(&["fetch", "-q", "origin"]);
        world.deploy("production/a", 3);
        world.push();
        waits
            .join()
            .unwrap()
            .says("deploy-by-code: #2 production/a superseded");
    });

    world.cmd(&["wait", "2"]).exits(1);
    world.open("end");
    assert_eq!(world.settled().len(), 3);
}

#[test]
fn push_options_do_not_wait_when_nothing_is_deployed() {
    let world = World::installed();
    world.write("README.md", "Nothing to deploy.\n");

    let both = [
        "-o",
        "follow",
        "-o",
        "wait",
        "origin",
        "HEAD:refs/heads/main",
    ];
    let push = world.push_with(&both).ok();

    let said = ["deploy-by-code: nothing to deploy: no deploy file has changed"];
    assert_eq!(push.remote(), said);
}

#[test]
fn push_option_skip_deploy_does_not_exist() {
    let world = World::installed();
    world.deploy("production/a", 1);

    world
        .push_with(&["-o", "skip-deploy", "origin", "HEAD:refs/heads/main"])
        .ok();

    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}
