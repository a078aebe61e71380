//! The database of the state is gone or damaged: nothing is accepted by guesses, nothing is
//! replaced without a word, and `rebuild` makes a new one.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::nobody::Nobody;
use crate::world::{World, rev};

/// The ways in which a database can be lost.
const DAMAGES: [&str; 9] = [
    "missing",
    "missing with its log",
    "empty",
    "garbage",
    "magic number",
    "write version",
    "version number",
    "folder",
    "whole state",
];

/// The database, as messages name it.
const FILE: &str = "deploy.git/deploy-by-code/state.db";

/// A world with two deployments that are done.
fn deployed() -> World {
    let world = World::installed();
    for number in 1..=2 {
        world.deploy("production/a", number);
        world.push();
        assert_eq!(world.settled().len(), number as usize);
    }
    world.wait_until_idle();
    world
}

fn damage(world: &World, how: &str) {
    let file = world.path(FILE);
    match how {
        "missing" => fs::remove_file(&file).unwrap(),
        "missing with its log" => {
            fs::remove_file(&file).unwrap();
            for suffix in ["wal", "shm"] {
                let _ = fs::remove_file(world.path(&format!("{FILE}-{suffix}")));
            }
        }
        "empty" => fs::write(&file, "").unwrap(),
        "garbage" => fs::write(&file, "garbage ".repeat(9999)).unwrap(),
        // Bytes of the database's head (https://sqlite.org/fileformat2.html).
        "magic number" => flip(world, 3),
        "write version" => flip(world, 18),
        "version number" => flip(world, 63),
        "folder" => {
            fs::remove_file(&file).unwrap();
            fs::create_dir(&file).unwrap();
        }
        "whole state" => fs::remove_dir_all(world.state()).unwrap(),
        _ => panic!("{how}"),
    }
}

/// Changes a bit of a byte of the database.
fn flip(world: &World, at: u64) {
    // The log beside the database could have a newer page.
    let database = rusqlite::Connection::open(world.path(FILE)).unwrap();
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    database.query_row(checkpoint, [], |_| Ok(())).unwrap();
    drop(database);

    let mut options = fs::File::options();
    let database = options.read(true).write(true).open(world.path(FILE));
    let database = database.unwrap();
    let mut byte = [0];
    database.read_exact_at(&mut byte, at).unwrap();
    database.write_all_at(&[byte[0] ^ 0x40], at).unwrap();
}

/// What is in a place: the content of a file, or what else it is.
fn content(path: &Path) -> Option<Vec<u8>> {
    let found = path.symlink_metadata().ok()?;
    Some(if found.is_dir() {
        b"a folder".to_vec()
    } else {
        fs::read(path).unwrap()
    })
}

#[test]
fn lost_database_refuses_pushes_and_is_replaced_by_rebuild_alone() {
    for how in DAMAGES {
        let world = deployed();
        let tip = world.tip();
        let file = world.path(FILE);
        let beside = world.state().join("id");
        fs::write(&beside, "4711\n").unwrap();
        damage(&world, how);
        let damaged = content(&file);
        // A version number that is too high is that of a newer program.
        let is_newer = how == "version number";
        let way_out = if is_newer {
            "newer deploy-by-code"
        } else {
            "deploy-by-code rebuild"
        };

        // pre-receive refuses, and names the file and the way out.
        world.deploy("production/a", 3);
        let push = world.try_push();
        assert_eq!(push.code, Some(1), "{how}: {push:?}");
        push.says(FILE).says(way_out);
        assert_eq!(world.tip(), tip, "{how}");

        // Other branches have nothing to do with it.
        let other = ["origin", "HEAD:refs/heads/other"];
        world.push_with(&other).ok();

        // The other hooks and the commands say it too, and nothing is replaced.
        let line = format!("{tip} {} refs/heads/main\n", world.commit());
        world.hook("post-receive", &line).exits(1).says(FILE);
        for command in ["reconcile", "status", "install"] {
            world.cmd(&[command]).exits(4).says(FILE).says(way_out);
        }
        let doctor = world.cmd(&["doctor"]).exits(1);
        doctor.says("PROBLEM  state: ").says(FILE).says(way_out);
        assert_eq!(content(&file), damaged, "{how}");
        if is_newer {
            world.cmd(&["rebuild"]).exits(4).says(way_out);
            continue;
        }

        // Where the logs are gone too, only a person can know the numbers.
        let above: &[&str] = if how == "whole state" {
            world.cmd(&["rebuild"]).exits(1).says("rebuild --above ");
            &["--above", "2"]
        } else {
            &[]
        };
        let rebuild = |option: &[&str]| world.cmd(&[&["rebuild"], option, above].concat());
        rebuild(&["--dry-run"]).ok().says("nothing was changed");
        assert_eq!(content(&file), damaged, "{how}");

        let account = rebuild(&[]).ok().says("the next deployment is #3");
        let account = account.says("not recovered: ").says("frozen: production");
        if let Some(damaged) = damaged {
            let kept = account.stdout.split("kept: ").nth(1).unwrap();
            let kept = kept.split(", with").next().unwrap();
            assert_eq!(content(Path::new(kept)), Some(damaged), "{how}");
        }
        // What else is in the state stays.
        let left = (how != "whole state").then(|| b"4711\n".to_vec());
        assert_eq!(content(&beside), left, "{how}");
        let again = world.cmd(&["rebuild"]).exits(1);
        again.says("the state is not damaged");

        // Nothing deploys by itself, and nothing new before a person has looked.
        world.cmd(&["reconcile"]).ok();
        assert_eq!(world.history(), [""; 0], "{how}");
        world.try_push().exits(1).says("the state was rebuilt");
        world.cmd(&["thaw", "production"]).ok();
        world.push();
        assert_eq!(world.settled(), ["#3 production/a succeeded"], "{how}");
        world.cmd(&["doctor"]).ok();
        let mut ran = world.ran();
        let all = ran.len();
        ran.sort();
        ran.dedup();
        assert_eq!(ran.len(), all, "{how}: a number was used twice: {ran:?}");
    }
}

