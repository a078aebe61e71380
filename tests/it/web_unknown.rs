//! What the page says where something is not known: it never looks like nothing.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use nix::libc::O_NONBLOCK;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::Value;

use crate::applications::{self, commit, commits, deploy, take_away};
use crate::page::{Answer, Page};
use crate::world::{World, rev};

/// Removes an object of the deploy repository.
fn remove(world: &World, name: &str) {
    let object = world.server_git(&["rev-parse", name]);
    let (folder, file) = object.split_at(2);
    let path = format!("deploy.git/objects/{folder}/{file}");
    fs::remove_file(world.path(&path)).unwrap();
}

#[test]
fn commits_of_an_application_without_a_repository_are_not_known() {
    let world = World::installed();
    for (target, n) in [("production/a", 1), ("staging/a", 2), ("staging/a", 3)] {
        world.deploy(target, n);
        world.push();
        world.settled();
    }
    let page = Page::of(&world);
    let application = page.get("/application/a");
    assert!(
        !application.contains("No environment lacks"),
        "{application}"
    );
    let words = "It is not known what others lack of production, staging: no repository is \
                 configured";
    assert!(application.contains(words), "{application}");

    let first = page.get("/deployment/2");
    assert!(first.contains("Nothing was deployed before it"), "{first}");
    let second = page.get("/deployment/3");
    let words = "It is not known which commits were gained and lost: no repository is configured";
    assert!(second.contains(words), "{second}");
}

#[test]
fn only_what_was_compared_is_said_to_be_the_same() {
    let world = applications::world(&["a"], "");
    let both = commits(&world, "a", 2);
    world.deploy_rev("e1/a", &both[0]);
    world.push();
    world.settled();
    let page = Page::of(&world);
    let one = page.get("/application/a");
    assert!(!one.contains("No environment lacks"), "{one}");
    assert!(
        one.contains("deployed in fewer than two environments"),
        "{one}"
    );

    world.deploy_rev("e2/a", &both[0]);
    world.push();
    world.settled();
    let two = page.get("/application/a");
    assert!(
        two.contains("No environment lacks what another one has."),
        "{two}"
    );

    for name in ["e3", "e4", "e5", "e6"] {
        world.deploy_rev(&format!("{name}/a"), &both[0]);
    }
    world.deploy_rev("e7/a", &both[1]);
    world.push();
    world.settled();
    let seven = page.get("/application/a");
    assert!(!seven.contains("No environment lacks"), "{seven}");
    let words = "Only the first 6 of 7 environments are compared.";
    assert!(seven.contains(words), "{seven}");
}

#[test]
fn lost_commits_that_nobody_can_find_out_are_not_none() {
    let world = applications::world(&["a"], "");
    let both = commits(&world, "a", 2);
    for commit in &both {
        deploy(&world, "production/a", commit);
    }
    let page = Page::of(&world);
    assert!(page.get("/deployment/2").contains("No commit was lost."));
    drop(page);

    take_away(&world, "a");
    let page = Page::of(&world);
    let deployment = page.get("/deployment/2");
    let (_, lost) = deployment.split_once("<h3>Lost</h3>").unwrap_or(("", ""));
    assert!(lost.contains("The repository can't tell: "), "{deployment}");
    let application = page.get("/application/a");
    let words =
        "it is not known which commits were gained, it is not known which commits were lost";
    assert!(application.contains(words), "{application}");
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
    let application = page.get("/application/a");
    assert!(application.contains("not known"), "{application}");
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
fn entry_that_cannot_be_read_is_not_one_without_words() {
    let world = applications::world(&["a"], "");
    let one = commit(&world, "a", "main", "one");
    deploy(&world, "production/a", &one);
    let two = commit(&world, "a", "main", "two");
    deploy(&world, "production/a", &two);
    world.wait_until_idle();
    let page = Page::of(&world);
    assert!(page.get("/deployment/1").contains("<blockquote>"));
    remove(&world, "refs/heads/main~1");
    let html = page.get("/deployment/1");
    let words = "It can't be read what the deploy file says: ";
    assert!(html.contains(words), "{html}");
}

#[test]
fn search_says_how_many_were_found_and_where() {
    let world = World::installed();
    for n in 1..=50 {
        world.deploy(&format!("production/a{n}"), n);
    }
    world.push();
    world.settled();
    let page = Page::of(&world);
    let found = page.get("/search?q=production");
    let words = "50 deployments were found among the newest 100,000.";
    assert!(found.contains(words), "{found}");
    assert!(found.contains("a number such as #42"), "{found}");

    world.deploy("production/one-more", 51);
    world.push();
    world.settled();
    let found = page.get("/search?q=production");
    assert!(
        found.contains("These are the newest 50 that were found among"),
        "{found}"
    );
    assert_eq!(found.matches("/deployment/").count(), 50, "{found}");
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
