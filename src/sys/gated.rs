//! A command that does not begin before it is on record.
//!
//! Protocol: the child makes itself a session, joins its cgroup, takes its user, writes its pid
//! into a pipe and waits at a gate, which is a second pipe. The parent records who the child is and
//! only then opens the gate. If the parent dies first, the kernel closes the gate, and the child
//! ends without executing anything. So a command that runs is one that is on record.
//!
//! A cgroup that can't be joined, for example because it is gone, does not stop the child: it goes
//! on without one, and says so.
//!
//! It does not promise that a command on record has run: the parent can die after it recorded the
//! child and before it opened the gate.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

use super::clock;
use super::detach::close_on_exec_from;
use super::forks;
use super::poll;
use super::process::ProcessIdentity;
use super::surroundings::set_umask_of_command;
use super::user::Credentials;

/// Children are forked one at a time: a second child would hold copies of the first one's gate.
static FORKING: Mutex<()> = Mutex::new(());

/// How a child ended.
#[derive(Debug)]
pub enum ChildExit {
    /// Its program was executed, and has ended.
    Ended(ExitStatus),
    /// Its program could not be executed.
    NotExecuted(io::Error),
    /// It has ended, and the kernel does not say how.
    Unknown(io::Error),
}

/// A child that waits at its gate. Dropping it closes the gate: the child ends without executing
/// anything.
pub struct Gated {
    /// Who it is.
    pub identity: ProcessIdentity,
    /// Whether it is in the cgroup that it was to join.
    pub is_in_cgroup: bool,
    /// How many processes the machine had forked before, where it is known.
    pub forks_before: Option<u64>,
    gate: PipeWriter,
    child: Running,
    _forking: MutexGuard<'static, ()>,
}

impl Gated {
    /// Lets the child begin.
    ///
    /// # Errors
    /// The child is gone, and has not executed anything.
    pub fn open(mut self) -> io::Result<Running> {
        self.gate.write_all(b"g")?;
        Ok(self.child)
    }
}

/// A child that was let through its gate.
pub struct Running {
    exit: Receiver<ChildExit>,
    /// Its other end is closed when the child has ended.
    has_ended: PipeReader,
}

impl Running {
    /// Waits until the child has ended or `other` can be read, but not longer than `patience`, and
    /// returns how it ended.
    #[must_use]
    pub fn wait(&self, other: Option<BorrowedFd<'_>>, patience: Duration) -> Option<ChildExit> {
        let watched: Vec<BorrowedFd<'_>> =
            [self.has_ended.as_fd()].into_iter().chain(other).collect();
        if poll::wait_until_readable(&watched, patience).is_err() {
            clock::sleep(patience);
        }
        match self.exit.try_recv() {
            Ok(exit) => Some(exit),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(ChildExit::Unknown(io::Error::other(
                "the thread that waits for it has ended",
            ))),
        }
    }
}

/// Forks a child for `command` that waits at its gate: in a session of its own, with umask 022, in
/// the cgroup whose `cgroup.procs` is given, as `user`, and with every descriptor but the standard
/// ones closed on exec.
///
/// # Errors
/// The child can't be forked or set up. It has not executed anything.
pub fn spawn_gated(
    mut command: Command,
    cgroup: Option<File>,
    user: Option<Credentials>,
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

    let forks_before = forks::count();
    let child = spawn_in_thread(command)?;
    let mut greeting = [0; Greeting::SIZE];
    if let Err(error) = (&pid_reader).read_exact(&mut greeting) {
        // A child that waits at its gate ends now. Otherwise its end would be waited for for ever.
        drop(gate);
        return Err(match child.exit.recv() {
            Ok(ChildExit::NotExecuted(why)) if error.kind() == io::ErrorKind::UnexpectedEof => why,
            _ => error,
        });
    }

    let Greeting { pid, is_in_cgroup } = Greeting::read(greeting);
    let identity = ProcessIdentity::of(pid).map_err(io::Error::other)?;
    let ended_early = || io::Error::other("the process ended before it began");
    Ok(Gated {
        identity: identity.ok_or_else(ended_early)?,
        is_in_cgroup,
        forks_before,
        gate,
        child,
        _forking: forking,
    })
}

