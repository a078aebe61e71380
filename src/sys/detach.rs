//! A process that goes on after the push has ended.
//!
//! Protocol: the child gets a session of its own, so that no signal to the hook's process group and
//! no hang-up of a terminal reaches it. Its standard descriptors are /dev/null, and every other one
//! is closed on exec: the push ends only when every copy of the hook's output is closed, and git
//! 2.54 and fcgiwrap leak further descriptors. Its environment has only the given variables,
//! because the hook's environment can hold the pusher's password.
//!
//! It does not promise that the child survives where its whole cgroup is killed (logind's
//! KillUserProcesses, a restart of the web server's unit).

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::libc;

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
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    in_own_session(&mut command);

    // SAFETY: between fork and exec only close_range is called, which is an async-signal-safe
    // system call.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    unsafe {
        command.pre_exec(|| close_on_exec_from(3));
    }

    command.spawn().map(drop)
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
