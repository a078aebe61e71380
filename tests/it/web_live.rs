//! What a browser gets without asking again: changes, and a log as it grows.

use std::time::Duration;

use rusqlite::config::DbConfig;

use crate::page::{Page, Stream};
use crate::world::World;

/// A world in which a deployment has written a line, and waits.
fn world_that_waits() -> World {
    let world = World::installed();
    world.job("printf 'first\\n'; hold 1; printf '\\033[31msecond\\033[0m <b>\\n'; hold 2");
    world.deploy("production/a", 1);
    world.push();
    world.wait_until("it has written", || world.logs(1).contains("first"));
    world
}

#[test]
fn change_is_told_to_those_who_follow() {
    let world = World::installed();
    let page = Page::of(&world);
    let mut streams: Vec<Stream> = (0..3).map(|_| page.follow("/events")).collect();
    for stream in &mut streams {
        stream.until("retry: 3000");
    }
    world.deploy("production/a", 1);
    world.push();
    for stream in &mut streams {
        stream.until("event: change");
    }
    world.settled();
    world.wait_until_idle();

    // While nothing changes, nothing is told, also where the write-ahead log is empty and nobody
    // else has the database open.
    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    let keep_log = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    database.set_db_config(keep_log, true).unwrap();
    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    database.query_row(sql, [], |_| Ok(())).unwrap();
    drop(database);
    for stream in streams {
        drop(stream);
    }
    let mut quiet = page.follow("/events");
    quiet.until("retry: 3000");
    // That the log was emptied may be told once.
    quiet.for_a_while(Duration::from_millis(700));
    assert_eq!(
        quiet
            .for_a_while(Duration::from_millis(1600))
            .matches("event:")
            .count(),
        0
    );
}

#[test]
fn log_is_followed_from_where_the_page_ends_until_the_deployment_has_ended() {
    let world = world_that_waits();
    let page = Page::of(&world);
    let shown = page.get("/deployment/1");
    assert!(
        shown.contains("data-follow=\"/deployment/1/events\" data-from=\"6\""),
        "{shown}"
    );

    let mut early = page.follow("/deployment/1/events?from=6");
    let mut whole = page.follow("/deployment/1/events?from=0");
    whole.until(r#"data: [["first\n",""]]"#);
    world.open("1");
    let piece = r#"data: [["second","f1"],[" <b>\n",""]]"#;
    early.until(piece);
    whole.until(piece);
    // Who comes later gets what was read before, and what comes then.
    let mut late = page.follow("/deployment/1/events?from=2");
    late.until("<b>");
    world.open("2");
    for (stream, first) in [(&mut early, false), (&mut whole, true), (&mut late, false)] {
        let all = stream.until("event: end\ndata: succeeded");
        assert_eq!(all.matches("second").count(), 1, "{all}");
        assert_eq!(all.contains("first"), first, "{all}");
    }
    let ended = page.get("/deployment/1");
    assert!(
        !ended.contains("data-follow")
            && ended.contains("<span class=\"f1\">second</span> &lt;b&gt;"),
        "{ended}"
    );
}

#[test]
fn browser_that_comes_back_gets_what_it_lacks() {
    let world = world_that_waits();
    let page = Page::of(&world);
    let request =
        "GET /deployment/1/events?from=0 HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 6\r\n\r\n";
    let mut stream = page.connect();
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut stream = Stream::of(stream);
    world.open("1");
    let all = stream.until("second");
    assert!(!all.contains("first"), "{all}");
}

#[test]
fn log_is_read_once_however_many_follow_it() {
    let world = world_that_waits();
    let page = Page::of(&world);
    let mut streams: Vec<Stream> = (0..200)
        .map(|_| page.follow("/deployment/1/events?from=6"))
        .collect();
    for stream in &mut streams {
        stream.until("retry: 3000");
    }
    let files = format!("/proc/{}/fd", page.process.id());
    let open = || {
        let entries = std::fs::read_dir(&files).unwrap().map(Result::unwrap);
        let targets = entries.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        targets
            .filter(|target| target.ends_with("logs/1.log"))
            .count()
    };
    world.open("1");
    for stream in &mut streams {
        stream.until("second");
    }
    assert_eq!(open(), 1);
    assert!(page.get("/").contains("running"));
    drop(streams);
    world.wait_until("nobody reads it any more", || open() == 0);
    world.open("2");
}

#[test]
fn what_one_browser_claims_to_have_is_nothing_to_the_others() {
    let world = world_that_waits();
    let page = Page::of(&world);
    // One has more than there is, one a little more, and one has a part of what the others have.
    let mut wrong = ["99999999999", "9", "18446744073709551615"]
        .map(|from| page.follow(&format!("/deployment/1/events?from={from}")));
    let mut right = ["6", "2", "0"].map(|from| {
        let mut stream = page.follow(&format!("/deployment/1/events?from={from}"));
        stream.until("retry: 3000");
        stream
    });
    for stream in &mut wrong {
        stream.until("event: reload");
    }
    world.open("1");
    let piece = r#"data: [["second","f1"],[" <b>\n",""]]"#;
    for stream in &mut right {
        let all = stream.until(piece);
        assert!(!all.contains("reload"), "{all}");
    }
    world.open("2");
    for stream in &mut right {
        stream.until("event: end\ndata: succeeded");
    }
}

#[test]
fn character_that_comes_in_two_parts_is_shown_once_and_whole() {
    let world = World::installed();
    world.job("printf 'a\\303'; hold 1; printf '\\251b\\303'; hold 2");
    world.deploy("production/a", 1);
    world.push();
    let log = world.state().join("logs/1.log");
    let length = || log.metadata().map_or(0, |found| found.len());
    world.wait_until("it has written", || length() == 2);
    let page = Page::of(&world);
    let shown = page.get("/deployment/1");
    assert!(
        shown.contains("data-from=\"1\"") && shown.contains(">a</pre>"),
        "{shown}"
    );

    let mut first = page.follow("/deployment/1/events?from=0");
    first.until("id: 1\ndata: [[\"a\",\"\"]]");
    drop(first);
    world.open("1");
    let mut again = page.follow("/deployment/1/events?from=1");
    again.until("data: [[\"éb\",\"\"]]");
    // What is never completed is shown at the end.
    world.open("2");
    let all = again.until("event: end\n");
    assert!(all.contains("id: 5\ndata: [[\"\\\\xc3\",\"\"]]"), "{all}");
}

#[test]
fn browser_that_lacks_much_gets_it_piece_by_piece() {
    let world = world_that_waits();
    let page = Page::of(&world);
    let log = world.state().join("logs/1.log");
    let lines: String = (0..60_000).map(|n| format!("line {n}\n")).collect();
    let mut file = std::fs::OpenOptions::new().append(true).open(log).unwrap();
    std::io::Write::write_all(&mut file, lines.as_bytes()).unwrap();
    let mut stream = page.follow("/deployment/1/events?from=6");
    world.open("1");
    world.open("2");
    let all = stream.until("event: end\ndata: succeeded");
    let data = all.lines().filter_map(|line| line.strip_prefix("data: [["));
    let text: String = data.map(|data| data.split('"').nth(1).unwrap()).collect();
    assert!(
        text.starts_with(&lines.replace('\n', "\\n")),
        "{}",
        text.len()
    );
}
