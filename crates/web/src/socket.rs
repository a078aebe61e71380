//! The connection of a client, which is given up when the client reads nothing for too long.
//!
//! Protocol: whenever the kernel takes no more bytes, a timer begins. If it runs out before the
//! kernel takes any again, writing fails, and hyper drops the connection with all that it held.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::listener::Client;

/// How long a client may read nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// See the head of the file.
pub(crate) struct Socket {
    client: Client,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            deadline: None,
        }
    }

    /// Begins or ends the wait for a client, by whether something could be written.
    fn waited<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.deadline = None;
            return written;
        }
        let begin = || Box::pin(sleep_until(Instant::now() + PATIENCE));
        let deadline = self.deadline.get_or_insert_with(begin);
        ready!(deadline.as_mut().poll(context));
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
