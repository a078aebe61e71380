//! What the page shows: real pushes, seen by a client.

use std::io::Write as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::applications::{self, commit, commits};
use crate::commands::with_history;
use crate::http_server::PYTHON;
use crate::page::{Answer, Page, page_program};
use crate::processes::{in_background, kill_child};
use crate::run::run;
use crate::world::{World, rev};

#[test]
fn matrix_shows_what_is_where_and_what_is_not_as_wanted() {
    let world = World::installed();
    world.job("[ $DEPLOY_APPLICATION != b ]");
    world.deploy("production/a", 1);
    world.deploy("production/b", 2);
    world.deploy("staging/a", 3);
    world.push();
    world.settled();
    world
        .cmd(&["freeze", "staging", "--reason", "incident 7"])
        .ok();

    let page = Page::of(&world).get("/");
    for text in [
        "0000001",
        "0000003",
        "succeeded",
        "failed: exit status 1",
        "frozen",
        "incident 7",
    ] {
        assert!(page.contains(text), "no {text}: {page}");
    }
    assert_eq!(page.matches("class=\"due bad\"").count(), 1, "{page}");
    assert_eq!(page.matches("class=\"due").count(), 1, "{page}");
}

#[test]
fn pages_have_the_same_rows_as_the_commands() {
    let world = with_history();
    let page = Page::of(&world);
    let mut status = world.json(&["status"]);
    assert_eq!(page.json("/api/status"), status);
    status
        .as_array_mut()
        .unwrap()
        .retain(|row| row["application"] == "a" && row["environment"] == "production");
    assert_eq!(page.json("/api/status/production/a"), status);
    assert_eq!(page.json("/api/log"), world.json(&["log"]));
    assert_eq!(page.json("/api/log?n=1"), world.json(&["log", "-n", "1"]));
    assert_eq!(page.json("/api/deployment/2"), world.show(2));
    let older = page.json("/api/log?n=1&before=2");
    assert_eq!(older, json!([world.show(1)]));

    for path in ["/api/log?n=0", "/api/log?n=x", "/api/log?n=1001"] {
        assert_eq!(page.fails(path).0, 400, "{path}");
    }
    for path in [
        "/api/status/prod",
        "/api/log/production/x",
        "/api/deployment/99",
        "/deployment/99",
    ] {
        assert_eq!(page.fails(path).0, 404, "{path}");
    }
}

#[test]
fn pages_of_an_environment_an_application_and_a_deployment_have_their_history() {
    let world = applications::world(&["a"], "");
    let [one, two] = commits(&world, "a", 2).try_into().unwrap();
    let three = commit(&world, "a", "main", "Fix <alarms>");
    applications::deploy(&world, "production/a", &one);
    applications::deploy(&world, "staging/a", &three);
    applications::deploy(&world, "production/a", &two);
    world.settled();

    let page = Page::of(&world);
    let environment = page.get("/environment/production");
    assert!(
        environment.contains(&one[..7]) && !environment.contains(&three[..7]),
        "{environment}"
    );
    let application = page.get("/application/a");
    assert!(
        application.contains("staging has, production lacks"),
        "{application}"
    );
    assert!(application.contains("Fix &lt;alarms&gt;"), "{application}");
    assert!(application.contains("1 commit gained"), "{application}");
    let deployment = page.get("/deployment/3");
    for text in ["c2", "Pushed by", "succeeded", "Gained"] {
        assert!(deployment.contains(text), "no {text}: {deployment}");
    }
    for path in ["/environment/x", "/application/x"] {
        assert_eq!(page.fails(path).0, 404, "{path}");
    }
}

