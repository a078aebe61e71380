//! The connection of a client, which is given up when the client reads too slowly.
//!
//! Protocol: whenever the kernel takes no more bytes, the client falls behind by the time until it
//! takes some again, and each of these bytes counts as read at [`RATE`]. A client that is behind by
//! [`PATIENCE`] is given up: writing fails, and hyper drops the connection with all that it held.
//! So how long an answer is held follows from its size, however the client spreads its reading.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::listener::Client;

/// How far behind a client may be.
const PATIENCE: Duration = Duration::from_secs(20);

/// How fast a client has to read at least, in bytes per second.
const RATE: u32 = 16 * 1024;

/// See the head of the file.
pub(crate) struct Socket {
    client: Client,
    /// By how much the client was behind before it was waited for.
    behind: Duration,
    wait: Option<Wait>,
}

/// The kernel takes no bytes.
struct Wait {
    begin: Instant,
    end: Pin<Box<Sleep>>,
}

impl Socket {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            behind: Duration::ZERO,
            wait: None,
        }
    }

    /// Begins or ends the wait for a client, by whether bytes could be written.
    fn waited(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            if let Some(wait) = self.wait.take() {
                self.behind += wait.begin.elapsed();
            }
            let count = *written.as_ref().unwrap_or(&0);
            let read = Duration::from_secs(count as u64) / RATE;
            self.behind = self.behind.saturating_sub(read);
            return Poll::Ready(written);
        }
        let left = PATIENCE.saturating_sub(self.behind);
        let wait = self.wait.get_or_insert_with(|| {
            let begin = Instant::now();
            let end = Box::pin(sleep_until(begin + left));
            Wait { begin, end }
        });
        ready!(wait.end.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.client {
            Client::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Client::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.client {
            Client::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Client::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        self.waited(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.client {
            Client::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Client::Unix(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        };
        self.waited(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.client {
            Client::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Client::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.client {
            Client::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Client::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixStream;
    use tokio::runtime::Builder;
    use tokio::time::sleep;

    use super::*;

    /// How long it takes until a client that reads so many bytes each second has 4 MiB; `None`: it
    /// is given up.
    fn taken(rate: usize) -> Option<Duration> {
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        let bytes = vec![b'x'; 4 << 20];
        runtime.block_on(async {
            let begin = Instant::now();
            let (ours, mut client) = UnixStream::pair().unwrap();
            let mut socket = Socket::new(Client::Unix(ours));
            tokio::spawn(async move {
                // The kernel keeps back what is less than a part of its buffer.
                let mut buffer = vec![0; rate * 10];
                while client.read_exact(&mut buffer).await.is_ok() {
                    sleep(Duration::from_secs(10)).await;
                }
            });
            let written = socket.write_all(&bytes).await;
            written.ok().map(|()| begin.elapsed())
        })
    }

    #[test]
    fn client_that_drips_is_given_up_and_one_that_reads_steadily_is_not() {
        for (rate, is_served) in [(4 << 10, false), (12 << 10, false), (32 << 10, true)] {
            let taken = taken(rate);
            assert_eq!(
                taken.is_some(),
                is_served,
                "{rate} bytes per second: {taken:?}"
            );
        }
    }
}
