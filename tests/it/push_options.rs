//! `git push -o follow` and `git push -o wait`.

use std::time::{Duration, Instant};

use crate::ci::ci_script;
use crate::crash::{assert_ran_in_turn, with_dead_runner};
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
    assert_eq!(said.last().unwrap(), "deploy-by-code: 1 of 1 succeeded");
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
        "error: deploy-by-code: #2 production/b failed: exit status 1",
    ] {
        assert!(
            said.contains(&expect.to_owned()),
            "{expect:?} is missing: {said:#?}"
        );
    }
    push.says("remote: deploy-by-code: #1 production/a succeeded in ");
    assert_eq!(
        said.last().unwrap(),
        "error: deploy-by-code: 1 of 2 failed: production/b (#2)"
    );
}

#[test]
fn push_option_wait_shows_the_outcome_only() {
    let world = World::installed();
    world.job("echo output; kill -9 $$");
    world.deploy("production/a", 1);

    world
        .push_with(&WAIT)
        .ok()
        .says("remote: error: deploy-by-code: #1 production/a failed: signal 9")
        .says("remote: error: deploy-by-code: 1 of 1 failed: production/a (#1)")
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

/// What a push with `-o wait` printed about deployments that it waited for: without the lines that
/// say what is queued.
fn outcome(said: &[String]) -> Vec<&str> {
    let is_outcome = |line: &&str| !line.ends_with(" queued");
    said.iter().map(String::as_str).filter(is_outcome).collect()
}

#[test]
fn summary_names_each_kind_of_outcome() {
    let world = World::installed();
    world.config("[applications.late]\nafter = [\"broken\"]");
    world.job("test $DEPLOY_APPLICATION != broken");
    for application in ["broken", "late", "other"] {
        world.deploy(&format!("production/{application}"), 1);
    }

    let said = world.push_with(&WAIT).ok().remote();

    assert_eq!(
        said.last().unwrap(),
        "error: deploy-by-code: 1 of 3 failed: production/broken (#1); \
         1 of 3 skipped: production/late (#2)"
    );
    let errors = said.iter().filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 3, "{said:#?}");
}

#[test]
fn push_option_wait_with_a_time_ends_when_it_is_over() {
    let world = World::installed();
    world.job("test $DEPLOY_APPLICATION = a || hold end");
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);

    let push = ["-o", "wait=2s", "origin", "HEAD:refs/heads/main"];
    let said = world.push_with(&push).ok().remote();

    assert_eq!(
        outcome(&said)[1..],
        [
            "deploy-by-code: this push has waited for 2 s; what has not ended continues without it",
            "deploy-by-code: 1 of 2 not ended: production/b (#2)",
        ],
        "{said:#?}"
    );
    world.open("end");
    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded", "#2 production/b succeeded"]
    );
}

