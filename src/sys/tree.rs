//! Everything that one command started.
//!
//! Protocol: where the command has a cgroup, that says exactly what belongs to it. Elsewhere its
//! processes are found by what they can't easily get rid of: the leader's session and process
//! group, marks in their environment, and being a child of a process that was found.
//!
//! Without a cgroup it does not promise to find a process that left the session, cleared its
//! environment and outlived its parent, nor one whose environment the kernel does not show to this
//! user.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cgroup;
use super::process::{ProcessIdentity, Stat};

/// How to find what a command started.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The command's first process.
    pub leader: Option<ProcessIdentity>,
    /// Its cgroup.
    pub cgroup: Option<PathBuf>,
    /// `NAME=value` pairs. Only the processes of this command have all of them in their
    /// environment.
    pub marks: Vec<String>,
}

impl Tree {
    /// Whether any process of it runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match &self.cgroup {
            Some(cgroup) => cgroup::is_populated(cgroup),
            None => !self.search().is_empty(),
        }
    }

    /// The processes of it that run.
    #[must_use]
    pub fn pids(&self) -> Vec<i32> {
        match &self.cgroup {
            Some(cgroup) => cgroup::pids(cgroup),
            None => self.search(),
        }
    }

    /// Asks every process of it to end, with SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Kills every process of it.
    pub fn kill(&self) {
        let killed = self
            .cgroup
            .as_ref()
            .is_some_and(|cgroup| cgroup::kill(cgroup).is_ok());
        if !killed {
            self.signal(Signal::SIGKILL);
        }
    }

    fn signal(&self, signal: Signal) {
        for pid in self.pids() {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Finds its processes without a cgroup: first those that bear a mark, then their children.
    fn search(&self) -> Vec<i32> {
        let running = running();
        let mut found: BTreeSet<i32> = running
            .iter()
            .filter(|stat| self.bears_a_mark(stat))
            .map(|stat| stat.identity.pid)
            .collect();

        loop {
            let children = running
                .iter()
                .filter(|stat| found.contains(&stat.parent))
                .map(|stat| stat.identity.pid);
            let children: Vec<i32> = children.filter(|pid| !found.contains(pid)).collect();
            if children.is_empty() {
                return found.into_iter().collect();
            }
            found.extend(children);
        }
    }

    /// Whether a process shows by itself that it belongs to the command.
    fn bears_a_mark(&self, stat: &Stat) -> bool {
        // A session keeps its number as long as any process is in it. So the number is still the
        // leader's after the leader has ended.
        let of_leader = |leader: ProcessIdentity| {
            let pid = leader.pid;
            stat.identity == leader
                || stat.identity.start_ticks >= leader.start_ticks
                    && (stat.session == pid || stat.group == pid)
        };
        self.leader.is_some_and(of_leader) || self.is_marked(stat.identity.pid)
    }

    fn is_marked(&self, pid: i32) -> bool {
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else {
            return false;
        };
        let has = |mark: &String| {
            environment
                .split(|b| *b == 0)
                .any(|variable| variable == mark.as_bytes())
        };
        !self.marks.is_empty() && self.marks.iter().all(has)
    }
}

/// The processes of the machine that run, without this one.
fn running() -> Vec<Stat> {
    let own = nix::unistd::getpid().as_raw();
    let entries = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| *pid != own)
        .filter_map(Stat::read)
        .filter(|stat| !stat.has_ended)
        .collect()
}
