//! Which connections are open, and which of them goes where there are too many.
//!
//! Protocol: a connection is busy from the beginning of a request until its answer is written or
//! given up. Where all places are taken, the connection that is not busy for the longest time
//! makes room for a new one. So clients that connect and say nothing, or half of something, keep
//! nobody out. The process may end when none was busy for long enough, and none is open: a client
//! that has just come has not asked yet, and would get no answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

/// How many connections are open at once.
pub(crate) const CONNECTIONS_MAX: usize = 512;

/// See the head of the file.
pub(crate) struct Connections {
    next: AtomicU64,
    open: Mutex<BTreeMap<u64, Open>>,
    /// When a connection was busy for the last time.
    last_busy: Mutex<Instant>,
}

struct Open {
    /// How many answers of it are not written yet.
    busy: Arc<AtomicUsize>,
    /// The task that serves it.
    task: AbortHandle,
}

/// While it lives, a connection is busy.
pub(crate) struct Work(Seat);

/// The place of one connection.
#[derive(Clone)]
pub(crate) struct Seat {
    number: u64,
    busy: Arc<AtomicUsize>,
    all: Arc<Connections>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connections {
    pub(crate) fn new() -> Self {
        Self {
            next: AtomicU64::new(0),
            open: Mutex::default(),
            last_busy: Mutex::new(Instant::now()),
        }
    }

    /// Makes room for one more connection. `None`: all that are open are busy.
    pub(crate) fn seat(self: &Arc<Self>) -> Option<Seat> {
        let mut open = lock(&self.open);
        if open.len() >= CONNECTIONS_MAX {
            let is_free = |open: &Open| open.busy.load(Ordering::Relaxed) == 0;
            let oldest = open.iter().find(|(_, open)| is_free(open));
            let oldest = oldest.map(|(number, _)| *number)?;
            if let Some(gone) = open.remove(&oldest) {
                gone.task.abort();
            }
        }
        Some(Seat {
            number: self.next.fetch_add(1, Ordering::Relaxed),
            busy: Arc::default(),
            all: Arc::clone(self),
        })
    }

    /// For how long no connection was busy. As long as one is open, it may become busy.
    pub(crate) fn idle_for(&self) -> Duration {
        match lock(&self.open).is_empty() {
            true => lock(&self.last_busy).elapsed(),
            false => Duration::ZERO,
        }
    }
}

impl Seat {
    /// Notes the task that serves the connection. It may have ended already.
    pub(crate) fn take(&self, task: AbortHandle) {
        if !task.is_finished() {
            let busy = Arc::clone(&self.busy);
            lock(&self.all.open).insert(self.number, Open { busy, task });
        }
    }

    /// Notes that the connection is closed.
    pub(crate) fn leave(&self) {
        lock(&self.all.open).remove(&self.number);
    }

    /// Begins to work on a request.
    pub(crate) fn work(&self) -> Work {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Work(self.clone())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
        *lock(&self.0.all.last_busy) = Instant::now();
    }
}
