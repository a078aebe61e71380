//! `plan` and `check`: what a reviewer sees before anyone merges.

use crate::applications::{commit, commit_upon, commits, configure, deploy, try_deploy, world};
use crate::run::run;
use crate::world::World;

const A: &str = "production/a";

/// A deployed application, and a branch `topic` of the deploy repository that takes it aside.
fn to_review() -> (World, Vec<String>, String) {
    let world = world(
        &["a", "b"],
        "allowed_refs = [\"refs/heads/*\"]\n[environments.production]\npromotes_from = \"staging\"\n[environments.staging]\n",
    );
    let main = commits(&world, "a", 3);
    let side = commit_upon(&world, "a", "side", "Ends <b>here</b> | @all", &[&main[0]]);
    deploy(&world, "staging/a", &main[2]);
    deploy(&world, A, &main[2]);
    world.deploy_rev(A, &side);
    world.deploy_rev("staging/a", &main[2]);
    world.commit();
    world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
    (world, main, side)
}

#[test]
fn a_plan_says_what_is_gained_and_lost_and_what_each_rule_says() {
    let (world, main, side) = to_review();
    world.job("hold end");
    let b = commits(&world, "b", 1);
    world.git(&["checkout", "-q", "-b", "other", "origin/main"]);
    world.deploy_rev("production/b", &b[0]);
    world.deploy_rev("staging/b", &b[0]);
    world
        .push_with(&["origin", "HEAD:refs/heads/main"])
        .exits(1);
    world.git(&["reset", "-q", "--hard", "origin/main"]);
    world.deploy_rev("staging/b", &b[0]);
    world.push_with(&["origin", "HEAD:refs/heads/main"]).ok();
    let text = world.cmd(&["plan", "main~1", "topic"]).exits(1).stdout;
    let short = |id: &str| id[..7].to_owned();
    for expect in [
        format!(
            "refuse production/a {} -> {}, 1 commit gained, 2 lost",
            short(&main[2]),
            short(&side)
        ),
        format!(
            "  + {} 2026-01-02 03:04 Ada Lovelace: Ends <b>here</b> | @all",
            short(&side)
        ),
        format!("  - {} 2026-01-02 03:04 Ada Lovelace: c3", short(&main[2])),
        format!("  - {} 2026-01-02 03:04 Ada Lovelace: c2", short(&main[1])),
        "  reachable: on refs/heads/side".to_owned(),
        format!(
            "  backwards: refused: has diverged from {}, which is deployed: it would gain 1 commit",
            short(&main[2])
        ),
        "    hint: merge ".to_owned(),
        format!(
            "  promotion: refused: {} was never deployed to staging",
            short(&side)
        ),
        format!("deploy staging/a {} again", short(&main[2])),
        "  goes after #3 b ".to_owned(),
    ] {
        assert!(text.contains(&expect), "{expect:?} is missing:\n{text}");
    }
    world.open("end");
    world.settled();
}

#[test]
fn a_plan_as_markdown_and_json() {
    let (world, main, side) = to_review();
    let markdown = world
        .cmd(&["plan", "--markdown", "main", "topic"])
        .exits(1)
        .stdout;
    assert!(
        markdown.starts_with("| Application | Change | Gained | Lost | Verdict |\n| --- |"),
        "{markdown}"
    );
    assert!(markdown.contains("| production/a | "), "{markdown}");
    assert!(markdown.contains(" | 1 | 2 | **refused** |"), "{markdown}");
    assert!(
        markdown.contains("Ends &lt;b&gt;here&lt;/b&gt; \\| &#64;all"),
        "{markdown}"
    );
    let json = world
        .cmd(&["plan", "--json", "main", "topic"])
        .exits(1)
        .stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let row = &json[0];
    assert_eq!(
        (&row["action"], &row["gained"], &row["lost"]),
        (&"refuse".into(), &1.into(), &2.into())
    );
    assert_eq!(row["gained_commits"][0]["id"], side);
    assert_eq!(row["lost_commits"][0]["subject"], "c3");
    assert_eq!(
        row["lost_commits"][0]["committed_at"],
        "2026-01-02T03:04:05.000Z"
    );
    let gates = row["gates"].as_array().unwrap();
    let gate = |name: &str| gates.iter().find(|gate| gate["rule"] == name).unwrap();
    assert_eq!(
        (&gate("reachable")["allowed"], &gate("backwards")["allowed"]),
        (&true.into(), &false.into())
    );
    assert!(
        gate("backwards")["message"]
            .as_str()
            .unwrap()
            .contains(&main[1][..7])
    );
    assert_eq!(json[1]["action"], "redeploy");
    assert_eq!(json[2]["path"], "production/a.deploy");
    world
        .cmd(&["freeze", "production", "--reason", "incident 7"])
        .ok();
    let json = world
        .cmd(&["plan", "--json", "main", "topic"])
        .exits(1)
        .stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json[0]["frozen"].as_str().unwrap().contains("incident 7"));
}

