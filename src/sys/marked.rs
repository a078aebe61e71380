//! Processes that bear a mark in their environment, whoever started them.
//!
//! Protocol: /proc/PID/environ is what a process was executed with (proc(5)), and its children have
//! it too, unless somebody changed it for them. So a mark leads to the processes of a command of
//! which nothing is recorded any more.
//!
//! It does not promise to find all of them: a process can be executed without the mark, and the
//! environments of other users' processes are only shown to root. Nor does it promise that a mark
//! is true: every user can start a process with it.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::cgroup;
use super::process::{ProcessIdentity, Stat, check_proc, numbers, shown_environment};
use super::unseen::Unseen;

/// A process that bears a mark.
#[derive(Debug)]
pub struct Marked {
    /// Who it is.
    pub identity: ProcessIdentity,
    /// Whether it leads its session, as the first process of a command does.
    pub leads_session: bool,
    /// The cgroup of its deployment, where it has one.
    pub cgroup: Option<PathBuf>,
    environment: Vec<u8>,
}

impl Marked {
    /// The value of a variable that is text; `None`: it has no such variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        let mut variables = self.environment.split(|b| *b == 0);
        let value = variables
            .find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
        std::str::from_utf8(value).ok()
    }
}

/// The processes that run and have this `NAME=value` in their environment, the oldest first.
///
/// # Errors
/// Some could not be looked at.
pub fn bearing(mark: &OsStr) -> Result<Vec<Marked>, Unseen> {
    check_proc()?;
    let mut found = Vec::new();
    for pid in numbers()? {
        let Some(environment) = shown_environment(pid)? else {
            continue;
        };
        let is_mark = |variable: &[u8]| variable == mark.as_encoded_bytes();
        if !environment.split(|b| *b == 0).any(is_mark) {
            continue;
        }
        if let Some(stat) = Stat::read(pid)?.filter(|stat| !stat.has_ended) {
            found.push(Marked {
                identity: stat.identity,
                leads_session: stat.session == pid,
                cgroup: cgroup::made_for(pid)?,
                environment,
            });
        }
    }
    found.sort_by_key(|marked| marked.identity.start_ticks);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    use nix::unistd::Pid;

    use super::*;

    #[test]
    fn process_with_a_mark_is_found_until_it_has_ended() {
        let mark = format!("DEPLOY_TEST_MARK={}", std::process::id());
        let (name, value) = mark.split_once('=').unwrap();
        let mut command = Command::new("sleep");
        command.arg("1000").env(name, value).env("DEPLOY_TEST", "");
        let mut child = command.spawn().unwrap();

        let found = bearing(OsStr::new(&mark)).unwrap();
        let [marked] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(marked.identity.pid, child.id().cast_signed());
        assert!(!marked.leads_session);
        assert_eq!(marked.variable(name), Some(value));
        assert_eq!(marked.variable("DEPLOY_TEST"), Some(""));
        assert_eq!(marked.variable("DEPLOY"), None);
        // A value that only begins in the same way is another one.
        assert!(
            bearing(OsStr::new(&mark[..mark.len() - 1]))
                .unwrap()
                .is_empty()
        );

        child.kill().unwrap();
        // It is not waited for, so it stays a zombie.
        let pid = Pid::from_raw(child.id().cast_signed());
        waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
        assert!(
            bearing(OsStr::new(&mark)).unwrap().is_empty(),
            "a zombie runs"
        );
        child.wait().unwrap();
    }
}
