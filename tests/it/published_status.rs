//! What is deployed is published at a ref of the deploy repository, where whoever may fetch can see
//! it.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::nobody::Nobody;
use crate::processes::BINARY;
use crate::run::run;
use crate::world::{World, rev};

pub const REF: &str = "refs/deploy-by-code/status";

/// A world with the hooks installed that publishes the status.
pub fn publishing() -> World {
    publishing_at(World::new(), REF)
}

pub fn publishing_at(world: World, full_name: &str) -> World {
    world.config_top(&format!("publish = \"{full_name}\""));
    world.install();
    world
}

/// The messages of what is published, oldest first.
pub fn messages(world: &World, full_name: &str) -> Vec<String> {
    if world.server_git(&["for-each-ref", full_name]).is_empty() {
        return Vec::new();
    }
    let log = world.server_git(&["log", "-z", "--reverse", "--format=%B", full_name]);
    log.split_terminator('\0').map(str::to_owned).collect()
}

/// Their first lines.
pub fn subjects(world: &World, full_name: &str) -> Vec<String> {
    let subject = |message: &String| message.lines().next().unwrap_or_default().to_owned();
    messages(world, full_name).iter().map(subject).collect()
}

/// Waits until the last subject that is published is this one.
#[track_caller]
pub fn wait_for(world: &World, subject: &str) {
    world.wait_until(&format!("{subject:?} is published"), || {
        subjects(world, REF)
            .last()
            .is_some_and(|last| last == subject)
    });
    world.wait_until_idle();
}

/// A file of what is published.
#[track_caller]
pub fn file(world: &World, path: &str) -> String {
    let object = format!("{REF}:{path}");
    let mut git = world.command("git", "deploy.git");
    run(git.args(["cat-file", "blob", &object]), b"")
        .ok()
        .stdout
}

#[track_caller]
pub fn json(world: &World, path: &str) -> Value {
    serde_json::from_str(&file(world, path)).unwrap()
}

/// Lets events happen that are not published yet.
pub fn unpublished(world: &World, happen: impl FnOnce()) {
    let config = world.config_text();
    world.config_file(&config.replace("publish = ", "# publish = "));
    happen();
    world.wait_until_idle();
    world.config_file(&config);
}

#[test]
fn each_change_of_what_is_deployed_is_a_commit() {
    let world = publishing();
    world.deploy("production/web", 1);
    world.push();
    wait_for(&world, "production/web 0000001 succeeded (#1)");
    assert!(file(&world, "README.md").contains("| web | 0000001 |\n"));
    assert!(file(&world, "badges/production/web.svg").contains(">0000001<"));

    world.job("exit 7");
    world.deploy("production/web", 2);
    world.push();
    wait_for(&world, "production/web 0000001 -> 0000002 failed (#2)");
    world
        .cmd(&["freeze", "production", "--reason", "incident 7"])
        .ok();
    wait_for(&world, "production frozen");

    let readme = file(&world, "README.md");
    assert!(readme.contains("| Application | [production](environments/production.md) |\n"));
    assert!(
        readme.contains("| web | 0000001, **0000002 failed** |\n"),
        "{readme}"
    );
    assert!(
        readme.contains("- **production** is frozen by "),
        "{readme}"
    );
    let page = file(&world, "environments/production.md");
    assert!(page.contains("| web | 0000001 (#1) | "), "{page}");
    assert!(
        page.contains(" | **0000002 failed** (#2) | exit status 7 |\n"),
        "{page}"
    );
    assert!(file(&world, "badges/production/web.svg").contains(">0000001, 0000002 failed<"));

    let row = &json(&world, "status.json")["applications"][0];
    assert_eq!(row["deployed"], rev(1));
    assert_eq!(row["wanted"], rev(2));
    assert_eq!(row["state"], "failed");
    assert_eq!(row["deployment"], 1);
    let log = json(&world, "log.json");
    assert_eq!(log[0]["id"], 2);
    assert_eq!(log[1]["status"], "succeeded");

    world.cmd(&["thaw", "production"]).ok();
    wait_for(&world, "production thawed");
    assert!(!file(&world, "README.md").contains("frozen"));
    world.retire("production/web");
    world.push();
    wait_for(&world, "production/web retired");
    assert!(file(&world, "README.md").contains("Nothing is deployed"));
    assert!(file(&world, "badges/production/web.svg").contains("retired<"));

    let ends = subjects(&world, REF);
    let ends: Vec<&String> = ends
        .iter()
        .filter(|end| !end.contains(" planned "))
        .collect();
    assert_eq!(
        ends,
        [
            "production/web 0000001 succeeded (#1)",
            "production/web 0000001 -> 0000002 failed (#2)",
            "production frozen",
            "production thawed",
            "production/web retired",
        ]
    );
    let messages = messages(&world, REF);
    let failed = messages
        .iter()
        .find(|message| message.contains("failed (#2)"));
    let failed = failed.unwrap();
    assert!(
        failed.contains("\n\n* Deploy production/web\n\nDeploy-By: "),
        "{failed}"
    );
    assert!(
        failed.contains("\nDeploy-Reason: exit status 7\nDeploy-Event: "),
        "{failed}"
    );
    world.server_git(&["fsck", "--strict", "--no-dangling"]);
}