#[test]
fn search_finds_by_hash_name_person_and_reason() {
    let world = World::installed();
    world.job("exit 7");
    world.deploy("production/web", 1);
    world.deploy("staging/api", 2);
    world.push();
    world.settled();
    let page = Page::of(&world);
    for (word, one, two) in [
        ("0000001", true, false),
        ("WEB", true, false),
        ("staging%2Fapi", false, true),
        ("ada%40example", true, true),
        ("exit+status+7", true, true),
        ("%231", true, false),
        ("%25", false, false),
    ] {
        let found = page.get(&format!("/search?q={word}"));
        assert_eq!(found.contains("/deployment/1\""), one, "{word}: {found}");
        assert_eq!(found.contains("/deployment/2\""), two, "{word}: {found}");
    }
    assert_eq!(page.fails(&format!("/search?q={}", "a".repeat(300))).0, 400);
}

#[test]
fn feeds_badges_and_figures_say_what_was_deployed() {
    let world = with_history();
    let page = Page::of(&world);
    for (path, entries) in [
        ("/feed.atom", world.json(&["log"]).as_array().unwrap().len()),
        (
            "/environment/staging/feed.atom",
            world.json(&["log", "staging"]).as_array().unwrap().len(),
        ),
        (
            "/application/a/feed.atom",
            world
                .history()
                .iter()
                .filter(|line| line.contains("/a "))
                .count(),
        ),
    ] {
        let feed = page.get(path);
        assert_eq!(feed.matches("<entry>").count(), entries, "{path}: {feed}");
        let id = "<id>tag:deploy-by-code.invalid,2026:/";
        assert!(feed.contains(id), "{feed}");
    }
    let deployed = world.status("production/a")["deployed"].as_str().unwrap()[..7].to_owned();
    let badge = page.ask("GET", "/badge/production/a.svg", "");
    assert_eq!(badge.header("content-type"), Some("image/svg+xml"));
    assert!(
        badge.text().contains(&format!("production/a: {deployed}")),
        "{badge:?}"
    );
    assert!(
        page.get("/badge/production/nothing.svg")
            .contains("unknown")
    );

    let names = |text: String| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with("# TYPE"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(
        names(page.get("/metrics")),
        names(world.cmd(&["metrics"]).ok().stdout)
    );
    assert_eq!(page.get("/healthz"), "ok\n");
}

#[test]
fn client_that_has_a_page_gets_it_compressed_or_not_at_all() {
    let world = with_history();
    let page = Page::of(&world);
    let plain = page.ask("GET", "/api/log", "");
    let tag = plain.header("etag").unwrap().to_owned();
    let again = page.ask("GET", "/api/log", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("content-length"), None, "{again:?}");
    assert_eq!(
        page.ask("GET", "/api/log", "If-None-Match: *\r\n").status,
        304
    );
    // What stands in between may not give it to others, but for what is the same for all.
    assert_eq!(plain.header("cache-control"), Some("private, no-cache"));
    let style = page.ask("GET", "/style.css", "");
    assert_eq!(style.header("cache-control"), Some("no-cache"));

    let short = page.ask("GET", "/api/log", "Accept-Encoding: gzip\r\n");
    assert_eq!(short.header("content-encoding"), Some("gzip"));
    assert_eq!(short.header("etag"), Some(tag.as_str()));
    assert!(short.body.len() < plain.body.len() / 2);
    let unpacked = run(world.command("gzip", ".").arg("-d"), &short.body).ok();
    assert_eq!(unpacked.stdout, plain.text());

    let head = page.ask("HEAD", "/api/log", "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(
        head.header("content-length"),
        plain.header("content-length")
    );
    let stream = page.ask("HEAD", "/events", "");
    assert_eq!(
        (stream.status, stream.header("content-length")),
        (200, None)
    );
}

#[test]
fn hashes_lead_to_the_forge() {
    let world = with_history();
    let url = "https://git.example.org/{application}/commit/{revision}";
    world.config_file(&format!(
        "{}\n[web]\ncommit_url = \"{url}\"\n",
        world.config_text()
    ));
    let page = Page::of(&world).get("/deployment/1");
    let expect = format!("href=\"https://git.example.org/a/commit/{}\"", rev(1));
    assert!(page.contains(&expect), "{page}");
}

#[test]
fn unix_socket_is_made_and_used_by_any_name() {
    let world = with_history();
    let socket = world.path("page.sock");
    for _ in 0..2 {
        // The second one finds the socket of the first one, which was killed.
        let mut command = world.command(page_program().to_str().unwrap(), ".");
        command.arg("--unix").arg(&socket).arg("deploy.git");
        let mut page = in_background(command.stdout(Stdio::null()));
        world.wait_until("it listens", || UnixStream::connect(&socket).is_ok());
        let mut stream = UnixStream::connect(&socket).unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n\r\n";
        stream.write_all(request).unwrap();
        assert_eq!(Answer::read(&mut stream).text(), "ok\n");
        kill_child(&mut page);
    }
}

#[test]
fn socket_that_somebody_else_has_is_not_taken_away() {
    let world = with_history();
    let socket = world.path("page.sock");
    // Nobody can connect to it in this way, but somebody has it.
    let _other = UnixDatagram::bind(&socket).unwrap();
    let mut command = world.command(page_program().to_str().unwrap(), ".");
    let mut page = in_background(command.arg("--unix").arg(&socket).arg("deploy.git"));
    let mut ended = None;
    world.wait_until("it has ended or listens", || {
        ended = page.try_wait().unwrap();
        ended.is_some() || UnixStream::connect(&socket).is_ok()
    });
    if ended.is_none() {
        kill_child(&mut page);
    }
    assert_eq!(ended.and_then(|status| status.code()), Some(4));
}

/// Becomes a program that gets a socket as systemd hands it over (sd_listen_fds(3)).
const ACTIVATE: &str = "
import os, socket, sys
listening = socket.create_server(('127.0.0.1', 0))
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[1], sys.argv[1:])
";

