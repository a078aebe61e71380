//! Everything that one command started.
//!
//! Protocol: its processes are found in two ways, and what either of them finds belongs to it. If
//! the command has a cgroup, every process in that does. In /proc, its processes are found by what
//! they can't easily get rid of: the leader's session and process group, marks in their
//! environment (see [`Tree::marks`]), and being a child of a process that was found. The second
//! way also finds what left the cgroup: a login through pam_systemd or `systemd-run --scope` moves
//! it. A tree has ended if both ways say so; what one of them can't see may be alive.
//!
//! It does not promise to find a process that left the cgroup and the session, cleared its
//! environment and outlived its parent, nor one that another process starts when it is asked to, as
//! the daemon of a container engine does. The environments of other users' processes are not shown
//! to a user who is not root.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cgroup;
use super::forks::{was_only_one, younger};
use super::process::{ProcessIdentity, Stat, check_proc, exists, numbers, shown_environment};
use super::unseen::Unseen;

/// How to find what a command started.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The command's first process.
    pub leader: Option<ProcessIdentity>,
    /// How many processes the machine had forked before that one, where it is known. It saves looks
    /// at processes that are older than the command.
    pub forks_before: Option<u64>,
    /// Its cgroup.
    pub cgroup: Option<PathBuf>,
    /// `NAME=value` pairs. Only the processes of this command have all of them in their
    /// environment.
    pub marks: Vec<OsString>,
}

impl Tree {
    /// Whether any process of it runs.
    ///
    /// # Errors
    /// No process is found, and some could not be looked at.
    pub fn is_alive(&self) -> Result<bool, Unseen> {
        let in_cgroup = self.cgroup.as_deref().map(cgroup::is_populated);
        if let Some(Ok(true)) = in_cgroup {
            return Ok(true);
        }
        if !self.search()?.is_empty() {
            return Ok(true);
        }
        in_cgroup.unwrap_or(Ok(false))
    }

    /// Asks every process of it to end, with SIGTERM. [`Tree::is_alive`] says whether that worked.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Kills every process of it. [`Tree::is_alive`] says whether that worked.
    pub fn kill(&self) {
        if let Some(cgroup) = &self.cgroup {
            let _ = cgroup::kill(cgroup);
        }
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        let mut pids: BTreeSet<i32> = self.search().unwrap_or_default();
        pids.extend(self.cgroup.as_deref().map(cgroup::pids).unwrap_or_default());
        for pid in pids {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Finds its processes in /proc: first those that bear a mark, then their children.
    fn search(&self) -> Result<BTreeSet<i32>, Unseen> {
        let all = self.shown()?;
        let running: Vec<&Stat> = all.iter().filter(|stat| !stat.has_ended).collect();

        let mut found = BTreeSet::new();
        for stat in &running {
            if self.bears_a_mark(stat)? {
                found.insert(stat.identity.pid);
            }
        }
        loop {
            let is_new =
                |stat: &&&Stat| found.contains(&stat.parent) && !found.contains(&stat.identity.pid);
            let children: Vec<i32> = running
                .iter()
                .filter(is_new)
                .map(|stat| stat.identity.pid)
                .collect();
            if children.is_empty() {
                break;
            }
            found.extend(children);
        }

        if found.is_empty() {
            self.check_hidden(&all)?;
        }
        Ok(found)
    }

    /// Makes sure that no process of the leader's group is one that /proc does not show.
    fn check_hidden(&self, all: &[Stat]) -> Result<(), Unseen> {
        let Some(leader) = self.leader else {
            return Ok(());
        };
        let is_shown = all.iter().any(|stat| stat.group == leader.pid);
        if is_shown || !exists(-leader.pid)? {
            return Ok(());
        }
        let why = "/proc does not show all processes of this process group";
        Err(Unseen::because(format!("/proc/{}", leader.pid), why))
    }

    /// Whether a process shows by itself that it belongs to the command.
    fn bears_a_mark(&self, stat: &Stat) -> Result<bool, Unseen> {
        // A session keeps its number as long as any process is in it. So the number is still the
        // leader's after the leader has ended.
        if let Some(leader) = self.leader {
            if stat.identity.start_ticks < leader.start_ticks {
                return Ok(false);
            }
            if stat.session == leader.pid || stat.group == leader.pid {
                return Ok(true);
            }
        }
        self.is_marked(stat.identity.pid)
    }

    fn is_marked(&self, pid: i32) -> Result<bool, Unseen> {
        if self.marks.is_empty() {
            return Ok(false);
        }
        let Some(environment) = shown_environment(pid)? else {
            return Ok(false);
        };
        let has = |mark: &OsString| {
            environment
                .split(|b| *b == 0)
                .any(|variable| variable == mark.as_encoded_bytes())
        };
        Ok(self.marks.iter().all(has))
    }

    /// The processes that /proc shows, without this one and without those that are older than the
    /// command.
    fn shown(&self) -> Result<Vec<Stat>, Unseen> {
        check_proc()?;
        let own = nix::unistd::getpid().as_raw();
        let command = self.leader.zip(self.forks_before);
        if let Some((leader, forks)) = command {
            // The leader is looked at first: had it forked since then, the count would say so.
            let found = look_at(leader.pid)?;
            if was_only_one(forks) {
                return Ok(found.into_iter().collect());
            }
        }

        let mut pids = numbers()?;
        // After the list was read: what is forked from now on is not in it.
        if let Some((leader, forks)) = command
            && let Some(younger) = younger(leader.pid, forks)
        {
            pids.retain(|pid| younger.contains(pid));
        }

        let mut all = Vec::new();
        for pid in pids.into_iter().filter(|pid| *pid != own) {
            all.extend(look_at(pid)?);
        }
        Ok(all)
    }
}

/// What /proc shows of a process, or else the kernel where that is forbidden; `None`: there is no
/// such process.
fn look_at(pid: i32) -> Result<Option<Stat>, Unseen> {
    match Stat::read_shown(pid) {
        Err(unseen) if unseen.is_forbidden() => Ok(Stat::without_proc(pid)),
        shown => shown,
    }
}