#[test]
fn what_has_not_ended_is_pending_whether_it_waits_or_runs() {
    let world = publishing();
    world.job("note start; hold end");
    world.deploy("production/web", 1);
    world.push();
    world.wait_for("production/web #1 start");
    wait_for_pending(&world, "0000001");
    world.deploy("production/web", 2);
    world.push();
    wait_for_pending(&world, "0000002");
    assert_eq!(json(&world, "log.json").as_array().unwrap().len(), 0);

    world.open("end");
    wait_for(&world, "production/web 0000001 -> 0000002 succeeded (#2)");
    assert!(file(&world, "README.md").contains("| web | 0000002 |\n"));
}

#[track_caller]
fn wait_for_pending(world: &World, revision: &str) {
    let expect = format!("| web | **{revision} pending** |\n");
    world.wait_until("the page says that it is pending", || {
        !subjects(world, REF).is_empty() && file(world, "README.md").contains(&expect)
    });
}

#[test]
fn what_happened_while_nobody_published_is_added_in_one_step() {
    let world = publishing();
    world.deploy("production/web", 1);
    world.push();
    wait_for(&world, "production/web 0000001 succeeded (#1)");
    let before = subjects(&world, REF).len();
    unpublished(&world, || {
        world.deploy("production/web", 2);
        world.deploy("staging/web", 2);
        world.push();
        world.settled();
        world.cmd(&["freeze", "staging", "--reason", "x"]).ok();
    });

    world.cmd(&["publish"]).ok();
    let all = subjects(&world, REF);
    let mut news = all[before..].to_vec();
    news[1..3].sort();
    assert_eq!(
        news,
        [
            "staging/web 0000002 planned (#3) and 1 more",
            "production/web 0000001 -> 0000002 succeeded (#2)",
            "staging/web 0000002 succeeded (#3)",
            "staging frozen",
        ]
    );
    let log = world.server_git(&["log", "--format=%s", REF, "--", "README.md"]);
    assert_eq!(log.lines().next(), Some("staging frozen"), "{log}");
    world.cmd(&["publish"]).ok();
    assert_eq!(
        subjects(&world, REF),
        all,
        "what is published is not published again"
    );
}

