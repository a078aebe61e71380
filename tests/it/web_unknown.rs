//! What the page says where something is not known: it never looks like nothing.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use nix::libc::O_NONBLOCK;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::Value;

use crate::page::{Answer, Page};
use crate::world::{World, rev};

/// Removes an object of the deploy repository.
fn remove(world: &World, name: &str) {
    let object = world.server_git(&["rev-parse", name]);
    let (folder, file) = object.split_at(2);
    let path = format!("deploy.git/objects/{folder}/{file}");
    fs::remove_file(world.path(&path)).unwrap();
}

/// Asserts that the page does not say that production/a is as wanted.
#[track_caller]
fn assert_wanted_is_not_known(world: &World) {
    let page = Page::of(world);
    let badge = page.get("/badge/production/a.svg");
    assert!(
        badge.contains("0000001, not known what is wanted"),
        "{badge}"
    );
    let matrix = page.get("/");
    assert!(matrix.contains("<td class=\"due\">"), "{matrix}");
    assert_eq!(page.json("/api/status")[0]["wanted"], Value::Null);
    assert!(!page.get("/metrics").contains("_drift{"));

    let other = World::installed();
    let path = other.repository().display().to_string();
    let list = Page::start(world, &["deploy.git", &path]).get("/");
    assert!(
        list.contains("1 application. It is not known what is wanted.")
            && list.contains("Nothing is wanted or deployed yet."),
        "{list}"
    );
}

fn deployed_once() -> World {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    world.wait_until_idle();
    world
}

#[test]
fn missing_branch_does_not_look_as_if_all_were_well() {
    let world = deployed_once();
    let page = Page::of(&world);
    assert!(page.get("/metrics").contains("_drift{"));
    drop(page);
    fs::rename(
        world.path("deploy.git/refs/heads/main"),
        world.path("deploy.git/refs/heads/other"),
    )
    .unwrap();
    assert_wanted_is_not_known(&world);
}

#[test]
fn damaged_branch_does_not_look_as_if_all_were_well() {
    let world = deployed_once();
    remove(&world, "refs/heads/main^{tree}");
    assert_wanted_is_not_known(&world);
}

#[test]
fn wrong_number_is_not_answered_with_the_newest_ones() {
    let world = deployed_once();
    let page = Page::of(&world);
    for path in [
        "/api/log",
        "/api/log/production",
        "/environment/production",
        "/application/a",
    ] {
        for wrong in ["x", "", "-1", "0", "1.5", "99999999999999999999"] {
            let (status, text) = page.fails(&format!("{path}?before={wrong}"));
            assert_eq!(status, 400, "{path} {wrong:?}: {text}");
            let words = "before has to be the number of a deployment";
            assert!(text.contains(words), "{text}");
        }
        page.get(&format!("{path}?before=2"));
    }
}

#[test]
fn no_snapshot_is_open_while_the_branch_is_read() {
    let world = deployed_once();
    let page = Page::of(&world);
    page.get("/");
    let old = world.tip();
    world.deploy("production/a", 2);
    world.push();
    world.settled();
    world.wait_until_idle();

    // Whoever reads the branch waits for the other end of a pipe.
    let (branch, pipe) = (world.path("deploy.git/refs/heads/main"), world.path("pipe"));
    let kept = fs::read(&branch).unwrap();
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    fs::rename(&pipe, &branch).unwrap();
    let mut waits = page.connect();
    let request = b"GET /api/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    waits.write_all(request).unwrap();
    let mut open = fs::OpenOptions::new();
    open.write(true).custom_flags(O_NONBLOCK);
    let mut end = None;
    world.wait_until("the branch is read", || {
        end = open.open(&branch).ok();
        end.is_some()
    });

    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    let busy: i64 = database.query_row(sql, [], |row| row.get(0)).unwrap();
    // The branch moves while it is read, and what was pushed is already on record.
    fs::write(world.path("kept"), kept).unwrap();
    fs::rename(world.path("kept"), &branch).unwrap();
    writeln!(end.unwrap(), "{old}").unwrap();
    assert_eq!(busy, 0, "a snapshot is open");
    let rows: Value = serde_json::from_str(&Answer::read(&mut waits).text()).unwrap();
    let expect = Value::from(rev(2));
    assert_eq!(
        (&rows[0]["wanted"], &rows[0]["deployed"]),
        (&expect, &expect)
    );
}
