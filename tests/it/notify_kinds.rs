//! What those who are told get to read: webhooks, chats, CDEvents and programs.

use std::fs;

use deploy_by_code::event_kind::EventKind;
use serde_json::{Value, json};

use crate::applications::{
    commits, deploy, try_deploy, try_deploy_saying, world as with_applications,
};
use crate::http_server::{PYTHON, Server, data};
use crate::processes;
use crate::run::run;
use crate::world::World;

const A: &str = "production/a";

fn body(request: &Value) -> Value {
    serde_json::from_str(request["body"].as_str().unwrap()).unwrap()
}

/// Adds a program that is told. `script` finds itself in the world's folder.
fn program(world: &World, events: &str, script: &str) {
    let file = world.path("tell");
    let folder = world.path("");
    fs::write(&file, format!("cd '{}'\n{script}\n", folder.display())).unwrap();
    world.notify(
        "program",
        &format!("kind = \"command\"\ncommand = [\"/bin/sh\", {file:?}]\nevents = [{events}]"),
    );
}

#[test]
fn hostile_text_arrives_as_text() {
    let world = with_applications(&["a"], "");
    let [hook, chat, bus] = ["hook", "chat", "bus"].map(|name| Server::start_plain(&world, name));
    let main = commits(&world, "a", 2);
    deploy(&world, A, &main[1]);

    let events = "events = [\"succeeded\"]";
    let secret = world.secret_file("secret", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let url = hook.url("/");
    world.notify(
        "hook",
        &format!("kind = \"webhook\"\nurl = \"{url}\"\nsecret_file = {secret:?}\n{events}"),
    );
    let url = world.secret_file("url", &chat.url("/hooks/T0"));
    world.notify(
        "chat",
        &format!("kind = \"slack\"\nurl_file = {url:?}\n{events}"),
    );
    let url = bus.url("/");
    world.notify(
        "bus",
        &format!("kind = \"cdevents\"\nurl = \"{url}\"\n{events}"),
    );
    program(&world, "\"succeeded\"", "cat >told.new && mv told.new told");

    let line =
        "* <!channel> @here [x](http://e.x) \"q\" \\ $(id) \u{1b}[31m \u{202e}\u{1f600} & \u{e9}";
    let long = "x".repeat(5000);
    let entry = format!("{}\n{line}\r\nX: y\n{long}\n", main[0]);
    let old = fs::read_to_string(world.path("work/production/a.deploy")).unwrap();
    world.deploy_file(A, format!("{entry}{old}"));
    let reason = "<@U1> ]: \"reason\" \\n";
    world
        .try_push_saying(&format!("Deploy-Rollback: {reason}"))
        .ok();

    // Programs read every character as it is.
    let hooked = body(&hook.wait_for(&world, 1)[0]);
    world.wait_until("the program is told", || world.path("told").exists());
    let told: Value = serde_json::from_slice(&fs::read(world.path("told")).unwrap()).unwrap();
    let sent = body(&bus.wait_for(&world, 1)[0]);
    for row in [&hooked["data"], &told, &sent["customData"]] {
        let expect = json!([line, "X: y", &long[..300]]);
        assert_eq!(row["why"], expect, "{row:#}");
        let exception = json!([{ "kind": "rollback", "reason": reason }]);
        assert_eq!(row["deployment"]["exceptions"], exception, "{row:#}");
        assert_eq!(row["lost"]["newest"][0]["subject"], "c2", "{row:#}");
    }
    assert_eq!(hooked["type"], "deployment.succeeded");

    assert_documented(&told);

    // In a chat nobody is mentioned, no link leads elsewhere than it says, and nothing deceives.
    let request = &chat.wait_for(&world, 1)[0];
    assert_eq!(request["path"], "/hooks/T0");
    let [new, old] = [&main[0], &main[1]].map(|hash| &hash[..7]);
    let by = told["by"].as_str().unwrap();
    let expect = format!(
        "[production] a {old} \u{2192} {new} succeeded\n\
         #2 by {by}\n\
         rollback: &lt;@\u{200b}U1&gt; ]\u{200b}: \"reason\" \\n\n\
         1 commit lost\n\
         > * &lt;!channel&gt; @\u{200b}here [x]\u{200b}(http://e.x) \"q\" \\ $(id) \\u{{1b}}[31m \
         \\u{{202e}}\u{1f600} &amp; \u{e9}\n\
         > X: y\n\
         > {}",
        &long[..300]
    );
    assert_eq!(body(request)["text"].as_str().unwrap(), expect);
}

/// Asserts that the pages about notifications name every key of an event, and every kind.
fn assert_documented(row: &Value) {
    let docs = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
    let docs: String = docs
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().contains("/notifications"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();

    let mut missing = Vec::new();
    let mut left = vec![row];
    while let Some(value) = left.pop() {
        left.extend(value.as_array().into_iter().flatten());
        for (key, inner) in value.as_object().into_iter().flatten() {
            left.push(inner);
            missing.extend((!docs.contains(&format!("`{key}`"))).then(|| key.clone()));
        }
    }
    for kind in EventKind::ALL {
        let is_there = docs.contains(&format!(".{kind}`")) || kind == EventKind::Override;
        missing.extend((!is_there).then(|| kind.to_string()));
    }
    assert!(
        missing.is_empty(),
        "docs/notifications*.md lacks {missing:?}"
    );
}

#[test]
fn chat_reads_who_froze_what_why_and_until_when() {
    let world = World::installed();
    world.deploy("production/app", 1);
    world.push();
    world.settled();
    let chat = Server::start_plain(&world, "chat");
    let url = world.secret_file("url", &chat.url("/"));
    world.notify(
        "chat",
        &format!("kind = \"slack\"\nurl_file = {url:?}\nevents = [\"frozen\", \"thawed\"]"),
    );
    let freeze = [
        "freeze",
        "production",
        "--reason",
        "incident <7>",
        "--until",
    ];
    world
        .cmd(&[&freeze[..], &["2199-01-02 03:04"]].concat())
        .ok();
    world.cmd(&["thaw", "production"]).ok();

    let texts: Vec<Value> = chat.wait_for(&world, 2).iter().map(body).collect();
    let frozen = texts[0]["text"].as_str().unwrap();
    let lines: Vec<&str> = frozen.lines().collect();
    assert_eq!(lines[0], "[production] frozen");
    assert!(lines[1].starts_with("by "), "{frozen}");
    assert_eq!(
        lines[2..],
        ["incident &lt;7&gt;", "until 2199-01-02 03:04 UTC"]
    );
    assert_eq!(
        texts[1]["text"],
        format!("[production] thawed\n{}", lines[1])
    );
}

#[test]
fn long_message_for_a_chat_is_cut() {
    let world = World::installed();
    let chat = Server::start_plain(&world, "chat");
    let url = world.secret_file("url", &chat.url("/"));
    world.notify("chat", &format!("kind = \"slack\"\nurl_file = {url:?}"));
    let lines = format!("{}\n", "<".repeat(5000)).repeat(100);
    world.deploy_file(
        "production/app",
        format!("{}\n{lines}", crate::world::rev(1)),
    );
    world.push();

    let text = body(&chat.wait_for(&world, 1)[0])["text"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        text.starts_with("[production] app 0000001 succeeded\n#1 by "),
        "{text}"
    );
    assert!(text.ends_with("&lt;\n\u{2026}"), "{text}");
    assert!((1000..=4000).contains(&text.chars().count()), "{text}");
}

/// A server for CDEvents that is told everything which the specification has an event for.
fn bus(world: &World) -> Server {
    let bus = Server::start_plain(world, "bus");
    let url = bus.url("/events");
    world.notify(
        "bus",
        &format!(
            "kind = \"cdevents\"\nurl = \"{url}\"\n\
             events = [\"succeeded\", \"failed\", \"cancelled\", \"retired\", \"frozen\"]"
        ),
    );
    bus
}

/// What the schemas of the specification say of events, a line for each.
fn validated(events: &[Value]) -> Vec<String> {
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    let mut command = std::process::Command::new(PYTHON);
    command
        .arg(data("notify/validate.py"))
        .arg(data("cdevents"));
    let said = run(&mut command, lines.as_bytes()).ok().stdout;
    said.lines().map(str::to_owned).collect()
}

#[test]
fn cdevents_are_valid_and_say_what_happened() {
    let world = with_applications(&["a"], "");
    world.job("test ! -e \"$W/fail\"");
    let bus = bus(&world);
    let main = commits(&world, "a", 3);

    deploy(&world, A, &main[0]);
    deploy(&world, A, &main[1]);
    fs::write(world.path("fail"), "").unwrap();
    deploy(&world, A, &main[2]);
    fs::remove_file(world.path("fail")).unwrap();
    world.cmd(&["retry", "3"]).ok();
    world.settled();
    deploy(&world, A, &main[2]);
    try_deploy_saying(&world, A, &main[0], "Deploy-Rollback: alarms").ok();
    world.settled();
    world
        .cmd(&["freeze", "production", "--reason", "incident 7"])
        .ok();
    world.cmd(&["thaw", "production"]).ok();
    deploy_and_cancel(&world, &main[1]);
    world.retire(A);
    world.push();

    let requests = bus.wait_for(&world, 8);
    world.wait_until_told();
    assert_eq!(bus.requests().len(), 8, "the freeze is no CDEvent");
    world.notify_test("bus").ok();
    let requests = [&requests[..], &bus.requests()[8..]].concat();
    let events: Vec<Value> = requests.iter().map(body).collect();
    let types = [
        "dev.cdevents.service.deployed.0.3.0",
        "dev.cdevents.service.upgraded.0.3.0",
        "dev.cdevents.taskrun.finished.0.3.0",
        "dev.cdevents.service.upgraded.0.3.0",
        "dev.cdevents.service.deployed.0.3.0",
        "dev.cdevents.service.rolledback.0.3.0",
        "dev.cdevents.taskrun.finished.0.3.0",
        "dev.cdevents.service.removed.0.3.0",
        "dev.cdeventsx.deploybycode-test.sent.0.1.0",
    ];
    assert_eq!(validated(&events), types);

    let purl = |revision: &str| format!("pkg:generic/a@{revision}");
    let expect = json!({ "environment": { "id": "production" }, "artifactId": purl(&main[1]) });
    assert_eq!(events[1]["subject"], json!({ "id": A, "content": expect }));
    let expect = json!({
        "taskName": "deploy production/a", "outcome": "failure", "errors": "exit status 1",
    });
    assert_eq!(
        events[2]["subject"],
        json!({ "id": "deployment/3", "content": expect })
    );
    assert_eq!(events[6]["subject"]["content"]["outcome"], "cancel");
    assert_eq!(
        events[7]["subject"]["content"],
        json!({ "environment": { "id": "production" } })
    );

    for (request, event) in requests.iter().zip(&events) {
        let headers = &request["headers"];
        let context = &event["context"];
        assert_eq!(headers["ce-specversion"], "1.0");
        assert_eq!(headers["content-type"], "application/json");
        for (header, value) in [
            ("ce-id", &context["id"]),
            ("ce-type", &context["type"]),
            ("ce-source", &context["source"]),
            ("ce-subject", &event["subject"]["id"]),
            ("ce-time", &context["timestamp"]),
        ] {
            assert_eq!(&headers[header], value, "{header}");
        }
    }
}

/// A deployment, the seventh, that is cancelled while it runs.
fn deploy_and_cancel(world: &World, revision: &str) {
    world.job("hold never");
    try_deploy(world, A, revision).ok();
    world.wait_until("it runs", || world.show(7)["status"] == "running");
    world.cmd(&["cancel", "7"]).ok();
    world.settled();
}

/// A validator that accepts everything would show nothing.
#[test]
fn event_that_breaks_the_schema_is_noticed() {
    let event = json!({
        "context": {
            "specversion": "0.5.1",
            "id": "1",
            "source": "/x",
            "type": "dev.cdevents.service.deployed.0.3.0",
            "timestamp": "2026-01-02T03:04:05Z",
        },
        "subject": { "id": A, "content": { "environment": { "id": "production" } } },
    });
    let said = validated(&[event]).join("\n");
    assert!(
        said.contains("'artifactId' is a required property"),
        "{said}"
    );
}

#[test]
fn program_gets_the_event_and_nothing_of_the_hook() {
    let world = World::installed();
    program(
        &world,
        "\"succeeded\"",
        "tr '\\0' '\\n' </proc/$$/environ >env; pwd >where; cat >told",
    );
    world.deploy("production/app", 1);
    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    world.commit();
    run(push.env("HTTP_AUTHORIZATION", "hunter2"), b"").ok();
    world.wait_until("the program is told", || {
        fs::read_to_string(world.path("told")).is_ok_and(|told| told.ends_with("}\n"))
    });

    let environment = fs::read_to_string(world.path("env")).unwrap();
    let mut names: Vec<&str> = environment
        .lines()
        .map(|v| v.split_once('=').unwrap().0)
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["LANG", "PATH"], "{environment}");
}

/// What the program has started is killed with it, and the event is told again.
#[test]
fn program_that_writes_without_end_is_killed_with_its_children() {
    let world = World::installed();
    program(
        &world,
        "\"succeeded\"",
        "[ -e told.once ] && exec cat >>told\nsleep 1000 & echo $! >told.once\nexec yes",
    );
    world.deploy("production/app", 1);
    world.push();
    world.wait_until("it is told once more", || world.path("told").exists());

    let child = fs::read_to_string(world.path("told.once")).unwrap();
    let child: i32 = child.trim().parse().unwrap();
    world.wait_until("the child is killed", || !processes::alive(child));

    fs::write(world.path("tell"), "echo no >&2; exit 7").unwrap();
    let told = world.notify_test("program").exits(1);
    let expect = "program: not delivered: /bin/sh: exit status: 7: no";
    assert_eq!(told.line(), expect);
}
