//! Listening: sockets, TLS, connections with limits, and stopping without cutting anybody off.
//!
//! Not here: what is answered (the [`axum::Router`] is handed in) and who the caller is; a request only carries its
//! [`Peer`]. axum's own `serve` is not used because it knows neither TLS nor limits.
//!
//! Invariants:
//! - A connection that holds no request being answered is closed when it is silent too long, whatever the protocol.
//! - Nothing that a peer sends or does not read makes the process keep more than the limits below.
//! - [`serve`] returns within [`DRAIN`] and a moment after draining begins, whatever handlers and peers do.

mod activity;
mod address;
mod bind;
mod connection;
mod holder;
mod serve;
mod socket;
mod stream;
mod tls;

#[cfg(test)]
mod tests;

pub use address::{ListenError, ListenPolicy, Warning};
pub use bind::{Listener, SocketAccess};
pub use serve::{Connections, Drained, Event, Serving, serve};
pub use tls::{Certificates, PemPair, TlsError, self_signed};

use std::net::SocketAddr;
use std::time::Duration;

/// Who is at the other end of a connection; an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A process of this machine, on the unix socket; vouched for by the kernel.
    Local {
        /// Its effective user id when it connected.
        uid: u32,
        /// Its process id, where the kernel tells.
        pid: Option<i32>,
    },
    /// On TCP.
    Tcp {
        /// Its address.
        addr: SocketAddr,
        /// Encrypted.
        tls: bool,
    },
}

/// Connections open at once on one listener; one more is told so and closed.
pub const MAX_CONNECTIONS: usize = 1_000;
/// For a TLS handshake.
pub const HANDSHAKE: Duration = Duration::from_secs(10);
/// For a request's head to arrive whole, from its first byte; and for the first request of a connection.
pub const HEADER_READ: Duration = Duration::from_secs(10);
/// How long a connection may rest between two requests.
pub const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(75);
/// How long a request's body may make no progress.
pub const BODY_STALL: Duration = Duration::from_secs(30);
/// How long a peer may read nothing of what is being sent to it.
pub const WRITE_STALL: Duration = Duration::from_secs(60);
/// A request's head, in bytes.
pub const MAX_HEADER_BYTES: usize = 64 << 10;
/// Headers in a request over HTTP/1.1.
pub const MAX_HEADERS: usize = 128;
/// A request's body, in bytes, whatever the route; routes have lower limits of their own.
pub const MAX_BODY_BYTES: u64 = 64 << 20;
/// Requests answered at once on one HTTP/2 connection.
pub const MAX_STREAMS: u32 = 128;
/// For requests that are being answered when draining begins; then they are cut off.
pub const DRAIN: Duration = Duration::from_secs(4);
/// How often certificate files are looked at.
pub const CERTIFICATE_CHECK: Duration = Duration::from_secs(10);

/// The limits that a listener enforces; [`Limits::default`] is the constants of this module.
#[derive(Clone, Debug)]
pub struct Limits {
    /// See [`MAX_CONNECTIONS`].
    pub connections: usize,
    /// See [`HANDSHAKE`].
    pub handshake: Duration,
    /// See [`HEADER_READ`].
    pub header_read: Duration,
    /// See [`KEEP_ALIVE_IDLE`].
    pub keep_alive_idle: Duration,
    /// See [`BODY_STALL`].
    pub body_stall: Duration,
    /// See [`WRITE_STALL`].
    pub write_stall: Duration,
    /// See [`MAX_HEADER_BYTES`].
    pub header_bytes: usize,
    /// See [`MAX_BODY_BYTES`].
    pub body_bytes: u64,
    /// See [`DRAIN`].
    pub drain: Duration,
    /// See [`CERTIFICATE_CHECK`].
    pub certificate_check: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: MAX_CONNECTIONS,
            handshake: HANDSHAKE,
            header_read: HEADER_READ,
            keep_alive_idle: KEEP_ALIVE_IDLE,
            body_stall: BODY_STALL,
            write_stall: WRITE_STALL,
            header_bytes: MAX_HEADER_BYTES,
            body_bytes: MAX_BODY_BYTES,
            drain: DRAIN,
            certificate_check: CERTIFICATE_CHECK,
        }
    }
}