#[test]
fn whoever_may_fetch_sees_it_by_the_recipes_of_the_documentation() {
    let world = publishing();
    world.deploy("production/website", 1);
    world.push();
    wait_for(&world, "production/website 0000001 succeeded (#1)");
    let Some(nobody) = Nobody::new(&world) else {
        return;
    };
    let path = world.repository().display().to_string();
    nobody
        .run("other", &format!("git clone -q '{path}' . 2>&1"))
        .ok();

    let text = fs::read_to_string("docs/published-status.md").unwrap();
    symlink(BINARY, world.path("git-deploy")).unwrap();
    let folder = world.path("");
    let mut recipes = format!(
        "set -e; export PAGER=cat PATH='{}':$PATH\n",
        folder.display()
    );
    for block in text.split("```").skip(1).step_by(2) {
        recipes.push_str(block.strip_prefix("sh\n").unwrap_or_default());
    }
    assert_eq!(recipes.matches("git fetch origin").count(), 2, "{recipes}");
    let shown = nobody.run("other", &recipes).ok();
    assert_eq!(
        shown.stdout.matches("| website | 0000001 |\n").count(),
        2,
        "{shown:?}"
    );
    let shown = shown.says("| website | 0000001 (#1) |");
    let shown = shown.says("\"deployed\": \"0000001");
    shown.says("production/website 0000001 succeeded (#1)");

    let mirror = nobody.run("other", &format!("git clone -q --mirror '{path}' m.git"));
    mirror.ok();
    let shown = nobody.run("other/m.git", &format!("git log -1 --format=%s {REF}"));
    shown.ok().says("succeeded (#1)");
}

#[test]
fn text_of_others_arrives_as_text() {
    let world = publishing();
    let hostile = "<script>x</script> | [a](http://x) `b` \x1b[2J \u{202e}z & \"q\" */";
    let entry = format!("{}\nDeploy-Event: forged-9\n\n{hostile}\n", rev(1));
    world.deploy_file("production/web", entry);
    world.commit();
    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    push.env(
        "DEPLOY_BY_CODE_PUSHER",
        format!("a <b@c>\ncommitter {hostile}"),
    );
    run(&mut push, b"").ok();
    wait_for(&world, "production/web 0000001 succeeded (#1)");
    world
        .cmd(&["freeze", "production", "--reason", hostile])
        .ok();
    wait_for(&world, "production frozen");

    let is_control =
        |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
    for path in [
        "README.md",
        "environments/production.md",
        "badges/production/web.svg",
    ] {
        let text = file(&world, path);
        assert!(
            !text.contains("<script>") && !text.contains("](http"),
            "{text}"
        );
        assert!(!text.contains(is_control), "{text:?}");
        let cells = |line: &&str| line.replace("\\|", "").matches('|').count();
        let rows: Vec<usize> = text
            .lines()
            .filter(|line| line.starts_with('|'))
            .map(|line| cells(&line))
            .collect();
        assert!(rows.windows(2).all(|two| two[0] == two[1]), "{text}");
    }
    let reason = &json(&world, "status.json")["frozen"][0]["reason"];
    assert_eq!(*reason, hostile);
    assert!(!file(&world, "status.json").contains(is_control));

    for message in messages(&world, REF) {
        assert!(!message.contains(is_control), "{message:?}");
        let trailers = run(
            world
                .command("git", ".")
                .args(["interpret-trailers", "--parse"]),
            message.as_bytes(),
        );
        let events = trailers.ok().stdout.matches("Deploy-Event: ").count();
        assert_eq!(events, 1, "{message}");
        assert!(!message.trim_end().ends_with("forged-9"), "{message}");
    }
    let authors = world.server_git(&["log", "--format=%an <%ae>", REF]);
    assert!(
        !authors.contains("b@c>") && !authors.contains('\x1b'),
        "{authors:?}"
    );
    world.server_git(&["fsck", "--strict", "--no-dangling"]);
}

/// The position of what is published is that of one ref.
#[test]
fn status_is_published_anew_where_its_ref_is_another_one_or_gone() {
    let world = publishing();
    world.deploy("production/web", 1);
    world.push();
    wait_for(&world, "production/web 0000001 succeeded (#1)");

    let elsewhere = "refs/heads/deploy-status";
    let config = world.config_text();
    world.config_file(&config.replace(REF, elsewhere));
    world.cmd(&["reconcile"]).ok();
    let last = |full_name| subjects(&world, full_name).pop().unwrap_or_default();
    world.wait_until("it is published at the other ref", || {
        last(elsewhere) == "production/web 0000001 succeeded (#1)"
    });

    world.server_git(&["update-ref", "-d", elsewhere]);
    world.cmd(&["reconcile"]).ok();
    world.wait_until("it is published again", || !last(elsewhere).is_empty());
}
