//! Processes that die while they publish the status, and several at the same time: no event is
//! published twice, and none is left out.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Child;
use std::time::{Duration, SystemTime};

use crate::faults::{Fault, strace_or_skip};
use crate::processes::in_background;
use crate::published_status::{REF, file, messages, publishing, subjects, unpublished, wait_for};
use crate::run::{Run, run};
use crate::world::{World, rev};

#[test]
fn processes_at_the_same_time_publish_each_event_once() {
    let world = publishing();
    unpublished(&world, || {
        for n in 1..=5 {
            world.deploy("production/web", n);
            world.push();
            world.settled();
        }
    });
    let start = |_| -> Child { in_background(world.binary().arg("publish")) };
    let children: Vec<Child> = (0..6).map(start).collect();
    for mut child in children {
        child.wait().unwrap();
    }
    world.cmd(&["publish"]).ok();
    assert_published_once(&world);
    assert_eq!(subjects(&world, REF).len(), 10);
}

/// Asserts that no event has two commits, and that their order is that of the events.
#[track_caller]
fn assert_published_once(world: &World) {
    let messages = messages(world, REF);
    let event = |message: &String| -> u64 {
        let (_, number) = message.trim_end().rsplit_once('-').unwrap();
        number.parse().unwrap()
    };
    let events: Vec<u64> = messages.iter().map(event).collect();
    assert!(events.windows(2).all(|two| two[0] < two[1]), "{events:?}");
}

/// The system calls at which the git that writes is killed, and how many of each are tried.
const CALLS_OF_GIT: &[(&str, u32)] = &[
    ("execve", 1),
    ("write", 4),
    ("?pwrite64", 1),
    ("?fsync", 3),
    ("?rename,?renameat,?renameat2", 3),
    ("?link,?linkat", 2),
    ("?unlink", 2),
    ("?clone,?clone3,?vfork", 1),
];

/// The same for the process that publishes.
const OWN_CALLS: &[(&str, u32)] = &[
    ("?clone,?clone3,?vfork", 2),
    ("?memfd_create", 1),
    ("?pwrite64", 3),
    ("?fdatasync,?fsync", 1),
];

/// Lets an event happen, publishes it while `die` makes processes die, and checks what is
/// published then and after another call.
fn check_death(world: &World, step: usize, what: &str, die: impl FnOnce() -> Run) -> bool {
    let is_frozen = step.is_multiple_of(2);
    let (verb, subject) = if is_frozen {
        (
            &["freeze", "production", "--reason", "x"][..],
            "production frozen",
        )
    } else {
        (&["thaw", "production"][..], "production thawed")
    };
    unpublished(world, || {
        world.cmd(verb).ok();
    });
    let before = messages(world, REF);
    let died = die();
    world.wait_until_idle();

    let after = messages(world, REF);
    assert!(
        after.starts_with(&before) && after.len() <= before.len() + 1,
        "{what}"
    );
    if after.len() > before.len() {
        assert_eq!(
            file(world, "README.md").contains("frozen"),
            is_frozen,
            "{what}"
        );
    }
    world.server_git(&["fsck", "--strict", "--no-dangling", "--connectivity-only"]);

    // Time passes.
    let lock = world.repository().join(format!("{REF}.lock"));
    if let Ok(lock) = fs::File::options().append(true).open(lock) {
        lock.set_modified(SystemTime::now() - Duration::from_secs(180))
            .unwrap();
    }
    world.cmd(&["publish"]).ok();
    assert_eq!(subjects(world, REF).last().unwrap(), subject, "{what}");
    assert_published_once(world);
    died.signal.is_some()
}

