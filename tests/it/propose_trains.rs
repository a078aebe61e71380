//! `propose --from` takes to one environment what another one has.

use serde_json::json;

use crate::applications::{self, short};
use crate::clones::{content, deployed, desk, is_deployed, propose, pushed, refuses, served_desk};
use crate::published_status::REF;
use crate::run::run;
use crate::world::World;

const A: &str = "production/a";
const B: &str = "production/b";

/// A desk with `a` and `b` at their first commit in both environments.
fn trains() -> (World, Vec<String>) {
    let (world, main) = desk(&["a", "b"]);
    for target in [A, B, "staging/a", "staging/b"] {
        world.deploy_rev(target, &main[0]);
    }
    world.push();
    (world, main)
}

/// Publishes a text as `status.json`, as if the server had.
fn publish_text(world: &World, text: &str) {
    let mut hash = world.command("git", "deploy.git");
    let blob = run(hash.args(["hash-object", "-w", "--stdin"]), text.as_bytes()).ok();
    let tree = format!("100644 blob {}\tstatus.json\n", blob.line());
    let mut make = world.command("git", "deploy.git");
    let tree = run(make.arg("mktree"), tree.as_bytes()).ok();
    let commit = world.server_git(&["commit-tree", "-m", "x", tree.line()]);
    world.server_git(&["update-ref", REF, &commit]);
}

/// Publishes what is deployed of some applications.
fn publish(world: &World, deployed: &[(&str, &str)]) {
    let rows = deployed.iter().map(|(target, revision)| {
        let (environment, application) = target.split_once('/').unwrap();
        json!({
            "environment": environment, "application": application, "deployed": revision,
            "deployment": 7, "newest": 7, "state": "succeeded", "wanted": revision,
        })
    });
    let status = json!({
        "event": "x-1", "at": "2026-01-02T03:04:05Z", "frozen": [], "left_out": 0,
        "applications": rows.collect::<Vec<_>>(),
    });
    publish_text(world, &status.to_string());
}

/// With everything real: the server publishes, the status is fetched, and the push deploys.
#[test]
fn what_is_deployed_is_taken_and_not_what_failed() {
    let (world, main) = served_desk(&["a"]);
    world.config_top(&format!("publish = \"{REF}\""));
    deployed(&world, A, &main[0]);
    deployed(&world, "staging/a", &main[1]);
    world.job("test $DEPLOY_ENVIRONMENT = production");
    deployed(&world, "staging/a", &main[2]);
    world
        .cmd(&["freeze", "production", "--reason", "incident 7"])
        .ok();
    crate::published_status::wait_for(&world, "production frozen");

    propose(&world, &[A, "--from", "staging"])
        .ok()
        .says(&format!("{} is deployed in staging (#2)", short(&main[1])))
        .says(&format!("{} is deployed (#1) since ", short(&main[0])))
        .says("warning: production is frozen: incident 7");

    assert!(content(&world, A).starts_with(&main[1]));
    world.cmd(&["thaw", "production"]).ok();
    world.git(&["push", "-q", "origin", "HEAD:refs/heads/main"]);
    is_deployed(&world, A, &main[1]);
}

#[test]
fn all_applications_go_in_one_commit() {
    let (world, main) = trains();
    pushed(&world, "staging/c", &main[2]);
    publish(&world, &[("staging/a", &main[1]), ("staging/b", &main[2])]);
    let before = world.git(&["rev-parse", "HEAD"]);

    propose(&world, &["production", "--from", "staging", "--push"])
        .ok()
        .says("production/c is left out: it is not there yet");

    assert_eq!(world.git(&["rev-parse", "HEAD~1"]), before);
    assert!(content(&world, A).starts_with(&main[1]));
    assert!(content(&world, B).starts_with(&main[2]));
    let title = world.git(&["log", "-1", "--format=%s"]);
    assert_eq!(title, "Deploy 2 applications to production");
    let branch = format!(
        "refs/heads/deploy/production-from-staging-{}",
        short(&main[1])
    );
    world.server_git(&["rev-parse", "--verify", &branch]);

    refuses(&world, &["production", "--from", "staging"])
        .says("there is nothing to propose in production")
        .says("production/a: production/a.deploy asks for");
}

#[test]
fn application_that_would_go_back_is_left_out() {
    let (world, main) = trains();
    pushed(&world, A, &main[2]);
    publish(&world, &[("staging/a", &main[1]), ("staging/b", &main[1])]);

    propose(&world, &["production", "--from", "staging"])
        .ok()
        .says("production/a is left out:")
        .says("production/a would lose 1 commit:");

    assert!(content(&world, A).starts_with(&main[2]));
    assert!(content(&world, B).starts_with(&main[1]));
}

