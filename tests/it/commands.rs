//! The commands as people and scripts use them: exit codes, JSON keys, widths, and misspelt words.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::processes::BINARY;
use crate::run::run;
use crate::world::{World, rev};

/// Every command that people call.
pub const COMMANDS: &[&str] = &[
    "install",
    "uninstall",
    "doctor",
    "check",
    "plan",
    "propose",
    "status",
    "log",
    "show",
    "logs",
    "wait",
    "metrics",
    "retry",
    "cancel",
    "freeze",
    "thaw",
    "release",
    "rebuild",
    "reconcile",
];

/// A world with four deployments: #1 and #2 of one application, of which #2 failed with exit status
/// 7, #3 in another environment, and #4 of another application.
pub fn with_history() -> World {
    let world = World::installed();
    world.job(&format!(
        "echo output of $DEPLOY_ID; test $DEPLOY_REVISION != {} || exit 7",
        rev(2)
    ));

    for (target, n) in [
        ("production/a", 1),
        ("production/a", 2),
        ("staging/a", 3),
        ("production/b", 3),
    ] {
        world.deploy(target, n);
        world.push();
        world.settled();
    }
    world
}

/// The keys that the man page names behind some words, up to the end of the paragraph. What stands
/// in parentheses is about values.
pub fn documented_keys(begin: &str) -> BTreeSet<String> {
    let page = include_str!("../../packaging/man/deploy-by-code.1");
    let (_, json) = page.split_once(".Ss JSON\n").unwrap();
    let (_, list) = json.split_once(begin).unwrap();
    let mut keys = BTreeSet::new();
    let mut depth = 0;

    for line in list.lines() {
        match line.split_once(' ').unwrap_or((line, "")) {
            (".Pp", _) | ("Its" | "What", _) => break,
            (".Po", _) => depth += 1,
            (".Pc", _) => depth -= 1,
            (".Ql", key) if depth == 0 => {
                keys.insert(key.split(' ').next().unwrap().to_owned());
            }
            _ => {}
        }
    }
    keys
}

/// The man page names every key of what a listing prints, whatever it is inside of.
fn assert_documented(value: &Value) {
    let page = include_str!("../../packaging/man/deploy-by-code.1");
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        left.extend(value.as_array().into_iter().flatten());
        for (key, value) in value.as_object().into_iter().flatten() {
            let is_named = page.lines().any(|line| {
                let mut words = line.split(' ');
                words.next() == Some(".Ql") && words.next() == Some(key)
            });
            assert!(is_named, "the man page does not name the key {key}");
            left.push(value);
        }
    }
}

#[test]
fn every_key_of_json_is_in_the_man_page() {
    let world = with_history();
    world.write("production/x.deploy", "no revision\n");
    world.push_unseen();
    world.cmd(&["reconcile"]);

    for command in ["status", "log", "show 2", "check", "doctor"] {
        let words: Vec<&str> = command.split(' ').chain(["--json"]).collect();
        let run = world.cmd(&words);
        let rows: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_documented(&rows);
    }
}

pub fn keys(value: &Value) -> BTreeSet<String> {
    let object = value.as_object().unwrap();
    object.keys().cloned().collect()
}

