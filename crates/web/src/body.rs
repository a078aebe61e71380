//! The body of an answer, which holds something until its last byte is written.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

use crate::connections::Work;
use crate::limits::Place;

/// What an answer holds. When it is dropped, its connection is not busy any more.
pub(crate) struct Hold {
    pub(crate) _work: Work,
    /// Its part of the memory that all answers together may have.
    pub(crate) _memory: Option<Place>,
}

/// The body of an answer. What it holds is held by each of its pieces too: hyper drops a body when
/// it has taken the last piece, and then waits for the client.
pub(crate) struct Held {
    pub(crate) body: Body,
    pub(crate) hold: Arc<Hold>,
}

/// A piece that is not written yet.
struct Piece {
    bytes: Bytes,
    _hold: Arc<Hold>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let next = Pin::new(&mut self.body).poll_frame(context);
        let piece = |bytes| {
            Bytes::from_owner(Piece {
                bytes,
                _hold: Arc::clone(&self.hold),
            })
        };
        next.map_ok(|frame| frame.map_data(piece))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
