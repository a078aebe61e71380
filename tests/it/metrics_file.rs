//! The file of the figures that node_exporter reads, and whatever stands in its way.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::faults::{Fault, strace_or_skip};
use crate::metrics::{SUCCEEDED, Values, promtool, promtool_or_skip};
use crate::timer;
use crate::world::World;

/// The files in a folder, with what they hold.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    // A file that is being written can be gone already.
    let file = |entry: fs::DirEntry| Some((entry.path(), fs::read_to_string(entry.path()).ok()?));
    entries.filter_map(file).collect()
}

/// The only file in a folder, once it is there.
#[track_caller]
fn only_file(world: &World, folder: &Path) -> PathBuf {
    // While a process writes it, there is a second one.
    let is_figures = |file: &PathBuf| file.extension() == Some("prom".as_ref());
    world.wait_until("there is one file", || {
        let files = files(folder);
        files.len() == 1 && files.keys().all(is_figures)
    });
    files(folder).into_keys().next().unwrap()
}

#[test]
fn every_deployment_writes_the_file() {
    let world = World::installed();
    let folder = world.path("figures");
    fs::create_dir(&folder).unwrap();
    world.config_top(&format!("metrics_textfile = {folder:?}"));

    for n in 1..=2 {
        world.deploy("production/app", n);
        world.push();
        let file = only_file(&world, &folder);
        world.wait_until("the deployment is counted", || {
            let text = fs::read_to_string(&file).unwrap();
            Values::parse(&text).has(SUCCEEDED, &n.to_string())
        });
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o644);
    }
    world.cmd(&["doctor"]).says("written to");
    // The file is not a notification that somebody could miss.
    let figures = world.cmd(&["metrics"]).ok();
    figures.says_nothing_of("notifications_waiting{");
}

#[test]
fn timer_writes_the_file() {
    let world = World::new();
    let list = timer::list(&world);
    world.cmd(&list.with(&["install"])).ok();
    let folder = world.path("figures");
    world.config_top(&format!("metrics_textfile = {folder:?}"));

    // A folder that is missing is nobody's fault but the figures'.
    let timer = list.with(&["reconcile", "--registered"]);
    world.cmd_in("home", &timer).ok();
    world.cmd(&["doctor"]).exits(1).says("is not a folder");
    fs::create_dir(&folder).unwrap();
    world.cmd_in("home", &timer).ok();
    only_file(&world, &folder);
}

#[test]
fn file_that_cannot_be_written_stops_no_deployment() {
    let world = World::installed();
    let folder = world.path("figures");
    fs::write(&folder, "not a folder").unwrap();
    world.config_top(&format!("metrics_textfile = {folder:?}"));

    world.deploy("production/app", 1);
    world.push().says("#1 production/app");
    assert_eq!(world.settled(), ["#1 production/app succeeded"]);
    world.cmd(&["reconcile"]).ok();
    let text = folder.to_str().unwrap();
    let file = world.cmd(&["metrics", "--textfile", text]).exits(4);
    file.says("the figures can't be written to")
        .says("hint: make the folder");

    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    world.cmd(&["reconcile"]).ok();
    let file = only_file(&world, &folder);
    Values::parse(&fs::read_to_string(file).unwrap()).expect(&[(SUCCEEDED, "1")]);
}

#[test]
fn crash_leaves_the_old_file() {
    if !strace_or_skip() {
        return;
    }
    let world = World::installed();
    world.deploy("production/app", 1);
    world.push();
    world.settled();
    world.wait_until_idle();
    let folder = world.path("figures");
    fs::create_dir(&folder).unwrap();
    let write = ["metrics", "--textfile", folder.to_str().unwrap()];
    world.cmd(&write).ok();
    let file = only_file(&world, &folder);
    let old = fs::read_to_string(&file).unwrap();

    world.deploy("production/app", 2);
    world.push();
    world.settled();
    world.wait_until_idle();
    let fault = |call, what| Fault { call, n: 1, what };
    for (fault, code) in [
        (fault("?rename,?renameat,?renameat2", "signal=KILL"), None),
        (fault("?fchmod", "signal=KILL"), None),
        (fault("?rename,?renameat,?renameat2", "error=EIO"), Some(4)),
    ] {
        let died = fault.run(&world, &[], &write, "");
        assert_eq!(died.code, code, "{died:#?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), old);
    }

    world.cmd(&write).ok();
    assert_eq!(only_file(&world, &folder), file);
    Values::parse(&fs::read_to_string(file).unwrap()).expect(&[(SUCCEEDED, "2")]);
}

#[test]
fn two_repositories_share_a_folder_whatever_they_are_called() {
    let world = World::installed();
    let folder = world.path("figures");
    fs::create_dir(&folder).unwrap();
    let write = ["metrics", "--textfile", folder.to_str().unwrap()];
    world.cmd(&write).ok();

    let hostile = "a\"} 1\n# \\ \u{1b}[2J.git";
    let path = world.path(hostile);
    world.git_in("", &["init", "-q", "--bare", "-b", "main", hostile]);
    let config = format!("{}[environments.production]\n", world.config_text());
    fs::write(path.join("deploy-by-code.toml"), config).unwrap();
    world.cmd_in(hostile, &["install"]).ok();
    world.cmd_in(hostile, &write).ok();

    let files = files(&folder);
    assert_eq!(files.len(), 2, "{files:#?}");
    let escaped = "a\\\"} 1\\\\n# \\\\ \\\\u{1b}[2J.git\"";
    let is_escaped = |text: &&String| text.contains(escaped);
    assert_eq!(files.values().filter(is_escaped).count(), 1, "{files:#?}");
    if promtool_or_skip(&world) {
        for text in files.values() {
            promtool(&world, &["check", "metrics"], text);
        }
    }
}
