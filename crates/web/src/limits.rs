//! What the work for all clients together may take of this process: threads, memory, places.
//!
//! Protocol: each limit is one for the whole site, however many repositories it has. Whoever has a
//! place gives it back by dropping it. Work waits here for a thread, and not in a queue that nobody
//! can leave: a client that goes away while it waits has never begun.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::connections::CONNECTIONS_MAX;
use crate::fault::Fault;

/// How many threads look at repositories.
pub(crate) const THREADS: usize = 8;

/// How many of them one repository may have, so that others are looked at while it hangs.
pub(crate) const THREADS_OF_ONE: usize = 4;

/// How long work waits for its turn.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(10);

/// How much memory answers hold that clients have not read yet, in bytes.
const MEMORY_MAX: usize = 16 * 1024 * 1024;

/// How much of it an answer has that comes in pieces: what is read, and what hyper has taken of it,
/// which is less than [`HEAD_MAX`](crate::server::HEAD_MAX) and one piece.
const MEMORY_OF_STREAM: usize = 40 * 1024;

/// The largest piece of such an answer, in bytes.
pub(crate) const PIECE_MAX: usize = 16 * 1024;

/// How many answers come in pieces at once. The other connections are for those who ask for pages.
const STREAMS_MAX: usize = CONNECTIONS_MAX / 2;

/// How many logs are followed at once. For each, some pieces wait for those who follow it.
const LOGS_MAX: usize = 16;

static FREE_THREADS: Semaphore = Semaphore::const_new(THREADS);
static FREE_MEMORY: Semaphore = Semaphore::const_new(MEMORY_MAX);
static FREE_STREAMS: Semaphore = Semaphore::const_new(STREAMS_MAX);
static FREE_LOGS: Semaphore = Semaphore::const_new(LOGS_MAX);

/// A part of one of these limits, which somebody has until it is dropped.
pub(crate) type Place = SemaphorePermit<'static>;

/// The memory for an answer of some size, in bytes; `None`: the size is not known, because it comes
/// in pieces. What is larger than all the memory has all of it.
///
/// # Errors
/// Other answers have it.
pub(crate) fn memory(size: Option<u64>) -> Result<Place, Fault> {
    let size = match size {
        Some(size) => usize::try_from(size).unwrap_or(MEMORY_MAX),
        None => MEMORY_OF_STREAM,
    };
    let size = u32::try_from(size.min(MEMORY_MAX)).unwrap_or(u32::MAX);
    FREE_MEMORY
        .try_acquire_many(size)
        .map_err(|_| Fault::Unread)
}

/// The place of an answer that comes in pieces.
///
/// # Errors
/// There are too many.
pub(crate) fn stream() -> Result<Place, Fault> {
    FREE_STREAMS.try_acquire().map_err(|_| Fault::Crowded)
}

/// The place of a log that is followed.
///
/// # Errors
/// There are too many.
pub(crate) fn log() -> Result<Place, Fault> {
    FREE_LOGS.try_acquire().map_err(|_| Fault::Crowded)
}

/// Lets a thread do some work.
///
/// # Errors
/// That of the work, or no thread was free for [`WAIT_MAX`].
pub(crate) async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let place = timeout(WAIT_MAX, FREE_THREADS.acquire()).await;
    let Ok(Ok(place)) = place else {
        return Err(Fault::Crowded);
    };
    // The place is that of the thread, and not of the client, who may go away meanwhile.
    let done = spawn_blocking(move || {
        let done = work();
        drop(place);
        done
    });
    done.await.unwrap_or(Err(Fault::Broken))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn work_of_a_client_that_went_away_never_begins() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (begun, begins) = mpsc::channel();
            let (release, wait) = mpsc::channel::<()>();
            let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
            let work = |name: &'static str| {
                let (begun, wait) = (begun.clone(), std::sync::Arc::clone(&wait));
                on_thread(move || {
                    begun.send(name).unwrap();
                    wait.lock().unwrap().recv().unwrap();
                    Ok(())
                })
            };
            let all: Vec<_> = (0..THREADS).map(|_| tokio::spawn(work("first"))).collect();
            tokio::task::yield_now().await;
            // Its client goes away while it waits for a thread.
            let gone = timeout(Duration::from_millis(50), work("gone")).await;
            assert!(gone.is_err());
            let next = tokio::spawn(work("next"));
            for _ in 0..=THREADS {
                release.send(()).unwrap();
            }
            for one in all.into_iter().chain([next]) {
                one.await.unwrap().unwrap();
            }
            let begun: Vec<&str> = begins.try_iter().collect();
            assert_eq!(begun.len(), THREADS + 1, "{begun:?}");
            assert!(!begun.contains(&"gone"), "{begun:?}");
        });
    }

    #[test]
    fn answer_that_is_larger_than_all_the_memory_has_all_of_it() {
        let large = memory(Some(u64::MAX));
        assert!(large.is_ok());
        assert!(memory(Some(1)).is_err() && memory(None).is_err());
        drop(large);
        assert!(memory(None).is_ok());
    }
}
