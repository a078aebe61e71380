//! What people see of deployments afterwards: summaries, periods of the history, and exports.

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

/// The numbers of the deployments in lines of JSON.
#[track_caller]
fn ids_in_lines(world: &World, arguments: &[&str]) -> Vec<i64> {
    let run = world
        .cmd(&[&["log", "--json-lines"], arguments].concat())
        .ok();
    let rows = run.stdout.lines().map(serde_json::from_str::<Value>);
    rows.map(|row| row.unwrap()["id"].as_i64().unwrap())
        .collect()
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

    for command in ["log", "show 1", "log --json", "log --json-lines"] {
        let words: Vec<&str> = command.split(' ').collect();
        let shown = world.cmd(&words).ok().stdout;
        let deceptive = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!shown.contains(deceptive), "{command}: {shown:?}");
        assert!(shown.contains("[2J"), "{command}: {shown:?}");
    }
}

/// A world with five deployments of which each was queued on the day of its number, except that the
/// clock was wrong for the third one.
fn world_with_days() -> World {
    let world = with_history();
    world.deploy("production/c", 4);
    world.push();
    world.settled();
    world.wait_until_idle();

    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    let sql = "UPDATE deployments SET queued_at_ms = 86400000 * (id - 1);
               UPDATE deployments SET queued_at_ms = 0 WHERE id = 3;";
    database.execute_batch(sql).unwrap();
    world
}

#[test]
fn log_shows_the_deployments_of_a_period() {
    let world = world_with_days();
    for (arguments, expected) in [
        ("--since 1970-01-02", vec![5, 4, 2]),
        ("--until 1970-01-02", vec![3, 1]),
        ("--since 1970-01-02 --until 1970-01-05", vec![4, 2]),
        ("--since 1970-01-05T00:00:00Z", vec![5]),
        ("--until 1970-01-04 production/a", vec![2, 1]),
        ("--since 1970-01-01 production", vec![5, 4, 2, 1]),
        ("--since 1970-01-01 -n 2", vec![5, 4]),
        ("--since 1d", vec![]),
        ("--until 1d", vec![5, 4, 3, 2, 1]),
    ] {
        let words: Vec<&str> = arguments.split(' ').collect();
        assert_eq!(ids_in_lines(&world, &words), expected, "{arguments}");

        let array = world.json(&[&["log"], words.as_slice()].concat());
        let ids = array.as_array().unwrap().iter();
        let ids: Vec<i64> = ids.map(|row| row["id"].as_i64().unwrap()).collect();
        assert_eq!(ids, expected, "{arguments}");
        let shown = world.cmd(&[&["log"], words.as_slice()].concat()).ok();
        let shown = shown.stdout.lines().filter(|line| line.starts_with('#'));
        assert_eq!(shown.count(), expected.len(), "{arguments}");
    }
    assert_eq!(
        ids_in_lines(&world, &["--since", "1970-01-05 00:00"]),
        [5],
        "a time in UTC"
    );
}

#[test]
fn time_that_cannot_be_read_is_wrong_usage() {
    let world = World::installed();
    for (arguments, near) in [
        (
            "--since soon",
            "--since: \"soon\" is not a time such as \"2d\"",
        ),
        ("--until=-1d", "--until: \"-1d\" is not a time"),
        (
            "--since 2026-01-02 --until 2026-01-01",
            "is not earlier than --until",
        ),
        ("--json --json-lines", "cannot be used with"),
    ] {
        let words: Vec<&str> = arguments.split(' ').collect();
        let run = world.cmd(&[&["log"], words.as_slice()].concat()).exits(2);
        assert!(run.stderr.contains(near), "{arguments}: {run:#?}");
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn lines_of_json_are_the_objects_of_the_array() {
    let world = with_history();
    let lines = world.cmd(&["log", "--json-lines"]).ok().stdout;
    let rows: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(Value::Array(rows), world.json(&["log"]));

    let nothing = World::installed().cmd(&["log", "--json-lines"]).ok();
    assert_eq!(nothing.stdout, "");
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
