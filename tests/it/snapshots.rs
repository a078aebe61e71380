//! Exact output of the program. Each test compares a transcript of commands with a file in the
//! folder `snapshots`.
//!
//! After a change of wording, rewrite these files, and review the difference:
//!
//! ```sh
//! UPDATE_EXPECT=1 cargo test --test it snapshots
//! ```

use expect_test::expect_file;

use crate::applications::{self, bring_back, commits, take_away};
use crate::commands::COMMANDS;
use crate::plan::to_review;
use crate::transcript::{Transcript, person};
use crate::world::{NULL, World, rev};

const A: &str = "production/a";
const B: &str = "production/b";

/// The job fails where a file `fail` is in the world.
const JOB: &str = "echo output of $DEPLOY_ID; test ! -e \"$W/fail\"";

#[test]
fn snapshot_of_help() {
    let world = World::new();
    let mut t = Transcript::new(&world);

    t.command(&["--help"]);
    for command in COMMANDS {
        t.command(&[command, "--help"]);
    }

    t.is(expect_file!["snapshots/help.txt"]);
}

#[test]
fn snapshot_of_install_and_uninstall() {
    let world = World::new();
    world.write("README.md", "Something is on the branch.\n");
    world.push();
    let mut t = Transcript::new(&world);
    t.name(&world.tip(), "first");

    t.command(&["status"]);
    t.command(&["install", "--dry-run"]);
    t.command(&["install"]);
    t.command(&["install"]);
    t.command(&["uninstall", "--dry-run"]);
    t.command(&["uninstall"]);
    t.command(&["uninstall"]);

    t.is(expect_file!["snapshots/install.txt"]);
}

/// In production, `a` was rolled back, `b` failed, `c` waits for the thaw, `d` is retired, and the
/// new revision of `e` is a problem. `a` in staging is as it is wanted.
#[test]
fn snapshot_of_status_log_and_show() {
    let applications = ["a", "b", "c", "d", "e"];
    let hold = "[environments.staging]\n[environments.production]\non_freeze = \"hold\"\n";
    let world = applications::world(&applications, hold);
    let main = applications.map(|name| commits(&world, name, 3))[0].clone();
    world.job(JOB);
    let mut t = Transcript::new(&world);
    t.name_all(&main);
    t.command(&["status"]);
    t.command(&["log"]);

    t.deploy(A, &main[0], "");
    t.deploy(A, &main[1], "");
    t.deploy(A, &main[0], "Deploy-Rollback: alarms since noon");
    t.deploy("staging/a", &main[2], "");
    t.deploy(B, &main[0], "");
    std::fs::write(world.path("fail"), "").unwrap();
    t.deploy(B, &main[1], "");
    std::fs::remove_file(world.path("fail")).unwrap();
    t.deploy("production/d", &main[0], "");
    world.retire("production/d");
    t.push();
    t.deploy("production/e", &main[2], "");
    world.deploy_rev("production/e", &main[1]);
    t.push_past_pre_receive();
    t.command(&["freeze", "production", "--reason", "incident 7"]);
    t.push_revision("production/c", &main[0], "");
    world.wait_until("the queued deployment has its reason", || {
        world
            .history()
            .last()
            .unwrap()
            .contains(&format!(": frozen by {}", person()))
    });

    t.command(&["status"]);
    t.command(&["status", "staging"]);
    t.command(&["status", A, "--json"]);
    t.command(&["status", "nowhere"]);
    t.command(&["log"]);
    t.command(&["log", "-n", "1", "production"]);
    t.command(&["log", "-n", "1", B, "--json"]);
    t.command(&["show", "1"]);
    t.command(&["show", "3"]);
    t.command(&["show", "6"]);
    t.command(&["show", "9"]);
    t.command(&["show", "3", "--json"]);
    t.command(&["show", "99"]);
    t.command(&["show", "98", "3", "99"]);
    t.command(&["show", "--rollout", "99"]);
    t.command(&["log", "--since", "2999-12-31"]);
    t.command(&["log", "--since", "soon"]);
    t.command(&["log", "--since", "2h", "--until", "2001-01-01"]);
    t.command(&["logs", "6"]);
    t.command(&["logs", "5", "6", "4"]);
    t.command(&["wait", "6"]);
    t.command(&["wait", "--rollout", "5"]);
    t.command(&["logs", "-f", "1"]);

    t.is(expect_file!["snapshots/status.txt"]);
}

