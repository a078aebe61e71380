//! A command that does not begin before it is recorded, and who a process is.
//!
//! Protocol of [`spawn_gated`]: the child makes itself a session, joins its cgroup, takes its user,
//! tells its pid through a pipe and waits at a gate, a second pipe. The parent writes down who the
//! child is and only then opens the gate. If the parent dies first, the gate is closed by the
//! kernel and the child ends without executing anything. So a command that runs is one that is on
//! record.
//!
//! A pid alone says little, since it is used again; with its start time and the boot it was seen
//! in, it is one process for ever.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::libc;
use nix::sys::stat::{Mode, umask};

use super::detach::close_on_exec_from;
use super::file::Sharing;
use super::user::User;

/// Where programs are looked for, by runners and by the commands that they start.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One process on one machine since one start of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Its number, which is used again.
    pub pid: i32,
    /// When it started, in clock ticks since the machine did (proc(5), `starttime`).
    pub start_ticks: i64,
}

impl Identity {
    /// The process that has this pid now.
    #[must_use]
    pub fn of(pid: i32) -> Option<Self> {
        Stat::read(pid).map(|stat| stat.identity)
    }

    /// This process.
    #[must_use]
    pub fn own() -> Self {
        let pid = nix::unistd::getpid().as_raw();
        Self::of(pid).unwrap_or(Self {
            pid,
            start_ticks: 0,
        })
    }

    /// Whether it still runs; one that ended but was not waited for does not.
    #[must_use]
    pub fn is_alive(self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.identity == self && !stat.has_ended)
    }
}

/// What /proc/PID/stat says (proc(5)).
#[derive(Debug, Clone, Copy)]
pub(super) struct Stat {
    pub(super) identity: Identity,
    pub(super) parent: i32,
    pub(super) session: i32,
    pub(super) group: i32,
    pub(super) has_ended: bool,
}

impl Stat {
    pub(super) fn read(pid: i32) -> Option<Self> {
        let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
        // The name in the second field may contain anything, also parentheses and spaces.
        let end_of_name = text.iter().rposition(|b| *b == b')')?;
        let rest = std::str::from_utf8(&text[end_of_name + 1..]).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<i64>().ok();
        let small = |index: usize| number(index).and_then(|number| i32::try_from(number).ok());
        Some(Self {
            identity: Identity {
                pid,
                start_ticks: number(19)?,
            },
            has_ended: matches!(*fields.first()?, "Z" | "X" | "x"),
            parent: small(1)?,
            group: small(2)?,
            session: small(3)?,
        })
    }
}

/// The id of this start of the machine.
///
/// # Errors
/// The kernel does not tell.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

/// Children are forked one at a time: a second child would hold copies of the first one's gate.
static FORKING: Mutex<()> = Mutex::new(());

/// A child that waits at its gate.
pub struct Gated {
    /// Who it is.
    pub identity: Identity,
    gate: io::PipeWriter,
    outcome: Receiver<io::Result<ExitStatus>>,
    _forking: MutexGuard<'static, ()>,
}

impl Gated {
    /// Lets the child begin. What comes out of the channel is its exit status, or why the program
    /// could not be executed.
    ///
    /// # Errors
    /// The child is gone.
    pub fn open(mut self) -> io::Result<Receiver<io::Result<ExitStatus>>> {
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
    let (mut pid_reader, pid_writer) = io::pipe()?;
    let (gate_reader, gate) = io::pipe()?;
    let parent_gate = gate.as_raw_fd();
    let setup = move || -> io::Result<()> {
        nix::unistd::setsid()?;
        umask(Mode::from_bits_truncate(0o022));
        if let Some(procs) = &cgroup {
            nix::unistd::write(procs, b"0")?;
        }
        if let Some(user) = &user {
            user.become_for_good()?;
        }
        close_on_exec_from(3)?;
        nix::unistd::write(&pid_writer, &std::process::id().to_ne_bytes())?;
        wait_at_gate(&gate_reader, parent_gate)
    };
    // SAFETY: between fork and exec only system calls are made (setsid, umask, write, setgroups,
    // setgid, setuid, close_range, getpid, close, read), all on values made before the fork;
    // nothing allocates or locks.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(setup);
    }
    let (sender, outcome) = mpsc::channel();
    std::thread::Builder::new()
        .name("child".to_owned())
        .spawn(move || {
            let spawned = command.spawn();
            drop(command); // closes the parent's copy of the pid pipe, so that a child that failed early is noticed
            let _ = sender.send(spawned.and_then(|mut child| child.wait()));
        })?;
    let mut pid = [0; 4];
    if pid_reader.read_exact(&mut pid).is_err() {
        let error = outcome
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the child ended")))
            .err();
        return Err(error.unwrap_or_else(|| io::Error::other("the child ended before it began")));
    }
    let pid = i32::try_from(u32::from_ne_bytes(pid)).map_err(io::Error::other)?;
    let identity =
        Identity::of(pid).ok_or_else(|| io::Error::other("the child ended before it began"))?;
    Ok(Gated {
        identity,
        gate,
        outcome,
        _forking: forking,
    })
}

/// In the child: ends its own copy of the gate's other end, then waits.
fn wait_at_gate(gate: &io::PipeReader, parent_gate: i32) -> io::Result<()> {
    // SAFETY: in the child, this number is a copy of the parent's descriptor that nothing here
    // uses.
    #[allow(unsafe_code)]
    unsafe {
        libc::close(parent_gate);
    }
    loop {
        match nix::unistd::read(gate, &mut [0]) {
            Ok(1) => return Ok(()),
            Ok(_) => return Err(Errno::ECANCELED.into()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Takes the umask that releases are written with, whatever the hook's was: of a shared repository
/// the next release can be another user's to write.
pub fn set_umask(sharing: Sharing) {
    umask(Mode::from_bits_truncate(if sharing.is_with_group() {
        0o002
    } else {
        0o022
    }));
}
