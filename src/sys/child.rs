//! A child that is made without a copy of its parent's memory, and waits at a gate before it
//! executes its program.
//!
//! Protocol: fork(2) would copy the page tables of the whole parent, and both would copy each page
//! that one of them writes to. That takes longer than everything else of a short command. So the
//! child is made as posix_spawn(3) makes it, with CLONE_VM and CLONE_VFORK (clone(2)): until it
//! executes its program or ends, it runs on a stack of its own in the parent's memory, and the
//! thread that made it stands still. The other threads go on, so the child makes system calls
//! alone: it allocates nothing and takes no lock, and its signals are blocked, because no handler
//! may run there. It closes every descriptor that it does not need before it waits, so that no
//! other child's gate stays open because of it.
//!
//! It does not promise that the gate is ever opened: the parent can end before that. Then the child
//! ends too.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::libc;
use nix::sched::{CloneFlags, clone};
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, getpid, read, setsid, write};

use super::forks;
use super::invocation::{Image, Vectors};
use super::surroundings::set_umask_of_command;
use super::user::Credentials;

/// The size of a child's stack until it executes its program, in bytes.
const STACK: usize = 32 * 1024;

/// Makes a child, and returns when it has executed its program or ended.
pub(super) fn start(child: Child) -> Result<Pid, Errno> {
    SigSet::all().thread_block()?;
    let mut stack = vec![0; STACK];
    let mut vectors = child.image.vectors();
    let forks_before = forks::count();
    let run = Box::new(|| child.run(&mut vectors, forks_before));

    // SAFETY: the child makes system calls alone, on values made before, and on a stack that it
    // alone uses. CLONE_VFORK keeps this thread, and so these values, where they are until the
    // child uses this memory no more.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    unsafe {
        let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
        clone(run, &mut stack, flags, Some(libc::SIGCHLD))
    }
}

/// Waits for the end of a child.
pub(super) fn wait_for(child: Pid) -> Result<ExitStatus, Errno> {
    loop {
        // wait(2): the exit status is in the second byte, and a signal in the first.
        let status = match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, code)) => code << 8,
            Ok(WaitStatus::Signaled(_, signal, _)) => signal as i32,
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno),
        };
        return Ok(ExitStatus::from_raw(status));
    }
}

/// What a child says.
pub(super) enum Report {
    /// It waits at its gate.
    Waits(Greeting),
    /// It ends, because it can't go on.
    Failed(Errno),
}

/// What a child says before it waits at its gate.
pub(super) struct Greeting {
    /// Its number.
    pub(super) pid: i32,
    /// Whether it is in the cgroup that it was to join.
    pub(super) is_in_cgroup: bool,
    /// How many processes and threads the machine had forked before, where it is known.
    pub(super) forks_before: Option<u64>,
}

impl Report {
    /// In bytes. The kernel writes so few at once, or none of them (pipe(7)).
    const SIZE: usize = 16;

    /// Three numbers: the pid, or 0 where it failed; the errno, or whether it is in the cgroup; and
    /// how many forks there were before.
    fn bytes(&self) -> [u8; Self::SIZE] {
        let (pid, what, forks) = match self {
            Self::Waits(greeting) => (
                greeting.pid,
                i32::from(greeting.is_in_cgroup),
                greeting.forks_before.unwrap_or(u64::MAX),
            ),
            Self::Failed(errno) => (0, *errno as i32, 0),
        };
        let mut bytes = [0; Self::SIZE];
        bytes[..4].copy_from_slice(&pid.to_ne_bytes());
        bytes[4..8].copy_from_slice(&what.to_ne_bytes());
        bytes[8..].copy_from_slice(&forks.to_ne_bytes());
        bytes
    }

