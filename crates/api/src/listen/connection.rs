//! One connection, from its first byte to its last: HTTP/1.1 or HTTP/2, whichever the client speaks, under the limits.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::Sleep;
use tower::ServiceExt as _;

use super::activity::Activity;
use super::stream::{Bounded, Held, Watched};
use super::{Limits, MAX_HEADERS, MAX_STREAMS, Peer};

/// The least that hyper takes as a limit of a head.
const LEAST_HEADER_BYTES: usize = 8_192;
/// How often an HTTP/2 peer is asked whether it is still there.
const PING: Duration = Duration::from_secs(30);
/// How long it may take to answer.
const PONG: Duration = Duration::from_secs(10);
/// For a silent connection to end in an orderly way (an HTTP/2 GOAWAY, a TLS close) before it is dropped.
const FAREWELL: Duration = Duration::from_secs(1);

/// Answers the requests of one connection until the peer leaves, is silent too long, or draining has begun and what was
/// being answered is sent.
pub(super) async fn serve<IO>(
    io: IO,
    peer: Peer,
    router: Router,
    limits: Arc<Limits>,
    mut draining: watch::Receiver<bool>,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new(&limits);
    let io = TokioIo::new(Watched::new(io, Arc::clone(&activity), limits.write_stall));
    let builder = builder(&limits);
    let service = {
        let activity = Arc::clone(&activity);
        service_fn(move |request| {
            answer(request, peer, router.clone(), Arc::clone(&limits), Arc::clone(&activity))
        })
    };
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut timer = pin!(tokio::time::sleep_until(activity.deadline()));
    let mut leaving = false;
    loop {
        tokio::select! {
            biased;
            // How a connection ends is its peer's affair: it hung up, or spoke no HTTP, and was answered if possible.
            _ = connection.as_mut() => return,
            () = poll_fn(|cx| silent(&activity, timer.as_mut(), cx)) => {
                connection.as_mut().graceful_shutdown();
                let _ = tokio::time::timeout(FAREWELL, connection).await;
                return;
            }
            () = drained(&mut draining), if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Waits until draining has begun.
pub(super) async fn drained(draining: &mut watch::Receiver<bool>) {
    // The sender is gone only when the process is ending.
    let _ = draining.wait_for(|draining| *draining).await;
}

/// Ready when the connection has been silent too long. Polled after the connection itself whenever that made progress,
/// so the deadline is always that of what the connection is doing now.
fn silent(activity: &Activity, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    loop {
        if timer.deadline() != activity.deadline() {
            timer.as_mut().reset(activity.deadline());
        }
        match timer.as_mut().poll(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(()) if !activity.is_answering() && timer.deadline() >= activity.deadline() => {
                return Poll::Ready(());
            }
            Poll::Ready(()) => {}
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    peer: Peer,
    router: Router,
    limits: Arc<Limits>,
    activity: Arc<Activity>,
) -> Result<Response<Held>, Infallible> {
    let answering = activity.begin(request.version() == Version::HTTP_2);
    let mut request = request.map(|body| Body::new(Bounded::new(body, limits.body_bytes, limits.body_stall)));
    request.extensions_mut().insert(peer);
    let response = router.oneshot(request).await?;
    Ok(response.map(|body| Held::new(body, answering)))
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let header_bytes = limits.header_bytes.max(LEAST_HEADER_BYTES);
    builder
        .http1()
        .timer(TokioTimer::new())
        // hyper's own would also cut a connection that rests; ours tells the two apart.
        .header_read_timeout(None)
        .max_buf_size(header_bytes)
        .max_headers(MAX_HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG);
    builder
}
