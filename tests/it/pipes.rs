//! A pipe in the place of a file that is read: whoever waits for its other end waits for ever.

use std::fs;
use std::os::unix::fs::chown;

use nix::sys::stat::Mode;

use crate::nobody::Nobody;
use crate::world::World;

#[test]
fn pipe_in_place_of_a_file_holds_nobody_up() {
    let world = World::installed();
    let Some(_nobody) = Nobody::new(&world) else {
        return;
    };
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    world
        .shell_in(".", "chown -R nobody:nogroup deploy.git")
        .ok();

    for (name, arguments) in [
        ("HEAD", &["status"][..]),
        ("config", &["status"]),
        ("deploy-by-code.toml", &["reconcile"]),
        ("commondir", &["status"]),
        ("deploy-by-code/state.db", &["status"]),
        ("deploy-by-code/state.db-wal", &["log"]),
        (
            "deploy-by-code/state.db-shm",
            &["freeze", "production", "--reason", "x"],
        ),
        ("deploy-by-code/logs/1.log", &["logs", "1"]),
    ] {
        let (path, away) = (world.path("deploy.git").join(name), world.path("away"));
        let was_there = fs::rename(&path, &away).is_ok();
        // Who may only read opens it for reading, and that waits for a writer.
        nix::unistd::mkfifo(&path, Mode::from_bits_truncate(0o444)).unwrap();
        chown(&path, Some(0), Some(0)).unwrap();

        let refused = world.cmd(arguments);
        assert_ne!(refused.code, Some(0), "{name}: {refused:#?}");
        let shown = name.rsplit('/').next().unwrap();
        refused.says(shown).says("it is not a regular file");

        fs::remove_file(&path).unwrap();
        if was_there {
            fs::rename(&away, &path).unwrap();
        }
    }
    world.cmd(&["status"]).ok();
}
