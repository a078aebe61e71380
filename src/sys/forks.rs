//! Which numbers younger processes can have.
//!
//! Protocol: the kernel gives the numbers of processes in a circle: each new one is the next free
//! number, and after `pid_max` it begins at the bottom again. /proc/stat counts all processes and
//! threads that were ever forked (proc_stat(5), `processes`). If a process has the number N, and
//! since then fewer were forked than there is room between N and `pid_max`, then every younger
//! process has a greater number. So most processes of a machine need not be looked at.
//!
//! It does not promise an answer: where the counts can't be read, or the circle may have begun
//! anew, any number can be that of a younger process.

use std::fs;

/// How many processes and threads were forked on this machine since it started; `None`: unknown.
pub(super) fn count() -> Option<u64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("processes "))?;
    line.trim().parse().ok()
}

/// Whether every process that is younger than the one with the number `pid` has a greater number.
/// `forks`: the count before that one was forked.
pub(super) fn younger_have_greater(pid: i32, forks: u64) -> bool {
    let facts = || {
        let pid_max = fs::read_to_string("/proc/sys/kernel/pid_max").ok()?;
        let load = fs::read_to_string("/proc/loadavg").ok()?;
        // proc_loadavg(5): the fourth field is `running/all`.
        let all = load.split(' ').nth(3)?.split('/').nth(1)?;
        Some((pid_max.trim().parse().ok()?, all.parse().ok()?, count()?))
    };
    facts().is_some_and(|(pid_max, alive, now)| has_room(pid, forks, now, alive, pid_max))
}

/// Whether the circle can't have come to its end: numbers in use are left out, so it has moved on
/// by the new processes and at most by all that live.
fn has_room(pid: i32, forks: u64, now: u64, alive: u64, pid_max: u64) -> bool {
    let moved = now
        .checked_sub(forks)
        .and_then(|new| new.checked_add(alive));
    let reached = moved.and_then(|moved| moved.checked_add(u64::try_from(pid).ok()?));
    reached.is_some_and(|reached| reached < pid_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circle_that_may_have_come_to_its_end_gives_no_answer() {
        let check = |pid, forks, now| has_room(pid, forks, now, 100, 32768);
        assert!(check(1000, 5000, 5000));
        assert!(check(1000, 5000, 36000));
        assert!(!check(1000, 5000, 37000));
        assert!(!check(32700, 5000, 5000));
        // The count can't have become smaller.
        assert!(!check(1000, 5000, 4999));
    }

    #[test]
    fn counts_of_this_machine_are_read() {
        let before = count().unwrap();
        assert!(before > 0);
        assert!(younger_have_greater(1, before));
    }
}