#[test]
fn snapshot_of_plan() {
    let (world, main, side) = to_review();
    let mut t = Transcript::new(&world);
    t.name_all(&main);
    t.name(&side, "side1");

    t.command(&["plan", "main", "topic"]);
    t.command(&["plan", "--markdown", "main", "topic"]);
    t.command(&["plan", "--json", "main", "topic"]);
    t.command(&["plan", "main", "main"]);
    t.command(&["plan", NULL, "main"]);
    t.command(&["plan", "main", "nowhere"]);
    t.command(&["freeze", "production", "--reason", "incident 7"]);
    t.command(&["plan", "main", "topic"]);

    t.is(expect_file!["snapshots/plan.txt"]);
}

#[test]
fn snapshot_of_check() {
    let world = applications::world(&["a"], "");
    let main = commits(&world, "a", 2);
    let mut t = Transcript::new(&world);
    t.name_all(&main);
    t.deploy(A, &main[1], "");
    t.command(&["check"]);

    t.note("The application's repository is gone, and another branch has a wrong file.");
    take_away(&world, "a");
    world.deploy_file(B, "6037512\n");
    world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
    t.command(&["check"]);
    t.command(&["check", "topic", "--json"]);
    bring_back(&world, "a");

    t.note("No repository is configured.");
    world.config("");
    t.command(&["check"]);

    t.note("The configuration has errors.");
    world.config_file(
        "[defaults]\n\
         comand = [\"true\"]\n\
         timeout = 5\n\
         queue = \"newest\"\n\
         [environments.production]\n\
         promotes_from = \"stagging\"\n\
         [environments.staging]\n\
         [applications.a]\n\
         after = [\"b\"]\n\
         [applications.b]\n\
         after = [\"a\"]\n",
    );

    t.command(&["check"]);
    t.command(&["check", "nowhere"]);

    t.is(expect_file!["snapshots/check.txt"]);
}

#[test]
fn snapshot_of_doctor() {
    let world = World::installed();
    let mut t = Transcript::new(&world);
    t.doctor();

    t.note("A hook is missing, and push options are off.");
    std::fs::remove_file(world.path("deploy.git/hooks/post-receive")).unwrap();
    world.server_git(&["config", "receive.advertisePushOptions", "false"]);
    t.doctor();
    world.install();

    t.note("The configuration has an error.");
    world.config_file("nonsense = 1\n");
    t.doctor();

    t.is(expect_file!["snapshots/doctor.txt"]);
}

#[test]
fn snapshot_of_a_push_that_is_accepted() {
    let world = World::installed();
    world.job(JOB);
    let mut t = Transcript::new(&world);

    t.note("New files.");
    world.deploy(A, 1);
    world.deploy(B, 1);
    t.push();
    world.settled();

    t.note("Another revision, and the same revision again.");
    world.deploy(A, 2);
    world.deploy(B, 1);
    t.push();
    world.settled();

    t.note("Only a comment.");
    world.deploy_file(B, format!("{}\n* a comment\n", rev(1)));
    t.push();

    t.note("A file is deleted.");
    world.retire(B);
    t.push();

    t.note("An earlier push whose hooks did not run.");
    world.deploy(B, 3);
    world.push_unseen();
    world.deploy(A, 3);
    t.push();
    world.settled();

    t.note("The pusher waits, and follows.");
    world.deploy(A, 4);
    world.commit();
    t.git_push(&["-o", "wait", "origin", "HEAD:refs/heads/main"]);
    std::fs::write(world.path("fail"), "").unwrap();
    world.deploy(A, 5);
    world.commit();
    t.git_push(&["-o", "follow", "origin", "HEAD:refs/heads/main"]);

    t.is(expect_file!["snapshots/push.txt"]);
}

