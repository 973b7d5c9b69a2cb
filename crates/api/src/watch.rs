//! Server-sent events: what every stream has in common, which is resume, a heartbeat and an end.
//!
//! Invariant: a stream ends no later than a heartbeat after what its caller proved itself with is revoked, has expired,
//! or stands for another role.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use futures::Stream;
use kernel::FactSeq;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;

use crate::caller::Caller;
use crate::server::{Shared, blocking};

/// Between heartbeats; a client that hears nothing for three of them says that it is stale.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(5);
/// Facts read at a time for an export or a watcher that has fallen behind.
pub(crate) const CHUNK: usize = 500;
/// Events waiting for one slow client; beyond it the sender waits, and nothing is dropped.
const BACKLOG: usize = 64;

/// The writing end of one client's stream.
pub(crate) struct Outlet {
    sender: mpsc::Sender<Result<Event, Infallible>>,
    draining: watch::Receiver<bool>,
    shared: Shared,
    caller: Caller,
}

/// Why a stream ends.
pub(crate) struct Gone;

/// A stream for `caller`, and its writing end.
pub(crate) fn stream(
    shared: &Shared,
    caller: Caller,
) -> (Outlet, Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>) {
    let (sender, receiver) = mpsc::channel(BACKLOG);
    let outlet = Outlet { sender, draining: shared.0.draining.clone(), shared: shared.clone(), caller };
    (outlet, Sse::new(ReceiverStream::new(receiver)))
}

impl Outlet {
    /// Sends one event.
    pub(crate) async fn send(&self, event: Event) -> Result<(), Gone> {
        self.sender.send(Ok(event)).await.map_err(|_| Gone)
    }

    /// Ends the stream of a caller who would be answered differently today.
    pub(crate) async fn admitted(&self) -> Result<(), Gone> {
        let caller = self.caller.clone();
        match blocking(&self.shared, move |operations| Ok(caller.stands(operations))).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Gone),
        }
    }

    /// Waits until `changed` changes, sending heartbeats meanwhile. Ends when the client leaves, the process drains, or
    /// the caller is admitted no more.
    pub(crate) async fn until_changed<T: Send + Sync>(
        &mut self,
        changed: &mut watch::Receiver<T>,
    ) -> Result<(), Gone> {
        loop {
            let woken = tokio::select! {
                change = changed.changed() => change.map(|()| true).map_err(|_| Gone)?,
                () = self.sender.closed() => return Err(Gone),
                _ = self.draining.wait_for(|draining| *draining) => return Err(Gone),
                () = tokio::time::sleep(HEARTBEAT) => false,
            };
            if woken {
                return self.admitted().await;
            }
            self.beat().await?;
        }
    }

    /// Waits for `pause`, sending heartbeats meanwhile, or ends as [`Outlet::until_changed`] does.
    pub(crate) async fn pause(&mut self, pause: Duration) -> Result<(), Gone> {
        let began = Instant::now();
        loop {
            let left = pause.saturating_sub(began.elapsed());
            tokio::select! {
                () = tokio::time::sleep(left.min(HEARTBEAT)) => {}
                () = self.sender.closed() => return Err(Gone),
                _ = self.draining.wait_for(|draining| *draining) => return Err(Gone),
            }
            if left <= HEARTBEAT {
                return self.admitted().await;
            }
            self.beat().await?;
        }
    }

    async fn beat(&self) -> Result<(), Gone> {
        self.admitted().await?;
        self.send(Event::default().event("heartbeat").data("{}")).await
    }
}

/// Where a client goes on: the `Last-Event-ID` header of a reconnect, else `after`, else from now.
pub(crate) fn resume_point(headers: &HeaderMap, after: Option<u64>, now: FactSeq) -> FactSeq {
    headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.trim().parse().ok())
        .or(after)
        .map_or(now, FactSeq)
}
