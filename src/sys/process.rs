//! Who a process is.
//!
//! Protocol: a process is known by its number, the time when it started, and the place where both
//! were read: a start of the machine and some namespaces ([`ProcessSpace`]). The number alone says
//! little, since it is used again; all together mean one process for ever. They come from /proc
//! (proc(5)). That a process has ended is only believed if kill(2) says so too: /proc may not be
//! mounted, belong to another namespace, or hide the processes of other users (`hidepid`).
//!
//! It does not promise that a process which was alive when it was looked at is still alive
//! afterwards.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use nix::errno::Errno;
use nix::libc::ESRCH;
use nix::sys::signal::kill;
use nix::unistd::{Pid, getpgid, getpid, getsid};

use super::unseen::Unseen;

/// One process in one [`ProcessSpace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessIdentity {
    /// Its number, which is used again.
    pub pid: i32,
    /// When it started, in clock ticks since the machine did (proc(5), `starttime`).
    pub start_ticks: i64,
}

impl ProcessIdentity {
    /// The process that has this pid now; `None`: there is none.
    ///
    /// # Errors
    /// The kernel does not show it.
    pub fn of(pid: i32) -> Result<Option<Self>, Unseen> {
        Ok(Stat::read(pid)?.map(|stat| stat.identity))
    }

    /// This process.
    ///
    /// # Errors
    /// The kernel does not show it.
    pub fn own() -> Result<Self, Unseen> {
        let found = Self::of(getpid().as_raw())?;
        found.ok_or_else(|| Unseen::because("/proc/self/stat", "it is not there"))
    }

    /// Whether the process still runs. One that has ended and was not waited for does not. It is
    /// asked in the [`ProcessSpace`] that the process was seen in.
    ///
    /// # Errors
    /// The kernel does not show it.
    pub fn is_alive(self) -> Result<bool, Unseen> {
        let now = Stat::read(self.pid)?;
        Ok(now.is_some_and(|stat| stat.identity == self && !stat.has_ended))
    }
}

/// Where the numbers and times of processes mean the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessSpace {
    /// The id of one start of the machine.
    pub boot_id: String,
    /// The namespaces of numbers, of clocks and of cgroups, as the kernel names them
    /// (namespaces(7)): `pid:[4026531836] time:[4026531834] cgroup:[4026531835]`. `None`: it was
    /// recorded by a version of this program that did not look.
    pub namespaces: Option<String>,
}

impl ProcessSpace {
    /// That of this process.
    ///
    /// # Errors
    /// The kernel does not say, or /proc shows the processes of another namespace.
    pub fn own() -> Result<Self, Unseen> {
        check_proc()?;
        let boot_id = Path::new("/proc/sys/kernel/random/boot_id");
        let text = fs::read_to_string(boot_id).map_err(|error| Unseen::new(boot_id, error))?;

        let mut namespaces = Vec::new();
        for kind in ["pid", "time", "cgroup"] {
            let link = Path::new("/proc/self/ns").join(kind);
            match fs::read_link(&link) {
                Ok(name) => namespaces.push(name.to_string_lossy().into_owned()),
                // Kernels before Linux 5.6 have no clocks for a namespace.
                Err(error) if kind == "time" && error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Unseen::new(link, error)),
            }
        }
        Ok(Self {
            boot_id: text.trim().to_owned(),
            namespaces: Some(namespaces.join(" ")),
        })
    }

    /// Whether the machine has not restarted since something was recorded in another space. If it
    /// has, every process of that time has ended.
    ///
    /// # Errors
    /// It has not, and the other space is not this one: numbers that were recorded there say
    /// nothing here.
    pub fn is_that_of(&self, recorded: &Self) -> Result<bool, Unseen> {
        if self.boot_id != recorded.boot_id {
            return Ok(false);
        }
        if self.namespaces == recorded.namespaces && self.namespaces.is_some() {
            return Ok(true);
        }

        let name = |space: &Self| space.namespaces.clone();
        let own = name(self).unwrap_or_else(|| "unknown".to_owned());
        let other = name(recorded).unwrap_or_else(|| "that were not recorded".to_owned());
        let why = format!("it was started in the namespaces {other}, and here they are {own}");
        Err(Unseen::because("/proc/self/ns", &why))
    }
}

/// Makes sure that /proc shows the processes of this process's own namespace.
pub(super) fn check_proc() -> Result<(), Unseen> {
    let link = Path::new("/proc/self");
    let shown = fs::read_link(link).map_err(|error| Unseen::new(link, error))?;
    if shown.to_str() == Some(getpid().to_string().as_str()) {
        return Ok(());
    }
    let why = "it shows the processes of another namespace";
    Err(Unseen::because("/proc", why))
}

/// Whether a process or, for a negative number, a process group has this number now, whatever
/// /proc shows.
pub(super) fn exists(pid: i32) -> Result<bool, Unseen> {
    match kill(Pid::from_raw(pid), None) {
        Ok(()) | Err(Errno::EPERM) => Ok(true),
        Err(Errno::ESRCH) => Ok(false),
        Err(errno) => Err(Unseen::new(format!("/proc/{pid}"), errno)),
    }
}

/// What /proc/PID/stat says (proc(5)).
#[derive(Debug, Clone, Copy)]
pub(super) struct Stat {
    pub(super) identity: ProcessIdentity,
    pub(super) parent: i32,
    pub(super) session: i32,
    pub(super) group: i32,
    pub(super) has_ended: bool,
}

impl Stat {
    /// Reads it for the process that has this pid now; `None`: there is no such process.
    pub(super) fn read(pid: i32) -> Result<Option<Self>, Unseen> {
        if let Some(found) = Self::read_shown(pid)? {
            return Ok(Some(found));
        }
        if !exists(pid)? {
            return Ok(None);
        }

        // The number may have been given to a new process between the two looks.
        let path = format!("/proc/{pid}/stat");
        let hidden = || Unseen::because(path, "the process exists, but /proc does not show it");
        Self::read_shown(pid)?.ok_or_else(hidden).map(Some)
    }