#[test]
fn snapshot_of_freeze_and_thaw() {
    let hold = "[environments.staging]\non_freeze = \"hold\"\n[environments.production]\n";
    let world = applications::world(&["a"], hold);
    let main = commits(&world, "a", 2);
    let mut t = Transcript::new(&world);
    t.name_all(&main);

    let freeze = |environment| ["freeze", environment, "--reason", "incident 7"];
    t.command(&[&freeze("production")[..], &["--until", "2999-12-31"]].concat());
    t.push_revision(A, &main[0], "");
    t.command(&["status"]);
    t.command(&["thaw", "production", "--dry-run"]);
    t.command(&["thaw", "production"]);
    t.command(&["thaw", "production"]);

    t.note("Pushes are accepted, and wait.");
    t.command(&freeze("staging"));
    t.push_revision("staging/a", &main[0], "");
    t.command(&["thaw", "staging", "--dry-run"]);
    t.command(&["thaw", "staging"]);
    world.settled();

    t.note("Wrong arguments.");
    t.command(&freeze("prodction"));
    t.command(&["freeze", "production", "--reason", " "]);
    t.command(&["freeze", "production"]);
    t.command(&[&freeze("production")[..], &["--until", "soon"]].concat());
    t.command(&[&freeze("production")[..], &["--until", "2001-01-01"]].concat());

    t.is(expect_file!["snapshots/freeze.txt"]);
}

#[test]
fn snapshot_of_retry_and_cancel() {
    let world = World::installed();
    world.job("note start; hold $DEPLOY_ID; test ! -e \"$W/fail\"");
    let mut t = Transcript::new(&world);
    std::fs::write(world.path("fail"), "").unwrap();
    world.open("1");
    t.deploy(A, &rev(1), "");

    t.note("#1 has failed.");
    t.command(&["cancel", "1"]);
    t.command(&["retry", "1"]);
    world.wait_for("production/a #2 start");
    t.command(&["retry", "1"]);

    t.note("#2 runs, and #3 waits.");
    world.deploy(B, 1);
    t.push();
    t.command(&["cancel", "3"]);
    t.command(&["cancel", "2"]);
    world.settled();

    t.command(&["wait", "2"]);

    t.note("Another revision is wanted.");
    std::fs::remove_file(world.path("fail")).unwrap();
    world.open("4");
    t.deploy(A, &rev(2), "");
    t.command(&["retry", "4"]);
    t.command(&["retry", "2"]);
    world.open("5");
    t.command(&["retry", "--stale", "2"]);
    world.settled();

    t.command(&["retry", "99"]);
    t.command(&["cancel", "99"]);

    t.is(expect_file!["snapshots/retry.txt"]);
}

#[test]
fn snapshot_of_release_and_reconcile() {
    let world = World::installed();
    world.job("note start; hold end");
    let mut t = Transcript::new(&world);
    t.command(&["release", "production"]);

    t.note("The runner of #1 is killed while its command runs.");
    world.deploy(A, 1);
    t.push();
    world.wait_for("production/a #1 start");
    world.kill_runner();
    world.deploy(B, 1);
    t.push();
    world.wait_until_held_by(1);
    t.command(&["status"]);
    t.command(&["release", "production"]);
    world.open("end");
    world.settled();

    t.command(&["log"]);
    t.command(&["release", "production"]);
    t.command(&["release", "nowhere"]);

    t.note("Nothing is left to do.");
    world.wait_until_idle();
    t.command(&["reconcile"]);

    t.note("The hooks of a push did not run, and one of its files is wrong.");
    world.retire(A);
    world.deploy("production/c", 1);
    world.deploy_file("production/d", "nonsense\n");
    world.push_unseen();
    t.command(&["reconcile"]);
    world.settled();

    t.is(expect_file!["snapshots/reconcile.txt"]);
}