#[test]
fn a_plan_in_a_clone_for_a_merge_request() {
    let (world, main, side) = to_review();
    let apps = world.path("apps");
    let config = format!(
        "[defaults]\ncommand = [\"true\"]\nallowed_refs = [\"refs/heads/*\"]\nrepository = \"{}/{{application}}.git\"\n\
         [environments.production]\npromotes_from = \"staging\"\n[environments.staging]\n",
        apps.display()
    );
    std::fs::write(world.path("ci.toml"), config).unwrap();
    world.git(&["fetch", "-q", "origin"]);
    let mut plan = world.command(crate::processes::BINARY, "work");
    let arguments = [
        "--config",
        "../ci.toml",
        "plan",
        "--markdown",
        "origin/main",
        "HEAD",
    ];
    let plan = run(plan.args(arguments), b"").exits(1);
    assert!(
        plan.stdout
            .contains("not judged: there is no record of deployments here"),
        "{plan:#?}"
    );
    assert!(
        plan.stdout.contains(&format!(
            "has diverged from {}, which was wanted last",
            &main[2][..7]
        )),
        "{plan:#?}"
    );
    assert!(plan.stdout.contains(&side[..7]), "{plan:#?}");
    assert!(
        !world.path("work/.git/deploy-by-code").exists(),
        "looking makes nothing"
    );
}

#[test]
fn check_looks_at_all_there_is() {
    let world = world(&["a"], "");
    let main = commits(&world, "a", 2);
    deploy(&world, A, &main[1]);
    world
        .cmd(&["check"])
        .ok()
        .says("main: 1 deploy file, nothing refused");
    // A repository of an application that the configuration names and nobody deploys yet.
    configure(&world, "[environments.production]\n[applications.later]\n");
    world
        .cmd(&["check"])
        .exits(1)
        .says("refused production/later: the repository of later can't be read");
    configure(&world, "");
    // What was rolled back stays as accepted as it was.
    world.deploy_rev(A, &main[0]);
    world.try_push_saying("Deploy-Rollback: alarms").ok();
    world.settled();
    world.cmd(&["check"]).ok();
    // A branch that is taken away under what is deployed.
    world.git_in("apps/a.git", &["update-ref", "-d", "refs/heads/main"]);
    let said = world.cmd(&["check"]).exits(1).stdout;
    assert!(
        said.contains("is not on refs/heads/main of a")
            && said.contains("it is on no branch or tag"),
        "{said}"
    );
    // Frozen is no fault of what stands there.
    commit_upon(&world, "a", "main", "again", &[&main[1]]);
    world
        .cmd(&["freeze", "production", "--reason", "incident 7"])
        .ok();
    world.cmd(&["check"]).ok();
}

#[test]
fn without_a_repository_check_and_plan_say_what_is_not_judged() {
    let world = World::installed();
    world.deploy(A, 1);
    world.push();
    world.settled();
    world
        .cmd(&["check"])
        .ok()
        .says("is not judged for production/a");
    world
        .cmd(&["plan", crate::world::NULL, "main"])
        .ok()
        .says("reachable: not judged: no repository is configured");
}

#[test]
fn hostile_subjects_and_reasons_stay_on_their_line() {
    let world = world(&["a"], "");
    let first = commit(&world, "a", "main", "first");
    let hostile = commit(
        &world,
        "a",
        "main",
        "\x1b[2Jremote: ok\u{202e}\r`id` | <script> @all",
    );
    deploy(&world, A, &first);
    deploy(&world, A, &hostile);
    let push = try_deploy(&world, A, &first).exits(1);
    let said = push.remote().join("\n");
    assert!(said.contains("\\u{1b}[2Jremote: ok\\u{202e}"), "{said}");
    assert!(
        !push.stderr.contains('\x1b') && !push.stderr.contains('\u{202e}'),
        "{push:#?}"
    );
    world.deploy_rev(A, &first);
    world.commit();
    world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
    for form in ["--markdown", "--json"] {
        let plan = world.cmd(&["plan", form, "main", "topic"]).exits(1).stdout;
        assert!(
            !plan.contains('\x1b') && !plan.contains('\u{202e}') && !plan.contains('\r'),
            "{plan}"
        );
        assert!(form == "--json" || !plan.contains("<script>"), "{plan}");
    }
}
