//! Faults that strace injects, and the calls at which it can.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Calls that only concern the memory and the signals of the process that makes them. A kill at
/// one of these is a kill at the next other call. The C library can't go on if they fail.
const OF_NO_INTEREST: &[&str] = &[
    "arch_prctl",
    "brk",
    "clock_gettime",
    "clock_nanosleep",
    "exit",
    "exit_group",
    "futex",
    "getegid",
    "geteuid",
    "getgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getrandom",
    "gettid",
    "getuid",
    "madvise",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "nanosleep",
    "poll",
    "prctl",
    "prlimit64",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigtimedwait",
    "sched_getaffinity",
    "sched_yield",
    "set_robust_list",
    "set_tid_address",
    "sigaltstack",
    "sysinfo",
    "umask",
    "uname",
    "wait4",
    "waitid",
];

/// At most this many calls of one kind are points. A program that makes more of them does the same
/// in each.
const CALLS_OF_A_KIND: u32 = 120;

/// What happens at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The process is killed when it makes the call.
    Kill,
    /// The call fails with this error, once.
    Error(&'static str),
}

/// What ends strace after a while, and nothing else. It lets go of what it traces then. A fault in
/// each child would keep a runner for minutes that starts a process anew until one comes up.
const LET_GO: [&str; 5] = ["timeout", "--foreground", "--signal", "KILL", "10"];

/// A call of one kind: the n-th that a process makes.
#[derive(Debug, Clone)]
pub struct Fault {
    pub call: String,
    pub n: u32,
    pub what: What,
    /// Whether each process that the first one starts has a call like this too.
    pub in_children: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, n, what, .. } = self;
        match what {
            What::Kill => write!(f, "kill at {call} {n}"),
            What::Error(error) => write!(f, "{error} at {call} {n}"),
        }
    }
}

/// How strace is called around a program.
pub enum Strace<'a> {
    /// It writes down all calls.
    Record(&'a Path, bool),
    /// It makes one of them fail.
    Inject(&'a Fault),
}

impl Strace<'_> {
    /// The words in front of the program's own.
    pub fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = ["strace", "-qq", "-s", "0"].map(String::from).into();
        match self {
            Self::Record(file, in_children) => {
                words.extend(in_children.then(|| String::from("-f")));
                words.extend([String::from("-o"), file.display().to_string()]);
            }
            Self::Inject(fault) => {
                let Fault { call, n, what, .. } = fault;
                let what = match what {
                    What::Kill => String::from("signal=KILL"),
                    What::Error(error) => format!("error={error}"),
                };
                if fault.in_children {
                    words.splice(0..0, LET_GO.map(String::from));
                    words.push(String::from("-f"));
                }
                words.extend(["-o", "/dev/null"].map(String::from));
                words.extend([String::from("-e"), format!("trace={call}")]);
                words.extend([String::from("-e"), format!("inject={call}:{what}:when={n}")]);
            }
        }
        words
    }
}

/// Whether strace is there and may trace.
pub fn can_inject() -> Result<(), String> {
    let probe = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output();
    match probe {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => Err(String::from("strace may not trace here")),
        Err(error) => Err(format!("strace can't be started: {error}")),
    }
}

/// How often which call was made, from what strace wrote: the most that any single process made.
fn count(record: &str) -> BTreeMap<String, u32> {
    let mut counts: HashMap<(&str, &str), u32> = HashMap::new();
    for line in record.lines() {
        // `123 openat(AT_FDCWD, …`, and without `-f` the same without a number.
        let (process, rest) = match line.split_once(' ') {
            Some((id, rest)) if id.parse::<u32>().is_ok() => (id, rest.trim_start()),
            _ => ("", line),
        };
        let name_length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        if let Some(length) = name_length
            && rest[length..].starts_with('(')
        {
            *counts.entry((process, &rest[..length])).or_default() += 1;
        }
    }

    let mut most: BTreeMap<String, u32> = BTreeMap::new();
    for ((_, call), count) in counts {
        let entry = most.entry(call.to_owned()).or_default();
        *entry = count.max(*entry);
    }
    most
}

/// The errors that a call can plausibly fail with. Two calls are left out. The standard library
/// panics if a folder can't be closed, also in the libraries that this program uses. SQLite keeps a
/// lock that fcntl(2) does not release, until the process ends.
fn errors(call: &str) -> &'static [&'static str] {
    match call {
        "openat" | "open" => &["EIO", "ENOMEM", "EMFILE", "EACCES", "ENOSPC"],
        "statx" | "newfstatat" | "stat" | "lstat" | "fstat" | "access" | "faccessat"
        | "faccessat2" | "readlink" | "readlinkat" | "getdents64" => &["EIO", "ENOMEM", "EACCES"],
        "read" | "pread64" | "lseek" => &["EIO"],
        "write" | "writev" | "pwrite64" | "pwritev" | "ftruncate" | "fallocate" => {
            &["ENOSPC", "EIO"]
        }
        "fsync" | "fdatasync" | "syncfs" => &["EIO", "ENOSPC"],
        "mkdir" | "mkdirat" | "link" | "linkat" | "symlink" | "symlinkat" | "rename"
        | "renameat" | "renameat2" | "unlink" | "unlinkat" | "chmod" | "fchmod" | "fchmodat"
        | "fchown" | "fchownat" => &["ENOSPC", "EIO", "EACCES"],
        "clone" | "clone3" | "fork" | "vfork" => &["EAGAIN", "ENOMEM"],
        "execve" => &["EAGAIN", "ENOMEM", "EIO"],
        "flock" => &["ENOLCK", "EIO"],
        "pipe2" | "socket" | "socketpair" | "dup" | "dup2" | "dup3" | "epoll_create1"
        | "pidfd_open" => &["EMFILE", "ENFILE"],
        "connect" => &["EAGAIN", "ENOENT"],
        "kill" | "tgkill" | "pidfd_send_signal" | "setsid" | "setpgid" => &["EPERM"],
        "chdir" | "fchdir" => &["EACCES", "EIO"],
        _ => &[],
    }
}

/// Every point of a program that made the calls in a record.
pub fn points(record: &Path, is_kill: bool, in_children: bool) -> Vec<Fault> {
    let record = fs::read(record).unwrap_or_default();
    let counts = count(&String::from_utf8_lossy(&record));
    let mut points = Vec::new();
    for (call, count) in counts {
        if OF_NO_INTEREST.contains(&call.as_str()) {
            continue;
        }
        let faults: Vec<What> = if is_kill {
            vec![What::Kill]
        } else {
            errors(&call).iter().copied().map(What::Error).collect()
        };
        for n in 1..=count.min(CALLS_OF_A_KIND) {
            points.extend(faults.iter().map(|what| Fault {
                call: call.clone(),
                n,
                what: *what,
                in_children,
            }));
        }
    }
    points
}
