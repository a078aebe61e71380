//! `plan` and `check`: what a reviewer sees before anyone merges.

use serde_json::Value;

use crate::applications::{
    commit, commit_on, commits, configure, deploy, short, try_deploy, world,
};
use crate::processes::BINARY;
use crate::run::run;
use crate::world::{NULL, World};

const A: &str = "production/a";
const PROMOTION: &str = "allowed_refs = [\"refs/heads/*\"]\n\
                         [environments.production]\n\
                         promotes_from = \"staging\"\n\
                         [environments.staging]\n";

/// A world with a deployed application, and a branch `topic` of the deploy repository that deploys
/// a diverged commit of it. Returns the commits of `main`, and the diverged one.
pub fn to_review() -> (World, Vec<String>, String) {
    let world = world(&["a", "b"], PROMOTION);
    let main = commits(&world, "a", 3);
    let side = commit_on(&world, "a", "side", "Ends <b>here</b> | @all", &[&main[0]]);
    deploy(&world, "staging/a", &main[2]);
    deploy(&world, A, &main[2]);

    world.deploy_rev(A, &side);
    world.deploy_rev("staging/a", &main[2]);
    world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
    (world, main, side)
}

/// The plan from `main` to `topic`, of which something is refused.
#[track_caller]
fn plan_as_json(world: &World) -> Value {
    let plan = world.cmd(&["plan", "--json", "main", "topic"]).exits(1);
    serde_json::from_str(&plan.stdout).unwrap()
}

#[test]
fn plan_lists_commits_gained_and_lost_and_every_rule() {
    let (world, main, side) = to_review();

    let text = world.cmd(&["plan", "main", "topic"]).exits(1).stdout;

    let [first, second, last] = [0, 1, 2].map(|n| short(&main[n]));
    let side = short(&side);
    let by = "2026-01-02 03:04 Ada Lovelace";
    for expected in [
        format!("refuse production/a {last} -> {side}, 1 commit gained, 2 lost\n"),
        format!("  + {side} {by}: Ends <b>here</b> | @all\n"),
        format!("  - {last} {by}: c3\n  - {second} {by}: c2\n"),
        "  reachable: on refs/heads/side\n".to_owned(),
        format!(
            "  backwards: refused: {side} has diverged from {last}, which is deployed: \
             it would gain 1 commit"
        ),
        format!("    hint: merge {last} into the new revision first"),
        format!("  promotion: refused: {side} was never deployed to staging"),
        format!("deploy staging/a {last} again"),
    ] {
        assert!(text.contains(&expected), "{expected:?} is missing:\n{text}");
    }
    assert!(!text.contains(first), "c1 is in both histories:\n{text}");
}

#[test]
fn plan_names_what_has_to_end_first() {
    let (world, _, _) = to_review();
    world.job("hold end");
    let b = commits(&world, "b", 1);
    world.git(&["checkout", "-q", "-b", "other", "origin/main"]);
    world.deploy_rev("staging/b", &b[0]);
    world.push();

    let text = world.cmd(&["plan", "main~1", "topic"]).exits(1).stdout;

    let expected = "  goes after #3 b ";
    assert!(text.contains(expected), "{expected:?} is missing:\n{text}");
    world.open("end");
    world.settled();
}

#[test]
fn plan_in_markdown_is_a_table_with_escaped_subjects() {
    let (world, _, _) = to_review();

    let plan = world.cmd(&["plan", "--markdown", "main", "topic"]).exits(1);

    let table = "<!-- deploy-by-code plan -->\n\n\
                 | Application | Change | Gained | Lost | Verdict |\n| --- |";
    assert!(plan.stdout.starts_with(table), "{plan:#?}");
    for expected in [
        "| production/a | ",
        " | 1 | 2 | **refused** |",
        "Ends &lt;b&gt;here&lt;/b&gt; \\| &#64;all",
    ] {
        assert!(plan.stdout.contains(expected), "{expected:?}: {plan:#?}");
    }
}

#[test]
fn plan_in_json_has_commits_and_rules() {
    let (world, main, side) = to_review();

    let json = plan_as_json(&world);

    let row = &json[0];
    assert_eq!(
        (&row["action"], &row["gained"], &row["lost"]),
        (&"refuse".into(), &1.into(), &2.into())
    );
    assert_eq!(row["gained_commits"][0]["id"], side);
    assert_eq!(row["lost_commits"][0]["subject"], "c3");
    let committed_at = &row["lost_commits"][0]["committed_at"];
    assert_eq!(committed_at, "2026-01-02T03:04:05.000Z");

    let gates = row["gates"].as_array().unwrap();
    let gate = |name: &str| gates.iter().find(|gate| gate["rule"] == name).unwrap();
    assert_eq!(gate("reachable")["allowed"], true);
    assert_eq!(gate("backwards")["allowed"], false);
    let message = gate("backwards")["message"].as_str().unwrap();
    assert!(message.contains(short(&main[1])), "{message}");

    assert_eq!(json[1]["action"], "redeploy");
    assert_eq!(json[2]["path"], "production/a.deploy");
}

#[test]
fn plan_says_that_an_environment_is_frozen() {
    let (world, _, _) = to_review();
    assert!(plan_as_json(&world)[0]["frozen"].is_null());

    let freeze = ["freeze", "production", "--reason", "incident 7"];
    world.cmd(&freeze).ok();

    let json = plan_as_json(&world);
    let frozen = json[0]["frozen"].as_str().unwrap();
    assert!(frozen.contains("incident 7"), "{frozen}");
    assert!(json[1]["frozen"].is_null(), "staging is not frozen");
}

