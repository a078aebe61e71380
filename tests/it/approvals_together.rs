//! Approvals and overrides where other parts of the program meet them: the record that is made
//! anew, later freezes, pushes that another process plans, and a server that changes between two
//! looks.

use std::fs;

use crate::applications::refused;
use crate::run::run;
use crate::signing::{
    ONE_APPROVAL, approve, commit_signed, configure_signers, push_commits, start_over,
    world_of_signers, world_with_deployments,
};
use crate::world::World;

const A: &str = "production/a";
const B: &str = "production/b";
const OVERRIDE: &str = "Deploy-Override: the site is down";

/// One approval, and carol may override that.
const CAROL_OVERRIDES: &str =
    "[environments.production]\napprovals = 1\noverride_by = [\"carol@example.org\"]\n";

/// A change of `production/a` that alice signed and bob approved.
fn approved_change(world: &World, n: u32) {
    world.deploy(A, n);
    commit_signed(world, "alice", &["Deploy"]);
    approve(world, "bob", A);
}

/// Deploys a change that bob approved, and then one for which carol overrode the approval.
#[track_caller]
fn deploy_approved_and_overridden(world: &World) {
    approved_change(world, 2);
    push_commits(world).ok();
    world.settled();

    world.deploy(B, 2);
    commit_signed(world, "carol", &["Deploy", OVERRIDE]);
    push_commits(world).ok();
    world.settled();
}

#[track_caller]
fn assert_bob_approved_and_carol_overrode(world: &World, approved: u32, overridden: u32) {
    assert_eq!(
        world.show(approved)["approvals"][0]["by"],
        "bob@example.org"
    );
    assert_eq!(
        world.show(overridden)["exceptions"][0]["signed_by"],
        "carol@example.org"
    );
}

/// The last deployment on record.
fn newest(world: &World) -> serde_json::Value {
    world.json(&["log", "-n", "1"])[0].clone()
}

#[test]
fn record_that_is_made_anew_says_who_approved() {
    let world = world_with_deployments(CAROL_OVERRIDES);
    world.config_top("publish = \"refs/heads/status\"");
    world.install();
    world.git(&["fetch", "-q"]);
    start_over(&world);
    deploy_approved_and_overridden(&world);
    world.wait_until_idle();
    world.cmd(&["publish"]).ok();
    let before = [world.show(3), world.show(4)];

    fs::remove_dir_all(world.state()).unwrap();
    world.cmd(&["rebuild"]).ok();

    for (id, before) in [3, 4].into_iter().zip(before) {
        let after = world.show(id);
        for key in ["approvals", "exceptions"] {
            assert_eq!(after[key], before[key], "{id}: {key}");
        }
    }
    assert_bob_approved_and_carol_overrode(&world, 3, 4);
}

#[test]
fn override_of_missing_approvals_does_not_go_past_a_later_freeze() {
    let world = world_with_deployments(CAROL_OVERRIDES);
    world.job("note start; hold end");
    approved_change(&world, 2);
    push_commits(&world).ok();
    world.wait_for("production/a #3 start");
    world.deploy(B, 2);
    commit_signed(&world, "carol", &["Deploy", OVERRIDE]);
    push_commits(&world).ok();

    world
        .cmd(&["freeze", "production", "--reason", "incident 7"])
        .ok();
    world.open("end");
    world.wait_until("the other one waits for the thaw", || {
        world.history()[3].contains("queued: frozen by ")
    });
    world.cmd(&["thaw", "production"]).ok();
    assert_eq!(world.settled()[3], "#4 production/b succeeded");
}

/// What pre-receive has accepted is not lost when the server can't tell any more who approved it.
#[test]
fn accepted_push_is_deployed_when_the_signers_are_known_again() {
    let world = world_with_deployments(ONE_APPROVAL);
    approved_change(&world, 2);
    let line = {
        let old = world.tip();
        world.without_hooks(|| push_commits(&world).ok());
        format!("{old} {} refs/heads/main\n", world.tip())
    };
    let [signers, away] = ["signers", "signers.away"].map(|name| world.path(name));
    fs::rename(&signers, &away).unwrap();
    world
        .hook("post-receive", &line)
        .says("nobody knows who changed and approved this");
    world.cmd(&["reconcile"]);
    assert_eq!(world.settled().len(), 2);

    fs::rename(&away, &signers).unwrap();
    world.cmd(&["reconcile"]).ok().says("#3 production/a");
    assert_eq!(world.settled()[2], "#3 production/a succeeded");
    assert_eq!(newest(&world)["approvals"][0]["by"], "bob@example.org");

    // Whoever pushed it learns who approved it, although another process planned it.
    world
        .hook("post-receive", &line)
        .says("#3 approved by bob@example.org");
}

