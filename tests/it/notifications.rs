//! What people see of those who are told: `notifications`, `status`, `doctor` and `check`.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use crate::nobody::Nobody;
use crate::notify::{got, told};
use crate::processes::BINARY;
use crate::world::World;

/// A world in which a program is told how deployments end.
fn world() -> World {
    told("\"succeeded\", \"failed\"")
}

#[track_caller]
fn wait_for_status(world: &World, status: &str) {
    world.wait_until(status, || {
        world.json(&["notifications"])[0]["status"] == status
    });
}

#[test]
fn notification_is_shown_with_what_became_of_it() {
    let world = world();
    world
        .cmd(&["notifications"])
        .ok()
        .says("nobody was told of anything yet");
    world.deploy("production/app", 1);
    world.push();
    wait_for_status(&world, "delivered");

    let shown = world.cmd(&["notifications"]).ok();
    let row = shown.stdout.lines().nth(1).unwrap();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(words[0], "#1", "{row}");
    let expected = [
        "program",
        "production/app",
        "#1",
        "succeeded",
        "delivered",
        "1",
        "-",
    ];
    assert_eq!(words[3..], expected, "{row}");

    let rows = world.json(&["notifications", "program"]);
    let row = rows[0].as_object().unwrap();
    let keys: Vec<&str> = row.keys().map(String::as_str).collect();
    let mut expected = vec![
        "id",
        "at",
        "target",
        "configured",
        "event_id",
        "event",
        "status",
        "attempts",
        "last_attempt",
        "next_attempt",
        "answer",
        "behind",
    ];
    expected.sort_unstable();
    let mut keys = keys;
    keys.sort_unstable();
    assert_eq!(keys, expected);
    let id = got(&world)[0]["id"].as_str().unwrap().to_owned();
    assert!(id.ends_with(&format!("-{}", row["event_id"])), "{id}");
    for key in expected {
        let page = include_str!("../../packaging/man/deploy-by-code.1");
        assert!(
            page.contains(&format!(".Ql {key}")),
            "{key} is not in the manual"
        );
    }
}

#[test]
fn what_waits_is_counted_and_said() {
    let world = world();
    fs::write(world.path("broken"), "").unwrap();
    for n in 1..=3 {
        world.deploy("production/app", n);
        world.push();
        world.settled();
    }
    world.wait_until("a try has failed", || {
        world.json(&["notifications"])[0]["answer"].is_string()
    });

    let shown = world.cmd(&["notifications"]).ok();
    let shown = shown.says("program: 2 later events wait behind that");
    let shown = shown.says("production/app #1 succeeded  waiting");
    assert!(shown.stdout.contains("it is broken"), "{shown:?}");
    assert_eq!(world.json(&["notifications"])[0]["behind"], 2);
    world.cmd(&["status"]).ok().says_nothing_of("not told");

    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    database
        .execute_batch("UPDATE events SET at_ms = at_ms - 120 * 1000")
        .unwrap();
    world
        .cmd(&["status"])
        .ok()
        .says("program: 3 events not told yet, the oldest of 2 min ago: ")
        .says("hint: to see more: deploy-by-code notifications");
    world
        .cmd(&["doctor"])
        .says("warning  notifications: program: 3 events not told yet");
}

#[test]
fn what_nobody_could_try_yet_is_shown_too() {
    let world = world();
    world.deploy("production/app", 1);
    world.push();
    wait_for_status(&world, "delivered");
    // Hooks and runners leave it to systemd, which is not there.
    world.config_top("runner = \"systemd\"");
    world.deploy("production/app", 2);
    world.push();
    world.cmd(&["run", "production"]).ok();

    let rows = world.json(&["notifications"]);
    assert!(
        rows[0]["id"].is_null() && rows[0]["status"] == "waiting",
        "{rows:#}"
    );
    assert_eq!(rows[0]["behind"], 0);
    assert_eq!(rows[1]["status"], "delivered");
    world.cmd(&["notifications", "-n", "1"]).ok().says("\n-  ");
}

#[test]
fn test_event_is_sent_to_one_target() {
    let world = world();
    world
        .cmd(&["notifications", "--test", "program"])
        .ok()
        .says("program: delivered");
    let event = &got(&world)[0];
    assert_eq!(event["test"], true);
    assert_eq!(world.json(&["notifications"]).as_array().unwrap().len(), 0);

    fs::write(world.path("broken"), "").unwrap();
    world
        .cmd(&["notifications", "--test", "program"])
        .exits(1)
        .says("program: not delivered: ")
        .says("it is broken");
    world
        .cmd(&["notifications", "--test", "progam"])
        .exits(1)
        .says("the configuration has no section [notify.progam]")
        .says("did you mean program?");
    world
        .cmd(&["notifications", "progam"])
        .exits(1)
        .says("did you mean program?");
    world
        .cmd(&["notifications", "--again", "7"])
        .exits(1)
        .says("there is no notification #7");
    world
        .cmd(&["notifications", "--again", "x"])
        .exits(2)
        .says("a number is written 42 or #42");
}

