//! A lock for which nobody waits long.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Who has the turn does something that can hang. So the others wait only until the one before them
/// has had it for some time, and all who come after that do not wait at all.
pub(crate) struct Turn {
    /// Since when somebody has it.
    since: Mutex<Option<Instant>>,
    given_back: Condvar,
}

/// While it lives, somebody has the turn.
pub(crate) struct Taken<'t>(&'t Turn);

impl Turn {
    pub(crate) fn new() -> Self {
        Self {
            since: Mutex::new(None),
            given_back: Condvar::new(),
        }
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the turn. `None`: somebody else has it for longer than `limit`.
    pub(crate) fn take(&self, limit: Duration) -> Option<Taken<'_>> {
        let mut since = self.since();
        while let Some(begin) = *since {
            let left = limit.checked_sub(begin.elapsed())?;
            let waited = self.given_back.wait_timeout(since, left);
            since = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *since = Some(Instant::now());
        Some(Taken(self))
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.0.since() = None;
        self.0.given_back.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::thread::Builder;

    use super::*;

    #[test]
    fn nobody_waits_for_one_who_has_had_it_for_too_long() {
        let turn = Turn::new();
        let first = turn.take(Duration::ZERO);
        assert!(first.is_some());
        let begin = Instant::now();
        assert!(turn.take(Duration::from_millis(100)).is_none());
        assert!(begin.elapsed() >= Duration::from_millis(90));
        let begin = Instant::now();
        assert!(turn.take(Duration::from_millis(100)).is_none());
        assert!(begin.elapsed() < Duration::from_millis(90));

        std::thread::scope(|scope| {
            let wait = || turn.take(Duration::from_secs(60)).is_some();
            let waits = Builder::new().spawn_scoped(scope, wait).unwrap();
            drop(first);
            assert!(waits.join().unwrap());
        });
    }
}
