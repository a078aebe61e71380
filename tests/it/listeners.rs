//! Pushers who stop reading, and output in very long lines.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::hosts::script;
use crate::processes::{BINARY, kill_one};
use crate::world::World;

/// How long a hook may take to notice that nobody reads: its patience of 10 s, the pauses between
/// its lines, and what a busy machine adds.
const NOTICED: Duration = Duration::from_secs(45);

/// A hook as git starts it, with a push option and input. Nobody reads its standard output and
/// standard error, which are one pipe.
fn unheard(world: &World, hook: &str, option: &str, input: &str) -> (Child, std::io::PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = world.command(BINARY, "deploy.git");
    command
        .arg0(world.path(&format!("deploy.git/hooks/{hook}")))
        .env("GIT_DIR", ".")
        .env("GIT_PUSH_OPTION_COUNT", "1")
        .env("GIT_PUSH_OPTION_0", option)
        .stdin(Stdio::piped())
        .stdout(writer.try_clone().unwrap())
        .stderr(writer);
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, input.as_bytes()).unwrap();
    (child, reader)
}

/// Waits until a process has ended, and returns its exit status.
#[track_caller]
fn end_of(child: &mut Child) -> Option<i32> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if begin.elapsed() > NOTICED {
            child.kill().unwrap();
            panic!("the hook still runs after {NOTICED:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn following_hook_ends_when_nobody_reads_its_output() {
    for (option, job) in [
        ("follow", "yes | head -c 1000000; note start; hold end"),
        ("follow", "head -c 1000000 /dev/zero; note start; hold end"),
        ("follow", "echo one line; note start; hold end"),
        ("wait", "note start; hold end"),
    ] {
        let world = World::installed();
        world.job(job);
        world.deploy("production/a", 1);
        let line = world.push_unseen();

        let (mut hook, _reader) = unheard(&world, "post-receive", option, &line);

        assert_eq!(end_of(&mut hook), Some(0), "{option}: {job}");
        assert_eq!(world.ran(), ["production/a #1 start"]);
        world.open("end");
        assert_eq!(world.settled(), ["#1 production/a succeeded"], "{job}");
    }
}

#[test]
fn earlier_hook_runs_although_nobody_reads() {
    let world = World::new();
    let ran = world.path("earlier");
    script(
        &world.path("deploy.git/hooks/post-receive"),
        &format!("#!/bin/sh\ncat >'{}'\n", ran.display()),
    );
    world.install();
    world.job("yes | head -c 1000000");
    for n in 0..600 {
        world.deploy(&format!("production/application-with-a-long-name-{n}"), 1);
    }
    let line = world.push_unseen();

    let (mut hook, _reader) = unheard(&world, "post-receive", "follow", &line);

    assert_eq!(end_of(&mut hook), Some(0));
    assert_eq!(std::fs::read_to_string(ran).unwrap(), line);
    let queued = world.history().len();
    assert_eq!(queued, 600);
}

#[test]
fn refusal_stands_although_nobody_reads_it() {
    let world = World::installed();
    for n in 0..1000 {
        let name = format!("production/application-with-a-rather-long-name-{n}");
        world.deploy_file(&name, "main\n");
    }
    let new = world.commit();
    let objects = world.path("work/.git/objects");
    std::fs::write(
        world.path("deploy.git/objects/info/alternates"),
        format!("{}\n", objects.display()),
    )
    .unwrap();
    let line = format!("{} {new} refs/heads/main\n", world.tip());

    let (mut hook, _reader) = unheard(&world, "pre-receive", "follow", &line);
    assert_eq!(end_of(&mut hook), Some(1));
}

#[test]
fn receive_pack_ends_when_its_client_was_killed() {
    for job in [
        "note start; yes | head -c 3000000; hold end",
        "note start; hold end",
    ] {
        let world = World::installed();
        world.job(job);
        world.deploy("production/a", 1);
        world.commit();
        let arguments = ["-o", "follow", "../deploy.git", "HEAD:refs/heads/main"];
        let mut push = world.push_command(&arguments);
        let mut client = push
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        world.wait_for("production/a #1 start");

        kill_one(i32::try_from(client.id()).unwrap());
        client.wait().unwrap();
        drop(client);

        let begin = Instant::now();
        while is_received(&world) {
            assert!(begin.elapsed() < NOTICED, "receive-pack still runs: {job}");
            std::thread::sleep(Duration::from_millis(50));
        }
        world.open("end");
        assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    }
}

/// Whether git-receive-pack or a hook still serves a push to the world's deploy repository.
fn is_received(world: &World) -> bool {
    let ours = crate::processes::of(&world.path("."));
    ours.into_iter().any(|pid| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        words.contains("receive-pack") || words.starts_with("hooks/post-receive")
    })
}

#[test]
fn very_long_lines_are_followed_in_time() {
    let world = World::installed();
    for (n, job) in [
        "head -c 3000000 /dev/zero | tr '\\0' x",
        "head -c 3000000 /dev/zero",
        "head -c 3000000 /dev/zero | tr '\\0' '\\377'",
        "head -c 3000000 /dev/zero | tr '\\0' '\\033'",
        "head -c 3000000 /dev/zero | tr '\\0' '\\r'",
        "head -c 3000000 /dev/zero | tr '\\0' '\\n'",
        "head -c 1500000 /dev/zero | sed 's/\\x00/\\xc3\\xa9/g'",
    ]
    .into_iter()
    .enumerate()
    {
        world.job(job);
        world.deploy("production/a", 1 + u32::try_from(n).unwrap());
        world.commit();

        let begin = Instant::now();
        let arguments = ["-o", "follow", "origin", "HEAD:refs/heads/main"];
        let mut push: Command = world.push_command(&arguments);
        let push = push.stdout(Stdio::null()).stderr(Stdio::piped());
        let output = push.output().unwrap();

        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(" production/a succeeded in "), "{job}");
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(30), "{took:?}: {job}");
    }
}
