//! The page among hostile texts, clients and names, and with states that can't be read.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::applications::{self, commit};
use crate::commands::with_history;
use crate::http_server::PYTHON;
use crate::page::Page;
use crate::run::run;
use crate::world::World;

/// Adds a section `[web]` to the configuration.
fn configure(world: &World, text: &str) {
    world.config_file(&format!("{}\n[web]\n{text}\n", world.config_text()));
}

/// The most memory that a process had, in KiB.
pub fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn only_get_and_head_are_answered() {
    let world = with_history();
    let page = Page::of(&world);
    for method in [
        "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "X",
    ] {
        let answer = page.ask(method, "/", "Content-Length: 0\r\n");
        assert!([400, 405].contains(&answer.status), "{method}: {answer:?}");
        if answer.status == 405 {
            assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method}");
        }
    }
    assert_eq!(
        page.ask("POST", "/api/status", "Content-Length: 0\r\n")
            .status,
        405
    );
}

#[test]
fn every_answer_forbids_what_no_page_needs() {
    let world = with_history();
    let page = Page::of(&world);
    let answers = [
        page.ask("GET", "/", ""),
        page.ask("GET", "/api/status", ""),
        page.ask("GET", "/badge/production/a.svg", ""),
        page.ask("GET", "/style.css", ""),
        page.ask("GET", "/deployment/1/log", ""),
        page.ask("GET", "/nothing", ""),
        page.ask("POST", "/", "Content-Length: 0\r\n"),
        page.raw(b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"),
    ];
    for answer in answers {
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{answer:?}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
    let html = page.get("/") + &page.get("/deployment/1");
    assert!(
        !html.contains("<style") && !html.contains(" style=") && !html.contains(" on"),
        "{html}"
    );
    assert_eq!(
        html.matches("<script src=").count(),
        html.matches("<script").count()
    );
}

#[test]
fn other_names_of_the_server_are_refused() {
    let world = with_history();
    let page = Page::start(&world, &["--host", "deploys.example.org", "deploy.git"]);
    let ask = |target: &str, head: &str| {
        let request = format!("GET {target} HTTP/1.1\r\n{head}Connection: close\r\n\r\n");
        page.raw(request.as_bytes()).status
    };
    for (target, head, status) in [
        ("/", "Host: localhost:1\r\n", 200),
        ("/", "Host: 127.0.0.1\r\n", 200),
        ("/", "Host: deploys.example.org\r\n", 200),
        ("/", "Host: evil.example\r\n", 421),
        ("/style.css", "Host: evil.example\r\n", 421),
        ("/", "Host: localhost.evil.example\r\n", 421),
        ("/", "Host: localhost\r\nHost: evil.example\r\n", 400),
        ("/", "", 400),
        ("http://evil.example/", "Host: localhost\r\n", 421),
    ] {
        assert_eq!(ask(target, head), status, "{target} {head:?}");
    }
    // Version 1.0 has requests without this header.
    let old = page.raw(b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(old.status, 421);
    assert!(old.text().contains("no header Host"), "{old:?}");
}

/// Text that tries to become something else wherever it is shown.
const HOSTILE: &str = "\"><script>alert(1)</script>'&amp; \u{202e}]]>";

#[test]
fn hostile_texts_are_text_everywhere() {
    let world = applications::world(&["a"], "");
    world.job("printf '<script>alert(2)</script>\\n\\033[31m\"&\\033]0;x\\007\\377\\n'; exit 3");
    let one = commit(&world, "a", "main", HOSTILE);
    world.deploy_file("production/a", format!("{one}\n* {HOSTILE}\n"));
    world.push();
    world.settled();
    world
        .cmd(&["freeze", "production", "--reason", HOSTILE])
        .ok();
    let two = commit(&world, "a", "main", HOSTILE);
    world.deploy_file("staging/a", format!("{two}\n* {HOSTILE}\n{one}\n"));
    world.push();
    world.settled();

    let page = Page::of(&world);
    let query = "/search?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    for path in [
        "/",
        "/environment/production",
        "/application/a",
        "/deployment/1",
        query,
    ] {
        let html = page.get(path);
        assert!(
            !html.contains("<script>") && !html.contains('\u{202e}'),
            "{path}: {html}"
        );
        assert!(html.contains("&lt;script&gt;alert("), "{path}: {html}");
    }
    let log = page.get("/deployment/1");
    assert!(
        log.contains("<span class=\"f1\">&quot;&amp;\\u{1b}]0;x\\u{7}\\xff"),
        "{log}"
    );

    for path in [
        "/feed.atom",
        "/badge/production/a.svg",
        "/application/a/feed.atom",
    ] {
        let xml = page.get(path);
        assert!(!xml.contains("<script"), "{path}: {xml}");
        let parse = "import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.stdin.buffer)";
        run(
            world.command(PYTHON, ".").args(["-c", parse]),
            xml.as_bytes(),
        )
        .ok();
    }
    let json = page.get("/api/log");
    assert!(
        !json.contains('\u{202e}') && json.contains("\\u202e"),
        "{json}"
    );
}

#[test]
fn hidden_applications_are_nowhere() {
    let world = World::installed();
    for (target, n) in [
        ("production/open", 1),
        ("production/payroll", 2),
        ("review-1/x", 3),
    ] {
        world.deploy(target, n);
    }
    world.push();
    world.settled();
    configure(&world, "hide = [\"production/payroll\", \"review-*/*\"]");
    let page = Page::of(&world);
    for path in [
        "/",
        "/environment/production",
        "/api/status",
        "/api/log",
        "/api/status/production",
        "/feed.atom",
        "/environment/production/feed.atom",
        "/metrics",
        "/search?q=000",
    ] {
        let text = page.get(path);
        assert!(
            !text.contains("payroll") && !text.contains("0000002"),
            "{path}: {text}"
        );
        assert!(
            text.contains("open") && !text.contains("0000003"),
            "{path}: {text}"
        );
    }
    for path in [
        "/deployment/2",
        "/deployment/2/log",
        "/deployment/2/events",
        "/application/payroll",
        "/application/x",
        "/api/deployment/2",
        "/api/status/production/payroll",
        "/api/log/production/payroll",
        "/search?q=%232",
    ] {
        let (status, text) = page.fails(path);
        assert_eq!(status, 404, "{path}: {text}");
        assert!(!text.contains("0000002"), "{path}: {text}");
    }
    assert!(
        page.get("/badge/production/payroll.svg")
            .contains("unknown")
    );

    // It counts at once.
    world.config_file(&world.config_text().replace("payroll", "other"));
    assert!(page.get("/").contains("payroll"));
}

#[test]
fn output_is_not_shown_where_the_configuration_says_so() {
    let world = World::installed();
    world.job("echo secret-output");
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    configure(&world, "logs = false");
    let page = Page::of(&world);
    assert!(!page.get("/deployment/1").contains("secret-output"));
    assert!(page.json("/api/deployment/1")["log"].is_null());
    for path in ["/deployment/1/log", "/deployment/1/events"] {
        assert_eq!(page.fails(path).0, 404, "{path}");
    }
}

#[test]
fn state_that_cannot_be_shown_is_a_page_that_says_so() {
    let world = with_history();
    let page = Page::of(&world);
    let (database, config) = (world.state().join("state.db"), world.config_text());
    let kept = fs::read(&database).unwrap();
    let unavailable = |what: &str, message: &str| {
        for path in [
            "/",
            "/deployment/1",
            "/api/status",
            "/badge/production/a.svg",
            "/healthz",
        ] {
            let (status, text) = page.fails(path);
            assert_eq!(status, 503, "{what}, {path}: {text}");
            assert!(text.contains(message), "{what}, {path}: {text}");
            let is_page = text.starts_with("<!DOCTYPE html>");
            assert_eq!(
                is_page,
                ["/", "/deployment/1"].contains(&path),
                "{what}, {path}: {text}"
            );
        }
        page.get("/style.css");
    };

    world.config_file("xyzzy = 1\n");
    unavailable(
        "a configuration with mistakes",
        "it is not known what this page may show",
    );
    world.config_file(&config);
    page.get("/");

    fs::remove_file(&database).unwrap();
    unavailable(
        "a missing state",
        "there is no state here, although there was one",
    );
    fs::write(&database, b"no database").unwrap();
    unavailable("a damaged state", "state.db");
    fs::write(&database, &kept).unwrap();
    page.get("/");
    // The log of the database is still that of before.
    let sql = "PRAGMA user_version = 99";
    rusqlite::Connection::open(&database)
        .unwrap()
        .execute_batch(sql)
        .unwrap();
    unavailable("a newer state", "made by a newer deploy-by-code");
}

#[test]
fn nothing_is_written_and_no_checkpoint_is_held_back() {
    let world = with_history();
    world.wait_until_idle();
    let page = Page::of(&world);
    let mut changes = page.follow("/events");
    changes.until("retry");
    let list = || {
        world
            .shell_in(".", "find deploy.git -printf '%p %s %T@ %m\\n' | sort")
            .ok()
            .stdout
    };
    let before = list();
    for path in [
        "/",
        "/environment/production",
        "/application/a",
        "/deployment/1",
        "/search?q=a",
        "/feed.atom",
        "/metrics",
        "/api/log",
        "/deployment/1/log",
    ] {
        page.get(path);
    }
    assert_eq!(list(), before);

    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    database.busy_timeout(Duration::from_secs(5)).unwrap();
    let busy: i64 = database
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .unwrap();
    assert_eq!(busy, 0);
    world.deploy("production/a", 9);
    world.push();
    changes.until("event: change");
    assert!(page.get("/").contains("0000009"));
}

#[test]
fn clients_that_say_nothing_keep_nobody_out() {
    let world = with_history();
    let page = Page::of(&world);
    let mut silent: Vec<TcpStream> = Vec::new();
    for n in 0..900 {
        let mut stream = page.connect();
        if n % 2 == 0 {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: local").unwrap();
        }
        silent.push(stream);
    }
    let begin = Instant::now();
    assert_eq!(page.get("/healthz"), "ok\n");
    page.get("/");
    assert!(
        begin.elapsed() < Duration::from_secs(4),
        "{:?}",
        begin.elapsed()
    );

    // The last one says nothing for too long.
    let mut last = silent.pop().unwrap();
    assert!(matches!(last.read(&mut [0; 1000]), Ok(0) | Err(_)));
    assert!(begin.elapsed() < Duration::from_secs(15));
    assert!(
        peak(page.process.id()) < 64 * 1024,
        "{} KiB",
        peak(page.process.id())
    );
}

#[test]
fn broken_requests_are_answered_or_dropped() {
    let world = with_history();
    let page = Page::of(&world);
    let long = format!(
        "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "a".repeat(100_000)
    );
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(5000));
    for request in [
        long.as_bytes(),
        many.as_bytes(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \xff\r\nConnection: close\r\n\r\n",
        b"GET /%00/..%2f HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ] {
        let mut stream = page.connect();
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    assert_eq!(page.get("/healthz"), "ok\n");
}

#[test]
fn log_that_can_not_be_read_is_no_complete_download() {
    let world = with_history();
    let log = world.state().join("logs/1.log");
    let page = Page::of(&world);

    fs::remove_file(&log).unwrap();
    fs::create_dir(&log).unwrap();
    let (status, text) = page.fails("/deployment/1/log");
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("the log of #1 can't be read"), "{text}");

    // It becomes shorter while somebody reads it.
    fs::remove_dir(&log).unwrap();
    fs::write(&log, vec![b'x'; 64 << 20]).unwrap();
    let mut stream = page.connect();
    let request = b"GET /deployment/1/log HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut begin = [0; 15];
    stream.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200 OK");
    let file = fs::OpenOptions::new().write(true).open(&log).unwrap();
    file.set_len(1 << 20).unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{} bytes", rest.len());
}

#[test]
fn errors_are_pages_only_for_people() {
    let world = with_history();
    let page = Page::of(&world);
    for (path, is_page) in [
        ("/deployment/99", true),
        ("/deployment/99/log", false),
        ("/deployment/99/events", false),
        ("/environment/x", true),
        ("/environment/x/feed.atom", false),
        ("/application/x/feed.atom", false),
        ("/api/status/x", false),
    ] {
        let (status, text) = page.fails(path);
        assert_eq!(status, 404, "{path}");
        assert_eq!(
            text.starts_with("<!DOCTYPE html>"),
            is_page,
            "{path}: {text}"
        );
    }
}