/// Spawns a command and waits for its end, in a thread: `spawn` itself returns only once the
/// program is executed, and so not before the gate is open.
fn spawn_in_thread(mut command: Command) -> io::Result<Running> {
    let (sender, exit) = mpsc::channel();
    let (has_ended, is_alive) = io::pipe()?;
    std::thread::Builder::new()
        .name("child".to_owned())
        .spawn(move || {
            let spawned = command.spawn();
            // This closes the parent's copy of the pid pipe, so that a child that fails early is
            // noticed.
            drop(command);
            let _ = sender.send(match spawned.map(|mut child| child.wait()) {
                Ok(Ok(status)) => ChildExit::Ended(status),
                Ok(Err(error)) => ChildExit::Unknown(error),
                Err(error) => ChildExit::NotExecuted(error),
            });
            drop(is_alive);
        })?;
    Ok(Running { exit, has_ended })
}

/// What a child writes before it waits at its gate.
struct Greeting {
    pid: i32,
    is_in_cgroup: bool,
}

impl Greeting {
    /// In bytes.
    const SIZE: usize = 5;

    fn bytes(&self) -> [u8; Self::SIZE] {
        let [a, b, c, d] = self.pid.to_ne_bytes();
        [a, b, c, d, u8::from(self.is_in_cgroup)]
    }

    fn read([a, b, c, d, is_in_cgroup]: [u8; Self::SIZE]) -> Self {
        Self {
            pid: i32::from_ne_bytes([a, b, c, d]),
            is_in_cgroup: is_in_cgroup != 0,
        }
    }
}

/// What the child needs after the fork. Nothing here may allocate or lock.
struct Child {
    cgroup: Option<File>,
    user: Option<Credentials>,
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
        let join = |procs: &File| nix::unistd::write(procs, b"0").is_ok();
        let is_in_cgroup = self.cgroup.as_ref().is_some_and(join);
        if let Some(user) = &self.user {
            user.become_for_good()?;
        }
        close_on_exec_from(3)?;

        let pid = nix::unistd::getpid().as_raw();
        nix::unistd::write(&self.pid, &Greeting { pid, is_in_cgroup }.bytes())?;
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sys::cgroup;

    const LONG: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[track_caller]
    fn end_of(gated: Gated) -> ChildExit {
        let running = gated.open().unwrap();
        running.wait(None, LONG).unwrap()
    }

    #[test]
    fn command_begins_without_a_cgroup_that_is_gone() {
        let Some((folder, procs)) = cgroup::create("gone") else {
            eprintln!("no cgroup can be made here");
            return;
        };
        fs::remove_dir(folder).unwrap();
        let gated = spawn_gated(shell("exit 7"), Some(procs), None).unwrap();
        assert!(!gated.is_in_cgroup);
        let exit = end_of(gated);
        assert!(matches!(exit, ChildExit::Ended(status) if status.code() == Some(7)));
    }

    #[test]
    fn command_joins_its_cgroup_before_it_begins() {
        let Some((folder, procs)) = cgroup::create("joined") else {
            eprintln!("no cgroup can be made here");
            return;
        };
        let gated = spawn_gated(shell("exit 0"), Some(procs), None).unwrap();
        assert!(gated.is_in_cgroup);
        assert!(cgroup::is_populated(&folder).unwrap());
        cgroup::sweep();
        assert!(matches!(end_of(gated), ChildExit::Ended(status) if status.success()));
        cgroup::remove(&folder);
        assert!(!folder.exists());
    }

    #[test]
    fn child_whose_gate_is_closed_executes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let gated = spawn_gated(shell(&format!("touch {}", file.display())), None, None).unwrap();
        let Gated {
            gate,
            child,
            _forking,
            ..
        } = gated;
        drop(gate);
        let exit = child.wait(None, LONG).unwrap();
        assert!(matches!(exit, ChildExit::NotExecuted(_)), "{exit:?}");
        assert!(!file.exists());
    }

    #[test]
    fn program_that_is_missing_is_not_executed() {
        let gated = spawn_gated(Command::new("/nonexistent"), None, None).unwrap();
        let exit = end_of(gated);
        let ChildExit::NotExecuted(error) = exit else {
            panic!("{exit:?}");
        };
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
