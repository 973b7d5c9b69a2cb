//! What stands between the network and every handler: the host that is named, the site that started a request, the
//! headers that every answer carries, a request's id, and a handler's panic.
//!
//! Not here: who the caller is and what they may do.

pub(crate) mod cookie;
mod origin;

use std::any::Any;
use std::hash::{BuildHasher as _, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use kernel::Fault;

use crate::answer::Refused;
use crate::listen::Peer;
use origin::HostNames;
pub(crate) use origin::is_forwarded;

/// Names a request in its answer and in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(pub(crate) String);

/// The middleware around the whole router.
#[derive(Debug)]
pub(crate) struct Guard {
    hosts: HostNames,
    ids: RequestIds,
}

/// Request ids: unlike those of other processes by their first half, unlike each other by their second.
#[derive(Debug)]
struct RequestIds {
    process: u32,
    next: AtomicU64,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest request id that is taken over from a proxy.
const MAX_REQUEST_ID: usize = 64;
/// For a year, browsers that saw us over TLS do not come without.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// On every answer that does not say otherwise itself.
const HEADERS: [(HeaderName, HeaderValue); 8] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(console::CONTENT_SECURITY_POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
    // Answers hold what only their caller may see; what may be kept says so.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

// === impl Guard ===

impl Guard {
    /// Lets requests through that name loopback, an address, or one of `host_names`.
    pub(crate) fn new(host_names: Vec<String>) -> Self {
        Self { hosts: HostNames::new(host_names), ids: RequestIds::new() }
    }

    /// Puts the guard around everything `router` answers, what it has no route for included.
    pub(crate) fn protect(self, router: Router) -> Router {
        router.layer(from_fn_with_state(Arc::new(self), guard))
    }

    fn check(&self, parts: &Parts, peer: Option<Peer>) -> Result<(), Fault> {
        match peer {
            // No browser speaks to a unix socket.
            Some(Peer::Local { .. }) => Ok(()),
            Some(Peer::Tcp { tls, .. }) => {
                self.hosts.check(parts)?;
                origin::check_origin(parts, tls)
            }
            None => {
                self.hosts.check(parts)?;
                origin::check_origin(parts, false)
            }
        }
    }
}

async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let peer = parts.extensions.get::<Peer>().copied();
    let id = guard.ids.of(&parts.headers);
    let loopback_name = is_localhost(&parts);
    let mut response = match guard.check(&parts, peer) {
        Err(fault) => Refused(fault).into_response(),
        Ok(()) => {
            parts.extensions.insert(RequestId(id.clone()));
            let answered = AssertUnwindSafe(next.run(Request::from_parts(parts, body))).catch_unwind().await;
            answered.unwrap_or_else(|panic| panicked(panic.as_ref(), &id))
        }
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    if matches!(peer, Some(Peer::Tcp { tls: true, .. })) && !loopback_name {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(HSTS);
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// A handler's panic is our mistake: the client reads that and the id to quote, the panic's own words and place went to
/// the log when it happened.
fn panicked(panic: &(dyn Any + Send), id: &str) -> Response {
    let said =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let mut fault = Fault::bug(format!("request {id} panicked: {}", said.unwrap_or("without a word")));
    fault.message = format!("{} under the request id {id}", fault.message);
    Refused(fault).into_response()
}

/// HSTS counts for every port of a name; on localhost it would break what else runs there.
fn is_localhost(parts: &Parts) -> bool {
    let header = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let named = parts.uri.host().or(header).unwrap_or_default();
    named.to_ascii_lowercase().starts_with("localhost")
}

// === impl RequestIds ===

impl RequestIds {
    fn new() -> Self {
        // The standard library's hasher is seeded by the system's generator; an id is no secret and needs no more.
        let seed = RandomState::new().hash_one(std::process::id());
        Self { process: u32::try_from(seed >> 32).unwrap_or_default(), next: AtomicU64::new(1) }
    }

    /// What a proxy before us gave the request, or a new one.
    fn of(&self, headers: &HeaderMap) -> String {
        let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        match given {
            Some(id) if !id.is_empty() && id.len() <= MAX_REQUEST_ID && id.chars().all(allowed) => {
                id.to_owned()
            }
            _ => format!("{:08x}-{:06x}", self.process, self.next.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests;