#[test]
fn push_option_with_a_wrong_time_does_not_count_and_stops_nothing() {
    let world = World::installed();
    world.deploy("production/a", 1);

    let push = [
        "-o",
        "wait=10",
        "-o",
        "folow=1m",
        "origin",
        "HEAD:refs/heads/main",
    ];
    let said = world.push_with(&push).ok().remote();

    assert_eq!(
        outcome(&said)[..2],
        [
            "deploy-by-code: the push option wait=10 does not count: 10 has no unit; did you mean \
             wait=10m?",
            "deploy-by-code: unknown push option folow=1m; did you mean follow=1m?",
        ],
        "{said:#?}"
    );
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

const HOLD: &str = "[environments.production]\non_freeze = \"hold\"\n[environments.staging]\n";

#[test]
fn push_option_wait_ends_when_all_that_is_left_is_frozen() {
    let world = World::installed();
    world.config(HOLD);
    world.job("sleep 0.5");
    world
        .cmd(&["freeze", "production", "--reason", "incident 7"])
        .ok();
    world.deploy("production/a", 1);
    world.deploy("staging/a", 1);

    let said = world.push_with(&WAIT).ok().remote();

    let about = |start: &str| said.iter().any(|line| line.starts_with(start));
    assert!(
        about("deploy-by-code: #1 production/a queued: frozen by "),
        "{said:#?}"
    );
    assert!(
        about("deploy-by-code: #2 staging/a succeeded in "),
        "{said:#?}"
    );
    assert_eq!(
        said[said.len() - 2..],
        [
            "deploy-by-code: nothing can go on now, so this push does not wait any longer",
            "deploy-by-code: 1 of 2 not ended: production/a (#1)",
        ]
    );

    world.cmd(&["thaw", "production"]).ok();
    assert_eq!(world.settled()[0], "#1 production/a succeeded");
}

#[test]
fn push_option_wait_ends_when_somebody_freezes_the_environment() {
    let world = World::installed();
    world.job("note start; hold end");
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.deploy("production/b", 1);
    world.commit();

    std::thread::scope(|scope| {
        let waits = scope.spawn(|| run(&mut world.push_command(&WAIT), b"").ok());
        world.wait_until("it is queued", || world.history().len() == 2);
        world
            .cmd(&["freeze", "production", "--reason", "incident 7"])
            .ok();
        waits
            .join()
            .unwrap()
            .says("deploy-by-code: #2 production/b queued: frozen by ")
            .says("deploy-by-code: 1 of 1 not ended: production/b (#2)");
    });
    assert_eq!(world.history()[0], "#1 production/a running");
    world.open("end");
    world.cmd(&["thaw", "production"]).ok();
    assert_eq!(world.settled().len(), 2);
}

/// The control of the tests above: what is frozen is waited for as long as something else runs, so
/// it is still waited for when it thaws meanwhile.
#[test]
fn push_option_wait_goes_on_after_a_thaw() {
    let world = World::installed();
    world.config(HOLD);
    world.job("note start; hold $DEPLOY_ENVIRONMENT");
    world
        .cmd(&["freeze", "production", "--reason", "incident 7"])
        .ok();
    world.deploy("production/a", 1);
    world.deploy("staging/a", 1);
    world.commit();

    std::thread::scope(|scope| {
        let waits = scope.spawn(|| run(&mut world.push_command(&WAIT), b"").ok());
        world.wait_for("staging/a #2 start");
        world.cmd(&["thaw", "production"]).ok();
        world.wait_for("production/a #1 start");
        world.open("staging");
        world.wait_until("staging has ended", || {
            world.history()[1] == "#2 staging/a succeeded"
        });
        assert!(!waits.is_finished());
        world.open("production");
        waits
            .join()
            .unwrap()
            .says("remote: deploy-by-code: 2 of 2 succeeded");
    });
}

#[test]
fn push_option_wait_ends_when_a_dead_runners_command_holds_the_environment() {
    let world = with_dead_runner("");
    world.deploy("production/b", 1);

    let said = world.push_with(&WAIT).ok().remote();

    assert_eq!(
        outcome(&said),
        [
            "deploy-by-code: #2 production/b queued: held by what #1 left running",
            "deploy-by-code: nothing can go on now, so this push does not wait any longer",
            "deploy-by-code: 1 of 1 not ended: production/b (#2)",
        ]
    );
    world.open("end");
    assert_ran_in_turn(&world, "production/b");
}

#[test]
fn push_option_wait_says_what_still_runs_while_nothing_happens() {
    let world = World::installed();
    world.job("note start; hold end");
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);

    let begin = Instant::now();
    let push = ["-o", "wait=11s", "origin", "HEAD:refs/heads/main"];
    let said = world.push_with(&push).ok().remote();

    let took = begin.elapsed();
    assert!(took >= Duration::from_secs(11), "{took:?}");
    let still = outcome(&said)[0];
    let running = "deploy-by-code: still running: production/a #1 for ";
    let rest = still.strip_prefix(running);
    let rest = rest.unwrap_or_else(|| panic!("{said:#?}"));
    let (time, rest) = rest.split_once("; ").unwrap();
    assert!(time.ends_with(" s"), "{still}");
    assert_eq!(rest, "still queued: production/b #2");
    world.open("end");
    assert_eq!(world.settled().len(), 2);
}

/// Runs the script of docs/ci.md that reads the summary, after a commit. Returns its exit status.
fn run_ci_script(world: &World) -> Option<i32> {
    world.commit();
    let mut script = world.command("sh", "work");
    script.args(["-c", &ci_script("Waiting in the push")]);
    run(&mut script, b"").code
}

#[test]
fn ci_script_that_reads_the_summary_exits_with_the_outcome() {
    let world = World::installed();
    world.job("test $DEPLOY_REVISION != $BAD");
    let bad = format!("env = {{ BAD = \"{}\" }}", crate::world::rev(2));
    world.config(&bad);
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    assert_eq!(run_ci_script(&world), Some(0));

    world.deploy("production/a", 2);
    world.deploy("production/b", 3);
    assert_eq!(run_ci_script(&world), Some(1));
    assert_eq!(world.settled()[2], "#3 production/a failed: exit status 1");

    world.deploy_file("production/a", "nonsense\n");
    assert_eq!(run_ci_script(&world), Some(1));
    assert_eq!(world.settled().len(), 4, "the push was refused");
}

#[test]
fn ci_script_is_not_deceived_by_a_log() {
    let world = World::installed();
    let forged = "deploy-by-code: 1 of 1 succeeded";
    world.job(&format!("echo '{forged}'; exit 1"));
    world.deploy("production/a", 1);
    assert_eq!(run_ci_script(&world), Some(1));
    assert!(world.logs(1).contains(forged));
}

#[test]
fn summary_of_a_push_with_a_problem_is_an_error() {
    let world = World::installed();
    // So that the push is not refused.
    std::fs::remove_file(world.path("deploy.git/hooks/pre-receive")).unwrap();
    world.deploy("production/a", 1);
    world.deploy_file("production/b", "nonsense\n");

    let said = world.push_with(&WAIT).ok().remote();
    assert_eq!(
        said.last().unwrap(),
        "error: deploy-by-code: 1 of 1 succeeded; problems: 1, see above"
    );

    world.deploy("production/a", 2);
    world.deploy_file("production/b", "other nonsense\n");
    assert_eq!(run_ci_script(&world), Some(1));
    assert_eq!(world.settled().len(), 2);
}
