//! What the page does not show, and that no words of what it shows give it away.

use std::fs;

use rusqlite::Connection;

use crate::applications::{self, commit, deploy};
use crate::page::Page;
use crate::processes::kill_one;
use crate::world::{World, rev};

/// Hides something.
fn hide(world: &World, names: &str) {
    world.config_file(&format!(
        "{}\n[web]\nhide = [{names}]\n",
        world.config_text()
    ));
}

/// All paths that show something of many applications, or of production/open.
const PATHS: [&str; 17] = [
    "/",
    "/environment/production",
    "/application/open",
    "/deployment/1",
    "/search?q=open",
    "/search?q=production",
    "/feed.atom",
    "/environment/production/feed.atom",
    "/application/open/feed.atom",
    "/badge/production/open.svg",
    "/api/status",
    "/api/status/production",
    "/api/status/production/open",
    "/api/log",
    "/api/log/production",
    "/api/deployment/1",
    "/metrics",
];

/// Asserts that no page has a word in it, whether it is written large or small.
#[track_caller]
fn assert_nowhere(page: &Page, word: &str) {
    for path in PATHS {
        let text = page.get(path);
        let is_there = text.to_ascii_lowercase().contains(word);
        assert!(!is_there, "{path} has {word}: {text}");
    }
}

/// A world in which production/open, which goes after production/payroll, was skipped.
fn skipped() -> World {
    let world = World::installed();
    world.config(
        "[environments.production]\n\
         [applications.open]\nafter = [\"payroll\"]\n",
    );
    world.job("[ $DEPLOY_APPLICATION != payroll ]");
    world.deploy("production/open", 1);
    world.deploy("production/payroll", 2);
    world.push();
    let history = world.settled();
    assert_eq!(history[0], "#1 production/open skipped: #2 payroll failed");
    world
}

#[test]
fn reason_names_nothing_that_is_hidden() {
    let world = skipped();
    hide(&world, "\"production/payroll\"");
    let page = Page::of(&world);
    assert_nowhere(&page, "payroll");
    let words = "one that it waits for did not succeed";
    for path in [
        "/",
        "/deployment/1",
        "/feed.atom",
        "/api/status",
        "/api/log",
    ] {
        let text = page.get(path);
        assert!(text.contains(words), "{path}: {text}");
    }
    assert!(page.get("/search?q=payroll").contains("No deployment."));

    // Where nothing is hidden, the words are those of the record.
    world.config_file(
        &world
            .config_text()
            .replace("hide = [\"production/payroll\"]", ""),
    );
    assert!(page.get("/deployment/1").contains("#2 payroll failed"));
    assert!(page.get("/search?q=payroll").contains("\"/deployment/1\""));
}

#[test]
fn what_became_of_a_deployment_is_shown_also_where_something_is_hidden() {
    let world = World::installed();
    world.job("exit 7");
    world.deploy("production/open", 1);
    world.push();
    world.settled();
    hide(&world, "\"production/payroll\"");
    let row = &Page::of(&world).json("/api/log")[0];
    assert_eq!(row["reason"], "exit status 7");
    assert_eq!(row["remark"], "failed: exit status 7");
}

#[test]
fn problem_names_nothing_that_is_hidden() {
    let world = World::installed();
    world.deploy("production/open", 1);
    world.deploy("production/payroll", 2);
    world.push();
    world.settled();
    world.config(
        "[environments.production]\n\
         together = [[\"open\", \"payroll\"]]\n",
    );
    // What no hook sees, nobody refuses.
    world.deploy("production/open", 3);
    world.deploy_file("production/payroll/deep", rev(4));
    world.deploy_file("payroll", rev(4));
    world.deploy_file("production/Payroll", rev(4));
    world.push_unseen();
    world.cmd(&["reconcile"]).ok();
    let status = world.cmd(&["status"]).ok().stdout;
    for words in [
        "open must change together with payroll",
        "problem payroll.deploy",
        "problem production/payroll/deep.deploy",
        "problem production/Payroll.deploy",
    ] {
        assert!(status.contains(words), "no {words:?} in {status}");
    }

    hide(&world, "\"production/payroll\"");
    let page = Page::of(&world);
    assert_nowhere(&page, "payroll");
    let matrix = page.get("/");
    let words = "deploy-by-code status on the server says what is wrong";
    assert!(
        matrix.contains("<strong>production/open.deploy</strong>") && matrix.contains(words),
        "{matrix}"
    );
    let row = &page.json("/api/status/production/open")[0];
    assert_eq!(row["status"], "problem");
    assert_eq!(row["problem"]["path"], "production/open.deploy");
}