#[test]
fn answer_of_the_other_side_is_escaped() {
    let world = world();
    fs::write(world.path("tell"), "printf '\\033]0;gotcha\\007\\n'\n").unwrap();
    world.deploy("production/app", 1);
    world.push();
    wait_for_status(&world, "delivered");
    for arguments in [&["notifications"][..], &["notifications", "--json"]] {
        let shown = world.cmd(arguments).ok().says("gotcha");
        assert!(!shown.all().contains(['\x1b', '\x07']), "{shown:?}");
    }
    let shown = world.cmd(&["notifications", "--test", "program"]).ok();
    assert!(!shown.all().contains(['\x1b', '\x07']), "{shown:?}");
}

#[test]
fn stranger_sees_notifications_and_sends_none() {
    let world = World::new();
    let Some(nobody) = Nobody::new(&world) else {
        return;
    };
    world.server_git(&["config", "core.sharedRepository", "world"]);
    world.install();
    world.config("[notify.program]\nkind = \"command\"\ncommand = [\"/bin/true\"]\n");
    world.deploy("production/app", 1);
    world.push();
    wait_for_status(&world, "delivered");

    let as_nobody = |words: &str| {
        let script =
            format!("GIT_CONFIG_GLOBAL=/dev/null '{BINARY}' -C deploy.git notifications {words}");
        nobody.run(".", &script)
    };
    as_nobody("").ok().says("production/app #1 succeeded");
    for words in ["--test program", "--again 1"] {
        as_nobody(words)
            .exits(1)
            .says("only its owner may act in it");
    }
}

#[test]
fn names_that_nothing_knows_are_warned_of() {
    let world = World::installed();
    world.deploy("production/website", 1);
    world.push();
    world.settled();
    world.config(
        "[notify.team]\nkind = \"command\"\ncommand = [\"/bin/true\"]\n\
         environments = [\"prodution\", \"review-*\"]\napplications = [\"websiet\", \"website\"]\n",
    );

    let environment =
        "notify.team.environments: no deploy file and no deployment is known of \"prodution\"";
    let application =
        "notify.team.applications: no deploy file and no deployment is known of \"websiet\"";
    world
        .cmd(&["check"])
        .ok()
        .says(environment)
        .says("did you mean \"production\"?")
        .says(application)
        .says("did you mean \"website\"?")
        .says_nothing_of("review");
    world.cmd(&["doctor"]).says(environment).says(application);
}

#[test]
fn what_telling_needs_is_looked_at() {
    let world = World::installed();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listener.local_addr().unwrap().port();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let secret = world.path("secret");
    let ca = world.path("ca.pem");
    world.config(&format!(
        "[notify.chat]\nkind = \"slack\"\nurl = \"http://127.0.0.1:{port}/hook\"\n\
         [notify.hook]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{open}/\"\n\
         secret_file = {secret:?}\n\
         [notify.ca]\nkind = \"cdevents\"\nurl = \"https://127.0.0.1:{open}/\"\n\
         ca_file = {ca:?}\n\
         [notify.program]\nkind = \"command\"\ncommand = [\"/no/such/program\"]\n\
         [notify.mail]\nkind = \"mail\"\nto = [\"a@example.org\"]\n\
         smtp = \"smtp://127.0.0.1:{port}\"\n"
    ));

    let shown = secret.display();
    let missing = format!("secret_file {shown}: No such file");
    world
        .cmd(&["check"])
        .ok()
        .says(&format!("warning: notify.hook: {missing}"))
        .says("warning: notify.program: /no/such/program is not there");
    world
        .cmd(&["doctor"])
        .exits(1)
        .says("ok       notifier: it is beside this program")
        .says(&format!(
            "PROBLEM  notify: chat: 127.0.0.1:{port} can't be reached"
        ))
        .says(&format!(
            "PROBLEM  notify: mail: 127.0.0.1:{port} can't be reached"
        ))
        .says(&format!("PROBLEM  notify: hook: {missing}"))
        .says("PROBLEM  notify: ca: ca_file")
        .says("PROBLEM  notify: program: /no/such/program is not there");

    fs::write(&ca, "no certificate").unwrap();
    fs::write(&secret, "hunter2").unwrap();
    let mode = |mode| fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    world
        .cmd(&["doctor"])
        .says("there is no certificate in it")
        .says("other users can read or change it")
        .says(&format!("chmod 600 {shown}"))
        .says_nothing_of("hunter2");
    mode(0o600);
    world.cmd(&["doctor"]).says(&format!(
        "ok       notify: hook: 127.0.0.1:{open} can be reached"
    ));
}