/// A commit was taken back by hand: the file asks for the first one, and the second is deployed.
#[test]
fn commits_of_what_is_deployed_are_lost_too() {
    let (world, main) = trains();
    publish(&world, &[(A, &main[2])]);
    refuses(&world, &[A, &main[1]]).says("production/a would lose 1 commit:");
}

#[test]
fn lines_of_the_entries_are_taken_where_both_revisions_are() {
    let (world, main) = trains();
    let old = content(&world, "staging/a");
    let (second, third) = (&main[1], &main[2]);
    world.deploy_file(
        "staging/a",
        format!("{third}\n* Shorter \x1b[2Jwords\n{second}\nPlain words\n{old}"),
    );
    world.push();
    publish(&world, &[("staging/a", third)]);

    propose(&world, &[A, "--from", "staging"]).ok();

    let entry = format!(
        "{third}\n* Shorter \\u{{1b}}[2Jwords\n* Plain words\n{}\n",
        main[0]
    );
    let found = content(&world, A);
    assert!(found.starts_with(&entry), "{found}");
}

#[test]
fn without_a_published_status_the_deploy_file_decides() {
    let (world, main) = desk(&["a"]);
    pushed(&world, A, &main[0]);
    pushed(&world, "staging/a", &main[2]);

    propose(&world, &[A, "--from", "staging"])
        .ok()
        .says("what the deploy file of staging asks for; no status is published");

    assert!(content(&world, A).starts_with(&main[2]));
    assert!(content(&world, A).contains("* c3\n* c2\n"));
    refuses(&world, &[B, "--from", "staging"]).says("there is no deploy file of staging/b");
    refuses(&world, &[A, "--from", "stagin"]).says("did you mean staging?");
    refuses(&world, &[A, "--from", "production"]).says("from itself");
}

#[test]
fn what_was_fetched_before_is_used_without_the_remote() {
    let (world, main) = trains();
    publish(&world, &[("staging/a", &main[1])]);
    propose(&world, &[A, "--dry-run"]).ok();
    world.git(&["remote", "set-head", "origin", "main"]);
    for clone in ["work", "a"] {
        world.git_in(clone, &["remote", "set-url", "origin", "../gone.git"]);
    }

    propose(&world, &[A, "--from", "staging", "--no-fetch"])
        .ok()
        .says("is deployed in staging (#7)");
    assert!(content(&world, A).starts_with(&main[1]));
    propose(&world, &[A, "--no-fetch"])
        .ok()
        .says("origin/main of a");
    assert!(content(&world, A).starts_with(&main[2]));
}

#[test]
fn what_is_not_deployed_there_is_not_taken() {
    let (world, _) = trains();
    publish(&world, &[(A, &"7".repeat(40))]);
    refuses(&world, &[B, "--from", "staging"]).says("nothing is deployed of staging/b");

    publish_text(
        &world,
        r#"{"event": "x-1", "at": "2026-01-02T03:04:05Z", "frozen": [], "left_out": 1,
            "applications": []}"#,
    );
    refuses(&world, &[B, "--from", "staging"])
        .says("the published status does not say what is deployed of staging/b");
}

#[test]
fn published_status_that_lies_about_its_form_is_an_error() {
    let (world, _) = trains();
    for content in [
        "",
        "{}",
        "[[[[",
        r#"{"event": "x", "at": "2026-01-02T03:04:05Z", "frozen": [], "left_out": 0,
            "applications": [{"environment": "../../etc", "application": "a", "newest": 1,
            "state": "succeeded"}]}"#,
        r#"{"event": "x", "at": "2026-01-02T03:04:05Z", "frozen": [], "left_out": 0,
            "applications": [{"environment": "production", "application": "a", "newest": 1,
            "state": "succeeded", "subdirectory": "services/../.."}]}"#,
    ] {
        publish_text(&world, content);
        propose(&world, &[A]).exits(4).says("can't be understood");
    }
    propose(&world, &[A, "--status-ref", "refs/elsewhere"]).ok();
}

#[test]
fn whole_environment_gets_the_newest_of_each_application() {
    let (world, main) = trains();
    let newest = applications::commit(&world, "b", "main", "c4");

    propose(&world, &["staging"]).ok();

    assert!(content(&world, "staging/a").starts_with(&main[2]));
    assert!(content(&world, "staging/b").starts_with(&newest));
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let (world, _) = trains();
    world.write("staging/b.deploy", "changed\n");
    for name in ["a", "b"] {
        std::fs::rename(world.path(name), world.path(&format!("apps/{name}"))).unwrap();
    }

    refuses(&world, &["staging"])
        .says("2 applications can't be proposed:")
        .says("staging/a: there is no clone of a in")
        .says("staging/b: staging/b.deploy has changes");
}