    /// The same, for a process that /proc shows.
    pub(super) fn read_shown(pid: i32) -> Result<Option<Self>, Unseen> {
        let path = format!("/proc/{pid}/stat");
        match read_proc(&path) {
            Ok(text) => Self::parse(pid, &text)
                .map(Some)
                .ok_or_else(|| Unseen::because(path, "it has no form that is known")),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(Unseen::new(path, error)),
        }
    }

    /// What the kernel says of a process without /proc, where that forbids a look (`hidepid`): its
    /// session and its group. `None`: there is no such process.
    pub(super) fn without_proc(pid: i32) -> Option<Self> {
        let number = Some(Pid::from_raw(pid));
        Some(Self {
            identity: ProcessIdentity {
                pid,
                start_ticks: i64::MAX,
            },
            parent: 0,
            session: getsid(number).ok()?.as_raw(),
            group: getpgid(number).ok()?.as_raw(),
            has_ended: false,
        })
    }

    fn parse(pid: i32, text: &[u8]) -> Option<Self> {
        // The name in the second field may contain anything, also parentheses and spaces.
        let end_of_name = text.iter().rposition(|b| *b == b')')?;
        let rest = std::str::from_utf8(&text[end_of_name + 1..]).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();

        let number = |index: usize| fields.get(index)?.parse::<i64>().ok();
        let small = |index: usize| number(index).and_then(|number| i32::try_from(number).ok());
        // A process whose first thread has ended is shown as a zombie while its others run.
        let has_ended = match *fields.first()? {
            "X" | "x" => true,
            state => state == "Z" && number(17)? <= 1,
        };
        Some(Self {
            identity: ProcessIdentity {
                pid,
                start_ticks: number(19)?,
            },
            has_ended,
            parent: small(1)?,
            group: small(2)?,
            session: small(3)?,
        })
    }
}

/// Reads a file of /proc. The kernel does not say how large it is, so fs::read would ask for it in
/// many small pieces.
pub(super) fn read_proc(path: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(4096);
    File::open(path)?.take(u64::MAX).read_to_end(&mut text)?;
    Ok(text)
}

/// The numbers of all processes that /proc shows.
pub(super) fn numbers() -> Result<Vec<i32>, Unseen> {
    let unseen = |error: io::Error| Unseen::new("/proc", error);
    let mut numbers = Vec::new();
    for entry in fs::read_dir("/proc").map_err(unseen)? {
        let name = entry.map_err(unseen)?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(numbers)
}

/// The environment with which a process was executed, `NAME=value` with a NUL behind each; `None`:
/// the process is gone, or is one that only another user may look at.
pub(super) fn shown_environment(pid: i32) -> Result<Option<Vec<u8>>, Unseen> {
    let path = format!("/proc/{pid}/environ");
    match fs::read(&path) {
        Ok(environment) => Ok(Some(environment)),
        Err(error) if is_gone(&error) || error.kind() == io::ErrorKind::PermissionDenied => {
            Ok(None)
        }
        Err(error) => Err(Unseen::new(path, error)),
    }
}

/// Whether an error of a file in /proc/PID says that there is no such process.
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH)
}

/// An id that nothing else has (random(4), RFC 4122).
///
/// # Errors
/// The kernel gives none.
pub fn random_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/uuid")?
        .trim()
        .to_owned())
}

/// How much memory this process has now, with what it has mapped of files, in bytes (proc(5),
/// `VmRSS`); 0: the kernel does not say.
#[must_use]
pub fn resident_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0_u64).saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let line = b"7 (a) Z 1 (b c) S 2 3 4 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 555 0";
        let stat = Stat::parse(7, line).unwrap();
        assert_eq!((stat.parent, stat.group, stat.session), (2, 3, 4));
        assert_eq!(stat.identity.start_ticks, 555);
        assert!(!stat.has_ended);
        assert!(Stat::parse(7, b"7 (a) S 2").is_none());
    }

    #[test]
    fn zombie_has_ended_only_if_no_other_thread_runs() {
        let ended = |state: &str, threads: i32| {
            let line = format!("7 (a) {state} 2 3 4 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 555 0");
            Stat::parse(7, line.as_bytes()).unwrap().has_ended
        };
        assert!(ended("Z", 1));
        assert!(!ended("Z", 2));
        assert!(ended("X", 0));
        assert!(!ended("S", 1));
    }

    #[test]
    fn another_process_with_the_same_number_is_not_this_one() {
        let own = ProcessIdentity::own().unwrap();
        assert!(own.is_alive().unwrap());
        let earlier = ProcessIdentity {
            start_ticks: own.start_ticks - 1,
            ..own
        };
        assert!(!earlier.is_alive().unwrap());
        // No process can have this number (proc(5), `pid_max`).
        assert!(ProcessIdentity::of(1 << 22).unwrap().is_none());
    }

    #[test]
    fn processes_of_another_namespace_are_unseen_until_the_machine_restarts() {
        let own = ProcessSpace::own().unwrap();
        assert!(own.is_that_of(&own).unwrap());

        for namespaces in [Some("pid:[1]".to_owned()), None] {
            let mut other = ProcessSpace {
                namespaces,
                ..own.clone()
            };
            assert!(own.is_that_of(&other).is_err(), "{other:?}");
            assert!(other.is_that_of(&other.clone()).is_ok() == other.namespaces.is_some());

            "another start".clone_into(&mut other.boot_id);
            assert!(!own.is_that_of(&other).unwrap());
        }
    }
}
