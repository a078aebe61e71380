//! The commands as people and scripts use them: exit codes, keys, widths, words that are nearly
//! right.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::world::{World, rev};

/// Every command that people call.
pub const COMMANDS: &[&str] = &[
    "install",
    "uninstall",
    "doctor",
    "check",
    "plan",
    "status",
    "log",
    "show",
    "logs",
    "wait",
    "retry",
    "cancel",
    "release",
    "reconcile",
];

/// A world in which #1 succeeded, #2 failed with 7, #3 is of another environment, #4 of another
/// application.
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

#[test]
fn every_command_has_help_with_an_example() {
    let world = World::new();
    let help = run(world.command(BINARY, ".").arg("help"), b"").ok();
    run(world.command(BINARY, ".").arg("--help"), b"").ok();
    run(world.command(BINARY, ".").arg("--version"), b"")
        .ok()
        .says(env!("CARGO_PKG_VERSION"));
    for command in COMMANDS {
        let listed = |line: &str| line.split_whitespace().next() == Some(command);
        assert!(
            help.stdout.lines().any(listed),
            "{command} is not in {}",
            help.stdout
        );
        let own = run(world.command(BINARY, ".").args([command, "--help"]), b"").ok();
        assert!(own.stdout.contains("Example"), "no example: {}", own.stdout);
        assert!(
            own.stdout.contains(&format!("deploy-by-code {command}"))
                || own.stdout.contains(&format!(" {command}"))
        );
        let wide = own.stdout.lines().find(|line| line.chars().count() > 100);
        assert_eq!(wide, None, "help of {command}");
    }
}

