//! Marks while something is in the way: repositories that can't be written, other writers, hooks,
//! kills.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::process::Child;
use std::sync::mpsc;

use crate::applications::{bring_back, commit, commits, deploy, take_away, try_deploy, world};
use crate::faults::{Fault, strace_or_skip};
use crate::marks::{marks, notes, wait_for_marks, wait_for_notes};
use crate::nobody::Nobody;
use crate::processes::{BINARY, in_background, kill_one};
use crate::run::run;
use crate::syslog::{SOCKET, Turn};
use crate::world::World;

const A: &str = "production/a";

/// What is recorded of repositories that could not be marked: the status of each try.
fn recorded(world: &World) -> Vec<(String, String)> {
    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    let sql = "SELECT status, answer FROM notifications WHERE target = 'marks' ORDER BY id";
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

#[test]
fn repository_that_cannot_be_written_is_recorded_once_and_catches_up() {
    let world = world(&["a", "b"], "marks = true");
    let (a, b) = (commits(&world, "a", 2), commits(&world, "b", 1));
    // A file that git leaves behind when the machine stops in the middle.
    let folder = world.path("apps/a.git/refs/deployed/production");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("a.lock"), "").unwrap();

    deploy(&world, A, &a[0]);
    assert_eq!(deploy(&world, A, &a[1]), "#2 production/a succeeded");
    deploy(&world, "production/b", &b[0]);
    wait_for_notes(&world, "b", &b[0], 1);
    let rows = recorded(&world);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0].0, "waiting");
    assert!(
        rows[0].1.contains("production/a.lock': File exists"),
        "{rows:?}"
    );

    // Even a process that begins anew catches up.
    world.ours().into_iter().for_each(kill_one);
    fs::remove_file(folder.join("a.lock")).unwrap();
    world.cmd(&["reconcile"]).ok();
    wait_for_marks(
        &world,
        "a",
        &[
            ("refs/deployed/production/a", &a[1]),
            ("refs/previous/production/a", &a[0]),
            ("refs/wanted/production/a", &a[1]),
        ],
    );
    wait_for_notes(&world, "a", &a[0], 1);
    wait_for_notes(&world, "a", &a[1], 1);
    world.wait_until("the record says so", || {
        recorded(&world)[0].0 == "delivered"
    });
    world.wait_until_idle();
}

#[test]
fn repository_that_cannot_be_written_has_one_line_in_syslog() {
    let Some(_turn) = Turn::take() else { return };
    let socket = UnixDatagram::bind(SOCKET).unwrap();
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length) = socket.recv(&mut buffer) {
            let line = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if sender.send(line).is_err() {
                break;
            }
        }
    });

    let world = world(&["a"], "marks = true");
    let main = commits(&world, "a", 2);
    fs::write(world.path("apps/a.git/refs/deployed"), "in the way").unwrap();
    for commit in &main {
        deploy(&world, A, commit);
        wait_for_notes(&world, "a", commit, 1);
    }
    // Other tests write to the same log.
    let path = world.path("apps/a.git").display().to_string();
    let lines: Vec<String> = lines
        .try_iter()
        .filter(|line| line.contains("in=marks") && line.contains(&path))
        .collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(recorded(&world).len(), 1);
}

#[test]
fn repository_that_is_missing_or_in_the_way_fails_nothing() {
    let world = world(&["a"], "marks = true");
    let main = commits(&world, "a", 2);
    // Somebody has pushed a ref under which the marks would be.
    let git = |arguments: &[&str]| world.git_in("apps/a.git", arguments);
    git(&["update-ref", "refs/deployed/production", &main[0]]);
    assert_eq!(deploy(&world, A, &main[0]), "#1 production/a succeeded");
    world.wait_until("it is recorded", || !recorded(&world).is_empty());
    let rows = recorded(&world);
    assert!(
        rows[0].1.contains("'refs/deployed/production' exists"),
        "{rows:?}"
    );
    // The note and the other refs are there all the same.
    wait_for_notes(&world, "a", &main[0], 1);
    assert_eq!(marks(&world, "a")["refs/wanted/production/a"], main[0]);
    git(&["update-ref", "-d", "refs/deployed/production"]);
    world.wait_until("the ref is there", || {
        marks(&world, "a").contains_key("refs/deployed/production/a")
    });
    world.wait_until_idle();

    world.job("hold away");
    try_deploy(&world, A, &main[1]).ok();
    take_away(&world, "a");
    world.open("away");
    assert_eq!(world.settled().pop().unwrap(), "#2 production/a succeeded");
    world.wait_until("it is recorded", || recorded(&world).len() == 2);
    bring_back(&world, "a");
    wait_for_notes(&world, "a", &main[1], 1);
}

#[test]
fn marks_run_no_hook_and_move_no_branch() {
    let world = world(&["a"], "marks = true");
    let main = commits(&world, "a", 2);
    let hooks = world.path("apps/a.git/hooks");
    let script = format!(
        "#!/bin/sh\necho $0 >>'{}'\nexit 1\n",
        world.path("hook").display()
    );
    for name in [
        "reference-transaction",
        "update",
        "pre-receive",
        "post-update",
    ] {
        fs::write(hooks.join(name), &script).unwrap();
        let mut chmod = world.command("chmod", ".");
        run(chmod.arg("755").arg(hooks.join(name)), b"").ok();
    }
    let head = "apps/a.git/refs/deployed/production";
    fs::create_dir_all(world.path(head)).unwrap();
    fs::write(world.path(head).join("a"), "ref: refs/heads/main\n").unwrap();

    deploy(&world, A, &main[0]);
    wait_for_notes(&world, "a", &main[0], 1);
    let refs = marks(&world, "a");
    assert_eq!(refs["refs/deployed/production/a"], main[0]);
    let tip = world.git_in("apps/a.git", &["rev-parse", "refs/heads/main"]);
    assert_eq!(tip, main[1]);
    assert!(!world.path("hook").exists(), "a hook ran");
}

