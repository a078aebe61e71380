//! The body of an answer: all of it at once, or one piece after the other.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::Receiver;

use crate::connections::Work;

/// See the head of the file. When it is dropped, its connection is not busy any more.
pub(crate) struct Answer {
    content: Content,
    _work: Option<Work>,
    /// Its part of the memory that all answers together may have.
    _memory: Option<OwnedSemaphorePermit>,
}

enum Content {
    Whole(Option<Bytes>),
    Pieces(Receiver<Bytes>),
}

impl Answer {
    /// All at once.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self::new(Content::Whole(Some(bytes)))
    }

    /// One piece after the other, as they arrive.
    pub(crate) fn pieces(pieces: Receiver<Bytes>) -> Self {
        Self::new(Content::Pieces(pieces))
    }

    fn new(content: Content) -> Self {
        Self {
            content,
            _work: None,
            _memory: None,
        }
    }

    /// The same, which keeps its connection busy and occupies some memory.
    pub(crate) fn holding(self, work: Work, memory: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            _work: Some(work),
            _memory: memory,
            ..self
        }
    }

    /// The same without what would come in pieces.
    pub(crate) fn without_pieces(self) -> Self {
        match self.content {
            Content::Whole(_) => self,
            Content::Pieces(_) => Self::whole(Bytes::new()),
        }
    }

    /// How many bytes of memory it has itself.
    pub(crate) fn len(&self) -> usize {
        match &self.content {
            Content::Whole(Some(bytes)) => bytes.len(),
            _ => 0,
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut self.content {
            Content::Whole(bytes) => Poll::Ready(bytes.take().filter(|bytes| !bytes.is_empty())),
            Content::Pieces(pieces) => pieces.poll_recv(context),
        };
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole(bytes) if bytes.as_ref().is_none_or(Bytes::is_empty))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64)
            }
            Content::Pieces(_) => SizeHint::default(),
        }
    }
}
