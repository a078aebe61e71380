//! Steps of a deployment that take long: whoever follows the push sees meanwhile how far they are.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::thread;

use crate::checkout::{commit, large_tree, world};
use crate::faults::strace_or_skip;
use crate::run::Run;
use crate::world::World;

const FOLLOW: [&str; 4] = ["-o", "follow", "origin", "HEAD:refs/heads/main"];

/// A push in which strace holds up two system calls as a slow disk does: the 20 folders of a
/// [`large_tree`] take 4 s together, and each sync of a file system takes more than 1 s. It traces
/// everything that is started, also the runner and its steps. The first folders that a process
/// makes are those around the release.
fn push_on_a_slow_disk(world: &World) -> Command {
    world.commit();
    let mut push = world.command("strace", "work");
    push.args(["-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"]);
    push.args(["-e", "trace=mkdirat,syncfs"]);
    push.args(["-e", "inject=mkdirat:delay_enter=200000:when=7+"]);
    push.args(["-e", "inject=syncfs:delay_enter=1050000"]);
    push.args(["git", "push"]).args(FOLLOW);
    push
}

/// The shares that were exported, in percent, by the lines that say so.
fn shares(said: &[String]) -> Vec<u64> {
    let share = |line: &String| {
        let exported = line.strip_prefix("deploy-by-code: exported ")?;
        let (_, rest) = exported.split_once(" of 4,000 files (")?;
        let (share, rest) = rest.split_once(" %), ")?;
        rest.contains(" MiB").then(|| share.parse().unwrap())
    };
    said.iter().filter_map(share).collect()
}

#[test]
fn whoever_follows_a_long_export_sees_how_far_it_is_and_that_the_disk_is_waited_for() {
    if !strace_or_skip() {
        return;
    }
    let world = world("");
    world.deploy_rev("production/a", &commit(&world, large_tree));
    let mut push = push_on_a_slow_disk(&world);
    let mut push = push.stderr(Stdio::piped()).spawn().unwrap();

    let mut said = Vec::new();
    let logs = thread::scope(|scope| {
        let mut logs = None;
        for line in BufReader::new(push.stderr.take().unwrap()).lines() {
            let line = line.unwrap();
            let remote = line.strip_prefix("remote: ");
            said.extend(remote.map(|line| line.trim_end().to_owned()));
            if logs.is_none() && !shares(&said).is_empty() {
                // It is said while it goes on.
                assert_eq!(world.history(), ["#1 production/a running"]);
                logs = Some(scope.spawn(|| world.cmd(&["logs", "-f", "1"])));
            }
        }
        logs.map(|logs| logs.join().unwrap())
    });
    assert!(push.wait().unwrap().success(), "{said:#?}");

    let in_log = |log: Run| log.ok().stdout.lines().map(str::to_owned).collect();
    let in_log: Vec<String> = logs.map(in_log).unwrap_or_default();
    for said in [&said, &in_log] {
        let shares = shares(said);
        assert!((2..=4).contains(&shares.len()), "{said:#?}");
        assert!(shares.is_sorted() && shares[0] > 0, "{said:#?}");

        let waiting = "deploy-by-code: exported 4,000 of 4,000 files (100 %), 11 MiB; waiting for \
                       the disk";
        let waiting: Vec<usize> = (0..said.len()).filter(|n| said[*n] == waiting).collect();
        let done = said.iter().position(|line| line.contains("checked out "));
        assert!(waiting.len() == 1 && done > Some(waiting[0]), "{said:#?}");
    }
    assert_eq!(said.last().unwrap(), "deploy-by-code: 1 of 1 succeeded");
}