/// Whose a repository is decides to which files links in it lead, and which objects it has.
#[test]
fn repository_of_another_user_is_not_marked_unless_it_is_trusted() {
    let world = world(&["a"], "marks = true");
    if Nobody::new(&world).is_none() {
        return;
    }
    let commit = commit(&world, "a", "main", "c");
    let private = world.path("private");
    fs::write(&private, "private\n").unwrap();
    let log = world.path("apps/a.git/logs/refs/deployed/production");
    fs::create_dir_all(&log).unwrap();
    symlink(&private, log.join("a")).unwrap();
    world.shell_in(".", "chown -R nobody apps/a.git").ok();

    deploy(&world, A, &commit);
    world.wait_until("it is told", || {
        let shown = world.cmd(&["notifications", "marks"]);
        shown.all().contains("it belongs to user")
    });
    assert!(!world.path("apps/a.git/refs/deployed").exists());
    assert_eq!(fs::read_to_string(&private).unwrap(), "private\n");
}

#[test]
fn note_that_is_too_large_holds_up_no_other_mark() {
    let world = world(&["a"], "marks = true");
    let [large, next] = ["large", "next"].map(|name| commit(&world, "a", "main", name));
    fs::write(world.path("note"), "x".repeat(2 * 1024 * 1024)).unwrap();
    let note = world.path("note").display().to_string();
    let add = ["notes", "--ref=deployments", "add", "-F", &note, &large];
    world.git_in("apps/a.git", &add);

    deploy(&world, A, &large);
    deploy(&world, A, &next);
    wait_for_notes(&world, "a", &next, 1);
    assert_eq!(marks(&world, "a")["refs/deployed/production/a"], next);
}

/// Two deploy repositories write into the same application repository at the same time.
#[test]
fn two_deploy_repositories_lose_none_of_each_others_marks() {
    let one = world(&["a"], "marks = true");
    let other = World::installed();
    other.config(&format!(
        "marks = true\nrepository = \"{}/{{application}}.git\"",
        one.path("apps").display()
    ));
    let commit = commit(&one, "a", "main", "c");
    for _ in 0..6 {
        for (world, target) in [(&one, A), (&other, "elsewhere/a")] {
            world.deploy_rev(target, &commit);
            world.push();
        }
    }
    let ended = one.settled().len() + other.settled().len();
    let lines = wait_for_notes(&one, "a", &commit, ended);
    for (world, target) in [(&one, A), (&other, "elsewhere/a")] {
        let id = fs::read_to_string(world.state().join("id")).unwrap();
        for n in 1..=6 {
            let end = format!(" [{} #{n}]", id.trim());
            let found = lines.iter().filter(|line| line.ends_with(&end)).count();
            assert_eq!(found, 1, "{target} #{n} in {lines:#?}");
        }
    }
    let refs = marks(&one, "a");
    for name in ["production/a", "elsewhere/a"] {
        assert_eq!(refs[&format!("refs/deployed/{name}")], commit);
    }
}

/// Starts the process that writes marks.
fn publisher(world: &World) -> Child {
    let mut command = world.command(BINARY, "deploy.git");
    in_background(command.args(["-C", ".", "publish", "--checked"]))
}

#[test]
fn marks_are_complete_after_a_kill_at_every_writing_call() {
    if !strace_or_skip() {
        return;
    }
    let world = world(&["a"], "marks = true");
    let main = commits(&world, "a", 2);
    for commit in [&main[0], &main[1], &main[1]] {
        deploy(&world, A, commit);
    }
    wait_for_notes(&world, "a", &main[1], 2);
    world.wait_until_idle();
    let complete = marks(&world, "a");

    let mut kills = 0;
    // git makes none of these calls: it is not killed. What it leaves behind then is another test.
    for call in [
        "?pwrite64",
        "?fdatasync",
        "?clone",
        "?clone3",
        "?vfork",
        "memfd_create",
    ] {
        for n in 1..=8 {
            // As if nothing had been marked yet.
            let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
            let sql = "UPDATE event_readers SET position = 0 WHERE name = 'marks'";
            assert_eq!(database.execute(sql, []).unwrap(), 1);
            drop(database);
            let names = complete.keys().map(String::as_str);
            for name in names.chain(["refs/notes/deployments"]) {
                world.git_in("apps/a.git", &["update-ref", "-d", name]);
            }

            let what = "signal=KILL";
            let publish = ["publish", "--checked"];
            let killed = Fault { call, n, what }.run(&world, &["-f"], &publish, "");
            for mut child in [publisher(&world), publisher(&world)] {
                world.wait_until("the marks are written", || {
                    child.try_wait().unwrap().is_some()
                });
            }

            let place = format!("after a kill at {call} {n}: {killed:?}");
            assert_eq!(marks(&world, "a"), complete, "{place}");
            let lines = [0, 1].map(|n| notes(&world, "a", &main[n]).len());
            assert_eq!(lines, [1, 2], "{place}");
            if killed.signal != Some(9) && killed.code != Some(137) {
                break;
            }
            kills += 1;
        }
    }
    assert!(kills >= 10, "only {kills} kills");
    println!("{kills} kills");
}
