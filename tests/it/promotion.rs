//! `promotes_from` and `soak`.

use std::fs;

use crate::applications::{
    commits, configure, deploy, refused, short, try_deploy, try_deploy_saying, world,
};
use crate::run::Run;

const A: &str = "production/a";
const CONFIG: &str = "[environments.production]\n\
                      promotes_from = \"staging\"\n\
                      [environments.staging]\n";

#[track_caller]
fn assert_refused(push: Run, expected: &str) {
    let said = refused(push);
    assert!(said.contains(expected), "{expected:?} is missing: {said}");
}

#[test]
fn promotion_needs_a_success_in_the_earlier_environment() {
    let world = world(&["a"], CONFIG);
    let main = commits(&world, "a", 1);
    let revision = short(&main[0]);
    let expected = format!("{revision} was never deployed to staging");
    assert_refused(try_deploy(&world, A, &main[0]), &expected);

    world.job(
        "note start\n\
         test $DEPLOY_ENVIRONMENT = production || hold $DEPLOY_ID\n\
         test ! -e \"$W/fail\"",
    );
    try_deploy(&world, "staging/a", &main[0]).ok();
    world.wait_for("staging/a #1 start");
    let expected = format!("{revision} is running in staging (#1)");
    assert_refused(try_deploy(&world, A, &main[0]), &expected);

    fs::write(world.path("fail"), "").unwrap();
    world.open("1");
    world.settled();
    let expected = format!("{revision} did not succeed in staging: failed (#1)");
    assert_refused(try_deploy(&world, A, &main[0]), &expected);

    fs::remove_file(world.path("fail")).unwrap();
    world.open("2");
    assert_eq!(
        deploy(&world, "staging/a", &main[0]),
        "#2 staging/a succeeded"
    );
    assert_eq!(deploy(&world, A, &main[0]), "#3 production/a succeeded");
}

#[test]
fn promotion_waits_until_the_revision_has_soaked() {
    let world = world(&["a"], CONFIG);
    let main = commits(&world, "a", 2);
    deploy(&world, "staging/a", &main[0]);
    deploy(&world, A, &main[0]);
    configure(
        &world,
        &CONFIG.replace("\"staging\"\n", "\"staging\"\nsoak = \"1h\"\n"),
    );

    deploy(&world, "staging/a", &main[1]);
    let said = refused(try_deploy(&world, A, &main[1]));
    for expected in [
        "succeeded in staging ",
        " (#3); it must wait ",
        " more",
        "the setting \"soak\" requires 1 h in staging",
    ] {
        assert!(said.contains(expected), "{expected:?} is missing: {said}");
    }

    // What is deployed already may be deployed again.
    assert_eq!(deploy(&world, A, &main[0]), "#4 production/a succeeded");
}

#[test]
fn promotion_is_not_needed_for_a_rollback_to_what_was_deployed() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 3);
    deploy(&world, A, &main[1]);
    deploy(&world, A, &main[2]);
    configure(&world, CONFIG);
    let rollback = "Deploy-Rollback: alarms";

    // The first commit was never deployed here.
    let never = try_deploy_saying(&world, A, &main[0], rollback);
    assert_refused(never, "was never deployed to staging");

    try_deploy_saying(&world, A, &main[1], rollback).ok();
    assert_eq!(world.settled().pop().unwrap(), "#3 production/a succeeded");
}
