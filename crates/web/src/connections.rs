//! Which connections are open, and which of them goes where there are too many.
//!
//! Protocol: a connection is busy from the beginning of a request until its answer is written or
//! given up. Where all places are taken, the connection that is not busy for the longest time
//! makes room for a new one. So clients that connect and say nothing, or half of something, keep
//! nobody out. The process may end when none was busy for long enough.

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
    busy: Arc<Busy>,
}

struct Open {
    /// How many answers of it are not written yet.
    busy: Arc<AtomicUsize>,
    /// The task that serves it.
    task: AbortHandle,
}

/// How many connections are busy, and since when none is.
struct Busy {
    count: AtomicUsize,
    since: Mutex<Instant>,
}

/// While it lives, a connection is busy.
pub(crate) struct Work {
    of_connection: Arc<AtomicUsize>,
    of_all: Arc<Busy>,
}

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
            busy: Arc::new(Busy {
                count: AtomicUsize::new(0),
                since: Mutex::new(Instant::now()),
            }),
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

    /// For how long no connection was busy.
    pub(crate) fn idle_for(&self) -> Duration {
        match self.busy.count.load(Ordering::Relaxed) {
            0 => lock(&self.busy.since).elapsed(),
            _ => Duration::ZERO,
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
        self.all.busy.count.fetch_add(1, Ordering::Relaxed);
        Work {
            of_connection: Arc::clone(&self.busy),
            of_all: Arc::clone(&self.all.busy),
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.of_connection.fetch_sub(1, Ordering::Relaxed);
        *lock(&self.of_all.since) = Instant::now();
        self.of_all.count.fetch_sub(1, Ordering::Relaxed);
    }
}
