//! A command that does not begin before it is on record.
//!
//! Protocol: the child makes itself a session, joins its cgroup, takes its user, writes its pid
//! into a pipe and waits at a gate, which is a second pipe. The parent records who the child is and
//! only then opens the gate. If the parent dies first, the kernel closes the gate, and the child
//! ends without executing anything. So a command that runs is one that is on record.
//!
//! It does not promise that a command on record has run: the parent can die after it recorded the
//! child and before it opened the gate.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::libc;

use super::detach::close_on_exec_from;
use super::process::ProcessIdentity;
use super::surroundings::set_umask_of_command;
use super::user::User;

/// Children are forked one at a time: a second child would hold copies of the first one's gate.
static FORKING: Mutex<()> = Mutex::new(());

/// How a child ended, or why its program could not be executed.
pub type ExitResult = io::Result<ExitStatus>;

/// A child that waits at its gate. Dropping it closes the gate: the child ends without executing
/// anything.
pub struct Gated {
    /// Who it is.
    pub identity: ProcessIdentity,
    gate: PipeWriter,
    outcome: Receiver<ExitResult>,
    _forking: MutexGuard<'static, ()>,
}

impl Gated {
    /// Lets the child begin. The channel gives its exit status once it has ended, or why the
    /// program could not be executed.
    ///
    /// # Errors
    /// The child is gone.
    pub fn open(mut self) -> io::Result<Receiver<ExitResult>> {
        self.gate.write_all(b"g")?;
        Ok(self.outcome)
    }
}

/// Forks a child for `command` that waits at its gate: in a session of its own, with umask 022, in
/// the cgroup whose `cgroup.procs` is given, as `user`, and with every descriptor but the standard
/// ones closed on exec.
///
/// # Errors
/// The child can't be forked or set up.
pub fn spawn_gated(
    mut command: Command,
    cgroup: Option<File>,
    user: Option<User>,
) -> io::Result<Gated> {
    let forking = FORKING.lock().unwrap_or_else(PoisonError::into_inner);
    let (pid_reader, pid_writer) = io::pipe()?;
    let (gate_reader, gate) = io::pipe()?;
    let child = Child {
        cgroup,
        user,
        pid: pid_writer,
        gate: gate_reader,
        parent_gate: gate.as_raw_fd(),
    };

    // SAFETY: between fork and exec only system calls are made (setsid, umask, write, setgroups,
    // setgid, setuid, close_range, getpid, close, read), all on values made before the fork;
    // nothing allocates or locks.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    unsafe {
        command.pre_exec(move || child.set_up());
    }

    let outcome = spawn_in_thread(command)?;
    let identity = read_identity(pid_reader, &outcome)?;
    Ok(Gated {
        identity,
        gate,
        outcome,
        _forking: forking,
    })
}

/// Spawns a command and waits for its end, in a thread: `spawn` itself returns only once the
/// program is executed, and so not before the gate is open.
fn spawn_in_thread(mut command: Command) -> io::Result<Receiver<ExitResult>> {
    let (sender, outcome) = mpsc::channel();
    std::thread::Builder::new()
        .name("child".to_owned())
        .spawn(move || {
            let spawned = command.spawn();
            // This closes the parent's copy of the pid pipe, so that a child that fails early is
            // noticed.
            drop(command);
            let _ = sender.send(spawned.and_then(|mut child| child.wait()));
        })?;
    Ok(outcome)
}

/// Waits until the child has written its pid, and looks up who it is.
fn read_identity(
    mut pid_reader: PipeReader,
    outcome: &Receiver<ExitResult>,
) -> io::Result<ProcessIdentity> {
    let ended_early = || io::Error::other("the child ended before it began");

    let mut pid = [0; 4];
    if pid_reader.read_exact(&mut pid).is_err() {
        let outcome = outcome.recv().unwrap_or_else(|_| Err(ended_early()));
        return Err(outcome.err().unwrap_or_else(ended_early));
    }

    let pid = i32::try_from(u32::from_ne_bytes(pid)).map_err(io::Error::other)?;
    ProcessIdentity::of(pid).ok_or_else(ended_early)
}

/// What the child needs after the fork. Nothing here may allocate or lock.
struct Child {
    cgroup: Option<File>,
    user: Option<User>,
    pid: PipeWriter,
    gate: PipeReader,
    /// The number of the parent's end of the gate, of which the fork made a copy.
    parent_gate: RawFd,
}

impl Child {
    /// Makes the process what the command is to run in, then waits at the gate.
    fn set_up(&self) -> io::Result<()> {
        nix::unistd::setsid()?;
        set_umask_of_command();
        if let Some(procs) = &self.cgroup {
            nix::unistd::write(procs, b"0")?;
        }
        if let Some(user) = &self.user {
            user.become_for_good()?;
        }
        close_on_exec_from(3)?;

        nix::unistd::write(&self.pid, &std::process::id().to_ne_bytes())?;
        self.wait_at_gate()
    }

    /// Closes this process's own copy of the gate's other end, then waits.
    fn wait_at_gate(&self) -> io::Result<()> {
        // SAFETY: in the child, this number is a copy of the parent's descriptor that nothing here
        // uses.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        unsafe {
            libc::close(self.parent_gate);
        }
        loop {
            match nix::unistd::read(&self.gate, &mut [0]) {
                Ok(1) => return Ok(()),
                Ok(_) => return Err(Errno::ECANCELED.into()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}
