//! Which numbers younger processes can have.
//!
//! Protocol: the kernel gives the numbers of processes in a circle: each new one is the next free
//! number, and after `pid_max` it begins at the bottom again. /proc/stat counts all processes and
//! threads that were ever forked (proc_stat(5), `processes`). If a process has the number N, and
//! since then fewer were forked than there is room between N and `pid_max`, then every younger
//! process has a greater number, and not one that is much greater. So most processes of a machine
//! need not be looked at. If nothing was forked since then, there is no younger process at all.
//!
//! It does not promise an answer: where the counts can't be read, or the circle may have begun
//! anew, any number can be that of a younger process.

use std::ops::RangeInclusive;

use super::process::read_proc;

/// How many processes and threads were forked on this machine since it started; `None`: unknown.
pub(super) fn count() -> Option<u64> {
    let text = read_proc("/proc/stat").ok()?;
    let line = text
        .split(|b| *b == b'\n')
        .find_map(|line| line.strip_prefix(b"processes "))?;
    str::from_utf8(line).ok()?.trim().parse().ok()
}

/// Whether nothing was forked on this machine since the count was `forks`, but the one process that
/// was forked then.
pub(super) fn was_only_one(forks: u64) -> bool {
    // A kernel that is only imitated may always answer with the same count.
    count().is_some_and(|now| forks.checked_add(1) == Some(now))
}

/// The numbers that processes can have which are younger than the one with the number `pid`, and
/// its own; `None`: any number. `forks`: the count before that one was forked.
pub(super) fn younger(pid: i32, forks: u64) -> Option<RangeInclusive<i32>> {
    let pid_max = read_proc("/proc/sys/kernel/pid_max").ok()?;
    let load = read_proc("/proc/loadavg").ok()?;
    let (pid_max, load) = (str::from_utf8(&pid_max).ok()?, str::from_utf8(&load).ok()?);
    // proc_loadavg(5): the fourth field is `running/all`.
    let all = load.split(' ').nth(3)?.split('/').nth(1)?;
    range(
        pid,
        forks,
        count()?,
        all.parse().ok()?,
        pid_max.trim().parse().ok()?,
    )
}

/// How far the circle can have come: numbers in use are left out, so it has moved on by the new
/// processes and at most by all that live. `None`: it may have come to its end.
fn range(pid: i32, forks: u64, now: u64, alive: u64, pid_max: u64) -> Option<RangeInclusive<i32>> {
    let moved = now.checked_sub(forks)?.checked_add(alive)?;
    let reached = moved.checked_add(u64::try_from(pid).ok()?)?;
    let last = i32::try_from(reached).ok().filter(|_| reached < pid_max)?;
    Some(pid..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circle_that_may_have_come_to_its_end_gives_no_answer() {
        let check = |pid, forks, now| range(pid, forks, now, 100, 32768);
        assert_eq!(check(1000, 5000, 5000), Some(1000..=1100));
        assert_eq!(check(1000, 5000, 36000), Some(1000..=32100));
        assert_eq!(check(1000, 5000, 37000), None);
        assert_eq!(check(32700, 5000, 5000), None);
        // The count can't have become smaller.
        assert_eq!(check(1000, 5000, 4999), None);
    }

    #[test]
    fn counts_of_this_machine_are_read() {
        let before = count().unwrap();
        assert!(before > 0);
        assert!(younger(1, before).unwrap().contains(&1));
    }

    #[test]
    fn count_that_does_not_grow_says_nothing() {
        let far = count().unwrap() + 1_000_000;
        assert!(!was_only_one(far));
        assert!(!was_only_one(0));
        assert!(!was_only_one(u64::MAX));
    }
}