#[test]
fn accepted_push_is_approved_again_when_more_approvals_are_needed_now() {
    let world = world_with_deployments(ONE_APPROVAL);
    approved_change(&world, 2);
    let old = world.tip();
    world.without_hooks(|| push_commits(&world).ok());
    configure_signers(&world, "[environments.production]\napprovals = 2\n");
    let line = format!("{old} {} refs/heads/main\n", world.tip());
    world
        .hook("post-receive", &line)
        .says("production needs 2 approvals");
    assert_eq!(world.settled().len(), 2);

    approve(&world, "carol", A);
    push_commits(&world).ok();
    assert_eq!(world.settled()[2], "#3 production/a succeeded");
    let approvals = newest(&world)["approvals"].clone();
    assert_eq!(approvals.as_array().unwrap().len(), 2, "{approvals}");
}

#[test]
fn override_that_another_process_plans_is_recorded_once_as_signed() {
    let world = world_with_deployments(
        "[environments.production]\napprovals = 1\non_freeze = \"hold\"\n\
         override_by = [\"carol@example.org\", \"carol\"]\n",
    );
    world
        .cmd(&["freeze", "production", "--reason", "incident 7"])
        .ok();
    world.deploy(A, 2);
    commit_signed(&world, "carol", &["Deploy", OVERRIDE]);
    let old = world.tip();
    world.without_hooks(|| push_commits(&world).ok());
    world.cmd(&["reconcile"]).ok().says("#3 production/a");
    world.wait_until_idle();

    let line = format!("{old} {} refs/heads/main\n", world.tip());
    for _ in 0..2 {
        let mut hook = world.command(crate::processes::BINARY, "deploy.git");
        hook.arg("post-receive")
            .envs([("GIT_DIR", "."), ("GL_USER", "carol")]);
        run(&mut hook, line.as_bytes()).ok();
    }
    let shown = world.show(3);
    assert_eq!(shown["pusher"], "carol");
    assert_eq!(shown["status"], "succeeded");
    let exceptions = shown["exceptions"].as_array().unwrap();
    assert_eq!(exceptions.len(), 1, "{shown:#}");
    assert_eq!(exceptions[0]["signed_by"], "carol@example.org");
}

/// An override that somebody signed does not become a deployment that waits for the thaw, because
/// the server can't look at the signature for a moment.
#[test]
fn accepted_override_counts_when_the_signers_are_known_again() {
    let world = world_with_deployments(
        "[environments.production]\non_freeze = \"hold\"\n\
         override_by = [\"carol@example.org\"]\n",
    );
    let freeze = ["freeze", "production", "--reason", "incident 7"];
    world.cmd(&freeze).ok();
    world.deploy(A, 2);
    commit_signed(&world, "carol", &["Deploy", OVERRIDE]);
    world.without_hooks(|| push_commits(&world).ok());
    let [signers, away] = ["signers", "signers.away"].map(|name| world.path(name));
    fs::rename(&signers, &away).unwrap();
    world.cmd(&["reconcile"]);
    let status = world.cmd(&["status"]).stdout;
    let expected = "nobody knows who signed the Deploy-Override: ";
    assert!(status.contains(expected), "{status}");

    fs::rename(&away, &signers).unwrap();
    world.cmd(&["reconcile"]).ok().says("#3 production/a");
    assert_eq!(world.settled()[2], "#3 production/a succeeded");
}

#[test]
fn environments_of_a_pattern_need_approvals_and_so_does_the_end_of_a_folder() {
    let world = world_of_signers("[environments.\"review-*\"]\napprovals = 1\n");
    for target in ["review-1/a", "review-1/b"] {
        world.deploy(target, 1);
    }
    commit_signed(&world, "alice", &["Deploy"]);
    let said = refused(push_commits(&world));
    assert!(said.contains("review-1 needs 1 approval"), "{said}");
    approve(&world, "bob", "review-1");
    push_commits(&world).ok();
    world.settled();

    world.git(&["rm", "-q", "-r", "review-1"]);
    commit_signed(&world, "alice", &["Retire"]);
    let said = refused(push_commits(&world));
    for file in ["review-1/a.deploy", "review-1/b.deploy"] {
        assert!(said.contains(&format!("refused {file}")), "{said}");
    }
    approve(&world, "bob", "review-1/a");
    let said = refused(push_commits(&world));
    assert!(!said.contains("refused review-1/a.deploy"), "{said}");
    approve(&world, "carol", "review-1/b");
    push_commits(&world).ok();
}

