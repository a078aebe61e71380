//! What was given up, and what somebody has set back, is made right by a later `reconcile`, though
//! nothing happens any more.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;

use crate::applications::{
    bring_back, commits, deploy, take_away, try_deploy, world as applications,
};
use crate::marks::{marks, wait_for_marks, wait_for_notes};
use crate::metrics::{SUCCEEDED, Values};
use crate::published_status::{REF, publishing, subjects, wait_for};
use crate::world::World;

const SECOND: &str = "production/web 0000001 -> 0000002 succeeded (#2)";

fn database(world: &World) -> rusqlite::Connection {
    rusqlite::Connection::open(world.state().join("state.db")).unwrap()
}

/// Lets more than a day pass in which a reader of events had no success, so that it gives up what
/// waits for it.
#[track_caller]
fn give_up(world: &World, reader: &str) {
    let database = database(world);
    let sql = "UPDATE events SET at_ms = at_ms - 25 * 3600 * 1000";
    database.execute(sql, []).unwrap();

    let tried = "UPDATE notifications SET attempts = 200, next_attempt_ms = NULL
                 WHERE target = ?1 AND status = 'waiting' AND attempts < 200";
    let waits = "SELECT EXISTS (SELECT 1 FROM notifications
                                WHERE target = ?1 AND status = 'waiting')
                     OR (SELECT MAX(id) FROM events)
                        > (SELECT position FROM event_readers WHERE name = ?1)";
    world.wait_until("everything is given up", || {
        database.execute(tried, [reader]).unwrap();
        let waits: bool = database
            .query_row(waits, [reader], |row| row.get(0))
            .unwrap();
        !waits
    });
    world.wait_until_idle();
    assert!(!statuses(world, reader).contains(&"waiting".to_owned()));
    assert!(statuses(world, reader).contains(&"given-up".to_owned()));
}

