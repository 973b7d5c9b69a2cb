//! Server-sent events: facts as they are appended, with resume and a heartbeat.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use futures::Stream;
use kernel::FactSeq;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;

use crate::server::Shared;

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
}

/// Why a stream ends.
pub(crate) struct Gone;

/// A stream and its writing end.
pub(crate) fn stream(
    shared: &Shared,
) -> (Outlet, Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>) {
    let (sender, receiver) = mpsc::channel(BACKLOG);
    (Outlet { sender, draining: shared.0.draining.clone() }, Sse::new(ReceiverStream::new(receiver)))
}

impl Outlet {
    /// Sends one event.
    pub(crate) async fn send(&self, event: Event) -> Result<(), Gone> {
        self.sender.send(Ok(event)).await.map_err(|_| Gone)
    }

    /// Waits until `changed` changes, sending heartbeats meanwhile. Ends when the client leaves or the process drains.
    pub(crate) async fn until_changed<T: Send + Sync>(
        &mut self,
        changed: &mut watch::Receiver<T>,
    ) -> Result<(), Gone> {
        loop {
            tokio::select! {
                change = changed.changed() => return change.map_err(|_| Gone),
                () = self.sender.closed() => return Err(Gone),
                _ = self.draining.wait_for(|draining| *draining) => return Err(Gone),
                () = tokio::time::sleep(HEARTBEAT) => {}
            }
            self.send(Event::default().event("heartbeat").data("{}")).await?;
        }
    }

    /// Waits for `pause`, or ends as [`Outlet::until_changed`] does.
    pub(crate) async fn pause(&mut self, pause: Duration) -> Result<(), Gone> {
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = self.sender.closed() => Err(Gone),
            _ = self.draining.wait_for(|draining| *draining) => Err(Gone),
        }
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
