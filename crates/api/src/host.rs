//! This machine over HTTP: as last measured, and as it is measured.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kernel::Role;
use serde_json::Value;
use wire::exposition::{Format, encode};

use crate::answer::Answer;
use crate::caller::Caller;
use crate::endpoint::{Endpoint, Needs};
use crate::server::{Shared, blocking};
use crate::watch;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let viewer = Needs::Role(Role::Viewer);
    vec![
        Endpoint::get("/api/mainstay/v1/host", "getHost", viewer, get(host))
            .about(
                "host",
                "This machine as last measured: cpu, pressure, memory, disks, network, top processes.",
            )
            .gives::<Value>(200, "The machine."),
        Endpoint::get("/api/mainstay/v1/host/watch", "watchHost", viewer, get(watch_host))
            .about("host", "This machine at every measurement, as server-sent events.")
            .gives_text(200, "text/event-stream", "Events `host` and `heartbeat`."),
        Endpoint::get("/metrics", "getMetrics", Needs::LocalOr(Role::Viewer), get(exposition))
            .about("host", "This machine's and Mainstay's own metrics, as Prometheus' text exposition.")
            .gives_text(200, "text/plain", "The exposition."),
    ]
}

async fn host(State(shared): State<Shared>, caller: Caller) -> Answer<Response> {
    let asked = caller.asked();
    let snapshot = blocking(&shared, move |ops| ops.host(&asked)).await?;
    Ok(Json(&*snapshot).into_response())
}

async fn watch_host(State(shared): State<Shared>, caller: Caller) -> Answer<Response> {
    let asked = caller.asked();
    let mut measured = blocking(&shared, move |ops| ops.watch_host(&asked)).await?;
    let (mut outlet, stream) = watch::stream(&shared, caller);
    tokio::spawn(async move {
        loop {
            let latest = measured.borrow_and_update().clone();
            if let Some(snapshot) = latest {
                let Ok(event) = Event::default().event("host").json_data(&*snapshot) else { return };
                if outlet.send(event).await.is_err() {
                    return;
                }
            }
            if outlet.until_changed(&mut measured).await.is_err() {
                return;
            }
        }
    });
    Ok(stream.into_response())
}

async fn exposition(State(shared): State<Shared>, caller: Caller, headers: HeaderMap) -> Answer<Response> {
    let asked = caller.asked();
    let families = blocking(&shared, move |ops| ops.exposed(&asked)).await?;
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let format = Format::negotiate(accept);
    Ok(([(header::CONTENT_TYPE, format.content_type())], encode(&families, format)).into_response())
}