#[test]
fn socket_of_systemd_is_used() {
    let world = with_history();
    let mut command = world.command(PYTHON, ".");
    command
        .args(["-c", ACTIVATE])
        .arg(page_program())
        .arg("deploy.git");
    let page = Page::say_where(&mut command);
    assert_eq!(page.get("/healthz"), "ok\n");
    assert!(page.address.port() != 8008, "{}", page.address);
}

#[test]
fn program_ends_when_nobody_asks() {
    let world = World::installed();
    let mut page = Page::start(&world, &["--idle", "300ms", "deploy.git"]);
    assert_eq!(page.get("/healthz"), "ok\n");
    world.wait_until("it has ended", || {
        page.process.try_wait().unwrap().is_some()
    });
}

#[test]
fn client_that_has_come_is_answered_before_the_program_ends() {
    let world = World::installed();
    let page = Page::start(&world, &["--idle", "300ms", "deploy.git"]);
    let mut client = page.connect();
    // The time is over while the client is there, and has not asked yet.
    sleep(Duration::from_millis(900));
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    client.write_all(request).unwrap();
    assert_eq!(Answer::read(&mut client).text(), "ok\n");
}

#[test]
fn wrong_start_says_what_to_do() {
    let world = World::installed();
    let start = |arguments: &[&str]| {
        let mut page = world.command(page_program().to_str().unwrap(), ".");
        run(page.args(arguments), b"")
    };
    for (arguments, code, message) in [
        (
            vec!["--listen", "0.0.0.0:0", "deploy.git"],
            2,
            "can be reached by other machines",
        ),
        (vec!["nothing.git"], 4, "there is no git repository here"),
        (vec!["--listen", "x", "deploy.git"], 2, "invalid"),
        (
            vec!["--unix", "no/such/folder", "deploy.git"],
            4,
            "not possible to listen",
        ),
    ] {
        let run = start(&arguments);
        assert_eq!(run.code, Some(code), "{run:?}");
        assert!(run.stderr.contains(message), "{run:?}");
    }
}