/// As in a pipeline of a merge request, which has no state.
#[test]
fn plan_in_a_clone_says_what_is_not_judged() {
    let (world, main, side) = to_review();
    let apps = world.path("apps");
    let config = format!(
        "[defaults]\n\
         command = [\"true\"]\n\
         repository = \"{}/{{application}}.git\"\n\
         {PROMOTION}",
        apps.display()
    );
    std::fs::write(world.path("ci.toml"), config).unwrap();
    world.git(&["fetch", "-q", "origin"]);

    let mut plan = world.command(BINARY, "work");
    plan.args(["--config", "../ci.toml", "plan", "--markdown"])
        .args(["origin/main", "HEAD"]);
    let plan = run(&mut plan, b"").exits(1);

    let diverged = format!(
        "has diverged from {}, which the deploy file asked for before",
        short(&main[2])
    );
    for expected in [
        "not checked: there is no record of deployments here",
        &diverged,
        short(&side),
    ] {
        assert!(plan.stdout.contains(expected), "{expected:?}: {plan:#?}");
    }
    let state = world.path("work/.git/deploy-by-code");
    assert!(!state.exists(), "plan does not make a state");
}

#[test]
fn plan_of_a_branch_that_is_behind_shows_its_merge() {
    let world = world(&["a", "b"], "");
    let (a, b) = (commits(&world, "a", 2), commits(&world, "b", 2));
    world.deploy_rev(A, &a[0]);
    world.deploy_rev("production/b", &b[0]);
    world.push();
    world.git(&["checkout", "-q", "-b", "topic"]);
    world.deploy_rev(A, &a[1]);
    world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
    world.git(&["checkout", "-q", "-"]);
    deploy(&world, "production/b", &b[1]);

    world
        .cmd(&["plan", "main", "topic"])
        .ok()
        .says("The plan shows what merging")
        .says("deploy production/a")
        .says_nothing_of("production/b");
}

#[test]
fn check_judges_what_is_deployed_and_every_repository() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 2);
    deploy(&world, A, &main[1]);
    world
        .cmd(&["check"])
        .ok()
        .says("main: 1 deploy file, nothing refused");

    // The configuration names an application that nobody has deployed yet.
    configure(&world, "[environments.production]\n[applications.later]\n");
    world
        .cmd(&["check"])
        .exits(1)
        .says("refused production/later: the repository of later can't be read");
    configure(&world, "");

    // The branch of what is deployed is deleted.
    world.git_in("apps/a.git", &["update-ref", "-d", "refs/heads/main"]);
    world
        .cmd(&["check"])
        .exits(1)
        .says("there is no refs/heads/main in the repository of a")
        .says("it is on no branch or tag");
}

#[test]
fn check_refuses_neither_a_rollback_nor_a_frozen_environment() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 2);
    deploy(&world, A, &main[1]);
    world.deploy_rev(A, &main[0]);
    world.try_push_saying("Deploy-Rollback: alarms").ok();
    world.settled();
    world.cmd(&["check"]).ok();

    let freeze = ["freeze", "production", "--reason", "incident 7"];
    world.cmd(&freeze).ok();
    world.cmd(&["check"]).ok();
}

#[test]
fn check_and_plan_say_what_is_not_judged_without_a_repository() {
    let world = World::installed();
    world.deploy(A, 1);
    world.push();
    world.settled();

    world
        .cmd(&["check"])
        .ok()
        .says("is not judged for production/a");
    world
        .cmd(&["plan", NULL, "main"])
        .ok()
        .says("reachable: not checked: no repository is configured");
}

#[test]
fn plan_and_refusals_escape_hostile_commit_subjects() {
    let world = world(&["a"], "");
    let first = commit(&world, "a", "main", "first");
    let subject = "\x1b[2Jremote: ok\u{202e}\r`id` | <script> @all";
    let hostile = commit(&world, "a", "main", subject);
    deploy(&world, A, &first);
    deploy(&world, A, &hostile);
    let is_clean = |text: &str| !text.contains(['\x1b', '\u{202e}', '\r']);

    // What git itself prints may end lines with a carriage return.
    let said = try_deploy(&world, A, &first).exits(1).remote().join("\n");
    assert!(said.contains("\\u{1b}[2Jremote: ok\\u{202e}"), "{said}");
    assert!(is_clean(&said), "{said:?}");

    world.deploy_rev(A, &first);
    world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
    let markdown = world.cmd(&["plan", "--markdown", "main", "topic"]).exits(1);
    assert!(markdown.stdout.contains("[2Jremote: ok"), "{markdown:#?}");
    assert!(is_clean(&markdown.stdout), "{markdown:#?}");
    assert!(!markdown.stdout.contains("<script>"), "{markdown:#?}");

    let json = world.cmd(&["plan", "--json", "main", "topic"]).exits(1);
    assert!(json.stdout.contains("[2Jremote: ok"), "{json:#?}");
    assert!(is_clean(&json.stdout), "{json:#?}");
}

#[test]
fn plan_takes_a_range_as_git_writes_it() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.deploy("production/a", 2);
    world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();

    let two = world.cmd(&["plan", "main", "topic"]).ok().stdout;
    assert_eq!(world.cmd(&["plan", "main..topic"]).ok().stdout, two);
    for one in ["main", "main..", "..topic", "main...topic"] {
        world.cmd(&["plan", one]).exits(2).says("plan OLD NEW");
    }
    world
        .cmd(&["plan", "main..topik"])
        .exits(1)
        .says("\"topik\" is not a commit");
}