#[test]
fn killed_process_leaves_the_old_status_or_the_new_one() {
    if !strace_or_skip() {
        return;
    }
    let world = publishing();
    world.deploy("production/web", 1);
    world.push();
    wait_for(&world, "production/web 0000001 succeeded (#1)");
    let points = |calls: &'static [(&str, u32)]| {
        let points = calls.iter().copied();
        points.flat_map(|(call, most)| (1..=most).map(move |n| (call, n)))
    };
    let mut step = 0;
    let mut killed = 0;

    for (call, n) in points(OWN_CALLS) {
        let what = "signal=KILL";
        let fault = Fault { call, n, what };
        let die = || fault.run(&world, &[], &["publish"], "");
        killed += u32::from(check_death(&world, step, &format!("{fault:?}"), die));
        step += 1;
    }

    // The first git that writes dies, and so does the process that started it.
    fs::create_dir(world.path("bin")).unwrap();
    let path = std::env::var("PATH").unwrap();
    for (call, n) in points(CALLS_OF_GIT) {
        let script = format!(
            "#!/bin/sh\nPATH='{path}'\ncase \"$*\" in\n*fast-import*)\n\
             strace -f -qq -o /dev/null -e trace={call} -e inject={call}:signal=KILL:when={n} \
             git \"$@\"\nkill -9 $PPID\n;;\n*) exec git \"$@\" ;;\nesac\n"
        );
        let file = world.path("bin/git");
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let mut publish = world.binary();
        publish.arg("publish");
        publish.env("PATH", format!("{}:{path}", world.path("bin").display()));
        let die = || run(&mut publish, b"");
        killed += u32::from(check_death(&world, step, &format!("git {call} {n}"), die));
        step += 1;
    }
    assert!(killed > 16, "processes are killed: {killed}");
}

#[test]
fn lost_state_is_made_anew_from_what_is_published() {
    for keeps_id in [true, false] {
        let world = publishing();
        world.deploy("production/web", 1);
        world.deploy("production/old", 1);
        world.push();
        world.settled();
        world.job("exit 7");
        world.deploy("production/web", 2);
        world.retire("production/old");
        world.push();
        let last = "production/web 0000001 -> 0000002 failed (#3)";
        wait_for(&world, last);
        let before = messages(&world, REF);
        let id = fs::read(world.state().join("id")).unwrap();
        fs::remove_dir_all(world.state()).unwrap();
        if keeps_id {
            fs::create_dir(world.state()).unwrap();
            fs::write(world.state().join("id"), id).unwrap();
        }

        let rebuilt = world.cmd(&["rebuild"]).ok();
        rebuilt
            .says("recovered: 3 deployments that have ended")
            .says("the next deployment is #4");
        let web = world.status("production/web");
        assert_eq!(web["deployed"], rev(1));
        assert_eq!(web["status"], "failed");
        assert_eq!(world.status("production/old")["status"], "retired");
        let history = world.history();
        assert!(history.contains(&"#3 production/web failed: exit status 7".to_owned()));
        assert_eq!(world.show(1)["pusher"], world.show(3)["pusher"]);

        world.job("note start");
        wait_for(&world, "production frozen");
        world.cmd(&["thaw", "production"]).ok();
        world.deploy("production/web", 3);
        world.push();
        wait_for(&world, "production/web 0000001 -> 0000003 succeeded (#4)");
        let after = messages(&world, REF);
        assert!(after.starts_with(&before));
        let news: Vec<&str> = after[before.len()..]
            .iter()
            .filter_map(|text| text.lines().next())
            .collect();
        assert_eq!(news.len(), 4, "{news:?}");
        assert!(file(&world, "README.md").contains("| web | 0000003 |\n"));
    }
}

#[test]
fn published_status_that_can_not_be_understood_is_not_made_a_state() {
    let world = publishing();
    world.deploy("production/web", 1);
    world.push();
    wait_for(&world, "production/web 0000001 succeeded (#1)");
    fs::remove_dir_all(world.state()).unwrap();
    let tip = world.tip();
    world.server_git(&["update-ref", REF, &tip]);
    world
        .cmd(&["rebuild"])
        .exits(1)
        .says("what is published at refs/deploy-by-code/status");
    assert!(!world.state().join("state.db").exists());
}