/// What became of what a reader of events was told.
fn statuses(world: &World, reader: &str) -> Vec<String> {
    let database = database(world);
    let sql = "SELECT status FROM notifications WHERE target = ? ORDER BY id";
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([reader], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Two deployments of which the status tells.
fn published_twice() -> World {
    let world = publishing();
    for n in 1..=2 {
        world.deploy("production/web", n);
        world.push();
        world.settled();
    }
    wait_for(&world, SECOND);
    world
}

#[test]
fn status_that_was_given_up_is_published_later_without_another_event() {
    let world = publishing();
    world.deploy("production/web", 1);
    world.push();
    wait_for(&world, "production/web 0000001 succeeded (#1)");
    let doctor = world.cmd(&["doctor"]);
    doctor.says("ok       published status: the status is published at ");

    let lock = world.repository().join(format!("{REF}.lock"));
    fs::write(&lock, "").unwrap();
    world.deploy("production/web", 2);
    world.push();
    world.settled();
    give_up(&world, "status");

    // It is tried once more, and given up again.
    for _ in 0..2 {
        let doctor = world.cmd(&["doctor"]).exits(1);
        doctor
            .says(&format!("PROBLEM  published status: {REF} tells of event "))
            .says(", and the newest is event ")
            .says("status.lock");
        world.cmd(&["reconcile"]).ok();
        world.wait_until_idle();
    }

    fs::remove_file(&lock).unwrap();
    world.cmd(&["reconcile"]).ok();
    wait_for(&world, SECOND);
    let doctor = world.cmd(&["doctor"]);
    doctor
        .says("ok       published status: the status is published at ")
        .says("ok       notifications: nothing waits, and nothing failed");
    let all = statuses(&world, "status");
    assert!(all.iter().all(|status| status == "delivered"), "{all:?}");
}

#[test]
fn status_whose_ref_was_set_back_is_published_anew() {
    let world = published_twice();
    let earlier = format!("{REF}~2");
    world.server_git(&["update-ref", REF, &earlier]);
    assert_ne!(subjects(&world, REF).last().unwrap(), SECOND);

    let sql = "UPDATE events SET at_ms = at_ms - 120 * 1000";
    database(&world).execute(sql, []).unwrap();
    let doctor = world.cmd(&["doctor"]).exits(1);
    doctor.says(&format!("PROBLEM  published status: {REF} tells of event "));

    world.cmd(&["reconcile"]).ok();
    wait_for(&world, SECOND);
    world.cmd(&["reconcile"]).ok();
    world.wait_until_idle();
    let ends = subjects(&world, REF);
    let count = ends.iter().filter(|end| *end == SECOND).count();
    assert_eq!(count, 1, "{ends:?}");
}

/// A database of a backup counts its events as they were.
#[test]
fn status_that_is_ahead_of_the_record_is_published_once_more() {
    let world = published_twice();
    world.wait_until_idle();
    let sql = "DELETE FROM notifications WHERE event > 3;
               DELETE FROM events WHERE id > 3;
               UPDATE sqlite_sequence SET seq = 3 WHERE name = 'events';
               UPDATE events SET at_ms = at_ms - 120 * 1000;
               UPDATE event_readers SET position = 3";
    database(&world).execute_batch(sql).unwrap();
    let before = subjects(&world, REF).len();
    let doctor = world.cmd(&["doctor"]).exits(1);
    doctor.says("which is not in the record, and the newest is event 3");

    world.cmd(&["reconcile"]).ok();
    let first = "production/web 0000001 succeeded (#1)";
    wait_for(&world, first);
    world.cmd(&["reconcile"]).ok();
    world.wait_until_idle();
    assert_eq!(subjects(&world, REF).len(), before + 1);
}

#[test]
fn marks_that_were_given_up_are_written_later_without_another_event() {
    let world = applications(&["a", "b"], "marks = true");
    let (a, b) = (commits(&world, "a", 2), commits(&world, "b", 1));
    deploy(&world, "production/a", &a[0]);
    wait_for_notes(&world, "a", &a[0], 1);

    world.job("hold away");
    try_deploy(&world, "production/a", &a[1]).ok();
    take_away(&world, "a");
    world.open("away");
    world.settled();
    give_up(&world, "marks");

    // It is tried once more, and given up again. This holds up nobody.
    let doctor = world.cmd(&["doctor"]);
    doctor.says("warning  notifications: marks: 1 event given up, and tried again by each ");
    world.cmd(&["reconcile"]).ok();
    world.wait_until_idle();
    assert!(statuses(&world, "marks").contains(&"given-up".to_owned()));
    world.job("");
    deploy(&world, "production/b", &b[0]);
    wait_for_notes(&world, "b", &b[0], 1);

    bring_back(&world, "a");
    world.cmd(&["reconcile"]).ok();
    wait_for_notes(&world, "a", &a[1], 1);
    wait_for_marks(
        &world,
        "a",
        &[
            ("refs/deployed/production/a", &a[1]),
            ("refs/previous/production/a", &a[0]),
            ("refs/wanted/production/a", &a[1]),
        ],
    );
    world.wait_until_idle();
    let all = statuses(&world, "marks");
    assert!(all.iter().all(|status| status == "delivered"), "{all:?}");
    let doctor = world.cmd(&["doctor"]);
    doctor.says("ok       notifications: nothing waits, and nothing failed");
}

/// The file of the figures has no number of tries: each `reconcile` writes it.
#[test]
fn figures_that_could_not_be_written_are_written_later_without_another_event() {
    let world = World::installed();
    let folder = world.path("figures");
    world.config_top(&format!("metrics_textfile = {folder:?}"));
    world.deploy("production/app", 1);
    world.push();
    world.settled();
    world.wait_until_idle();
    let sql = "UPDATE events SET at_ms = at_ms - 25 * 3600 * 1000";
    database(&world).execute(sql, []).unwrap();

    fs::create_dir(&folder).unwrap();
    world.cmd(&["reconcile"]).ok();
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap();
    let text = fs::read_to_string(file.path()).unwrap();
    Values::parse(&text).expect(&[(SUCCEEDED, "1")]);
}

/// How long the marks of a repository may take while another one hangs.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn repository_that_hangs_holds_up_the_marks_of_no_other() {
    let world = applications(&["a", "b"], "marks = true");
    let (a, b) = (commits(&world, "a", 3), commits(&world, "b", 2));
    deploy(&world, "production/a", &a[0]);
    wait_for_notes(&world, "a", &a[0], 1);
    world.wait_until_idle();

    // Whoever reads this ref waits until somebody writes into it.
    let pipe = world.path("apps/a.git/refs/deployed/production/a");
    fs::remove_file(&pipe).unwrap();
    nix::unistd::mkfifo(&pipe, Mode::from_bits_truncate(0o600)).unwrap();
    let start = Instant::now();
    deploy(&world, "production/a", &a[1]);
    deploy(&world, "production/b", &b[0]);
    wait_for_notes(&world, "b", &b[0], 1);
    assert_eq!(marks(&world, "b")["refs/deployed/production/b"], b[0]);

    // So it is for what happens after that, and for applications that come later.
    deploy(&world, "production/a", &a[2]);
    deploy(&world, "production/b", &b[1]);
    wait_for_notes(&world, "b", &b[1], 1);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert!(!world.ours().is_empty(), "the process still waits");
    let waits = ["waiting".to_owned()];
    world.wait_until("what waits is recorded once", || {
        statuses(&world, "marks") == waits
    });

    // When it answers again, its marks are those of the newest deployment.
    let mut writer = fs::File::options();
    let writer = writer.read(true).write(true).open(&pipe).unwrap();
    fs::remove_file(&pipe).unwrap();
    drop(writer);
    for commit in [&a[1], &a[2]] {
        wait_for_notes(&world, "a", commit, 1);
    }
    wait_for_marks(
        &world,
        "a",
        &[
            ("refs/deployed/production/a", &a[2]),
            ("refs/previous/production/a", &a[1]),
            ("refs/wanted/production/a", &a[2]),
        ],
    );
    world.wait_until_idle();
    assert_eq!(statuses(&world, "marks"), ["delivered"]);
}
