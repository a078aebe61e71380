//! What people see of deployments afterwards.

use serde_json::Value;

use crate::applications::{self, commit, commits};
use crate::commands::with_history;
use crate::world::{World, rev};

/// Pushes a deploy file with this content, and returns the summary of the newest deployment.
#[track_caller]
fn summary_of(world: &World, content: &str, trailers: &str) -> Value {
    world.deploy_file("production/a", content);
    if trailers.is_empty() {
        world.push();
    } else {
        world.try_push_saying(trailers).ok();
    }
    world.settled();
    world.json(&["log", "-n", "1"])[0]["summary"].clone()
}

#[test]
fn summary_is_what_the_entry_says_or_the_title_of_the_revision() {
    let world = applications::world(&["a"], "");
    let mut revisions = commits(&world, "a", 2);
    revisions.push(commit(&world, "a", "main", "Fix\nalarms\n\nBody"));
    let [one, two, three] = revisions.try_into().unwrap();

    let first = format!("{one}\n");
    assert_eq!(summary_of(&world, &first, ""), "c1");
    let second = format!("{two}\n\n* Deploy alarms\n* and more\n{first}");
    assert_eq!(summary_of(&world, &second, ""), "Deploy alarms");
    let third = format!("{three}\n{second}");
    assert_eq!(summary_of(&world, &third, ""), "Fix alarms");

    // What goes back or is done again says what it said before.
    let back = format!("{two}\n{third}");
    assert_eq!(
        summary_of(&world, &back, "Deploy-Rollback: alarms"),
        "Deploy alarms"
    );
    let again = format!("{two}\n{back}");
    assert_eq!(summary_of(&world, &again, ""), "Deploy alarms");
    assert_eq!(world.show(5)["revision"], two);
}

#[test]
fn summary_of_a_revision_that_nobody_knows_is_empty() {
    let world = World::installed();
    let content = format!("{}\n{}\n* not of this entry\n", rev(2), rev(1));
    assert_eq!(summary_of(&world, &content, ""), Value::Null);

    for command in ["status", "log"] {
        let run = world.cmd(&[command]).ok();
        let row = run.stdout.lines().nth(1).unwrap();
        assert!(
            row.contains("production/a ") && row.ends_with(" ms"),
            "{row}"
        );
    }
    world.cmd(&["show", "1"]).ok().says_nothing_of("summary");
}

#[test]
fn retry_has_the_summary_of_what_it_retries() {
    let world = with_history();
    world.job("true");
    world.cmd(&["retry", "2"]).ok();
    world.settled();

    let retry = world.show(5);
    assert_eq!(retry["summary"], "Deploy production/a");
    assert_eq!(retry["retry_of"], 2);
}

#[test]
fn hostile_summary_is_shown_as_text() {
    let world = World::installed();
    let hostile = "a\u{1b}[2J\u{202e}b \u{9b}31m";
    let content = format!("{} {hostile}\r\n", rev(1));
    assert_eq!(summary_of(&world, &content, ""), hostile);
    let long = format!("{}\n* {}\n{content}", rev(2), "é".repeat(1000));
    assert_eq!(summary_of(&world, &long, ""), "é".repeat(200));

    for command in ["log", "show 1", "log --json"] {
        let words: Vec<&str> = command.split(' ').collect();
        let shown = world.cmd(&words).ok().stdout;
        let deceptive = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!shown.contains(deceptive), "{command}: {shown:?}");
        assert!(shown.contains("[2J"), "{command}: {shown:?}");
    }
}

#[test]
fn what_somebody_cancelled_says_who_did() {
    let world = World::installed();
    world.job("note start; hold end");
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.cmd(&["cancel", "1"]).ok();
    world.settled();

    let row = world.show(1);
    assert_eq!(row["status"], "cancelled");
    assert_eq!(row["cancelled_known_by"], "unix");
    let by = row["cancelled_by"].as_str().unwrap();
    let text = format!("cancelled by   {by} (unix)");
    world.cmd(&["show", "1"]).ok().says(&text);
    assert_eq!(row["released_by"], Value::Null);
}
