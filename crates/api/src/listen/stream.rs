//! The streams of a connection, watched: bytes in and out, request bodies, answer bodies.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::activity::{Activity, Answering};

/// A transport that notes when bytes come, and fails when the peer takes none for too long.
pub(super) struct Watched<IO> {
    io: IO,
    activity: Arc<Activity>,
    stall: Stall,
}

/// A request's body that fails when it is too long or makes no progress.
pub(super) struct Bounded {
    body: Incoming,
    left: u64,
    limit: u64,
    stall: Stall,
}

/// An answer's body that keeps its connection counted as answering until it is sent or dropped.
pub(super) struct Held {
    body: Body,
    _answering: Answering,
}

/// Why a request's body ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// Over the limit.
    #[error("the request's body is longer than {0} bytes")]
    TooLong(u64),
    /// No progress.
    #[error("the request's body made no progress for {0:?}")]
    Stalled(Duration),
    /// The connection failed.
    #[error(transparent)]
    Transport(hyper::Error),
}

/// A timer that runs while something is pending.
struct Stall {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

// === impl Stall ===

impl Stall {
    fn new(limit: Duration) -> Self {
        Self { limit, timer: None }
    }

    /// Passes `poll` on; `Err` when it has been pending for `limit`.
    fn watch<T>(&mut self, poll: Poll<T>, cx: &mut Context<'_>) -> Result<Poll<T>, Duration> {
        if poll.is_ready() {
            self.timer = None;
            return Ok(poll);
        }
        let limit = self.limit;
        let timer =
            self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + limit)));
        if timer.as_mut().poll(cx).is_ready() { Err(limit) } else { Ok(Poll::Pending) }
    }
}

// === impl Watched ===

impl<IO> Watched<IO> {
    pub(super) fn new(io: IO, activity: Arc<Activity>, write_stall: Duration) -> Self {
        Self { io, activity, stall: Stall::new(write_stall) }
    }

    fn sent<T>(&mut self, poll: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.stall.watch(poll, cx).unwrap_or_else(|limit| {
            let message = format!("the peer has taken nothing for {limit:?}");
            Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, message)))
        })
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Watched<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, buffer));
        if buffer.filled().len() > before {
            self.activity.received();
        }
        Poll::Ready(read)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Watched<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.sent(poll, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.io).poll_flush(cx);
        self.sent(poll, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.io).poll_shutdown(cx);
        self.sent(poll, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.sent(poll, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

// === impl Bounded ===

impl Bounded {
    pub(super) fn new(body: Incoming, limit: u64, stall: Duration) -> Self {
        Self { body, left: limit, limit, stall: Stall::new(stall) }
    }
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let poll = Pin::new(&mut self.body).poll_frame(cx);
        let frame = match self.stall.watch(poll, cx) {
            Ok(poll) => ready!(poll),
            Err(limit) => return Poll::Ready(Some(Err(BodyError::Stalled(limit)))),
        };
        let frame = frame.map(|frame| frame.map_err(BodyError::Transport));
        if let Some(Ok(frame)) = &frame {
            let length = frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
            match self.left.checked_sub(length) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(BodyError::TooLong(self.limit)))),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

// === impl Held ===

impl Held {
    pub(super) fn new(body: Body, answering: Answering) -> Self {
        Self { body, _answering: answering }
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