#[track_caller]
fn ids(world: &World, arguments: &[&str]) -> Vec<i64> {
    let rows = world.json(arguments);
    let rows = rows.as_array().unwrap();
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[test]
fn help_of_every_command_has_an_example() {
    let world = World::new();
    let help = world.cmd_in(".", &["help"]).ok().stdout;
    assert_eq!(world.cmd_in(".", &["--help"]).ok().stdout, help);
    let version = world.cmd_in(".", &["--version"]).ok().stdout;
    assert_eq!(
        version,
        format!("deploy-by-code {}\n", env!("CARGO_PKG_VERSION"))
    );

    for command in COMMANDS {
        let is_listed = help
            .lines()
            .any(|line| line.split_whitespace().next() == Some(command));
        assert!(is_listed, "{command} is not in {help}");

        let own = world.cmd_in(".", &[command, "--help"]).ok().stdout;
        let (_, example) = own.split_once("Example:\n").expect("an example");
        let first = example.lines().next().unwrap();
        assert!(
            first.starts_with("  deploy-by-code ") && first.contains(&format!(" {command}")),
            "the example of {command}: {first}"
        );
        let wide = own.lines().find(|line| line.chars().count() > 100);
        assert_eq!(wide, None, "help of {command}");
    }
}

#[test]
fn wrong_usage_exits_with_2_and_offers_the_right_word() {
    let world = World::installed();
    for (arguments, near) in [
        (&["stauts"][..], "'status'"),
        (&["reconcil"], "'reconcile'"),
        (&["status", "--jsno"], "'--json'"),
        (&["install", "--deploy-exist"], "'--deploy-existing'"),
        (&["show"], "<ID|--rollout"),
        (&["show", "x"], "42"),
        (&["log", "-n", "many"], "'--number <N>'"),
    ] {
        let run = world.cmd(arguments).exits(2);

        assert!(run.stderr.contains(near), "{near} is not offered: {run:#?}");
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn unknown_names_and_numbers_are_refused() {
    let world = with_history();
    for (arguments, near) in [
        (&["status", "prodution"][..], "did you mean production?"),
        (&["log", "stagging"], "did you mean staging?"),
    ] {
        let run = world.cmd(arguments).exits(1);
        assert!(run.stderr.contains(near), "{near:?}: {run:#?}");
    }

    for command in ["show", "logs", "wait", "retry", "cancel"] {
        world.cmd(&[command, "99"]).exits(1).says("#99");
    }
    world
        .cmd(&["check", "no-such-branch"])
        .exits(1)
        .says("\"no-such-branch\" is not a commit");
}

#[test]
fn json_of_deployments_has_exactly_the_documented_keys() {
    let world = with_history();
    let documented = documented_keys("A deployment has the keys");

    let repository = fs::canonicalize(world.repository()).unwrap();
    assert_eq!(ids(&world, &["log"]), [4, 3, 2, 1], "the newest first");
    for deployment in world.json(&["log"]).as_array().unwrap() {
        assert_eq!(keys(deployment), documented);
        assert_eq!(deployment["repository"], repository.to_str().unwrap());
    }

    let show = world.show(2);
    assert_eq!(keys(&show), documented);
    assert_eq!(show["status"], "failed");
    assert_eq!(show["reason"], "exit status 7");
    assert_eq!(show["exit_status"], 7);
    assert_eq!(show["previous_revision"], rev(1));
    for key in ["queued_at", "started_at", "finished_at"] {
        let time = show[key].as_str().unwrap();
        assert!(time.ends_with('Z'), "{key}: {time}");
        time.parse::<jiff::Timestamp>().expect(key);
    }
    let log = fs::read_to_string(show["log"].as_str().unwrap()).unwrap();
    assert_eq!(log, "output of 2\n");

    let nothing = World::installed().json(&["log"]);
    assert_eq!(nothing, Value::Array(Vec::new()));
}

#[test]
fn json_of_status_has_exactly_the_documented_keys() {
    let world = with_history();
    let documented = documented_keys(".Cm status\nhas\n");

    let status = world.json(&["status"]);
    let rows = status.as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        assert_eq!(keys(row), documented);
    }

    let a = world.status("production/a");
    assert_eq!(a["wanted"], rev(2));
    assert_eq!(a["deployed"], rev(1));
    assert_eq!(a["status"], "failed");
    assert_eq!(a["deployment"], 2);
    assert_eq!(a["rollout"], world.show(2)["rollout"]);
    assert_eq!(a["summary"], "Deploy production/a");
    assert_eq!(a["remark"], "failed: exit status 7");
    assert_eq!(a["duration_ms"], world.show(2)["duration_ms"]);

    let nothing = World::installed().json(&["status"]);
    assert_eq!(nothing, Value::Array(Vec::new()));
}

#[test]
fn listings_have_colours_on_a_terminal_only() {
    let world = with_history();
    for (command, is_coloured) in [
        ("status", true),
        ("log", true),
        ("show 2", true),
        ("doctor", true),
        ("check", false),
    ] {
        let words: Vec<_> = command.split(' ').collect();
        let pipe = world.cmd(&words).stdout;
        assert!(!pipe.contains('\u{1b}'), "{command}: {pipe:?}");

        let terminal = |variables: &[(&str, &str)]| {
            String::from_utf8(world.on_a_terminal(command, variables)).unwrap()
        };
        let plain = terminal(&[("NO_COLOR", "1")]);
        assert!(!plain.contains("\u{1b}["), "{command}: {plain:?}");
        let coloured = terminal(&[]);
        assert_eq!(
            coloured.contains("\u{1b}["),
            is_coloured,
            "{command}: {coloured:?}"
        );
    }
}

#[test]
fn listings_have_headings_and_fit_80_columns() {
    let world = with_history();
    world.deploy("production/application_A", 1);
    world.push();
    world.settled();

    for (command, heading) in [
        ("status", "APPLICATION DEPLOYED WANTED STATUS SINCE BY"),
        ("log", "ID WHEN (UTC) APPLICATION REVISION STATUS BY"),
    ] {
        // Another program gets each row in one line, and a terminal gets lines that fit.
        let pipe = world.cmd(&[command]).ok().stdout;
        let terminal = world.on_a_terminal(command, &[("NO_COLOR", "1")]);
        let terminal = String::from_utf8(terminal).unwrap().replace('\r', "");
        let first = |listing: &str| {
            let words = listing.lines().next().unwrap().split_whitespace();
            words.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(first(&pipe), format!("{heading} TOOK SUMMARY"));
        assert_eq!(first(&terminal), heading);

        for line in terminal.lines() {
            assert!(line.chars().count() <= 80, "{command}: {line}");
        }
        for line in pipe.lines().chain(terminal.lines()) {
            assert_eq!(line.trim_end(), line, "{command}: a space at the end");
        }
        let row = pipe.lines().find(|line| line.contains("/application_A "));
        assert!(row.unwrap().ends_with(" Deploy production/application_A"));
        let mut below = terminal.lines();
        below.find(|line| line.contains("/application_A ")).unwrap();
        let below = below.next().unwrap();
        assert!(below.starts_with("    "), "{terminal}");
        assert!(below.ends_with("  Deploy production/application_A"));
    }
}

#[test]
fn listings_can_be_limited_to_an_environment_or_application() {
    let world = with_history();

    assert_eq!(ids(&world, &["log", "production"]), [4, 2, 1]);
    assert_eq!(ids(&world, &["log", "production/a"]), [2, 1]);
    assert_eq!(ids(&world, &["log", "-n", "2"]), [4, 3]);
    for (filter, rows) in [("production", 2), ("staging/a", 1)] {
        let status = world.json(&["status", filter]);
        assert_eq!(status.as_array().unwrap().len(), rows, "{filter}");
    }
}

#[test]
fn show_says_everything_about_a_deployment() {
    let world = with_history();
    let commit = world.show(2)["deploy_commit"].as_str().unwrap().to_owned();

    let shown = world.cmd(&["show", "#2"]).ok();

    for text in [&rev(2), &rev(1), "exit status 7", &commit] {
        assert!(shown.stdout.contains(text), "{text:?}: {shown:#?}");
    }
}

#[test]
fn listing_into_a_closed_pipe_ends_without_an_error() {
    let world = with_history();
    let script = format!(
        "'{BINARY}' -C deploy.git log | true; '{BINARY}' -C deploy.git log --json | head -c 1"
    );

    let both = world.shell_in(".", &script).ok();

    assert_eq!((both.stdout.as_str(), both.stderr.as_str()), ("[", ""));
}

#[test]
fn logs_and_wait_exit_with_the_outcome() {
    let world = with_history();
    let logs = |arguments: &[&str], code| {
        let run = world.cmd(&[&["logs"], arguments].concat());
        run.exits(code).stdout
    };

    assert_eq!(logs(&["1"], 0), "output of 1\n");
    // Without `-f` it has succeeded when it has shown the log.
    assert_eq!(logs(&["#2"], 0), "output of 2\n");
    assert!(logs(&["-f", "1"], 0).starts_with("output of 1\n"));
    assert!(logs(&["-f", "2"], 1).starts_with("output of 2\n"));
    world.cmd(&["wait", "1"]).ok();
    world.cmd(&["wait", "2"]).exits(1);
}

#[test]
fn logs_and_wait_follow_a_running_deployment_to_its_end() {
    let world = World::installed();
    world.job("echo begun; note start; hold end; echo done; exit 3");
    world.deploy("production/c", 9);
    world.push();
    world.wait_for("production/c #1 start");

    std::thread::scope(|scope| {
        let follow = scope.spawn(|| world.cmd(&["logs", "-f", "1"]).exits(1));
        let wait = scope.spawn(|| world.cmd(&["wait", "1"]).exits(1));
        world.open("end");
        assert!(follow.join().unwrap().stdout.starts_with("begun\ndone\n"));
        wait.join().unwrap().says("exit status 3");
    });
}

#[test]
fn completion_offers_commands_options_names_and_numbers() {
    let world = with_history();
    let complete_in = |folder: &str, words: &[&str]| {
        let run = world.cmd_in(folder, &[&["complete", "--"], words].concat());
        let lines = run.ok().stdout;
        lines.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let complete = |words: &[&str]| complete_in("deploy.git", words);

    assert_eq!(complete(&["sta"]), ["status"]);
    assert_eq!(complete(&["st"]), ["status"]);
    assert!(
        !complete(&[""]).contains(&"run".to_owned()),
        "a hidden command is not offered"
    );
    assert_eq!(complete(&["retry", "--st"]), ["--stale"]);
    assert_eq!(complete(&["freeze", "prod"]), ["production"]);
    let after_a_value = ["freeze", "--reason", "production", "prod"];
    assert_eq!(complete(&after_a_value), ["production"]);
    assert_eq!(
        complete(&["status", "production/"]),
        ["production/a", "production/b"]
    );
    assert_eq!(complete(&["logs", "-f", ""]), ["1", "2", "3", "4"]);
    // The shell completes file names itself.
    assert_eq!(complete(&["install", ""]), [""; 0]);

    let named = ["-C", "deploy.git", "show", "2"];
    assert_eq!(complete_in(".", &named), ["2"]);
    assert_eq!(complete_in(".", &["show", ""]), [""; 0]);
}

#[test]
fn completion_knows_environments_of_the_configuration() {
    let world = World::installed();
    assert_eq!(world.history(), [""; 0]);
    world.config_file("[environments.staging]\n[defaults]\ncommand = [\"true\"]\n");

    let complete = world.cmd_in("deploy.git", &["complete", "--", "freeze", "st"]);

    assert_eq!(complete.ok().stdout, "staging\n");
}

/// In the way in which bash calls it when somebody presses the tabulator key.
#[test]
fn completion_works_in_bash() {
    let world = with_history();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let completions = root.join("packaging/completions/deploy-by-code.bash");
    let script = format!(
        "PATH='{}':$PATH\n\
         . '{}'\n\
         COMP_WORDS=(deploy-by-code -C deploy.git show 1)\n\
         COMP_CWORD=4\n\
         _deploy_by_code\n\
         echo \"${{COMPREPLY[@]}}\"\n",
        Path::new(BINARY).parent().unwrap().display(),
        completions.display()
    );

    let bash = run(world.command("bash", ".").args(["-c", &script]), b"").ok();

    assert_eq!(bash.stdout, "1\n", "{bash:#?}");
}

#[test]
fn environment_that_was_never_deployed_to_is_known() {
    let world = with_history();
    world.deploy("testing/a", 1);
    world.push_unseen();

    world
        .cmd(&["log", "testing"])
        .ok()
        .says("nothing was deployed yet");
    world
        .cmd(&["release", "testing"])
        .exits(1)
        .says("testing is not held by anything");
    world
        .cmd(&["log", "testin"])
        .exits(1)
        .says("did you mean testing?");
}
