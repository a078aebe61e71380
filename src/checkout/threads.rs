//! How many threads work on the files of a release.

use std::thread;

/// How many they are at most.
const THREADS_MAX: usize = 4;

/// How many they are: one for each processor. With only one processor, there is none.
pub(super) fn threads() -> usize {
    match thread::available_parallelism() {
        Ok(processors) if processors.get() > 1 => processors.get().min(THREADS_MAX),
        _ => 0,
    }
}
