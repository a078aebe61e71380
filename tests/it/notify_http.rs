//! Whoever is told by HTTP is told everything, in its order, whatever the server does meanwhile;
//! and nobody else learns anything.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::process::Command;

use serde_json::Value;

use crate::http_server::{Server, authority, data, standard_webhooks};
use crate::processes;
use crate::run::run;
use crate::world::World;

/// A secret in the form that the specification recommends, and one that replaces it.
const SECRETS: [&str; 2] = [
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "T3pRMmx1N21wOFZDMXZHeUhuUHZIemRjQUhoWmdhUTQ=",
];

/// Adds a webhook that is told how deployments begin and end.
fn webhook(world: &World, name: &str, url: &str) {
    let secret = world.secret_file("secret", SECRETS[0]);
    let ca = authority(world);
    world.notify(
        name,
        &format!(
            "kind = \"webhook\"\nurl = \"{url}\"\nsecret_file = {secret:?}\nca_file = {ca:?}\n\
             events = [\"planned\", \"started\", \"succeeded\"]"
        ),
    );
}

fn ids(requests: &[Value]) -> Vec<&str> {
    let ids = requests
        .iter()
        .map(|request| &request["headers"]["webhook-id"]);
    ids.map(|id| id.as_str().unwrap()).collect()
}

/// The events that requests are about, in the order in which each of them came first.
fn kinds(requests: &[Value]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let body = |request: &Value| -> Value {
        serde_json::from_str(request["body"].as_str().unwrap()).unwrap()
    };
    let firsts = requests.iter().filter(|request| {
        seen.insert(
            request["headers"]["webhook-id"]
                .as_str()
                .unwrap()
                .to_owned(),
        )
    });
    let kind = |request| body(request)["type"].as_str().unwrap().to_owned();
    firsts.map(kind).collect()
}

const ALL: [&str; 3] = [
    "deployment.planned",
    "deployment.started",
    "deployment.succeeded",
];

#[test]
fn events_arrive_in_their_order_though_the_server_fails() {
    let world = World::installed();
    let server = Server::start(&world, "server");
    webhook(&world, "hook", &server.url("/hook"));
    server.answers(&["500 broken", "429", "200", "cut", "201", "200"]);
    world.deploy("production/app", 1);
    world.push();

    let requests = server.wait_for(&world, 6);
    world.wait_until_told();
    assert_eq!(server.requests().len(), 6);
    let ids = ids(&requests);
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
    assert!(
        ids[3] == ids[4] && ids[4] != ids[5] && ids[2] != ids[3],
        "{ids:?}"
    );
    assert_eq!(kinds(&requests), ALL);

    // Each try has its own time, and the same content.
    let time = |n: usize| -> i64 {
        let header = &requests[n]["headers"]["webhook-timestamp"];
        header.as_str().unwrap().parse().unwrap()
    };
    assert!(time(1) > time(0) && time(2) > time(1), "{requests:#?}");
    assert_eq!(requests[3]["body"], requests[4]["body"]);
}

#[test]
fn server_that_comes_back_is_told_what_it_missed() {
    let world = World::installed();
    let server = Server::start(&world, "server");
    webhook(&world, "hook", &server.url("/hook"));
    let start = server.stop(&world);
    world.deploy("production/app", 1);
    world.push();
    world.wait_until("a try failed", || tries(&world) > 0);

    let server = start();
    let requests = server.wait_for(&world, 3);
    assert_eq!(kinds(&requests), ALL);
    world.wait_until_told();
    assert_eq!(server.requests().len(), 3);
}

