//! Who is calling: credentials off the request, an [`Actor`] from `operations`.

use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use kernel::{Actor, ActorKind, Fault};
use operations::access::Credentials;
use operations::{Asked, Operations};

use crate::answer::Refused;
use crate::guard::{cookie, is_forwarded};
use crate::listen::Peer;
use crate::server::{Shared, blocking};

/// The caller of this request, once identified.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Who.
    pub(crate) actor: Actor,
    /// From this machine: loopback or the unix socket.
    pub(crate) local: bool,
    /// The network address, for rate limits; absent on the unix socket.
    pub(crate) address: Option<IpAddr>,
    /// Over TLS.
    pub(crate) tls: bool,
    /// The secret of the session cookie, if that is how the caller proved itself.
    pub(crate) session: Option<String>,
    /// What the caller proved itself with.
    proof: Arc<Found>,
}

/// Credentials as found on the request. They are kept while a stream goes on, and never printed.
enum Found {
    None,
    Local(u32),
    Session(String),
    Bearer(String),
    Basic(String, String),
}

// === impl Caller ===

impl Caller {
    /// A request without a reason.
    pub(crate) fn asked(&self) -> Asked {
        Asked { actor: self.actor.clone(), local: self.local, reason: String::new() }
    }

    /// A request with a reason.
    pub(crate) fn because(&self, reason: Option<String>) -> Asked {
        self.asked().because(reason.unwrap_or_default())
    }

    /// Whether what the caller proved itself with still stands for who it was. May hash a password: not for the
    /// runtime's threads.
    pub(crate) fn stands(&self, operations: &Operations) -> bool {
        operations.still(&self.proof.credentials(), &self.actor)
    }

    /// Nobody has proved who they are.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.actor.kind == ActorKind::Anonymous
    }
}

impl Found {
    fn credentials(&self) -> Credentials<'_> {
        match self {
            Self::None => Credentials::None,
            Self::Local(uid) => Credentials::Local { uid: *uid },
            Self::Session(secret) => Credentials::Session(secret),
            Self::Bearer(secret) => Credentials::Bearer(secret),
            Self::Basic(user, password) => Credentials::Basic { user, password },
        }
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self {
            actor: Actor::anonymous(),
            local: false,
            address: None,
            tls: false,
            session: None,
            proof: Arc::new(Found::None),
        }))
    }
}

/// Identifies the caller of every request. Wrong credentials are refused at once; a session that has ended is nobody,
/// so that the sign-in page can be reached.
pub(crate) async fn identify(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().cloned();
    let (local, address, tls) = match &peer {
        Some(Peer::Local { .. }) => (true, None, false),
        Some(Peer::Tcp { addr, tls }) => {
            let local = addr.ip().to_canonical().is_loopback() && !is_forwarded(request.headers());
            (local, Some(addr.ip()), *tls)
        }
        None => (false, None, false),
    };
    let found = match found(request.headers(), peer.as_ref()) {
        Ok(found) => found,
        Err(fault) => return Refused(fault).into_response(),
    };
    let session = match &found {
        Found::Session(secret) => Some(secret.clone()),
        _ => None,
    };
    let proof = Arc::new(found);
    let found = Arc::clone(&proof);
    let identified =
        blocking(&shared, move |operations| operations.identify(&found.credentials(), address)).await;
    match identified {
        Ok(actor) => {
            request.extensions_mut().insert(Caller { actor, local, address, tls, session, proof });
            next.run(request).await
        }
        Err(refused) => refused.into_response(),
    }
}

fn found(headers: &HeaderMap, peer: Option<&Peer>) -> Result<Found, Fault> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let text = value.to_str().map_err(|_| malformed())?;
        let (scheme, rest) = text.split_once(' ').ok_or_else(malformed)?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Found::Bearer(rest.trim().to_owned()));
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded =
                base64::engine::general_purpose::STANDARD.decode(rest.trim()).map_err(|_| malformed())?;
            let text = String::from_utf8(decoded).map_err(|_| malformed())?;
            let (user, password) = text.split_once(':').ok_or_else(malformed)?;
            return Ok(Found::Basic(user.to_owned(), password.to_owned()));
        }
        return Err(malformed());
    }
    if let Some(secret) = cookie::session(headers) {
        return Ok(Found::Session(secret));
    }
    match peer {
        Some(Peer::Local { uid, .. }) => Ok(Found::Local(*uid)),
        _ => Ok(Found::None),
    }
}

fn malformed() -> Fault {
    Fault::unauthenticated(
        "the Authorization header is neither `Bearer TOKEN` nor `Basic BASE64(user:password)`",
    )
}
