//! The settings that processes of this program get instead of those that they would inherit.
//!
//! Protocol: a hook inherits the search path and the umask of the user who pushed, through sshd, a
//! web server or a forge. A runner and the commands that it starts get the ones here, so that what
//! they do does not depend on who pushed.
//!
//! It does not promise anything about the rest of an environment: the code that starts a process
//! clears it and sets what is in it.

use std::io;

use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::stat::{Mode, umask};

/// Where programs are looked for, by runners and by the commands that they start.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The umask of the commands that are started: others may read what they write.
const COMMAND_UMASK: u32 = 0o022;

/// The same where the group may write too.
const GROUP_UMASK: u32 = 0o002;

/// Gives this process the umask that releases are written with. Where a group shares the
/// repository, another user may have to write the next release.
pub fn set_umask(is_with_group: bool) {
    set(if is_with_group {
        GROUP_UMASK
    } else {
        COMMAND_UMASK
    });
}

/// Lets this process learn how its children end, and its commands how theirs do. Where this signal
/// is ignored, as a process can inherit it, the kernel forgets their exit statuses (waitpid(2)).
///
/// # Errors
/// The kernel refused.
pub fn heed_children() -> io::Result<()> {
    // SAFETY: no handler is installed, and the old one was none of this program's.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    let set = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
    Ok(set.map(drop)?)
}

/// Gives this process the umask of a command. Between fork and exec it makes one system call.
pub(super) fn set_umask_of_command() {
    set(COMMAND_UMASK);
}

fn set(mask: u32) {
    umask(Mode::from_bits_truncate(mask));
}
