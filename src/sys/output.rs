//! The output of a command, within a limit of time and of size.
//!
//! Protocol: the command leads a process group of its own. Its standard output and standard error
//! are pipes that do not block, and this process reads both while it waits for the command's end,
//! with poll(2) and without threads: neither pipe can fill up while the other one is read. When the
//! time is over or the output too large, the whole group is killed. Then the command is waited for,
//! but not without end.
//!
//! The output is complete when the command itself has ended: whatever it wrote is in the pipes by
//! then. A process that it leaves behind may keep the pipes open; it is neither waited for nor
//! killed, and what it writes later is lost.
//!
//! It does not promise to kill what has left the process group (see [`super::group`]), nor to
//! return in time while the kernel loads the program from a file system that hangs.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::clock::Deadline;
use super::{group, poll};

/// How long a command that was killed is waited for.
const KILLED_MAX: Duration = Duration::from_secs(2);

/// How often to look whether the command has ended, where the kernel can't watch it.
const LOOK: Duration = Duration::from_millis(10);

/// How often those who listen are called.
const HEARD: Duration = Duration::from_millis(200);

/// How much is read at once, in bytes: what a pipe holds.
const CHUNK: usize = 64 * 1024;

/// Why there is no output. The message ends with the cause, where there is one; the cause is also
/// the error's source.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The command did not begin.
    #[error("the command could not be started: {0}")]
    Start(#[source] io::Error),

    /// The kernel failed to tell what the command wrote or whether it has ended; it was killed.
    #[error("the output of the command could not be read: {0}")]
    Read(#[source] io::Error),

    /// The command was not done in time; it was killed.
    #[error("the command took longer than {} s and was ended", .limit.as_secs_f64())]
    TooLong {
        /// The limit that it passed.
        limit: Duration,
    },

    /// The command wrote too much; it was killed.
    #[error("the command wrote more than {max_bytes} bytes and was ended")]
    TooLarge {
        /// The limit that it passed, for standard output and standard error together.
        max_bytes: usize,
    },
}

/// Runs a command and collects what it writes: at most `max_bytes` on standard output and standard
/// error together, and for at most `limit`. Its standard input is empty, and its standard streams
/// are set here whatever the caller has set. A command that fails is not an error; its status says
/// that it failed.
///
/// # Errors
/// The command can't be started or read from, or passed a limit; see [`OutputError`].
pub fn output_within(
    command: Command,
    limit: Duration,
    max_bytes: usize,
) -> Result<Output, OutputError> {
    run(command, Stdio::null(), limit, max_bytes, watch, None)
}

/// [`output_within`], where `heard` gets what the command writes to its standard error while it
/// runs. It is also called a few times a second while nothing is written.
///
/// # Errors
/// As for [`output_within`].
pub fn output_heard(
    command: Command,
    limit: Duration,
    max_bytes: usize,
    heard: Heard<'_>,
) -> Result<Output, OutputError> {
    run(command, Stdio::null(), limit, max_bytes, watch, Some(heard))
}

/// What gets the standard error of a command while it runs.
pub type Heard<'h> = &'h mut dyn FnMut(&[u8]);

/// [`output_within`] for a command that reads its standard input from a file.
///
/// # Errors
/// As for [`output_within`].
pub fn output_of_input(
    command: Command,
    input: File,
    limit: Duration,
    max_bytes: usize,
) -> Result<Output, OutputError> {
    run(command, input.into(), limit, max_bytes, watch, None)
}

/// [`output_within`], with a given standard input and a given way to learn of the child's end.
fn run(
    mut command: Command,
    input: Stdio,
    limit: Duration,
    max_bytes: usize,
    watch: impl Fn(&Child) -> Option<OwnedFd>,
    heard: Option<Heard<'_>>,
) -> Result<Output, OutputError> {
    group::lead_own(&mut command);
    command
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());

    let mut child = command.spawn().map_err(OutputError::Start)?;
    let end = watch(&child);

    match collect(&mut child, end.as_ref(), limit, max_bytes, heard) {
        Ok((stdout, stderr)) => Ok(Output {
            status: child.wait().map_err(OutputError::Read)?,
            stdout,
            stderr,
        }),
        Err(error) => {
            group::end(&mut child, KILLED_MAX);
            Err(error)
        }
    }
}