/// How often notifications were tried, all together.
fn tries(world: &World) -> i64 {
    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    let sql = "SELECT coalesce(sum(attempts), 0) FROM notifications";
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// One target each hangs before TLS, after the request and in its answer. All are tried at the same
/// time, and hold up nobody else.
#[test]
fn server_that_hangs_is_left_after_ten_seconds() {
    let world = World::installed();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let [hangs, slow, quick] = ["hangs", "slow", "quick"].map(|name| Server::start(&world, name));
    webhook(&world, "hangs", &hangs.url("/"));
    webhook(&world, "slow", &slow.url("/"));
    webhook(&world, "quick", &quick.url("/"));
    let silent = silent.local_addr().unwrap();
    webhook(&world, "silent", &format!("https://{silent}/"));
    hangs.answers(&["hang"]);
    slow.answers(&["slow"]);

    world.deploy("production/app", 1);
    world.push();
    let first = hangs.wait_for(&world, 1)[0].clone();
    let all = quick.wait_for(&world, 3);
    assert_eq!(hangs.requests().len(), 1, "who is quick waits for nobody");

    // A server that has said 200 has taken it, even if the rest of its answer never comes.
    let slow = slow.wait_for(&world, 2);
    let hangs = hangs.wait_for(&world, 2);
    let at = |request: &Value| request["at"].as_f64().unwrap();
    for (what, requests, least) in [("slow", &slow, 9.0), ("hangs", &hangs, 10.0)] {
        let lasted = at(&requests[1]) - at(&requests[0]);
        assert!((least..40.0).contains(&lasted), "{what}: {lasted} s");
    }
    assert_eq!(ids(&hangs)[1], ids(&[first])[0]);
    assert_eq!(ids(&slow)[..2], ids(&all)[..2]);
    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    let sql =
        "SELECT answer FROM notifications WHERE target = 'notify:silent' AND answer IS NOT NULL";
    let answer = || database.query_row(sql, [], |row| row.get::<_, String>(0));
    world.wait_until("the silent one is left", || answer().is_ok());
    assert_eq!(answer().unwrap(), "it gave no answer within 10 s");
}

#[test]
fn answer_of_a_gibibyte_is_not_read() {
    let world = World::installed();
    let server = Server::start(&world, "server");
    webhook(&world, "hook", &server.url("/"));
    server.answers(&["huge"]);
    let told = world.notify_test("hook").ok();
    assert!(
        told.line().starts_with("hook: delivered: 200 OK: yyy"),
        "{told:?}"
    );
    assert!(told.line().len() < 400, "{told:?}");

    // What a socket and its buffers hold.
    let sent = server.sent(&world);
    assert!(sent < 64 << 20, "{sent} bytes were sent");
}

#[test]
fn refusal_is_for_good_and_the_next_event_is_told() {
    let world = World::installed();
    let server = Server::start(&world, "server");
    webhook(&world, "hook", &server.url("/"));
    server.answers(&["404 no such hook", "200", "410"]);
    world.deploy("production/app", 1);
    world.push();
    let requests = server.wait_for(&world, 3);
    world.wait_until_told();

    assert_eq!(server.requests().len(), 3, "nothing is tried again");
    assert_eq!(kinds(&requests), ALL);
    for (answer, expect) in [
        ("408", "not delivered: 408 Request Timeout"),
        ("425", "not delivered: 425 Too Early"),
        (
            "400 bad\u{1b}[31m\nmore",
            "refused: 400 Bad Request: bad\\u{1b}[31m",
        ),
        ("503", "not delivered: 503 Service Unavailable"),
    ] {
        server.answers(&[answer]);
        assert_eq!(
            world.notify_test("hook").exits(1).line(),
            format!("hook: {expect}")
        );
    }
}

#[test]
fn redirect_is_followed_on_the_same_server_alone() {
    let world = World::installed();
    let [server, other] = ["server", "other"].map(|name| Server::start(&world, name));
    webhook(&world, "hook", &server.url("/old"));

    let same = server.url("/new?x");
    let table = [
        ("307 to /new".to_owned(), "delivered: 200 OK", Some("/new")),
        (
            format!("308 to {same}"),
            "delivered: 200 OK",
            Some("/new?x"),
        ),
        (
            format!("307 to {}", other.url("/")),
            "not delivered: 307 Temporary Redirect; it leads elsewhere, and is not followed",
            None,
        ),
        (
            format!("307 to //{}", other.url("/").split_once("//").unwrap().1),
            "not delivered: 307 Temporary Redirect; it leads elsewhere, and is not followed",
            None,
        ),
        (
            "302 to /new".to_owned(),
            "not delivered: 302 Found; it leads elsewhere, and is not followed",
            None,
        ),
    ];
    for (answer, expect, path) in table {
        let before = server.requests().len();
        server.answers(&[&answer]);
        let told = world.notify_test("hook");
        assert_eq!(told.line(), format!("hook: {expect}"), "{answer}");
        let requests = &server.requests()[before..];
        let second = requests
            .get(1)
            .map(|request| request["path"].as_str().unwrap());
        assert_eq!(second, path, "{answer}");
        assert!(requests.iter().all(|r| r["body"] == requests[0]["body"]));
    }
    server.answers(&["307 to /old"; 9]);
    let told = world.notify_test("hook").exits(1);
    assert_eq!(
        told.line(),
        "hook: not delivered: it redirected more than 3 times"
    );
    assert!(other.requests().is_empty(), "{:#?}", other.requests());
}

/// What a URL in a file says is seen nowhere: not in an error, not in the state.
#[test]
fn url_of_a_file_is_never_shown() {
    let world = World::installed();
    let server = Server::start(&world, "server");
    let elsewhere = server
        .url("/hooks/T0pSecret")
        .replace("127.0.0.1", "localhost");
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let file = world.secret_file("url", "");
    let ca = authority(&world);
    world.notify(
        "trusts",
        &format!("kind = \"slack\"\nurl_file = {file:?}\nca_file = {ca:?}"),
    );
    world.notify("machine", &format!("kind = \"slack\"\nurl_file = {file:?}"));

    let url = server.url("/hooks/T0pSecret");
    let echo = "404 /hooks/T0pSecret is not here";
    let redirect = format!("307 to {elsewhere}");
    let hidden = "what it said has a part of the URL in it, and is not shown";
    let table = [
        (
            "trusts",
            url.as_str(),
            "200 ok",
            "delivered: 200 OK: ok".to_owned(),
        ),
        (
            "trusts",
            &url,
            echo,
            format!("refused: 404 Not Found: {hidden}"),
        ),
        (
            "trusts",
            &url,
            &redirect,
            "not delivered: 307 Temporary Redirect; it leads elsewhere, and is not followed".into(),
        ),
        (
            "machine",
            &url,
            "200",
            "not delivered: its certificate is not accepted: no authority that is trusted here \
             signed it"
                .into(),
        ),
        (
            "trusts",
            &elsewhere,
            "200",
            "not delivered: its certificate is not accepted: it is for another name".into(),
        ),
        (
            "trusts",
            &format!("https://{nobody}/hooks/T0pSecret"),
            "200",
            "not delivered: Connection refused (os error 111)".into(),
        ),
        (
            "trusts",
            "https://T0pSecret.invalid/hooks",
            "200",
            "not delivered: failed to lookup address information".into(),
        ),
        (
            "trusts",
            "T0pSecret is no URL",
            "200",
            format!("not delivered: url_file {file}: it is no URL like https://example.org/path"),
        ),
        (
            "trusts",
            "ftp://T0pSecret.example/",
            "200",
            format!("not delivered: url_file {file}: it is no URL like https://example.org/path"),
        ),
    ];
    for (name, url, answer, expect) in table {
        fs::write(&file, url).unwrap();
        server.answers(&[answer]);
        let told = world.notify_test(name);
        let line = format!("{name}: {expect}");
        assert!(
            told.line().starts_with(&line),
            "{url}: {told:?}\nexpected {line}"
        );
        let all = format!("{}{}", told.stdout, told.stderr).to_lowercase();
        assert!(!all.contains("t0psecret"), "{told:?}");
    }

    // The same where the answer is recorded.
    fs::write(&file, &url).unwrap();
    server.answers(&[echo]);
    let before = server.requests().len();
    world.deploy("production/app", 1);
    world.push();
    server.wait_for(&world, before + 1);
    world.wait_until("the answers are recorded", || tries(&world) == 2);
    for entry in fs::read_dir(world.state()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap_or_default();
        let has = bytes
            .windows(9)
            .any(|bytes| bytes.eq_ignore_ascii_case(b"T0pSecret"));
        assert!(!has, "{}", path.display());
    }

    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let told = world.notify_test("trusts").exits(1);
    assert!(told.line().contains("other users can read"), "{told:?}");
}

/// Without a `ca_file`, the machine says who is trusted; SSL_CERT_FILE names its file. An authority
/// that is added while an event waits is trusted from the next try on.
#[test]
fn authorities_of_the_machine_are_trusted_and_no_proxy_is_asked() {
    let world = World::installed();
    let server = Server::start(&world, "server");
    let url = server.url("/");
    world.notify("bus", &format!("kind = \"cdevents\"\nurl = \"{url}\""));
    let machine = world.path("machine.pem");
    let with_variables = |command: &mut Command| {
        command.env("SSL_CERT_FILE", &machine);
        for variable in ["http_proxy", "https_proxy", "ALL_PROXY"] {
            command.env(variable, "http://127.0.0.1:1");
        }
    };

    fs::write(&machine, "").unwrap();
    let mut test = world.notifier();
    with_variables(test.args(["--test", "bus"]));
    let none = run(&mut test, b"").exits(1);
    let expect = "bus: not delivered: no certificate of an authority is found on this machine";
    assert!(none.line().starts_with(expect), "{none:?}");

    let ca = fs::read(authority(&world)).unwrap();
    let mut other = world.command("openssl", "tls");
    other.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]);
    other.args([
        "-nodes",
        "-keyout",
        "other.key",
        "-subj",
        "/CN=Other",
        "-out",
    ]);
    run(other.arg(&machine), b"").ok();

    // The process that the push has started does not know the variables; another one takes over.
    world.deploy("production/app", 1);
    world.push();
    world.wait_until("a try failed", || tries(&world) > 0);
    world.notifiers().into_iter().for_each(processes::kill_one);
    let before = tries(&world);
    let mut teller = world.notifier();
    with_variables(&mut teller);
    let mut teller = processes::in_background(&mut teller);
    world.wait_until("another try failed", || tries(&world) > before);
    fs::write(&machine, ca).unwrap();
    server.wait_for(&world, 1);
    assert!(teller.wait().unwrap().success());
}