#[test]
fn answer_of_a_repository_names_nothing_that_is_hidden() {
    let world = applications::world(&["open", "payroll"], "marks = true");
    fs::write(world.path("apps/payroll.git/refs/deployed"), "in the way").unwrap();
    for name in ["open", "payroll"] {
        let one = commit(&world, name, "main", "one");
        deploy(&world, &format!("production/{name}"), &one);
    }
    let database = || Connection::open(world.state().join("state.db")).unwrap();
    let count = |sql: &str| {
        database()
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let answers = "SELECT COUNT(*) FROM notifications WHERE answer LIKE '%payroll%'";
    world.wait_until("the marks could not be written", || count(answers) > 0);
    // Nobody tries it again.
    world.ours().into_iter().for_each(kill_one);
    let given_up = "UPDATE notifications SET status = 'given-up', next_attempt_ms = NULL";
    database().execute_batch(given_up).unwrap();

    // Who is killed leaves a database that has to be put in order by somebody who may write.
    world.cmd(&["status"]).ok();
    let page = Page::of(&world);
    assert!(page.get("/").contains("payroll.git"), "the answer is there");
    hide(&world, "\"production/payroll\"");
    assert_nowhere(&page, "payroll");
    assert!(page.get("/").contains("<strong>marks</strong>"));
}

#[test]
fn environment_that_is_hidden_whole_is_nowhere() {
    let world = World::installed();
    world.deploy("production/open", 1);
    world.deploy("review-7/open", 2);
    world.push();
    world.settled();
    let reason = ["--reason", "secret work"];
    world
        .cmd(&["freeze", "review-7", reason[0], reason[1]])
        .ok();
    hide(&world, "\"Review-*/*\"");
    let page = Page::of(&world);
    assert_nowhere(&page, "review");
    assert_nowhere(&page, "secret work");
}

#[test]
fn hidden_is_answered_as_what_does_not_exist() {
    let world = World::installed();
    world.deploy("production/open", 1);
    world.deploy("production/payroll", 2);
    world.deploy("review-7/x", 3);
    world.push();
    world.settled();
    hide(&world, "\"production/payroll\", \"review-*/*\"");
    let page = Page::of(&world);
    // The names have the same length, because a picture is as wide as its name.
    let (application, environment) = (["payroll", "missing"], ["review-7", "missing1"]);
    for (path, names) in [
        ("/api/status/production/NAME", application),
        ("/api/log/production/NAME", application),
        ("/application/NAME", application),
        ("/application/NAME/feed.atom", application),
        ("/badge/production/NAME.svg", application),
        ("/environment/NAME", environment),
        ("/environment/NAME/feed.atom", environment),
        ("/api/status/NAME", environment),
        ("/api/log/NAME", environment),
        ("/api/status/NAME/x", environment),
        ("/api/log/NAME/x", environment),
    ] {
        let [hidden, missing] = names.map(|name| {
            let (status, text) = page.fails(&path.replace("NAME", name));
            assert!(
                status == 404 || path.starts_with("/badge/"),
                "{path}: {status}"
            );
            text.replace(name, "NAME")
        });
        assert_eq!(hidden, missing, "{path}");
    }
}

#[test]
fn history_goes_on_behind_what_is_hidden() {
    let world = World::installed();
    for n in 1..=3 {
        world.deploy("production/open", n);
        world.deploy("production/payroll", n);
        world.deploy("staging/open", n);
        world.push();
        world.settled();
    }
    hide(&world, "\"production/payroll\"");
    let page = Page::of(&world);
    let numbers = |path: &str| -> Vec<i64> {
        let rows = page.json(path);
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row["id"].as_i64().unwrap()).collect()
    };
    let shown: Vec<i64> = {
        let all = world.json(&["log", "-n", "100"]);
        let all = all.as_array().unwrap().iter();
        let open = all.filter(|row| row["application"] == "open");
        open.map(|row| row["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(shown.len(), 6);
    assert_eq!(numbers("/api/log"), shown);
    assert_eq!(numbers("/api/log?n=2"), shown[..2]);
    assert_eq!(
        numbers(&format!("/api/log?n=3&before={}", shown[1])),
        shown[2..5]
    );
    assert_eq!(numbers("/api/log/production").len(), 3);
    assert_eq!(page.get("/feed.atom").matches("<entry>").count(), 6);
}