#[test]
fn rebuild_waits_for_a_runner_that_has_the_old_database() {
    let world = World::installed();
    world.job("note start; hold a; note end");
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");

    fs::remove_file(world.path(FILE)).unwrap();
    let refused = world.cmd(&["rebuild"]).exits(1);
    refused.says("a runner works in production");

    world.open("a");
    world.wait_until_idle();
    let done = world.cmd(&["rebuild"]).ok();
    done.says("the next deployment is #2");
}

#[test]
fn state_that_is_older_than_its_logs_uses_no_number_twice() {
    let world = deployed();
    let copy = |from: &str, to: &str| {
        for suffix in ["", "-wal", "-shm"] {
            let at = |folder: &str| world.path(folder).join(format!("state.db{suffix}"));
            let _ = fs::remove_file(at(to));
            if at(from).exists() {
                fs::copy(at(from), at(to)).unwrap();
            }
        }
    };
    fs::create_dir(world.path("backup")).unwrap();
    copy("deploy.git/deploy-by-code", "backup");
    world.deploy("production/a", 3);
    world.push();
    assert_eq!(world.settled().len(), 3);
    world.wait_until_idle();
    copy("backup", "deploy.git/deploy-by-code");

    world.deploy("production/a", 4);
    let refused = world.try_push().exits(1);
    refused
        .says("older than its logs")
        .says("deploy-by-code rebuild");
    let found = world.cmd(&["doctor"]).exits(1);
    found.says("PROBLEM  database: the database of the state is older than its logs");
    let dry = world.cmd(&["rebuild", "--dry-run"]).ok();
    dry.says("the next deployment is #4")
        .says("frozen: production");
    let done = world.cmd(&["rebuild"]).ok();
    done.says("the next deployment is #4")
        .says("frozen: production");

    // A freeze that this state does not know may be in force, so nothing begins by itself, not even
    // what the state has not planned yet.
    let ran = world.ran();
    world.cmd(&["reconcile"]).ok();
    let status = world.cmd(&["status"]).ok();
    status.says("production/a: queued: frozen by ");
    world.try_push().exits(1).says("the state was rebuilt");
    assert_eq!(world.ran(), ran);
    world.cmd(&["thaw", "production"]).ok();

    world.push();
    let settled = world.settled();
    let numbers: Vec<_> = settled.iter().map(|line| &line[..2]).collect();
    assert_eq!(numbers, ["#1", "#2", "#4", "#5"], "{settled:?}");
}

/// A world with five deployments, whose whole state was then put back from a backup that knows two
/// of them.
fn with_state_from_a_backup() -> World {
    let world = World::installed();
    world.job("note $DEPLOY_REVISION");
    let copy = |from: &Path, to: &Path| {
        let _ = fs::remove_dir_all(to);
        let arguments = ["-a", from.to_str().unwrap(), to.to_str().unwrap()];
        crate::run::run(world.command("cp", ".").args(arguments), b"").ok();
    };
    for number in 1..=5 {
        world.deploy("production/a", number);
        world.push();
        assert_eq!(world.settled().len(), number as usize);
        world.wait_until_idle();
        if number == 2 {
            copy(&world.state(), &world.path("backup"));
        }
    }
    copy(&world.path("backup"), &world.state());
    world
}

#[test]
fn whole_state_from_a_backup_continues_after_the_number_that_a_person_names() {
    let world = with_state_from_a_backup();
    let dry = world.cmd(&["rebuild", "--above", "5", "--dry-run"]).ok();
    dry.says("older than its last deployment")
        .says("the next deployment is #6");
    let done = world.cmd(&["rebuild", "--above", "5"]).ok();
    done.says("the next deployment is #6")
        .says("frozen: production");
    world
        .cmd(&["rebuild", "--above", "5"])
        .exits(1)
        .says("not damaged");

    // Nothing begins until a person has looked.
    let ran = world.ran();
    world.cmd(&["reconcile"]).ok();
    let status = world.cmd(&["status"]).ok();
    status.says("production/a: queued: frozen by ");
    assert_eq!(world.ran(), ran);

    // What was deployed last is deployed once more, and nothing older.
    world.cmd(&["thaw", "production"]).ok();
    assert_eq!(world.settled()[2..], ["#6 production/a succeeded"]);
    assert_eq!(world.ran()[5..], [format!("production/a #6 {}", rev(5))]);
}

/// Without that, nothing shows that the state is old: it looks as if hooks had not run.
#[test]
fn whole_state_from_a_backup_deploys_only_the_newest_again() {
    let world = with_state_from_a_backup();
    world.cmd(&["reconcile"]).ok();
    assert_eq!(world.settled()[2..], ["#3 production/a succeeded"]);
    assert_eq!(world.ran()[5..], [format!("production/a #3 {}", rev(5))]);
}

#[test]
fn user_who_may_not_use_the_state_is_told_whose_it_is() {
    let world = deployed();
    let Some(nobody) = Nobody::new(&world) else {
        return;
    };
    let status = format!("'{}' -C ../deploy.git status", crate::processes::BINARY);
    let refused = nobody.run("other", &status).exits(4);
    refused
        .says("nobody may not read it; it belongs to root")
        .says("core.sharedRepository");
}
