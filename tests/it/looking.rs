//! What people see of deployments afterwards: summaries, periods of the history, exports, and
//! several deployments at once.

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
fn wait_succeeds_only_if_all_succeeded() {
    let world = with_history();
    let lines = |arguments: &[&str], code| {
        let run = world.cmd(&[&["wait"], arguments].concat()).exits(code);
        run.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };

    let succeeded = lines(&["4", "#1", "4"], 0);
    assert_eq!(succeeded.len(), 2, "each once: {succeeded:?}");
    assert!(succeeded[0].starts_with("#4 production/b succeeded in "));
    assert!(succeeded[1].starts_with("#1 production/a succeeded in "));
    let failed = lines(&["1", "2", "3"], 1);
    assert_eq!(failed.len(), 3);
    assert_eq!(failed[1], "#2 production/a failed: exit status 7");
}

#[test]
fn deployments_of_a_rollout_are_waited_for_and_shown_together() {
    let world = World::installed();
    world.job("echo begun; hold end; test $DEPLOY_APPLICATION != b");
    world.deploy("production/a", 1);
    world.deploy("staging/b", 1);
    world.push();
    let rollout = world.show(1)["rollout"].to_string();
    assert_eq!(world.show(2)["rollout"].to_string(), rollout);

    std::thread::scope(|scope| {
        let wait = scope.spawn(|| world.cmd(&["wait", "--rollout", &rollout]).exits(1));
        let follow = scope.spawn(|| world.cmd(&["logs", "-f", "1", "2"]).exits(1));
        world.wait_until("both have begun", || {
            world.logs(1) + &world.logs(2) == "begun\nbegun\n"
        });
        world.open("end");

        let said = wait.join().unwrap().stdout;
        let mut said: Vec<&str> = said.lines().collect();
        said.sort_unstable();
        assert!(said[0].starts_with("#1 production/a succeeded in "));
        assert_eq!(said[1], "#2 staging/b failed: exit status 1");
        let followed = follow.join().unwrap();
        let mut lines: Vec<&str> = followed.stdout.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["production/a | begun", "staging/b | begun"]);
        followed.says("#2 staging/b failed: exit status 1");
    });

    let rows = world.json(&["show", "--rollout", &rollout]);
    assert_eq!(rows.as_array().unwrap().len(), 2);
    let text = world.cmd(&["show", "--rollout", &rollout]).ok().stdout;
    let blocks: Vec<&str> = text.split("\n\n").collect();
    assert_eq!(blocks.len(), 2);
    assert!(blocks[1].starts_with("deployment     #2\n"), "{text}");
}

#[test]
fn several_numbers_are_an_array_and_one_is_an_object() {
    let world = with_history();
    assert_eq!(world.json(&["show", "2"])["id"], 2);

    let several = world.json(&["show", "4", "2", "4"]);
    let ids: Vec<&Value> = several.as_array().unwrap().iter().collect();
    assert_eq!(ids.len(), 2, "each once");
    assert_eq!(ids.iter().map(|row| &row["id"]).collect::<Vec<_>>(), [4, 2]);
    assert!(world.json(&["show", "4", "4"]).is_array());
    let rollout = world.show(2)["rollout"].to_string();
    assert!(world.json(&["show", "--rollout", &rollout]).is_array());
}

#[test]
fn logs_of_one_application_are_told_apart_by_their_numbers() {
    let world = with_history();
    let logs = |arguments: &[&str]| {
        let run = world.cmd(&[&["logs"], arguments].concat());
        run.ok().stdout
    };
    assert_eq!(
        logs(&["1", "2"]),
        "#1 production/a | output of 1\n#2 production/a | output of 2\n"
    );
    assert_eq!(
        logs(&["4", "3"]),
        "production/b | output of 4\nstaging/a | output of 3\n",
        "in the order in which they are asked for"
    );
    assert_eq!(logs(&["3", "3"]), "output of 3\n");
}

#[test]
fn unknown_numbers_are_named_together() {
    let world = with_history();
    for command in ["show", "logs", "wait"] {
        let run = world.cmd(&[command, "98", "1", "99"]).exits(1);
        assert_eq!(run.stdout, "", "nothing is done in part");
        run.says("there are no deployments #98, #99");
        world
            .cmd(&[command, "--rollout", "99"])
            .exits(1)
            .says("no deployment belongs to a rollout #99");
        world.cmd(&[command, "1", "--rollout", "1"]).exits(2);
        world.cmd(&[command]).exits(2);
    }
}

#[test]
fn completion_offers_more_numbers_where_several_can_stand() {
    let world = with_history();
    let complete = |words: &[&str]| {
        let run = world.cmd_in("deploy.git", &[&["complete", "--"], words].concat());
        run.ok().stdout
    };
    assert_eq!(complete(&["wait", "1", "2", ""]), "1\n2\n3\n4\n");
    assert_eq!(complete(&["show", "1", "--ro"]), "--rollout\n");
    assert_eq!(complete(&["retry", "1", ""]), "");
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
