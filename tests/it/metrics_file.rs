//! The file of the figures that node_exporter reads, and whatever stands in its way.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::faults::{Fault, strace_or_skip};
use crate::metrics::{SUCCEEDED, Values, promtool, promtool_or_skip};
use crate::nobody::{NOBODY, Nobody};
use crate::processes::BINARY;
use crate::run::{DEADLINE, skip};
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

    let Some(shown) = shown_by_node_exporter(&world, &folder) else {
        return;
    };
    assert!(
        shown.contains("\nnode_textfile_scrape_error 0\n"),
        "{shown}"
    );
    let samples = |text: &str| {
        let is_ours = |line: &&str| line.starts_with("deploy_by_code_");
        text.lines().filter(is_ours).count()
    };
    let written: usize = files.values().map(|text| samples(text)).sum();
    assert_eq!(samples(&shown), written, "{shown}");
    assert!(shown.contains(escaped), "{shown}");
}

/// What Debian's node_exporter shows, of the files in a folder alone; `None`: it is not installed.
#[track_caller]
fn shown_by_node_exporter(world: &World, folder: &Path) -> Option<String> {
    let mut exporter = world.command("prometheus-node-exporter", "");
    exporter
        .args([
            "--web.listen-address=127.0.0.1:0",
            "--collector.disable-defaults",
        ])
        .arg("--collector.textfile")
        .arg(format!(
            "--collector.textfile.directory={}",
            folder.display()
        ))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let Ok(mut exporter) = exporter.spawn() else {
        skip("prometheus-node-exporter is not installed");
        return None;
    };

    // Its log names the port that it was given.
    let mut log = BufReader::new(exporter.stderr.take().unwrap()).lines();
    let address = log.by_ref().map(Result::unwrap).find_map(|line| {
        let (_, address) = line.split_once("msg=\"Listening on\" address=")?;
        Some(address.to_owned())
    });
    let mut shown = String::new();
    if let Some(address) = &address {
        let mut connection = TcpStream::connect(address).unwrap();
        connection.set_read_timeout(Some(DEADLINE)).unwrap();
        connection
            .write_all(b"GET /metrics HTTP/1.0\r\n\r\n")
            .unwrap();
        connection.read_to_string(&mut shown).unwrap();
    }
    exporter.kill().unwrap();
    exporter.wait().unwrap();
    assert!(address.is_some(), "node_exporter did not start");
    Some(shown)
}

#[test]
fn doctor_says_who_can_write_the_file() {
    let world = World::installed();
    let folder = world.path("figures");
    fs::create_dir(&folder).unwrap();
    world.config_top(&format!("metrics_textfile = {folder:?}"));
    world.cmd(&["reconcile"]).ok();
    let file = only_file(&world, &folder);
    let mode = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    let doctor = || world.cmd(&["doctor"]);

    mode(0o775);
    doctor()
        .says("warning  metrics: written to ")
        .says(", where other users can put false figures in their place")
        .says(&format!("chmod +t {}", folder.display()));
    mode(0o1775);
    doctor().says("ok       metrics: written to ");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    doctor().exits(1).says(".prom is a folder, so the figures");
    fs::remove_dir(&file).unwrap();

    // What doctor says of a stranger's file is what happens.
    let Some(nobody) = Nobody::new(&world) else {
        return;
    };
    let name = file.file_name().unwrap().to_str().unwrap();
    let new = format!(".{name}.new");
    for stranger in [name, new.as_str()] {
        let path = folder.join(stranger);
        fs::write(&path, "").unwrap();
        let removed = format!("rm -f 'figures/{stranger}' 2>&1");
        let said = nobody.run(".", &format!("'{BINARY}' -C deploy.git doctor"));
        said.says("PROBLEM  metrics: ").says(&format!(
            "{stranger} belongs to user 0, who alone can replace it"
        ));
        assert_ne!(nobody.run(".", &removed).code, Some(0));

        chown(&path, Some(NOBODY), None).unwrap();
        let said = nobody.run(".", &format!("'{BINARY}' -C deploy.git doctor"));
        said.says("ok       metrics: written to ");
        nobody.run(".", &removed).ok();
    }
}
