//! Who a process is.
//!
//! Protocol: a process is known by its number, the time when it started, and the start of the
//! machine that it was seen in. The number alone says little, since it is used again; the three
//! together mean one process for ever. All of it comes from /proc (proc(5)).
//!
//! It does not promise that a process which was alive when it was looked at is still alive
//! afterwards, nor that anything is seen where /proc is not mounted: there no process is alive.

use std::fs;
use std::io;

/// One process on one machine since one start of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessIdentity {
    /// Its number, which is used again.
    pub pid: i32,
    /// When it started, in clock ticks since the machine did (proc(5), `starttime`).
    pub start_ticks: i64,
}

impl ProcessIdentity {
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

    /// Whether the process still runs. One that has ended and was not waited for does not.
    #[must_use]
    pub fn is_alive(self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.identity == self && !stat.has_ended)
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
    pub(super) fn read(pid: i32) -> Option<Self> {
        Self::parse(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(pid: i32, text: &[u8]) -> Option<Self> {
        // The name in the second field may contain anything, also parentheses and spaces.
        let end_of_name = text.iter().rposition(|b| *b == b')')?;
        let rest = std::str::from_utf8(&text[end_of_name + 1..]).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();

        let number = |index: usize| fields.get(index)?.parse::<i64>().ok();
        let small = |index: usize| number(index).and_then(|number| i32::try_from(number).ok());
        Some(Self {
            identity: ProcessIdentity {
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
/// The kernel does not say.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
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
    fn another_process_with_the_same_number_is_not_this_one() {
        let own = ProcessIdentity::own();
        assert!(own.is_alive());
        let earlier = ProcessIdentity {
            start_ticks: own.start_ticks - 1,
            ..own
        };
        assert!(!earlier.is_alive());
    }
}