#[test]
fn library_of_another_language_verifies_the_signature() {
    let Some(python) = standard_webhooks() else {
        return;
    };
    let world = World::installed();
    let server = Server::start_plain(&world, "server");
    webhook(&world, "hook", &server.url("/"));
    world.deploy_file(
        "production/app",
        format!(
            "{}\n* \u{fc}ber \"quotes\" \\ \u{1f600}\n",
            crate::world::rev(1)
        ),
    );
    server.answers(&["500"]);
    world.push();
    server.wait_for(&world, 4);
    // While a secret is replaced, both sign.
    world.secret_file("secret", &SECRETS.join("\n"));
    world.notify_test("hook").ok();

    let verified = |secret: &str| {
        let mut command = Command::new(python);
        command.arg(data("notify/verify.py")).arg(secret);
        run(&mut command, server.request_lines().as_bytes())
            .ok()
            .stdout
    };
    assert_eq!(verified(SECRETS[0]), "good\n".repeat(5));
    let other = verified(SECRETS[1]);
    assert_eq!(other.matches("good").count(), 1, "{other}");
    assert!(other.ends_with("\ngood\n"), "{other}");

    let told = server.requests().pop().unwrap();
    let body: Value = serde_json::from_str(told["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["type"], "test");
    assert_eq!(body["data"]["test"], true);
}