/// Reads both streams of a child until it has ended. The child is not waited for, so that its
/// number stays its own.
fn collect(
    child: &mut Child,
    end: Option<&OwnedFd>,
    limit: Duration,
    max_bytes: usize,
    mut heard: Option<Heard<'_>>,
) -> Result<(Vec<u8>, Vec<u8>), OutputError> {
    let mut stdout = Stream::new(child.stdout.take()).map_err(OutputError::Read)?;
    let mut stderr = Stream::new(child.stderr.take()).map_err(OutputError::Read)?;
    let deadline = Deadline::after(limit);
    let mut room = max_bytes;

    loop {
        // Asked before the pipes are read: what an ended child wrote is in there.
        let has_ended = has_ended(child).map_err(OutputError::Read)?;
        let known = stderr.bytes.len();
        for stream in [&mut stdout, &mut stderr] {
            if !stream.read(&mut room).map_err(OutputError::Read)? {
                return Err(OutputError::TooLarge { max_bytes });
            }
        }

        if let Some(heard) = &mut heard {
            heard(&stderr.bytes[known..]);
        }

        if has_ended {
            return Ok((stdout.bytes, stderr.bytes));
        }
        if deadline.is_over() {
            return Err(OutputError::TooLong { limit });
        }

        let patience = if end.is_some() {
            deadline.left()
        } else {
            deadline.left().min(LOOK)
        };
        let patience = match heard {
            Some(_) => patience.min(HEARD),
            None => patience,
        };
        let watched: Vec<BorrowedFd<'_>> = [stdout.descriptor(), stderr.descriptor()]
            .into_iter()
            .chain([end.map(AsFd::as_fd)])
            .flatten()
            .collect();
        poll::wait_until_readable(&watched, patience).map_err(OutputError::Read)?;
    }
}

/// One of a child's output streams, and what came out of it.
struct Stream {
    /// `None` once every writer has closed it.
    pipe: Option<File>,
    bytes: Vec<u8>,
}

impl Stream {
    fn new(pipe: Option<impl Into<OwnedFd>>) -> io::Result<Self> {
        let pipe = pipe.map(|pipe| File::from(pipe.into()));
        if let Some(pipe) = &pipe {
            // This end of the pipe is this process's alone; the child's end keeps blocking.
            fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        Ok(Self {
            pipe,
            bytes: Vec::new(),
        })
    }

    /// Reads what is there and counts it off `room`; `false`: there is more than that.
    fn read(&mut self, room: &mut usize) -> io::Result<bool> {
        let mut chunk = vec![0; CHUNK];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut chunk) {
                Ok(0) => self.pipe = None,
                Ok(count) if count > *room => return Ok(false),
                Ok(count) => {
                    *room -= count;
                    self.bytes.extend_from_slice(&chunk[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }
}

/// Whether a child has ended, without waiting for it and without taking its status.
fn has_ended(child: &Child) -> io::Result<bool> {
    let pid = Pid::from_raw(child.id().cast_signed());
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    loop {
        match waitid(Id::Pid(pid), flags) {
            Ok(status) => return Ok(status != WaitStatus::StillAlive),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// A descriptor that can be read once a child has ended (pidfd_open(2)); `None` where the kernel or
/// a sandbox does not give one.
fn watch(child: &Child) -> Option<OwnedFd> {
    // SAFETY: pidfd_open(2) takes two numbers and touches no memory.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    let answer = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) };
    let descriptor = i32::try_from(answer).ok()?;
    if descriptor < 0 {
        return None;
    }

    // SAFETY: the kernel has just made this descriptor, and nobody else owns it.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    Some(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
