//! A process that goes on after the push has ended.
//!
//! Protocol: the child gets a session of its own, so that no signal to the hook's process group and
//! no hang-up of a terminal reaches it. Its standard descriptors are /dev/null, and every other one
//! is closed: the push ends only when every copy of the hook's output is closed, and git
//! 2.54 and fcgiwrap leak further descriptors. Its environment has only the given variables,
//! because the hook's environment can hold the pusher's password.
//!
//! A process that starts many of them reaps those that have ended whenever it starts another one,
//! so that they do not count against its limits (RLIMIT_NPROC).
//!
//! It does not promise that the child survives where its whole cgroup is killed (logind's
//! KillUserProcesses, a restart of the web server's unit).

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::libc;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::session;

/// Starts a detached process with this environment and no other, in the folder `/`, and does not
/// wait for it.
///
/// # Errors
/// It can't be started, for example because the program can't be executed.
pub fn spawn(
    program: &Path,
    arguments: &[&std::ffi::OsStr],
    environment: &[(&str, &str)],
) -> io::Result<()> {
    keep(session::spawn(program, arguments, environment)?);
    Ok(())
}

/// The detached children that had not ended when they were looked at last.
static CHILDREN: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// Remembers a child, and reaps those that have ended. A child that can't be asked is one that was
/// reaped already.
fn keep(child: Pid) {
    let mut children = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    children.retain(|child| {
        let state = waitpid(*child, Some(WaitPidFlag::WNOHANG));
        matches!(state, Ok(WaitStatus::StillAlive))
    });
    children.push(child);
}

/// Lets a command run in a session of its own, and so without a terminal. It can write to a
/// terminal that it was given as an output, but not type into it (TIOCSTI, ioctl_tty(2)).
pub fn in_own_session(command: &mut Command) {
    // SAFETY: between fork and exec only setsid is called, which is an async-signal-safe system
    // call.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    unsafe {
        command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(io::Error::from));
    }
}

/// Lets a command end (SIGKILL) when the thread of this process ends that starts it, also when that
/// is killed (prctl(2), `PR_SET_PDEATHSIG`), and keeps it from inheriting any descriptor but the
/// standard ones. What it starts itself is not reached. A change of the user undoes it, so this
/// comes after that.
pub fn end_with_this_thread(command: &mut Command) {
    let parent = nix::unistd::getpid();
    let setup = move || {
        nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
        // The parent may have ended before that.
        if nix::unistd::getppid() != parent {
            return Err(Errno::ESRCH.into());
        }
        close_on_exec_from(3)
    };
    // SAFETY: between fork and exec only prctl, getppid and close_range are called, which are
    // async-signal-safe system calls.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    unsafe {
        command.pre_exec(setup);
    }
}

/// Marks every descriptor from the number `first` on as close-on-exec. They are not closed at once,
/// because the standard library reports a failed exec through one of them.
pub(super) fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: close_range(2) takes three numbers and touches no memory.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    let result = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };

    Errno::result(result).map(drop).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::{self, Deadline};
    use std::time::Duration;

    /// How many children of this process called `true` have ended and were not reaped.
    fn zombies() -> usize {
        let own = format!(" Z {} ", std::process::id());
        let stats = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let stat = entry.ok()?.path().join("stat");
            std::fs::read_to_string(stat).ok()
        });
        stats
            .filter(|stat| stat.contains("(true)") && stat.contains(&own))
            .count()
    }

    #[test]
    fn children_that_have_ended_are_reaped_when_another_one_is_started() {
        let start = || spawn(Path::new("/bin/true"), &[], &[]).unwrap();
        (0..20).for_each(|_| start());
        // Each of them has ended a moment later. Then the next one that is started reaps them all.
        let end = Deadline::after(Duration::from_secs(30));
        loop {
            start();
            clock::sleep(Duration::from_millis(20));
            if zombies() <= 1 {
                return;
            }
            assert!(!end.is_over(), "{} zombies", zombies());
        }
    }
}
