//! `retry`: what may be tried again, and what is judged once more before that.

use std::process::Stdio;

use deploy_by_code::id::DeploymentId;
use deploy_by_code::store::{self, Store};
use deploy_by_code::sys::clock;

use crate::applications::{commits, configure, deploy, refused, try_deploy, world};
use crate::commands::with_history;
use crate::facts::sleeps;
use crate::nobody::user;
use crate::rollbacks::{deploy_and_fail, roll_back_and_fail, with_commits};
use crate::world::rev;

const A: &str = "production/a";

#[test]
fn retry_makes_a_new_deployment_and_keeps_the_old_record() {
    let world = with_history();
    world.job("exit 0");
    world
        .cmd(&["retry", "1"])
        .exits(1)
        .says("#1 production/a is succeeded");

    world.cmd(&["retry", "2"]).ok().says("#5 production/a ");

    assert_eq!(world.settled()[4], "#5 production/a succeeded");
    assert_eq!(world.show(5)["revision"], rev(2));
    assert_eq!(world.show(2)["status"], "failed");
}

#[test]
fn retry_of_a_revision_that_is_no_longer_wanted_needs_stale() {
    let world = with_history();
    world.job("test $DEPLOY_ID != 5");
    for n in [5, 6] {
        world.deploy(A, n);
        world.push();
        world.settled();
    }

    world
        .cmd(&["retry", "5"])
        .exits(1)
        .says("the deploy file of production/a now asks for")
        .says("--stale");
    assert_eq!(world.settled().len(), 6);

    world.cmd(&["retry", "--stale", "5"]).ok();
    assert_eq!(world.settled()[6], "#7 production/a succeeded");
    assert_eq!(world.status(A)["deployed"], rev(5));
    assert_eq!(
        world.show(7)["exceptions"][0]["reason"],
        format!("retry --stale of #5 by {}", user())
    );
}

#[test]
fn retry_with_stale_can_go_back_and_is_recorded() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 2);
    world.job("test $DEPLOY_ID != 1");
    deploy(&world, A, &main[0]);
    deploy(&world, A, &main[1]);

    world.cmd(&["retry", "--stale", "1"]).ok();

    assert_eq!(world.settled().pop().unwrap(), "#3 production/a succeeded");
    assert_eq!(world.status(A)["deployed"], main[0].as_str());
    assert_eq!(
        world.show(3)["exceptions"][0]["reason"],
        format!("retry --stale of #1 by {}", user())
    );
}

#[test]
fn retry_takes_only_the_newest_deployment_of_a_revision() {
    let (world, main) = with_commits(6);
    deploy_and_fail(&world, A, &main[2]);
    deploy(&world, A, &main[4]);
    roll_back_and_fail(&world, &main[2], "c5 is bad");

    // The first try has the same revision, but not the rollback's reason and hold.
    world
        .cmd(&["retry", "1"])
        .exits(1)
        .says("#3 is failed")
        .says("deploy-by-code retry 3");

    world.cmd(&["retry", "3"]).ok();
    assert_eq!(world.settled().pop().unwrap(), "#4 production/a succeeded");
    assert_eq!(world.show(4)["exceptions"][0]["reason"], "c5 is bad");
    let said = refused(try_deploy(&world, A, &main[5]));
    assert!(
        said.contains("which the rollback #4 took away: c5 is bad"),
        "{said}"
    );
}

#[test]
fn retry_does_not_deploy_what_post_receive_has_refused() {
    let (world, main) = with_commits(5);
    deploy_and_fail(&world, A, &main[2]);
    deploy(&world, A, &main[4]);
    world.deploy_rev(A, &main[2]);
    let line = world.push_unseen();
    world
        .hook("post-receive", &line)
        .ok()
        .says(" would go back 2 commits");

    world
        .cmd(&["retry", "1"])
        .exits(1)
        .says("#1 is no longer the newest deployment of production/a");

    assert_eq!(world.settled().len(), 2);
}

#[test]
fn retry_after_an_interruption_is_left_out_when_it_is_unwanted() {
    let (world, main) = with_commits(5);
    configure(&world, "on_interrupt = \"retry\"");
    deploy(&world, A, &main[2]);
    world.job("note start; test $DEPLOY_ID != 2 || hold end");
    try_deploy(&world, A, &main[4]).ok();
    world.wait_for("production/a #2 start");
    world.kill_runner();
    world.open("end");

    world.retire(A);
    world.push();
    world.cmd(&["reconcile"]).ok();

    let interrupted = "#2 production/a interrupted: the runner died";
    assert_eq!(world.settled()[1], interrupted);
    world.wait_until_idle();
    assert_eq!(world.settled().len(), 2);
}

/// While `retry` waits for the state, somebody retries another deployment. What `retry` had found
/// out before is no longer so, and it must be found out again.
#[test]
fn retry_is_judged_by_the_state_in_which_it_is_recorded() {
    let world = with_history();
    world.job("exit 1");
    world.deploy(A, 5);
    world.push();
    assert!(world.settled()[4].starts_with("#5 production/a failed"));

    let mut state = Store::open(&world.state()).unwrap();
    let retry = state
        .transaction(|transaction| {
            let mut retry = world.binary();
            let retry = retry.args(["retry", "5"]).stderr(Stdio::piped());
            let retry = retry.spawn().unwrap();

            let pid = i32::try_from(retry.id()).unwrap();
            world.wait_until("retry waits for the state", || sleeps(pid));
            let older = transaction.deployment(DeploymentId(2)).unwrap().unwrap();
            transaction
                .retry(&older, None, None, &[], clock::now())
                .unwrap();
            Ok::<_, store::Error>(retry)
        })
        .unwrap();

    let retry = retry.wait_with_output().unwrap();
    let said = String::from_utf8(retry.stderr).unwrap();
    assert_eq!(retry.status.code(), Some(1), "{said}");
    assert!(
        said.contains("#5 is no longer the newest deployment of production/a: #6 is queued"),
        "{said}"
    );
    world.cmd(&["cancel", "6"]).ok();
}
