//! How long what a fault of the server prevents is tried again.

use std::time::Duration;

use crate::time::show_duration;

/// The pauses between the tries, in seconds: five minutes in all. A short fault is over soon, and a
/// long one does not keep the environment for ever.
const PAUSES: [u64; 9] = [1, 2, 4, 8, 15, 30, 60, 90, 90];

/// The tries of one thing.
#[derive(Debug, Default)]
pub(super) struct Patience {
    tried: usize,
}

impl Patience {
    /// Counts a try that failed, and returns how long to wait before the next one; `None`: it was
    /// tried often enough.
    pub(super) fn next_pause(&mut self) -> Option<Duration> {
        let pause = PAUSES.get(self.tried).copied();
        self.tried += 1;
        pause.map(Duration::from_secs)
    }

    /// How often and how long it was tried, in words.
    pub(super) fn describe(&self) -> String {
        let waited: u64 = PAUSES.iter().take(self.tried).sum();
        let waited = show_duration(Duration::from_secs(waited));
        format!("tried {} times in {waited}", self.tried)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let mut patience = Patience::default();
        let pauses: Vec<Duration> = std::iter::from_fn(|| patience.next_pause()).collect();
        assert!(pauses.is_sorted());
        assert_eq!(pauses.iter().sum::<Duration>(), Duration::from_secs(300));
        assert!(patience.next_pause().is_none());
        assert_eq!(Patience { tried: 10 }.describe(), "tried 10 times in 5 min");
    }
}
