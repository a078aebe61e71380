//! Waiting for descriptors, with poll(2).
//!
//! Protocol: the kernel is asked about several descriptors at once, so that no thread is needed for
//! each of them. A call returns when one of them is ready, when the time is over, or when a signal
//! came; the caller looks for itself what has changed.
//!
//! It does not promise that the other end still lives: a descriptor is also ready when it can only
//! give an error or the end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Waits until one of some descriptors can be read or was closed at its other end, but not longer
/// than `patience`. Returns whether that has come.
///
/// # Errors
/// The kernel cannot watch these descriptors.
pub(crate) fn wait_until_readable(
    descriptors: &[BorrowedFd<'_>],
    patience: Duration,
) -> io::Result<bool> {
    let mut polled: Vec<PollFd<'_>> = descriptors
        .iter()
        .map(|descriptor| PollFd::new(*descriptor, PollFlags::POLLIN))
        .collect();

    match poll(&mut polled, timeout(patience)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Waits until something can be written to a descriptor or nobody can read it any more, but not
/// longer than `patience`. Returns whether that has come.
///
/// # Errors
/// The kernel cannot watch this descriptor.
pub(super) fn wait_until_writable(output: &impl AsFd, patience: Duration) -> io::Result<bool> {
    let mut polled = [PollFd::new(output.as_fd(), PollFlags::POLLOUT)];

    match poll(&mut polled, timeout(patience)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// A time in poll's unit, which is the millisecond. It is rounded up: rounded down, the last
/// millisecond of a wait would be a loop that never sleeps.
fn timeout(patience: Duration) -> PollTimeout {
    let ms = patience.as_micros().div_ceil(1000);
    PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX)
}

/// Whether nobody can read any more what is written to a pipe, a socket or a terminal. `false`
/// where the kernel does not say.
pub(super) fn reader_is_gone(output: &impl AsFd) -> bool {
    let mut polled = [PollFd::new(output.as_fd(), PollFlags::empty())];
    let closed = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;

    poll(&mut polled, PollTimeout::ZERO).is_ok()
        && polled[0]
            .revents()
            .is_some_and(|events| events.intersects(closed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipe_without_a_reader_is_noticed() {
        let (reader, writer) = io::pipe().unwrap();
        assert!(!reader_is_gone(&writer));
        drop(reader);
        assert!(reader_is_gone(&writer));
    }

    #[test]
    fn times_are_rounded_up_and_bounded() {
        assert_eq!(timeout(Duration::ZERO), PollTimeout::ZERO);
        assert_eq!(timeout(Duration::from_micros(1)), PollTimeout::from(1_u8));
        assert_eq!(timeout(Duration::from_millis(7)), PollTimeout::from(7_u8));
        assert_eq!(timeout(Duration::MAX), PollTimeout::MAX);
    }
}