    /// Reads the next report of a child.
    ///
    /// # Errors
    /// It ended, or can't be read.
    pub(super) fn read(mut from: &PipeReader) -> io::Result<Self> {
        let (mut pid, mut what, mut forks) = ([0; 4], [0; 4], [0; 8]);
        from.read_exact(&mut pid)?;
        from.read_exact(&mut what)?;
        from.read_exact(&mut forks)?;

        let (pid, what) = (i32::from_ne_bytes(pid), i32::from_ne_bytes(what));
        let forks = u64::from_ne_bytes(forks);
        Ok(match pid {
            0 => Self::Failed(Errno::from_raw(what)),
            pid => Self::Waits(Greeting {
                pid,
                is_in_cgroup: what != 0,
                forks_before: (forks != u64::MAX).then_some(forks),
            }),
        })
    }
}

/// Everything that a child needs. Nothing that it does may allocate or lock.
pub(super) struct Child {
    /// What it executes.
    pub(super) image: Image,
    /// Its standard input, its standard output and its standard error.
    pub(super) streams: [File; 3],
    /// The `cgroup.procs` of the cgroup that it joins.
    pub(super) cgroup: Option<File>,
    /// The user that it becomes.
    pub(super) user: Option<Credentials>,
    /// Where it says what it has come to.
    pub(super) report: PipeWriter,
    /// It begins when it can read a byte here, and ends when the other end is closed.
    pub(super) gate: PipeReader,
}

impl Child {
    /// What the child does, in the memory of its parent. It returns only if it could not execute
    /// its program; what it returns is its exit status.
    fn run(&self, vectors: &mut Vectors<'_>, forks_before: Option<u64>) -> isize {
        let errno = match self.set_up(forks_before) {
            Ok(()) => vectors.execute(),
            Err(errno) => errno,
        };
        let _ = write(&self.report, &Report::Failed(errno).bytes());
        127
    }

    /// Makes the process what the command is to run in, and waits at the gate.
    fn set_up(&self, forks_before: Option<u64>) -> Result<(), Errno> {
        let [stdin, stdout, stderr] = &self.streams;
        dup2_stdin(stdin)?;
        dup2_stdout(stdout)?;
        dup2_stderr(stderr)?;
        chdir(self.image.folder())?;

        setsid()?;
        set_umask_of_command();
        let join = |procs: &File| write(procs, b"0").is_ok();
        let is_in_cgroup = self.cgroup.as_ref().is_some_and(join);
        if let Some(user) = &self.user {
            user.become_alone()?;
        }
        self.close_others()?;

        let greeting = Greeting {
            pid: getpid().as_raw(),
            is_in_cgroup,
            forks_before,
        };
        write(&self.report, &Report::Waits(greeting).bytes())?;
        self.wait_at_gate()?;
        heed_signals()
    }

    /// Closes all descriptors but the standard ones and the two that are needed; these are closed
    /// on exec.
    fn close_others(&self) -> Result<(), Errno> {
        let (report, gate) = (self.report.as_raw_fd(), self.gate.as_raw_fd());
        let (low, high) = (report.min(gate), report.max(gate));
        for (first, last) in [(3, low - 1), (low + 1, high - 1), (high + 1, i32::MAX)] {
            if first <= last {
                close_range(first, last)?;
            }
        }
        Ok(())
    }

    fn wait_at_gate(&self) -> Result<(), Errno> {
        loop {
            match read(&self.gate, &mut [0]) {
                Ok(1) => return Ok(()),
                Ok(_) => return Err(Errno::ECANCELED),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// Blocks no signal any more, and does not ignore the one that each Rust program ignores. From here
/// on a handler could run in the parent's memory, but who makes a child has none.
fn heed_signals() -> Result<(), Errno> {
    // SAFETY: no handler is installed. The child has a table of handlers of its own.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    unsafe {
        signal(Signal::SIGPIPE, SigHandler::SigDfl)?;
    }
    SigSet::empty().thread_set_mask()
}

/// Closes the descriptors of a range (close_range(2)).
fn close_range(first: i32, last: i32) -> Result<(), Errno> {
    // SAFETY: in the child, which has a table of descriptors of its own, these are used no more.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    Errno::result(result).map(drop)
}