#[test]
fn hook_that_may_open_few_files_loses_nothing() {
    let world = world_with_deployments(ONE_APPROVAL);
    approved_change(&world, 2);
    let old = world.tip();
    world.without_hooks(|| push_commits(&world).ok());
    let line = format!("{old} {} refs/heads/main\n", world.tip());
    let unknown = (5..24).find(|limit| {
        let program = crate::processes::BINARY;
        let hook = format!("ulimit -n {limit}; exec {program} post-receive");
        let mut shell = world.command("sh", "deploy.git");
        shell.args(["-c", &hook]).env("GIT_DIR", ".");
        let said = run(&mut shell, line.as_bytes());
        let said = said.stdout + &said.stderr;
        said.contains("nobody knows who changed and approved this: ")
    });
    assert!(unknown.is_some(), "no limit keeps it from looking");
    assert_eq!(world.settled().len(), 2);

    world.cmd(&["reconcile"]).ok().says("#3 production/a");
    assert_eq!(world.settled()[2], "#3 production/a succeeded");
}

/// `plan`, `check` and the hook say the same of one range, whoever pushes it.
#[test]
fn plan_check_and_hook_agree_about_approvals() {
    let world = world_with_deployments(CAROL_OVERRIDES);
    let agree = |accepted: bool| {
        world.git(&["push", "-q", "-f", "origin", "HEAD:refs/heads/next"]);
        let plan = world.cmd(&["plan", "main..next"]);
        let check = world.cmd(&["check", "next"]);
        let expected = if accepted { Some(0) } else { Some(1) };
        assert_eq!(plan.code, expected, "{plan:?}");
        assert_eq!(check.code, expected, "{check:?}");
        let pushed = push_commits(&world);
        assert_eq!(pushed.code, expected, "{pushed:?}");
        world.settled();
    };
    world.deploy(A, 2);
    world.commit();
    agree(false);
    start_over(&world);
    world.deploy(A, 2);
    commit_signed(&world, "alice", &["Deploy", OVERRIDE]);
    agree(false);
    approve(&world, "bob", A);
    agree(true);
    world.deploy(A, 3);
    commit_signed(&world, "carol", &["Deploy", OVERRIDE]);
    agree(true);
    world.retire(A);
    commit_signed(&world, "alice", &["Retire"]);
    agree(false);
    approve(&world, "carol", "production");
    agree(true);
}

/// What was approved once needs no approval to be tried again, and the record says who approved it.
#[test]
fn retry_keeps_who_approved_and_who_overrode() {
    let world = world_with_deployments(CAROL_OVERRIDES);
    world.job("exit 1");
    deploy_approved_and_overridden(&world);
    world.job("true");
    fs::remove_file(world.path("signers")).unwrap();
    for id in ["3", "4"] {
        world.cmd(&["retry", id]).ok();
    }
    world.settled();

    for (id, of) in [(5, 3), (6, 4)] {
        for key in ["approvals", "exceptions"] {
            assert_eq!(world.show(id)[key], world.show(of)[key], "{id} {key}");
        }
        assert_eq!(world.show(id)["status"], "succeeded");
    }
    assert_bob_approved_and_carol_overrode(&world, 5, 6);
}

/// The other rules stay, whoever approved a change.
#[test]
fn approval_goes_past_no_other_rule() {
    let world = world_with_deployments(
        "[environments.production]\napprovals = 1\npromotes_from = \"staging\"\n\
         override_by = [\"carol@example.org\"]\n",
    );
    approved_change(&world, 2);
    let said = refused(push_commits(&world));
    assert!(said.contains("staging"), "{said}");
    assert!(!said.contains("needs 1 approval"), "{said}");
    start_over(&world);
    world.deploy(A, 2);
    commit_signed(&world, "carol", &["Deploy", OVERRIDE]);
    let said = refused(push_commits(&world));
    assert!(said.contains("staging"), "{said}");
}