#[test]
fn wrong_usage_ends_with_2_and_offers_the_right_word() {
    let world = World::installed();
    for (arguments, near) in [
        (&["stauts"][..], "status"),
        (&["reconcil"], "reconcile"),
        (&["status", "--jsno"], "--json"),
        (&["install", "--deploy-exist"], "--deploy-existing"),
        (&["show"], "ID"),
        (&["show", "x"], "42"),
        (&["log", "-n", "many"], "-n"),
    ] {
        let run = world.cmd(arguments).exits(2);
        assert!(
            run.stderr.contains(near),
            "{near:?} is not offered: {run:#?}"
        );
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn a_wrong_name_gets_the_nearest_right_one() {
    let world = with_history();
    for (arguments, near) in [
        (&["status", "prodution"][..], "production"),
        (&["log", "stagging"], "staging"),
    ] {
        let run = world.cmd(arguments).exits(1);
        assert!(
            run.stderr.contains(near),
            "{near:?} is not offered: {run:#?}"
        );
    }
    for command in ["show", "logs", "wait", "retry", "cancel"] {
        world.cmd(&[command, "99"]).exits(1).says("99");
    }
    world
        .cmd(&["check", "no-such-branch"])
        .says("no-such-branch");
}

#[test]
fn json_keys_are_those_of_the_documentation() {
    let world = with_history();
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let deployment: BTreeSet<String> = [
        "id",
        "rollout",
        "environment",
        "application",
        "revision",
        "previous_revision",
        "status",
        "reason",
        "deploy_commit",
        "pusher",
        "author",
        "queued_at",
        "started_at",
        "finished_at",
        "exit_status",
        "log",
        "rolled_back",
        "exceptions",
        "pusher_known_by",
    ]
    .map(str::to_owned)
    .into();
    let row: BTreeSet<String> = [
        "environment",
        "application",
        "wanted",
        "deployed",
        "status",
        "deployment",
        "since",
        "pusher",
        "rolled_back",
        "frozen",
    ]
    .map(str::to_owned)
    .into();
    let log = world.json(&["log"]);
    assert_eq!(log.as_array().unwrap().len(), 4);
    assert!(
        log.as_array()
            .unwrap()
            .iter()
            .all(|each| keys(each) == deployment),
        "{log:#}"
    );
    let ids: Vec<_> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids, [4, 3, 2, 1], "newest first");
    let show = world.json(&["show", "2"]);
    assert_eq!(keys(&show), deployment);
    assert_eq!(
        (&show["status"], &show["reason"], &show["exit_status"]),
        (&"failed".into(), &"exit status 7".into(), &7.into())
    );
    assert_eq!(show["previous_revision"], rev(1));
    for key in ["queued_at", "started_at", "finished_at"] {
        let time = show[key].as_str().unwrap();
        assert!(
            time.len() >= 20 && time.ends_with('Z') && &time[10..11] == "T",
            "{key}: {time}"
        );
    }
    assert!(
        fs::metadata(show["log"].as_str().unwrap()).is_ok(),
        "log is a path: {show:#}"
    );
    let status = world.json(&["status"]);
    assert!(
        status
            .as_array()
            .unwrap()
            .iter()
            .all(|each| keys(each) == row),
        "{status:#}"
    );
    let a = world.status("production/a");
    assert_eq!(
        (&a["wanted"], &a["deployed"], &a["status"]),
        (&rev(2).into(), &rev(1).into(), &"failed".into())
    );
    assert_eq!(a["deployment"], 2);
    assert_eq!(World::installed().json(&["log"]), Value::Array(Vec::new()));
    assert_eq!(
        World::installed().json(&["status"]),
        Value::Array(Vec::new())
    );
}

#[test]
fn listings_are_narrow_and_coloured_on_a_terminal_only() {
    let world = with_history();
    world.deploy("production/application_A", 1);
    world.push();
    world.settled();
    for command in ["status", "log", "show 2", "doctor", "check"] {
        let words: Vec<_> = command.split(' ').collect();
        let pipe = world.cmd(&words).stdout;
        assert!(!pipe.contains('\u{1b}'), "{command}: {pipe:?}");
        let terminal = String::from_utf8(world.on_a_terminal(command, &[])).unwrap();
        let plain = String::from_utf8(world.on_a_terminal(command, &[("NO_COLOR", "1")])).unwrap();
        assert!(
            !plain.contains("\u{1b}["),
            "{command} with NO_COLOR: {plain:?}"
        );
        if matches!(command, "status" | "log") {
            assert!(
                terminal.contains("\u{1b}["),
                "{command} has no colour: {terminal:?}"
            );
        }
        for line in pipe
            .lines()
            .filter(|_| command != "show 2" && command != "doctor")
        {
            assert!(
                line.chars().count() <= 80,
                "{command}: {} columns: {line}",
                line.chars().count()
            );
            assert_eq!(line.trim_end(), line, "{command}: trailing space");
        }
    }
    let status = world.cmd(&["status"]).stdout;
    for word in [
        "APPLICATION",
        "DEPLOYED",
        "WANTED",
        "STATUS",
        "SINCE",
        "BY",
        "production/application_A",
        "0000002",
        "failed",
    ] {
        assert!(status.contains(word), "{word:?} is missing: {status}");
    }
    let log = world.cmd(&["log"]).stdout;
    for word in [
        "ID",
        "WHEN",
        "APPLICATION",
        "REVISION",
        "STATUS",
        "BY",
        "#2",
        "succeeded",
    ] {
        assert!(log.contains(word), "{word:?} is missing: {log}");
    }
}

#[test]
fn listings_can_be_narrowed() {
    let world = with_history();
    let ids = |arguments: &[&str]| -> Vec<i64> {
        world
            .json(arguments)
            .as_array()
            .unwrap()
            .iter()
            .map(|each| each["id"].as_i64().unwrap())
            .collect()
    };
    assert_eq!(ids(&["log", "production"]), [4, 2, 1]);
    assert_eq!(ids(&["log", "production/a"]), [2, 1]);
    assert_eq!(ids(&["log", "-n", "2"]), [4, 3]);
    assert_eq!(
        world
            .json(&["status", "production"])
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        world
            .json(&["status", "staging/a"])
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let shown = world.cmd(&["show", "#2"]).ok();
    for text in [
        rev(2),
        rev(1),
        "exit status 7".to_owned(),
        world.show(2)["deploy_commit"].as_str().unwrap().to_owned(),
    ] {
        assert!(
            shown.stdout.contains(&text),
            "{text:?} is missing: {}",
            shown.stdout
        );
    }
}

#[test]
fn a_closed_pipe_ends_a_listing_quietly() {
    let world = with_history();
    let call = format!(
        "'{BINARY}' -C deploy.git log | true; '{BINARY}' -C deploy.git log --json | head -c 1"
    );
    let both = run(world.command("sh", ".").args(["-c", &call]), b"").ok();
    assert_eq!(both.stderr, "");
}

#[test]
fn logs_and_wait_end_with_the_outcome() {
    let world = with_history();
    let said = |run: Run| run.stdout;
    assert_eq!(said(world.cmd(&["logs", "1"]).ok()), "output of 1\n");
    assert_eq!(
        said(world.cmd(&["logs", "#2"]).ok()),
        "output of 2\n",
        "without -f it is done when it has shown them"
    );
    assert!(said(world.cmd(&["logs", "-f", "1"]).ok()).starts_with("output of 1\n"));
    assert!(said(world.cmd(&["logs", "-f", "2"]).exits(1)).starts_with("output of 2\n"));
    world.cmd(&["wait", "1"]).ok();
    world.cmd(&["wait", "2"]).exits(1);

    world.job("echo begun; note start; hold end; echo done; exit 3");
    world.deploy("production/c", 9);
    world.push();
    world.wait_for("production/c #5 start");
    std::thread::scope(|scope| {
        let follow = scope.spawn(|| world.cmd(&["logs", "-f", "5"]).exits(1));
        let wait = scope.spawn(|| world.cmd(&["wait", "5"]).exits(1));
        world.open("end");
        assert!(follow.join().unwrap().stdout.starts_with("begun\ndone\n"));
        wait.join().unwrap().says("exit status 3");
    });
}

#[test]
fn retry_makes_a_new_deployment_of_what_is_still_wanted() {
    let world = with_history();
    world.job("exit 0");
    world.cmd(&["retry", "1"]).exits(1);
    world.cmd(&["retry", "2"]).ok().says("#5");
    assert_eq!(world.settled()[4], "#5 production/a succeeded");
    assert_eq!(world.show(5)["revision"], rev(2));
    assert_eq!(
        world.show(2)["status"],
        "failed",
        "what was is not rewritten"
    );

    world.job("exit 1");
    world.deploy("production/a", 5);
    world.push();
    world.settled();
    world.job("exit 0");
    world.deploy("production/a", 6);
    world.push();
    world.settled();
    world.cmd(&["retry", "6"]).exits(1).says("--stale");
    assert_eq!(world.settled().len(), 7);
    world.cmd(&["retry", "--stale", "6"]).ok();
    assert_eq!(world.settled()[7], "#8 production/a succeeded");
    assert_eq!(world.status("production/a")["deployed"], rev(5));
}

#[test]
fn completion_knows_commands_options_environments_applications_and_numbers() {
    let world = with_history();
    let complete = |words: &[&str]| {
        let arguments = [&["complete", "--"][..], words].concat();
        let run = run(world.command(BINARY, "deploy.git").args(arguments), b"").ok();
        run.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete(&["sta"]), ["status"]);
    assert_eq!(complete(&["st"]), ["status"]);
    assert!(
        !complete(&[""]).contains(&"run".to_owned()),
        "what is hidden stays hidden"
    );
    assert_eq!(complete(&["retry", "--st"]), ["--stale"]);
    assert_eq!(complete(&["freeze", "prod"]), ["production"]);
    assert_eq!(
        complete(&["freeze", "--reason", "production", "prod"]),
        ["production"]
    );
    world.config_file("[environments.staging]\n[defaults]\ncommand = [\"true\"]\n");
    assert_eq!(
        complete(&["freeze", "st"]),
        ["staging"],
        "no deploy file is in it yet"
    );
    assert_eq!(
        complete(&["status", "production/"]),
        ["production/a", "production/b"]
    );
    assert_eq!(complete(&["logs", "-f", ""]), ["1", "2", "3", "4"]);
    assert_eq!(complete(&["install", ""]), [""; 0], "a file");
    let elsewhere = run(
        world
            .command(BINARY, ".")
            .args(["complete", "--", "-C", "deploy.git", "show", "2"]),
        b"",
    )
    .ok();
    assert_eq!(elsewhere.stdout, "2\n");
    assert_eq!(
        run(
            world
                .command(BINARY, ".")
                .args(["complete", "--", "show", ""]),
            b""
        )
        .ok()
        .stdout,
        ""
    );
}

#[test]
fn what_is_wanted_and_was_never_deployed_is_known() {
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

/// The shells' own completion, as somebody types it.
#[test]
fn the_shells_complete() {
    let world = with_history();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = root.join("packaging/completions/deploy-by-code.bash");
    let bin = std::path::Path::new(BINARY).parent().unwrap();
    let type_it = format!(
        "PATH='{}':$PATH; . '{}'; COMP_WORDS=(deploy-by-code -C deploy.git show 1); COMP_CWORD=4; _deploy_by_code; echo \"${{COMPREPLY[@]}}\"",
        bin.display(),
        script.display()
    );
    let bash = run(world.command("bash", ".").args(["-c", &type_it]), b"").ok();
    assert_eq!(bash.stdout, "1\n", "{bash:#?}");
}
