//! Output to somebody who may have stopped reading.
//!
//! Protocol: before each piece, poll(2) is asked whether the reader has left room, and no longer
//! than the patience lasts. A piece has at most `PIPE_BUF` bytes, so a pipe that has room takes it
//! without waiting. The descriptor's own mode stays as it is: git and other hooks share it, and
//! `O_NONBLOCK` would be theirs as well. A reader who is there, but reads nothing, is seen in the
//! bytes that stay in the pipe (`FIONREAD`).
//!
//! It does not promise to return in time if another process fills the same pipe between the
//! question and the piece, and the reader stops at that moment. Where output is no pipe, only a
//! full buffer shows that nobody reads.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::libc;
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::write;

use super::clock::Deadline;
use super::poll::{reader_is_gone, wait_until_writable};

/// How much is written at once, in bytes: what a pipe takes as a whole or not at all (pipe(7)).
const PIECE: usize = libc::PIPE_BUF;

/// The patience with a reader, for all the streams on which the reader listens.
#[derive(Debug)]
pub struct Listener {
    /// How long the reader may read nothing.
    patience: Duration,
    /// Whether a piece has waited that long in vain. Then no other piece waits.
    is_stuck: bool,
    /// What lay unread in the pipe at the last look, and when that is too long ago.
    unread: Option<(usize, Deadline)>,
}

impl Listener {
    /// A reader who may read nothing for as long as `patience`.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self {
            patience,
            is_stuck: false,
            unread: None,
        }
    }

    /// Writes all of some bytes.
    ///
    /// # Errors
    /// The reader has gone away, or reads nothing ([`io::ErrorKind::TimedOut`]). Then a part may
    /// have been written.
    pub fn tell(&mut self, output: &impl AsFd, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = &rest[self.piece(output, rest)?..];
        }
        Ok(())
    }

    /// Writes a first piece of some bytes, and returns its length.
    fn piece(&mut self, output: &impl AsFd, bytes: &[u8]) -> io::Result<usize> {
        let patience = if self.is_stuck {
            Duration::ZERO
        } else {
            self.patience
        };
        let deadline = Deadline::after(patience);

        loop {
            if wait_until_writable(output, deadline.left())? {
                match write(output, &bytes[..bytes.len().min(PIECE)]) {
                    Ok(count) => {
                        self.is_stuck = false;
                        return Ok(count);
                    }
                    // Somebody else was faster.
                    Err(nix::Error::EAGAIN | nix::Error::EINTR) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
            if deadline.is_over() {
                self.is_stuck = true;
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }

    /// Whether the reader still listens: it has not gone away, and what was written did not lie
    /// unread for longer than the patience. This is asked again and again.
    pub fn listens(&mut self, output: &impl AsFd) -> bool {
        if reader_is_gone(output) {
            return false;
        }
        let now = unread(output);
        match &mut self.unread {
            Some((before, deadline)) if now >= *before => {
                *before = now;
                !deadline.is_over()
            }
            _ => {
                self.unread = (now > 0).then(|| (now, Deadline::after(self.patience)));
                true
            }
        }
    }
}

/// How many bytes lie unread in a pipe. 0 where the output is no pipe: nothing is known then.
fn unread(output: &impl AsFd) -> usize {
    let is_pipe = |mode| SFlag::from_bits_truncate(mode) & SFlag::S_IFMT == SFlag::S_IFIFO;
    if !fstat(output).is_ok_and(|found| is_pipe(found.st_mode)) {
        return 0;
    }

    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int to the address, which is that of an int.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    let answer = unsafe { libc::ioctl(output.as_fd().as_raw_fd(), libc::FIONREAD, &raw mut count) };
    if answer == 0 {
        usize::try_from(count).unwrap_or(0)
    } else {
        0
    }
}

#[expect(clippy::disallowed_methods, reason = "a test may panic")]
#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};
    use std::thread;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(200);

    #[test]
    fn reader_who_reads_gets_everything() {
        let (mut reader, writer) = io::pipe().unwrap();
        let text: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let read = thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all
        });

        Listener::new(PATIENCE).tell(&writer, &text).unwrap();
        drop(writer);
        assert_eq!(read.join().unwrap(), text);
    }

    #[test]
    fn slow_reader_gets_everything_as_long_as_it_reads() {
        let (mut reader, writer) = io::pipe().unwrap();
        let text = vec![b'x'; 200_000];
        let read = thread::spawn(move || {
            let (mut all, mut piece) = (0, [0; 10_000]);
            loop {
                thread::sleep(PATIENCE / 4);
                match reader.read(&mut piece).unwrap() {
                    0 => return all,
                    count => all += count,
                }
            }
        });

        Listener::new(PATIENCE).tell(&writer, &text).unwrap();
        drop(writer);
        assert_eq!(read.join().unwrap(), text.len());
    }

    #[test]
    fn reader_who_reads_nothing_is_waited_for_once() {
        let (_reader, writer) = io::pipe().unwrap();
        let mut listener = Listener::new(PATIENCE);
        let text = vec![b'x'; 1_000_000];
        let begin = std::time::Instant::now();

        for _ in 0..10 {
            let error = listener.tell(&writer, &text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
        }
        assert!(begin.elapsed() >= PATIENCE);
        assert!(begin.elapsed() < PATIENCE * 5, "{:?}", begin.elapsed());
    }

    #[test]
    fn reader_who_is_gone_is_not_waited_for() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut listener = Listener::new(Duration::from_secs(1000));
        let error = listener.tell(&writer, b"x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert!(!listener.listens(&writer));
    }

    #[test]
    fn unread_bytes_show_that_nobody_reads() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut listener = Listener::new(PATIENCE);
        assert!(listener.listens(&writer));
        thread::sleep(PATIENCE * 2);
        assert!(listener.listens(&writer), "there is nothing to read");

        listener.tell(&writer, b"xx").unwrap();
        assert!(listener.listens(&writer));
        thread::sleep(PATIENCE * 2);
        reader.read_exact(&mut [0]).unwrap();
        assert!(listener.listens(&writer), "it has read something");
        thread::sleep(PATIENCE * 2);
        listener.tell(&writer, b"x").unwrap();
        assert!(!listener.listens(&writer));
    }
}
