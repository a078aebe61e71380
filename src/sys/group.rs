//! Process groups: ending a command together with what it started.
//!
//! Protocol: the command leads a session and a process group of its own, so that its number is also
//! the group's, and a signal to the group reaches what the command started. The number stays taken
//! until the command was waited for; so the group is signalled before that, and never afterwards.
//!
//! It does not promise to reach a process that took a session or group of its own, as daemons and
//! runners do, nor one that belongs to another user when this process is not root.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, setsid};

use super::clock::{self, Deadline};

/// How long to sleep between two looks at a child that is about to end.
const LOOK: Duration = Duration::from_millis(2);

/// Lets a command lead a process group of its own, in a session of its own if it leads no group
/// yet.
pub(super) fn lead_own(command: &mut Command) {
    let setup = || match setsid() {
        // The caller has made it the leader of a group already.
        Ok(_) | Err(Errno::EPERM) => Ok(()),
        Err(errno) => Err(io::Error::from(errno)),
    };
    // SAFETY: between fork and exec only setsid is called, which is an async-signal-safe system
    // call.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    unsafe {
        command.pre_exec(setup);
    }
}

/// Kills the process group that a child leads. The child must not have been waited for.
///
/// # Errors
/// The kernel refuses: everything in the group belongs to other users, or the child leads no group.
pub fn kill(leader: &Child) -> io::Result<()> {
    let group = Pid::from_raw(leader.id().cast_signed());
    Ok(killpg(group, Signal::SIGKILL)?)
}

/// Kills the process group that a child leads and waits for the child, but not longer than
/// `patience`: somebody may trace it, and then it stays.
pub(super) fn end(leader: &mut Child, patience: Duration) {
    // Both: a child that has left its group is still killed itself.
    let _ = kill(leader);
    let _ = leader.kill();

    let deadline = Deadline::after(patience);
    while matches!(leader.try_wait(), Ok(None)) && !deadline.is_over() {
        clock::sleep(LOOK);
    }
}
